//! One operation on the API: a verb, on a resource, in a namespace.

use crate::object::resource::Resource;

/// What is done to an object, in the words of roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Delete,
}

/// What is asked of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation<'a> {
    /// Its URL, for messages.
    pub(crate) server: &'a str,
    pub(crate) verb: Verb,
    pub(crate) resource: &'static Resource,
    pub(crate) namespace: &'a str,
    /// `None` for lists and watches.
    pub(crate) name: Option<&'a str>,
}

impl Verb {
    /// As in a role.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    pub(crate) const fn is_write(self) -> bool {
        match self {
            Self::Get | Self::List | Self::Watch => false,
            Self::Create | Self::Update | Self::Delete => true,
        }
    }
}

impl Operation<'_> {
    /// As in `update configmaps/demo.g--root in namespace default`.
    pub(crate) fn what(&self) -> String {
        let (verb, plural, namespace) = (self.verb.word(), self.resource.plural, self.namespace);
        match self.name {
            Some(name) => format!("{verb} {plural}/{name} in namespace {namespace}"),
            None => format!("{verb} {plural} in namespace {namespace}"),
        }
    }

    /// The object, as in `configmaps/demo.g--root in namespace default`.
    pub(crate) fn object(&self) -> String {
        let name = self.name.unwrap_or_default();
        format!(
            "{}/{name} in namespace {}",
            self.resource.plural, self.namespace
        )
    }
}
