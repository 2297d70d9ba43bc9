//! What a request asks for.

/// What a request asks for, by the names that tests use. The deletion of a collection counts as
/// [`Verb::Delete`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// One object is read.
    Get,
    /// Objects are read.
    List,
    /// Changes are followed.
    Watch,
    /// An object is made (POST).
    Create,
    /// An object is replaced (PUT).
    Update,
    /// An object is changed in part.
    Patch,
    /// An object, or a collection, is deleted.
    Delete,
    /// An account asks what it may do, or who it is.
    Review,
}
