//! Text that must not be shown, and errors that are safe to show.

use std::fmt;

use serde::Deserialize;

/// A token, a password or a key. Nothing prints it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Why a kubeconfig, or the credentials that it leads to, cannot be used.
///
/// The text names files, users and places in a file. It never repeats what a file, a credential
/// plugin or a library's error says: these may repeat a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unusable(pub(crate) String);
