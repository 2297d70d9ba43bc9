//! What to run, and what of the runner it receives.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;

use crate::Deadlines;

/// What to run, and how.
#[derive(Debug)]
pub struct Spec {
    /// Looked up as `execvp` does, if it has no slash: in the `PATH` of the command's own
    /// environment, or in `/bin` and `/usr/bin` if that has none.
    pub program: OsString,
    /// Its arguments. Like those of any process, other users of the machine can read them.
    pub args: Vec<OsString>,
    /// What `env` is added to.
    pub environment: Environment,
    /// Variables of the command. They replace inherited ones; of two of the same name, the later
    /// one counts.
    pub env: Vec<(OsString, OsString)>,
    /// The directory in which it runs, if not that of the runner.
    pub current_dir: Option<PathBuf>,
    /// Its standard input. [`Stream::Inherited`] is `/dev/null` if the runner's is a terminal,
    /// because the system stops a background process that reads a terminal.
    pub stdin: Stream,
    /// Its standard output. The guard holds it as well, until nothing of the command is left. So
    /// a reader of a pipe sees its end only then.
    pub stdout: Stream,
    /// Its standard error, held as `stdout` is.
    pub stderr: Stream,
    /// Its descriptors besides the three above.
    pub descriptors: Descriptors,
    /// Its soft limit of open files, if not that of the runner. A runner of many commands raises
    /// its own, and there are programs that become slow or break under a high one. Never more than
    /// the hard limit.
    pub open_files: Option<u64>,
    /// The guard's executable. Its `main` begins with [`intercept`](crate::intercept).
    pub executable: PathBuf,
    /// A bound listener that stays open until no process of the command is left. It is a copy: the
    /// runner accepts on its own listener, and must only close that one, because `shutdown` affects
    /// both. Any number of commands may hold the same listener. It is refused when the last one has
    /// ended.
    pub liveness: Option<OwnedFd>,
    /// Deadlines until the first [`Leash::extend`](crate::Leash::extend). Without a lease:
    /// [`Deadlines::NEVER`].
    pub deadlines: Deadlines,
}

/// What the environment of a command begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Environment {
    /// The variables of the runner, without those of these names.
    Inherited {
        /// The names of variables that are removed.
        without: Vec<OsString>,
    },
    /// No variable at all.
    Empty,
}

/// One of the three standard streams of a command.
#[derive(Debug)]
pub enum Stream {
    /// That of the runner.
    Inherited,
    /// `/dev/null`.
    Null,
    /// This pipe, file or socket.
    Given(OwnedFd),
}

/// The descriptors of a command besides its standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptors {
    /// Those of the runner that are not closed on exec. All that Rust opens are; those that the
    /// runner was started with need not be, such as sockets of a service manager.
    Inherited,
    /// None. The guard does not keep any of the runner's either.
    Standard,
}

impl Spec {
    /// Runs `program` without arguments, as a part of the runner: with its environment, its
    /// standard streams and its descriptors.
    ///
    /// The guard is the present executable, even if its file has been replaced since.
    pub fn new(program: impl Into<OsString>, deadlines: Deadlines) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            environment: Environment::Inherited {
                without: Vec::new(),
            },
            env: Vec::new(),
            current_dir: None,
            stdin: Stream::Inherited,
            stdout: Stream::Inherited,
            stderr: Stream::Inherited,
            descriptors: Descriptors::Inherited,
            open_files: None,
            executable: PathBuf::from("/proc/self/exe"),
            liveness: None,
            deadlines,
        }
    }

    /// Runs `program` without arguments and apart from the runner: with an empty environment,
    /// `/dev/null` as each standard stream, no other descriptor, and no deadline.
    ///
    /// The guard is the present executable, as in [`Spec::new`]. The command still runs as the same
    /// user, and in the runner's directory unless `current_dir` says otherwise.
    pub fn apart(program: impl Into<OsString>) -> Self {
        Self {
            environment: Environment::Empty,
            stdin: Stream::Null,
            stdout: Stream::Null,
            stderr: Stream::Null,
            descriptors: Descriptors::Standard,
            ..Self::new(program, Deadlines::NEVER)
        }
    }

    /// The whole environment of the command. `Err`: the name of a variable that no process can
    /// have.
    pub(crate) fn whole_environment(&self) -> Result<BTreeMap<OsString, OsString>, OsString> {
        let mut whole: BTreeMap<_, _> = match &self.environment {
            Environment::Empty => BTreeMap::new(),
            Environment::Inherited { without } => std::env::vars_os()
                .filter(|(name, _)| !without.contains(name))
                .collect(),
        };
        for (name, value) in &self.env {
            if !is_possible(name, value) {
                return Err(name.clone());
            }
            whole.insert(name.clone(), value.clone());
        }
        Ok(whole)
    }
}

/// Whether a process can have such a variable.
fn is_possible(name: &OsStr, value: &OsStr) -> bool {
    let (name, value) = (name.as_encoded_bytes(), value.as_encoded_bytes());
    !name.is_empty() && !name.contains(&b'=') && !name.contains(&0) && !value.contains(&0)
}

impl Stream {
    /// The command's standard input.
    pub(crate) fn for_input(self) -> io::Result<OwnedFd> {
        let stdin = io::stdin();
        match self {
            Self::Given(fd) => Ok(fd),
            Self::Inherited if !stdin.is_terminal() => stdin.as_fd().try_clone_to_owned(),
            Self::Inherited | Self::Null => Ok(File::open("/dev/null")?.into()),
        }
    }

    /// The command's standard output or standard error.
    pub(crate) fn for_output(self) -> io::Result<Stdio> {
        Ok(match self {
            Self::Given(fd) => Stdio::from(fd),
            Self::Inherited => Stdio::inherit(),
            Self::Null => Stdio::from(OpenOptions::new().write(true).open("/dev/null")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(spec: &Spec) -> Vec<(String, String)> {
        let text = |part: OsString| part.into_string().unwrap();
        let whole = spec.whole_environment().unwrap();
        whole
            .into_iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    #[test]
    fn an_empty_environment_has_only_what_is_given() {
        let mut spec = Spec::apart("true");
        assert_eq!(variables(&spec), []);
        spec.env.push(("B".into(), "1".into()));
        spec.env.push(("A".into(), String::new().into()));
        spec.env.push(("B".into(), "2=3".into()));
        let expected = [("A", ""), ("B", "2=3")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(variables(&spec), expected);
    }

    #[test]
    fn an_inherited_environment_lacks_what_is_removed_unless_it_is_given() {
        let mut spec = Spec::new("true", Deadlines::NEVER);
        let own = variables(&spec);
        assert!(own.iter().any(|(name, _)| name == "PATH"), "{own:?}");
        spec.environment = Environment::Inherited {
            without: vec!["PATH".into()],
        };
        assert_eq!(variables(&spec).len(), own.len() - 1);
        spec.env.push(("PATH".into(), "/given".into()));
        let given = ("PATH".to_owned(), "/given".to_owned());
        assert!(variables(&spec).contains(&given));
    }

    #[test]
    fn a_variable_that_no_process_can_have_is_named() {
        for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0")] {
            let mut spec = Spec::apart("true");
            spec.env.push((name.into(), value.into()));
            assert_eq!(spec.whole_environment(), Err(name.into()));
        }
    }
}
