//! Templates in the command and the environment of a job: `{rank}`, `{peers:,}` and the like.
//!
//! | template | is replaced by |
//! |---|---|
//! | `{rank}` | the place of the task in its gang, from 0 |
//! | `{tasks}` | how many tasks the gang has |
//! | `{attempt}` | the number of the attempt, from 1 |
//! | `{port}` | the port that is reserved for the task |
//! | `{artifact}` | the path of the job's artifact |
//! | `{peers}`, `{peers:;}` | `host:port` of each rank, with a comma or what follows the colon between them |
//! | `{peer0.host}`, `{peer0.port}` | where rank 0, or another, can be reached |
//! | `{env.NAME}` | the entry `NAME` of the environment |
//! | `{{`, `}}` | a brace |
//!
//! Everything that can be wrong with them is found when a job is submitted. No message repeats what
//! stands in a template or around it: it may be a secret.

mod env;
mod expand;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::{Attempt, MOST_TASKS, Rank};

pub use expand::Expanded;

/// The longest argument or variable that a program can be given, in bytes: Linux allows 128 KiB
/// with the byte that ends it, and of a variable also its name and `=` count.
pub const LONGEST_EXPANDED: usize = 128 * 1024 - 1;

/// All arguments and variables of a task together, in bytes. Linux allows a quarter of the stack
/// limit, which is 2 MiB if nobody has changed it; the variables that every task gets count, too.
pub const LARGEST_EXPANDED: usize = 1024 * 1024;

/// The longest separator of `{peers:…}`, in bytes.
pub const LONGEST_SEPARATOR: usize = 16;

/// What templates are replaced by, for one task.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// Its place in the gang.
    pub rank: Rank,
    /// How many tasks the gang has.
    pub tasks: u32,
    /// The attempt.
    pub attempt: Attempt,
    /// The port that is reserved for it.
    pub port: u16,
    /// `host:port` of each rank, its own too.
    pub peers: &'a [String],
    /// Where the artifact is, if there is one.
    pub artifact: Option<&'a str>,
}

/// The command and the environment of a job, read.
#[derive(Clone, Debug)]
pub struct Templates {
    command: Vec<Template>,
    env: Vec<(String, Template)>,
    /// The entries of `env` in an order in which each comes after those it refers to.
    order: Vec<usize>,
}

/// A template that is wrong, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}, character {}: {fault}", at + 1)]
pub struct BadTemplate {
    /// The argument or entry.
    pub place: Place,
    /// How many characters of it come before the fault.
    pub at: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// A text that may contain templates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// An argument of the command; 0 is the program.
    Argument(usize),
    /// An entry of the environment.
    Env(String),
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An opening brace without a closing one.
    #[error("the brace is not closed; a brace that is meant as such is written {{{{")]
    Unclosed,
    /// A closing brace without an opening one.
    #[error("the brace was not opened; a brace that is meant as such is written }}}}")]
    Unopened,
    /// Not a template.
    #[error(
        "there is no such template; {} A brace that is meant as such is written {{{{",
        match nearest { Some(nearest) => format!("did you mean {nearest}?"), None => format!("there are {}.", parse::KNOWN) }
    )]
    Unknown {
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// `{peers:…}` with too much or nothing after the colon.
    #[error("a separator of 1 to {LONGEST_SEPARATOR} bytes follows the colon, as in {{peers:,}}")]
    Separator,
    /// A rank that the gang does not have.
    #[error("the job has {tasks} tasks, so its peers are peer0 to peer{}", tasks.saturating_sub(1))]
    NoPeer {
        /// How many tasks it has.
        tasks: u32,
    },
    /// `{artifact}` in a job without one.
    #[error("the job has no artifact; name the file with artifact = \"…\"")]
    NoArtifact,
    /// `{env.…}` that names no entry.
    #[error(
        "env has no entry of this name{}",
        match nearest { Some(nearest) => format!("; did you mean {{env.{nearest}}}?"), None => String::new() }
    )]
    NoEnv {
        /// The entry that was probably meant.
        nearest: Option<String>,
    },
    /// Entries that refer to each other in a circle.
    #[error("these entries refer to each other in a loop: {}", names.join(" → "))]
    Loop {
        /// Each refers to the next. The first and the last are the same.
        names: Vec<String>,
    },
    /// More than a program can be given.
    #[error(
        "it becomes longer than the {LONGEST_EXPANDED} bytes that a program can be given in one piece"
    )]
    TooLong,
    /// All together, more than a program can be given.
    #[error("the command and env together become longer than {LARGEST_EXPANDED} bytes")]
    TooMuch,
}

/// One text, read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template {
    pieces: Vec<(usize, Piece)>,
}

/// A piece of a text. Each is kept with where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Rank,
    Tasks,
    Attempt,
    Port,
    Artifact,
    Peers { separator: String },
    PeerHost(u32),
    PeerPort(u32),
    Env(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Argument(number) => write!(f, "command[{number}]"),
            Place::Env(name) => write!(f, "env.{name}"),
        }
    }
}

impl Templates {
    /// Reads all arguments and entries.
    ///
    /// # Errors
    ///
    /// Everything that is wrong for whatever task: braces, names, loops.
    pub fn parse<'a>(
        command: &[String],
        env: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<BadTemplate>> {
        let mut bad = Vec::new();
        let mut read = |place: Place, text: &str| match parse::template(text) {
            Ok(template) => Some(template),
            Err((at, fault)) => {
                bad.push(BadTemplate { place, at, fault });
                None
            }
        };
        let arguments = command.iter().enumerate();
        let command: Vec<_> = arguments
            .filter_map(|(number, text)| read(Place::Argument(number), text))
            .collect();
        let entries = env.into_iter().map(|(name, text)| {
            // Names of entries that are wrong in themselves are still names here.
            let template = read(Place::Env(name.to_owned()), text);
            (
                name.to_owned(),
                template.unwrap_or(Template { pieces: Vec::new() }),
            )
        });
        let env: Vec<_> = entries.collect();
        bad.extend(env::unknown(&command, &env));
        let order = match env::order(&env) {
            Ok(order) => order,
            Err(in_a_loop) => {
                bad.push(in_a_loop);
                Vec::new()
            }
        };
        if bad.is_empty() {
            Ok(Self {
                command,
                env,
                order,
            })
        } else {
            Err(bad)
        }
    }

    /// What is wrong for a gang of this size, with or without an artifact.
    pub fn check(&self, tasks: u32, has_artifact: bool) -> Vec<BadTemplate> {
        let mut bad = Vec::new();
        for (place, template) in self.texts() {
            for (at, piece) in &template.pieces {
                let fault = match piece {
                    Piece::PeerHost(rank) | Piece::PeerPort(rank) if *rank >= tasks => {
                        Fault::NoPeer { tasks }
                    }
                    Piece::Artifact if !has_artifact => Fault::NoArtifact,
                    _ => continue,
                };
                bad.push(BadTemplate {
                    place: place.clone(),
                    at: *at,
                    fault,
                });
            }
        }
        if bad.is_empty() {
            bad.extend(self.expand_a_sample(tasks).err());
        }
        bad
    }

    /// Finds what becomes too long for every task, wherever it will run.
    fn expand_a_sample(&self, tasks: u32) -> Result<(), BadTemplate> {
        let peers = vec!["10.0.0.1:1024".to_owned(); tasks.min(MOST_TASKS) as usize];
        let sample = Values {
            rank: Rank(0),
            tasks,
            attempt: Attempt(1),
            port: 1024,
            peers: &peers,
            artifact: Some("/artifact"),
        };
        self.expand(&sample).map(drop)
    }

    fn texts(&self) -> impl Iterator<Item = (Place, &Template)> {
        let command = self.command.iter().enumerate();
        let command = command.map(|(number, template)| (Place::Argument(number), template));
        let env = self
            .env
            .iter()
            .map(|(name, template)| (Place::Env(name.clone()), template));
        command.chain(env)
    }
}
