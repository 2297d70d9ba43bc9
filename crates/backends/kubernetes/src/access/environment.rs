//! What the process was started with, as far as it leads to an API server.

use std::ffi::OsString;
use std::fmt;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a pod finds the credentials of its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Gives the value of a variable.
type Variables = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// An argument of everything that loads a configuration, so that a test can choose it.
#[derive(Clone)]
pub(crate) struct Environment {
    variables: Arc<Variables>,
    pub(crate) home: Option<PathBuf>,
    pub(crate) service_account: PathBuf,
    /// Whether a person can answer questions on standard input.
    pub(crate) terminal: bool,
}

impl Environment {
    pub(crate) fn of_process() -> Self {
        Self {
            variables: Arc::new(|name| std::env::var_os(name)),
            home: std::env::home_dir(),
            service_account: SERVICE_ACCOUNT.into(),
            terminal: std::io::stdin().is_terminal(),
        }
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        (self.variables)(name).filter(|value| !value.is_empty())
    }

    /// The same, if it is text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.variable(name)?.into_string().ok()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

#[cfg(test)]
impl Environment {
    pub(crate) fn of(variables: &[(&str, &str)], service_account: PathBuf) -> Self {
        let variables: std::collections::HashMap<String, OsString> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
            .collect();
        Self {
            variables: Arc::new(move |name| variables.get(name).cloned()),
            home: None,
            service_account,
            terminal: false,
        }
    }
}
