//! Why bytes are no object stream.

/// Why bytes cannot be read as a Java object stream, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {kind}")]
pub struct JavaError {
    /// How many bytes were read before.
    pub at: usize,
    /// What is wrong there.
    pub kind: JavaErrorKind,
}

/// What is wrong with an object stream.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JavaErrorKind {
    /// It ends in the middle.
    #[error("the bytes end in the middle")]
    Truncated,
    /// It does not begin as such streams do.
    #[error("this is no Java object stream")]
    NoStream,
    /// It is longer than a store takes.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// It has objects in objects in objects.
    #[error("objects are nested more than {0} deep")]
    TooDeep(usize),
    /// It has more objects than any handle has.
    #[error("there are more than {0} objects")]
    TooMany(usize),
    /// The protocol has no such mark here.
    #[error("{0:#04x} is no mark that can be here")]
    Mark(u8),
    /// It refers to something that is not there, or is something else.
    #[error("{0:#x} refers to nothing that can be here")]
    Reference(u32),
    /// A string is not in Java's kind of UTF-8.
    #[error("a string is not in Java's UTF-8")]
    Text,
    /// There is no such type of a field.
    #[error("{0:#04x} is no type of a field")]
    Type(u8),
    /// A length is negative, or more than there is.
    #[error("a length is {0}")]
    Length(i64),
    /// An object that wrote itself in a form that only its class can read.
    #[error("an object of {0} has a form of its own")]
    Opaque(String),
    /// Java failed while it wrote, and said so in the stream.
    #[error("writing was broken off with an exception")]
    Exception,
}
