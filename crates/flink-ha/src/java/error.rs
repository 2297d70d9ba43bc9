//! Why bytes cannot be read as an object stream.

/// Why bytes cannot be read as a Java object stream, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {kind}")]
pub struct JavaError {
    /// The offset of the fault.
    pub at: usize,
    /// The fault.
    pub kind: JavaErrorKind,
}

/// What is wrong with an object stream.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JavaErrorKind {
    /// The bytes end inside a value.
    #[error("the bytes end in the middle of a value")]
    Truncated,
    /// The magic number or the version is missing.
    #[error("this is not a Java object stream")]
    NoStream,
    /// It is longer than any store accepts.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// Objects are nested too deeply.
    #[error("objects are nested more than {0} deep")]
    TooDeep(usize),
    /// It has more objects than any handle of Flink's.
    #[error("there are more than {0} objects")]
    TooMany(usize),
    /// The protocol allows no such type code here.
    #[error("the type code {0:#04x} is not allowed here")]
    Mark(u8),
    /// A back reference leads nowhere, or to something of another type.
    #[error("the reference {0:#x} leads to nothing that is allowed here")]
    Reference(u32),
    /// A string is not in Java's modified UTF-8.
    #[error("a string is not in Java's modified UTF-8")]
    Text,
    /// A field has a type that the protocol does not know.
    #[error("a field has the unknown type {0:#04x}")]
    Type(u8),
    /// A length is negative, or larger than the rest of the stream.
    #[error("a length is {0}")]
    Length(i64),
    /// An object wrote itself in a form that only its class can read.
    #[error("an object of {0} is in a form that only its class can read")]
    Opaque(String),
    /// Java failed while writing, and recorded the exception in the stream.
    #[error("the stream records that writing it failed with an exception")]
    Exception,
}
