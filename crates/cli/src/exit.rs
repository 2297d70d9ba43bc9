//! How the program ends: exit codes that mean something, and one clear error.

use std::process::ExitCode;

/// The exit codes besides success, as `--help` lists them. `run` passes on the codes of its
/// command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Something failed.
    Failed = 1,
    /// Bad usage or configuration.
    Usage = 2,
    /// Nobody leads.
    NoLeader = 3,
    /// Refused: somebody else leads, or wrote meanwhile. Nothing was written.
    Refused = 4,
    /// It is not known whether something was written.
    Unknown = 5,
    /// There is no such record.
    NotFound = 6,
    /// The backend, or the leader, did not answer in time.
    Unavailable = 7,
    /// `flink inspect` has found problems.
    Problems = 8,
    /// `run` itself failed, as `env` and `timeout` say it.
    Run = 125,
}

/// Why the program ends without success.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: Code::Failed as u8,
        }
    }

    pub(crate) fn code(self, code: Code) -> Self {
        Self {
            code: code as u8,
            ..self
        }
    }

    /// Ends with this code, which may be a command's.
    pub(crate) fn raw_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// As `run` exits with it: not with a code that may be its command's, but for bad usage.
    pub(crate) fn of_run(self) -> Self {
        let code = match self.code {
            code if code == Code::Usage as u8 || code >= Code::Run as u8 => code,
            _ => Code::Run as u8,
        };
        Self { code, ..self }
    }

    /// Adds a cause, and its causes.
    pub(crate) fn because(mut self, cause: impl std::error::Error) -> Self {
        self.message.push_str(": ");
        self.message.push_str(&chain(&cause));
        self
    }

    /// Why, in one line.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some errors tell their cause themselves.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

impl From<incumbent::OpenError> for Failure {
    fn from(error: incumbent::OpenError) -> Self {
        Self::new(chain(&error)).code(match error {
            incumbent::OpenError::Address(_) | incumbent::OpenError::Name(_) => Code::Usage,
            // A directory is not asked and does not get better by waiting. Servers may.
            incumbent::OpenError::Place { ref address, .. } if address.starts_with("file:") => {
                Code::Usage
            }
            _ => Code::Unavailable,
        })
    }
}

impl From<incumbent::Error> for Failure {
    fn from(error: incumbent::Error) -> Self {
        use incumbent::Error;
        let code = match &error {
            Error::Fenced { .. } | Error::Conflict { .. } => Code::Refused,
            Error::Unknown { .. } => Code::Unknown,
            Error::Unavailable(_) => Code::Unavailable,
            Error::NoLeader => Code::NoLeader,
            _ => Code::Failed,
        };
        Self::new(chain(&error)).code(code)
    }
}
