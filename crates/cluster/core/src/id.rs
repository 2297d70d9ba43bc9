//! Names and numbers of jobs: what paths, records, orders and reports carry.

use std::fmt;
use std::str::FromStr;

use incumbent_core::{BadName, RecordName};
use serde::{Deserialize, Serialize};

/// A text that is not one of these ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} has {digits} hexadecimal digits")]
pub struct BadId {
    what: &'static str,
    digits: usize,
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $number:ty, $digits:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name($number);

        impl $name {
            /// The id with this number, which the caller draws at random.
            pub const fn new(number: $number) -> Self {
                Self(number)
            }

            /// Its number.
            pub const fn get(self) -> $number {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:0", $digits, "x}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let is_lower_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                let is_id = text.len() == $digits && text.bytes().all(is_lower_hex);
                <$number>::from_str_radix(text, 16)
                    .ok()
                    .filter(|_| is_id)
                    .map(Self)
                    .ok_or(BadId { what: $what, digits: $digits })
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

hex_id! {
    /// Names a job. The client draws it before its first try to submit, so that a repeated
    /// submission is recognized.
    JobId, u128, 32, "the id of a job"
}
hex_id! {
    /// Distinguishes a job from an earlier one of the same id that was erased. Drawn when the
    /// record is created; part of every path, order and report.
    Incarnation, u64, 16, "an incarnation"
}
hex_id! {
    /// Names one process of a TaskManager or another node, drawn when it starts.
    NodeNonce, u128, 32, "the nonce of a node"
}

hex_id! {
    /// Names a savepoint. The client draws it before its first try, so that a repeated wish is
    /// recognized.
    SavepointId, u128, 32, "the id of a savepoint"
}

/// Counts the attempts of a job from 1. It rises with every start of the gang.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Attempt(pub u32);

/// The place of a task in its gang, from 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Rank(pub u32);

/// One task of one attempt: what orders and reports are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The job.
    pub job: JobId,
    /// Which job of that id.
    pub incarnation: Incarnation,
    /// The attempt.
    pub attempt: Attempt,
    /// The place in the gang.
    pub rank: Rank,
}

impl JobId {
    /// The record of this job: `jobs/<id>`.
    pub fn record(self) -> RecordName {
        format!("{JOBS}{self}")
            .parse()
            .expect("hexadecimal digits are a name")
    }

    /// The job that this record is of; `None` if it is another kind of record.
    pub fn of_record(name: &RecordName) -> Option<Self> {
        name.as_str().strip_prefix(JOBS)?.parse().ok()
    }
}

/// What the names of all records of jobs begin with.
pub const JOBS: &str = "jobs/";

impl Attempt {
    /// The attempt after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} attempt {} rank {}",
            self.job, self.attempt, self.rank
        )
    }
}

/// The name of the record that holds the id of the cluster and the secret of its nodes.
pub fn cluster_record() -> Result<RecordName, BadName> {
    "cluster".parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_and_its_record_name_each_other() {
        let id = JobId::new(0xabc);
        assert_eq!(
            id.record().as_str(),
            "jobs/00000000000000000000000000000abc"
        );
        assert_eq!(JobId::of_record(&id.record()), Some(id));
        assert_eq!(JobId::of_record(&"jobs/ABC".parse().unwrap()), None);
        assert_eq!(JobId::of_record(&"cluster".parse().unwrap()), None);
    }

    #[test]
    fn ids_have_one_spelling() {
        assert!("0000000000000000".parse::<Incarnation>().is_ok());
        for bad in [
            "",
            "0",
            "00000000000000000",
            "000000000000000G",
            "00000000000000A0",
        ] {
            assert!(bad.parse::<Incarnation>().is_err(), "{bad}");
        }
    }
}
