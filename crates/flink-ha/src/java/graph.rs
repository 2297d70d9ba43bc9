//! What was read from a stream: objects and their fields.

use std::sync::Arc;

/// A stream that was read.
#[derive(Debug)]
pub(crate) struct Graph {
    /// What was written, one after the other.
    pub(crate) contents: Vec<Content>,
    pub(super) things: Vec<Thing>,
    /// The offsets of the numbers by which the stream refers back to earlier things.
    pub(crate) references: Vec<usize>,
    /// Whether the numbers begin anew somewhere.
    pub(crate) resets: bool,
}

/// Something written at the top level, or by an object's own `writeObject`.
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
    /// Another primitive. No decoder needs it, so its value is not kept.
    Other,
    /// A thing of the graph, by its index. Graphs may have cycles.
    Thing(usize),
}

#[derive(Debug)]
pub(super) enum Thing {
    /// Still being read. A reference to it is a cycle.
    Begun,
    Class(Class),
    Object {
        class: usize,
        parts: Vec<Part>,
    },
    Text(Arc<str>),
    /// An array. Only arrays of bytes keep their elements; no decoder needs the others.
    Array(Vec<u8>),
    /// A constant of an enum, or a class as a value.
    Other,
}

#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) name: Arc<str>,
    pub(super) flags: u8,
    pub(super) fields: Arc<[Field]>,
    pub(super) superclass: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// The protocol's letter for the type: `J` (long), `L` (object), `[` (array).
    pub(super) kind: u8,
}

/// The fields of an object that one class in its line of superclasses declares.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) class: usize,
    /// One for each field of the class, in the same order.
    pub(super) values: Vec<Value>,
}

/// An object of a graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'a> {
    graph: &'a Graph,
    class: usize,
    parts: &'a [Part],
}

impl Graph {
    /// The first value written, after any primitive data.
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

    /// The elements of an array of bytes.
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
    /// The name of its class: `java.util.UUID`.
    pub(crate) fn class(self) -> &'a str {
        self.graph.class(self.class).map_or("", |class| &class.name)
    }

    /// The value of the field with this name. A field of its own class hides one of a superclass.
    pub(crate) fn field(self, name: &str) -> Option<Value> {
        self.parts.iter().rev().find_map(|part| {
            let fields = &self.graph.class(part.class)?.fields;
            let at = fields.iter().position(|field| field.name == name)?;
            part.values.get(at).copied()
        })
    }

    /// The object in the field with this name.
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
