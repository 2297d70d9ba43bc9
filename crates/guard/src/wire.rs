//! The messages between runner, guard and shim: one line of text per packet.
//!
//! Both ends are the same executable, so the messages have no versions. A message that cannot be
//! understood is a bug.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use crate::{BootTime, Cause, Deadlines, Descriptors, End, Exit};

/// The longest message; the longest real one is `bind` with three numbers of twenty digits.
pub(crate) const MAX_MESSAGE: usize = 80;

/// A request of the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToGuard {
    /// The first message. With it come the descriptors of COMMAND's environment, of its stdin and,
    /// if there is one, of the liveness listener.
    Start(Deadlines, Descriptors),
    Extend(Deadlines),
    /// The deadlines of this binding replace those of lower ones.
    Bind(u64, Deadlines),
    Stop(Duration),
    Signal(i32),
}

/// An answer of the guard, or of the shim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromGuard {
    /// COMMAND runs under this process id.
    Started(i32),
    /// COMMAND could not be executed, with this `errno`.
    ExecFailed(i32),
    /// Guard or shim could not do their part, with this `errno`.
    Unable(i32),
    /// The guard cannot find processes, see [`check`](crate::proc::check).
    ForeignProc,
    /// The hard deadline had passed before COMMAND was started.
    TooLate,
    /// Everything has ended, and COMMAND in this way.
    Ended(End),
    /// COMMAND was stopped by this signal, and does not run until it is continued.
    Stopped(i32),
    Continued,
    /// This many processes could not be ended yet.
    Lingering(usize),
    /// The guard did not understand the runner, and has ended COMMAND.
    Broken,
}

/// The words for them.
const DESCRIPTORS: [(&str, Descriptors); 2] = [
    ("inherited", Descriptors::Inherited),
    ("standard", Descriptors::Standard),
];
const CAUSES: [(&str, Cause); 3] = [
    ("own", Cause::Own),
    ("stop", Cause::Stop),
    ("deadline", Cause::Deadline),
];

/// A message that no version of this program sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadMessage;

impl Display for ToGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(at, descriptors) => {
                let kind = word_of(&DESCRIPTORS, *descriptors);
                write!(f, "start {} {} {kind}", at.term.nanos(), at.hard.nanos())
            }
            Self::Extend(at) => write!(f, "extend {} {}", at.term.nanos(), at.hard.nanos()),
            Self::Bind(binding, at) => {
                write!(f, "bind {binding} {} {}", at.term.nanos(), at.hard.nanos())
            }
            Self::Stop(grace) => write!(f, "stop {}", BootTime::from_boot(*grace).nanos()),
            Self::Signal(number) => write!(f, "signal {number}"),
        }
    }
}

impl Display for FromGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(pid) => write!(f, "started {pid}"),
            Self::ExecFailed(errno) => write!(f, "exec-failed {errno}"),
            Self::Unable(errno) => write!(f, "unable {errno}"),
            Self::ForeignProc => write!(f, "foreign-proc"),
            Self::TooLate => write!(f, "too-late"),
            Self::Ended(end) => {
                let (how, number) = match end.exit {
                    Exit::Code(code) => ("exited", code),
                    Exit::Signal(number) if end.core_dumped => ("dumped", number),
                    Exit::Signal(number) => ("signaled", number),
                };
                write!(f, "{how} {number} {}", word_of(&CAUSES, end.cause))
            }
            Self::Stopped(number) => write!(f, "stopped {number}"),
            Self::Continued => write!(f, "continued"),
            Self::Lingering(count) => write!(f, "lingering {count}"),
            Self::Broken => write!(f, "broken"),
        }
    }
}

impl TryFrom<&[u8]> for ToGuard {
    type Error = BadMessage;

    fn try_from(packet: &[u8]) -> Result<Self, BadMessage> {
        match words(packet)?.as_slice() {
            ["start", term, hard, kind] => Ok(Self::Start(
                deadlines(term, hard)?,
                meaning(&DESCRIPTORS, kind)?,
            )),
            ["extend", term, hard] => Ok(Self::Extend(deadlines(term, hard)?)),
            ["bind", binding, term, hard] => {
                Ok(Self::Bind(number(binding)?, deadlines(term, hard)?))
            }
            ["stop", grace] => Ok(Self::Stop(Duration::from_nanos(number(grace)?))),
            ["signal", signal] => Ok(Self::Signal(number(signal)?)),
            _ => Err(BadMessage),
        }
    }
}

impl TryFrom<&[u8]> for FromGuard {
    type Error = BadMessage;

    fn try_from(packet: &[u8]) -> Result<Self, BadMessage> {
        match words(packet)?.as_slice() {
            ["started", pid] => Ok(Self::Started(number(pid)?)),
            ["exec-failed", errno] => Ok(Self::ExecFailed(number(errno)?)),
            ["unable", errno] => Ok(Self::Unable(number(errno)?)),
            ["foreign-proc"] => Ok(Self::ForeignProc),
            ["too-late"] => Ok(Self::TooLate),
            ["exited", code, cause] => ended(Exit::Code(number(code)?), false, cause),
            ["signaled", signal, cause] => ended(Exit::Signal(number(signal)?), false, cause),
            ["dumped", signal, cause] => ended(Exit::Signal(number(signal)?), true, cause),
            ["stopped", signal] => Ok(Self::Stopped(number(signal)?)),
            ["continued"] => Ok(Self::Continued),
            ["lingering", count] => Ok(Self::Lingering(number(count)?)),
            ["broken"] => Ok(Self::Broken),
            _ => Err(BadMessage),
        }
    }
}

fn words(packet: &[u8]) -> Result<Vec<&str>, BadMessage> {
    if packet.len() > MAX_MESSAGE {
        return Err(BadMessage);
    }
    let line = std::str::from_utf8(packet).map_err(|_| BadMessage)?;
    Ok(line.split(' ').collect())
}

fn number<T: FromStr>(word: &str) -> Result<T, BadMessage> {
    word.parse().map_err(|_| BadMessage)
}

fn ended(exit: Exit, core_dumped: bool, cause: &str) -> Result<FromGuard, BadMessage> {
    Ok(FromGuard::Ended(End {
        exit,
        cause: meaning(&CAUSES, cause)?,
        core_dumped,
    }))
}

fn word_of<T: PartialEq>(words: &[(&'static str, T)], wanted: T) -> &'static str {
    let found = words.iter().find(|(_, meaning)| *meaning == wanted);
    found.expect("every value has a word").0
}

fn meaning<T: Copy>(words: &[(&str, T)], word: &str) -> Result<T, BadMessage> {
    let found = words.iter().find(|(known, _)| *known == word);
    Ok(found.ok_or(BadMessage)?.1)
}

fn deadlines(term: &str, hard: &str) -> Result<Deadlines, BadMessage> {
    let moment = |word| number(word).map(|nanos| BootTime::from_boot(Duration::from_nanos(nanos)));
    Ok(Deadlines {
        term: moment(term)?,
        hard: moment(hard)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(exit: Exit, cause: Cause, core_dumped: bool) -> End {
        End {
            exit,
            cause,
            core_dumped,
        }
    }

    #[test]
    fn every_request_reads_back_as_written() {
        let soon = Deadlines {
            term: BootTime::from_boot(Duration::from_nanos(12_345_678_901)),
            hard: BootTime::from_boot(Duration::from_nanos(22_345_678_902)),
        };
        for message in [
            ToGuard::Start(soon, Descriptors::Standard),
            ToGuard::Start(Deadlines::NEVER, Descriptors::Inherited),
            ToGuard::Extend(soon),
            ToGuard::Extend(Deadlines::NEVER),
            ToGuard::Bind(7, soon),
            ToGuard::Bind(u64::MAX, Deadlines::NEVER),
            ToGuard::Stop(Duration::from_millis(1500)),
            ToGuard::Signal(10),
        ] {
            let line = message.to_string();
            assert!(line.len() <= MAX_MESSAGE, "{line}");
            assert_eq!(ToGuard::try_from(line.as_bytes()), Ok(message), "{line}");
        }
    }

    #[test]
    fn every_answer_reads_back_as_written() {
        for message in [
            FromGuard::Started(4711),
            FromGuard::ExecFailed(2),
            FromGuard::Unable(11),
            FromGuard::ForeignProc,
            FromGuard::TooLate,
            FromGuard::Ended(end(Exit::Code(255), Cause::Own, false)),
            FromGuard::Ended(end(Exit::Signal(9), Cause::Deadline, false)),
            FromGuard::Ended(end(Exit::Signal(11), Cause::Stop, true)),
            FromGuard::Stopped(21),
            FromGuard::Continued,
            FromGuard::Lingering(3),
            FromGuard::Broken,
        ] {
            let line = message.to_string();
            assert!(line.len() <= MAX_MESSAGE, "{line}");
            assert_eq!(FromGuard::try_from(line.as_bytes()), Ok(message), "{line}");
        }
    }

    #[test]
    fn a_grace_without_end_is_sent_as_never() {
        let line = ToGuard::Stop(Duration::MAX).to_string();
        assert_eq!(
            ToGuard::try_from(line.as_bytes()),
            Ok(ToGuard::Stop(Duration::from_nanos(u64::MAX)))
        );
    }

    #[test]
    fn what_is_not_a_message_is_refused() {
        for bad in [
            "",
            "start",
            "start 1",
            "start 1 2",
            "start 1 2 3",
            "start 1 2 standard 4",
            "stop -1",
            "signal x",
            "hello",
            "extend 1  2",
            "bind 1 2",
            "stop 1\n",
        ] {
            assert_eq!(
                ToGuard::try_from(bad.as_bytes()),
                Err(BadMessage),
                "{bad:?}"
            );
        }
        let long = format!("stop {}", "0".repeat(MAX_MESSAGE));
        assert_eq!(ToGuard::try_from(long.as_bytes()), Err(BadMessage));
        assert_eq!(ToGuard::try_from(&b"stop \xff"[..]), Err(BadMessage));
    }
}
