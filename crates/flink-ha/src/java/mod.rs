//! What Java's object streams say, as far as Flink uses them: primitive data, and graphs of objects
//! with their fields.
//!
//! The whole grammar of the protocol (version 5) is read, but for objects that write themselves in
//! a form of their own (`Externalizable` of version 1), exceptions, and resets inside of objects.
//! No class is looked up, and no code runs: an object is its class's name and its fields.
//!
//! One thing the protocol leaves open: a class with a `writeObject` of its own may leave its fields
//! out, and the stream does not tell. All that are found in Flink's handles write theirs; one that
//! does not is read wrongly, and mostly refused.

mod bytes;
mod error;
mod grammar;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use bytes::modified_utf8;
pub use error::{JavaError, JavaErrorKind};

/// A stream that was read.
#[derive(Debug)]
pub(crate) struct Graph {
    /// What was written, one after the other.
    pub(crate) contents: Vec<Content>,
    things: Vec<Thing>,
}

/// Something that was written at the top, or by an object's own `writeObject`.
#[derive(Debug)]
pub(crate) enum Content {
    /// Primitive data.
    Block(Vec<u8>),
    Value(Value),
}

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Long(i64),
    /// Another primitive, which nobody asks for.
    Other,
    /// A thing of the graph, by its place. Graphs may have circles.
    Thing(usize),
}

#[derive(Debug)]
enum Thing {
    /// Being read. What refers to it in the meantime is a circle.
    Begun,
    Class(Class),
    Object {
        class: usize,
        parts: Vec<Part>,
    },
    Text(Arc<str>),
    /// An array of bytes has bytes, any other has none: nobody asks for them.
    Array(Vec<u8>),
    /// An enum's constant, or a class as a value.
    Other,
}

#[derive(Clone, Debug)]
struct Class {
    name: Arc<str>,
    flags: u8,
    fields: Arc<[Field]>,
    superclass: Option<usize>,
}

#[derive(Debug)]
struct Field {
    name: String,
    /// The protocol's letter for the type: `J`, `L`, `[`.
    kind: u8,
}

/// What one class of an object's has of it.
#[derive(Debug)]
struct Part {
    class: usize,
    /// In the order of the class's fields.
    values: Vec<Value>,
}

/// An object of a graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'a> {
    graph: &'a Graph,
    class: usize,
    parts: &'a [Part],
}

impl Graph {
    /// Reads a whole stream.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, JavaError> {
        grammar::read(bytes)
    }

    /// The first value that was written.
    pub(crate) fn first_value(&self) -> Option<Value> {
        self.contents.iter().find_map(|content| match content {
            Content::Value(value) => Some(*value),
            Content::Block(_) => None,
        })
    }

    pub(crate) fn object(&self, value: Value) -> Option<Object<'_>> {
        let Value::Thing(at) = value else { return None };
        match self.things.get(at)? {
            Thing::Object { class, parts } => Some(Object {
                graph: self,
                class: *class,
                parts,
            }),
            _ => None,
        }
    }

    pub(crate) fn text(&self, value: Value) -> Option<&str> {
        let Value::Thing(at) = value else { return None };
        match self.things.get(at)? {
            Thing::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The length of an array of bytes.
    pub(crate) fn bytes(&self, value: Value) -> Option<&[u8]> {
        let Value::Thing(at) = value else { return None };
        match self.things.get(at)? {
            Thing::Array(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn class(&self, at: usize) -> Option<&Class> {
        match self.things.get(at)? {
            Thing::Class(class) => Some(class),
            _ => None,
        }
    }
}

impl<'a> Object<'a> {
    /// Its class: `java.util.UUID`.
    pub(crate) fn class(self) -> &'a str {
        self.graph.class(self.class).map_or("", |class| &class.name)
    }

    /// The value of the field with this name; of its own class before those above it.
    pub(crate) fn field(self, name: &str) -> Option<Value> {
        self.parts.iter().rev().find_map(|part| {
            let fields = &self.graph.class(part.class)?.fields;
            let at = fields.iter().position(|field| field.name == name)?;
            part.values.get(at).copied()
        })
    }

    /// The object that this field has.
    pub(crate) fn inner(self, name: &str) -> Option<Object<'a>> {
        self.graph.object(self.field(name)?)
    }

    pub(crate) fn long(self, name: &str) -> Option<i64> {
        match self.field(name)? {
            Value::Long(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn boolean(self, name: &str) -> Option<bool> {
        match self.field(name)? {
            Value::Boolean(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.graph.text(self.field(name)?)
    }

    pub(crate) fn bytes(self, name: &str) -> Option<&'a [u8]> {
        self.graph.bytes(self.field(name)?)
    }
}
