//! What a guard reports about a running command.

/// An event that a guard reports about a running command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The command and everything it started have ended.
    Ended(End),
    /// This signal has stopped the command: it does nothing until it is continued.
    Stopped {
        /// The number of the signal.
        signal: i32,
    },
    /// The command runs again after it was stopped.
    Continued,
    /// Some processes could not be ended yet. The guard keeps trying and keeps the liveness
    /// listener.
    Lingering {
        /// How many such processes the guard knows of.
        count: usize,
    },
}

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// How it ended.
    pub exit: Exit,
    /// What asked it to end, before it did.
    pub cause: Cause,
    /// Whether the system has written a core dump.
    pub core_dumped: bool,
}

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What asked a command to end. If there were several, the first of them.
///
/// The end of the runner is not among them, because nobody is left to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing that the guard knows of: the command exited by itself, or a signal of somebody else
    /// ended it. [`Leash::signal`](crate::Leash::signal) counts as somebody else.
    Own,
    /// [`Leash::stop`](crate::Leash::stop).
    Stop,
    /// A deadline that passed: [`Deadlines::term`](crate::Deadlines::term) or
    /// [`Deadlines::hard`](crate::Deadlines::hard).
    Deadline,
}

impl Exit {
    /// The exit code that a shell reports: the code, or 128 plus the number of the signal.
    pub fn exit_code(self) -> u8 {
        let code = match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
        };
        u8::try_from(code).unwrap_or(u8::MAX)
    }
}
