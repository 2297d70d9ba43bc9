//! Java's object streams, as far as Flink uses them: primitive data, and graphs of objects with
//! their fields.
//!
//! The reader covers the whole grammar of protocol version 5, except objects that write themselves
//! in a form of their own (`Externalizable` of version 1), exceptions, and resets inside objects.
//! It looks up no class and runs no code: an object is the name of its class, and its fields.
//!
//! The protocol leaves one thing open. A class with its own `writeObject` may omit its fields, and
//! the stream does not say so. All such classes in Flink's handles write their fields. A class that
//! does not is misread, and in most cases refused.

mod bytes;
mod error;
mod grammar;
mod graph;

#[cfg(test)]
mod tests;

pub(crate) use bytes::modified_utf8;
pub use error::{JavaError, JavaErrorKind};
pub(crate) use grammar::{FIRST_HANDLE, HEADER, read};
pub(crate) use graph::{Content, Graph, Object, Value};
