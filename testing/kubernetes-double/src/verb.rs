//! The verbs of requests.

/// The verb of a request, as tests name it. The deletion of a collection counts as
/// [`Verb::Delete`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// One object is read.
    Get,
    /// Objects are read.
    List,
    /// Changes are followed.
    Watch,
    /// An object is created (POST).
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
