//! Paths, and the names that may become part of one.
//!
//! Ids are types that have one spelling without `/` or `.`, so none of them can lead out of its
//! directory; the names of streams are checked.

use incumbent_cluster_core::{Attempt, Incarnation, JobId, Rank, TaskId};
use object_store::path::Path;

use crate::digest::Digest;
use crate::error::Error;

const ARTIFACTS: &str = "artifacts";
const UPLOADS: &str = "uploads";
const ARCHIVE: &str = "archive";
const JOBS: &str = "jobs";
const LOGS: &str = "logs";

/// Longest name of a stream of a task, as in `stdout`.
const LONGEST_STREAM: usize = 64;

/// How much of a refused name a message shows.
const SHOWN: usize = 40;

/// The file that says which cluster the blobs belong to.
pub(crate) fn cluster() -> Path {
    path(&["cluster.json"])
}

/// A file that a check writes, reads and deletes.
pub(crate) fn check() -> Path {
    path(&[&format!("check-{}", random())])
}

/// An upload whose digest is not known yet.
pub(crate) fn upload() -> Path {
    path(&[UPLOADS, &random()])
}

pub(crate) fn artifacts() -> Path {
    path(&[ARTIFACTS])
}

pub(crate) fn artifact(digest: Digest) -> Path {
    path(&[ARTIFACTS, &digest.to_string()])
}

pub(crate) fn archive() -> Path {
    path(&[ARCHIVE])
}

pub(crate) fn archived(job: JobId) -> Path {
    archive().join(job.to_string())
}

pub(crate) fn archived_incarnation(job: JobId, incarnation: Incarnation) -> Path {
    archived(job).join(incarnation.to_string())
}

/// Everything of one incarnation of a job but its archived record.
pub(crate) fn job(job: JobId, incarnation: Incarnation) -> Path {
    path(&[JOBS, &job.to_string(), &incarnation.to_string()])
}

/// The log tails of all attempts.
pub(crate) fn logs(id: JobId, incarnation: Incarnation) -> Path {
    job(id, incarnation).join(LOGS)
}

/// The log tails of one attempt.
pub(crate) fn attempt_logs(id: JobId, incarnation: Incarnation, attempt: Attempt) -> Path {
    logs(id, incarnation).join(attempt.to_string())
}

pub(crate) fn log(task: TaskId, stream: &str) -> Result<Path, Error> {
    if !is_stream(stream) {
        return Err(Error::Name {
            what: "the name of a stream",
            name: stream.chars().take(SHOWN).collect(),
            allowed: "1 to 64 letters, digits, _ or - are allowed",
        });
    }
    let attempt = attempt_logs(task.job, task.incarnation, task.attempt);
    Ok(attempt.join(task.rank.to_string()).join(stream.to_owned()))
}

/// The rank and the stream that the rest of a path below [`attempt_logs`] names, if we wrote it.
pub(crate) fn rank_and_stream(rest: &str) -> Option<(Rank, &str)> {
    let (rank, stream) = rest
        .split_once('/')
        .filter(|(_, stream)| is_stream(stream))?;
    Some((Rank(number(rank)?), stream))
}

fn is_stream(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !name.is_empty() && name.len() <= LONGEST_STREAM && name.bytes().all(allowed)
}

/// A number in the one spelling that we write.
pub(crate) fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn path(parts: &[&str]) -> Path {
    parts.iter().copied().collect()
}

fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_its_directory() {
        let task = TaskId {
            job: JobId::new(1),
            incarnation: Incarnation::new(2),
            attempt: Attempt(3),
            rank: Rank(4),
        };
        let path = log(task, "stdout").unwrap();
        assert_eq!(
            path.as_ref(),
            "jobs/00000000000000000000000000000001/0000000000000002/logs/3/4/stdout"
        );
        let long = "x".repeat(65);
        for bad in [
            "",
            ".",
            "..",
            "../../x",
            "/etc/passwd",
            "a/b",
            "a.b",
            "a#1",
            "a\0",
            "ä",
            &long,
        ] {
            let refused = log(task, bad);
            assert!(
                matches!(refused, Err(Error::Name { .. })),
                "{bad:?}: {refused:?}"
            );
        }
        // What becomes part of a path besides is a type whose text is checked where it is read.
        for bad in [
            "../../../../etc/passwd",
            "..",
            "0000000000000000000000000000000/",
        ] {
            assert!(bad.parse::<JobId>().is_err(), "{bad}");
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_names_that_we_write_are_read_back() {
        assert_eq!(rank_and_stream("4/stdout"), Some((Rank(4), "stdout")));
        for foreign in [
            "4",
            "04/stdout",
            "+4/stdout",
            "x/stdout",
            "4/a/b",
            "4/stdout.bak",
        ] {
            assert_eq!(rank_and_stream(foreign), None, "{foreign}");
        }
    }
}
