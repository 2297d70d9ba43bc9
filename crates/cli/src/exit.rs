//! How the program ends: exit codes with a meaning, and one clear error.

use std::process::ExitCode;

use incumbent::backend::{causes, redacted};

/// The exit codes besides success, as `--help` lists them. `run` passes on the codes of its
/// command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Failed = 1,
    /// Bad usage or configuration.
    Usage = 2,
    /// Nobody leads.
    NoLeader = 3,
    /// Refused: another node leads, or the record has changed. Nothing was written.
    Refused = 4,
    /// The outcome of a write is unknown.
    Unknown = 5,
    /// There is no such record.
    NotFound = 6,
    /// The store, or the leader, did not answer in time.
    Unavailable = 7,
    /// `flink inspect` has found problems.
    Problems = 8,
    /// `run` itself failed. `env` and `timeout` use the same code.
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

    /// Whether waiting does not help: the usage or the configuration is bad.
    pub(crate) fn is_usage(&self) -> bool {
        self.code == Code::Usage as u8
    }

    /// Ends with this code, which may be a command's.
    pub(crate) fn raw_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// Ends with a code that cannot be mistaken for the command's, unless the usage is bad.
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
        self.message.push_str(&causes(&cause));
        self
    }

    /// Adds what follows from it.
    pub(crate) fn then(mut self, what: impl std::fmt::Display) -> Self {
        self.message.push_str(&format!("; {what}"));
        self
    }

    /// The whole message, in one line and without the passwords in addresses.
    pub(crate) fn message(&self) -> String {
        redacted(&self.message)
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl From<incumbent::OpenError> for Failure {
    fn from(error: incumbent::OpenError) -> Self {
        Self::new(causes(&error)).code(match error {
            incumbent::OpenError::Address(_) | incumbent::OpenError::Name(_) => Code::Usage,
            // Opening looks at directories and files, and asks no server: it does not get better by
            // waiting. But for the server of `embedded:`, which may be of another process.
            incumbent::OpenError::Place { ref address, .. }
                if !address.starts_with("embedded:") =>
            {
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
        let failure = Self::new(causes(&error)).code(code);
        match error.remedy() {
            Some(remedy) => failure.then(remedy),
            None => failure,
        }
    }
}
