//! Paths, and the names that may become part of one.
//!
//! Ids are types that have one spelling without `/` or `.`, so none of them can lead out of its
//! directory; the names of streams, and of files of checkpoints, are checked.

pub(crate) mod checkpoints;

use std::fmt::Display;
use std::str::FromStr;

use incumbent_cluster_core::{Attempt, Incarnation, JobId, Rank, SavepointId, TaskId};
use object_store::path::Path;

use crate::digest::Digest;
use crate::error::Error;

const ARTIFACTS: &str = "artifacts";
const UPLOADS: &str = "uploads";
const ARCHIVE: &str = "archive";
const JOBS: &str = "jobs";
const LOGS: &str = "logs";
const CHECK: &str = "check-";

/// Longest name of a stream of a task, as in `stdout`.
const LONGEST_STREAM: usize = 64;

/// How much of a refused name a message shows.
const SHOWN: usize = 40;

/// The file that says which cluster the blobs belong to.
pub(crate) fn cluster() -> Path {
    path(&["cluster.json"])
}

/// The file with the mark of a place whose [`cluster`] is of a version that gave it none.
pub(crate) fn place() -> Path {
    path(&["place.json"])
}

/// A file that a check writes, reads and deletes.
pub(crate) fn check() -> Path {
    path(&[&format!("{CHECK}{}", random())])
}

/// Whether this is the name of a file of a check, which is in no directory.
pub(crate) fn is_check(name: &str) -> bool {
    name.strip_prefix(CHECK).is_some_and(is_random)
}

/// All uploads whose digest is not known yet.
pub(crate) fn uploads() -> Path {
    path(&[UPLOADS])
}

/// An upload whose digest is not known yet.
pub(crate) fn upload() -> Path {
    uploads().join(random())
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
            name: cut_short(stream),
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
pub(crate) fn number<N: FromStr + Display>(text: &str) -> Option<N> {
    let number: N = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// As much of a refused text as a message shows.
pub(crate) fn cut_short(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// Whether files of ours are somewhere below this directory.
pub(crate) fn may_hold_ours(dir: &str) -> bool {
    let top = dir.split('/').next().unwrap_or_default();
    [ARTIFACTS, UPLOADS, ARCHIVE, JOBS, checkpoints::SAVEPOINTS].contains(&top)
}

/// Whether this is a file that the library writes before it gives it a name of ours.
pub(crate) fn is_staged(path: &str) -> bool {
    let staged = path.rsplit_once('#');
    staged.is_some_and(|(path, count)| number::<u64>(count).is_some() && is_ours(path))
}

/// Whether we write files of this name.
fn is_ours(path: &str) -> bool {
    if path == cluster().as_ref() || path == place().as_ref() || is_check(path) {
        return true;
    }
    let Some((top, rest)) = path.split_once('/') else {
        return false;
    };
    match top {
        UPLOADS => is_random(rest),
        ARTIFACTS => rest.parse::<Digest>().is_ok(),
        ARCHIVE => after_job(rest).is_some_and(|rest| rest.is_empty()),
        JOBS => after_job(rest).is_some_and(is_of_job),
        checkpoints::SAVEPOINTS => rest.split_once('/').is_some_and(|(id, rest)| {
            let is_ours =
                checkpoints::is_marker(rest) || checkpoints::known_of_savepoint(rest).is_some();
            id.parse::<SavepointId>().is_ok() && is_ours
        }),
        _ => false,
    }
}

/// Whether we write files of this name below the directory of an incarnation of a job.
pub(crate) fn is_of_job(rest: &str) -> bool {
    match rest.split_once('/') {
        Some((checkpoints::CHECKPOINTS, rest)) => checkpoints::known(rest).is_some(),
        Some((LOGS, rest)) => rest.split_once('/').is_some_and(|(attempt, rest)| {
            number::<u32>(attempt).is_some() && rank_and_stream(rest).is_some()
        }),
        _ => false,
    }
}

/// What follows the job and the incarnation that a path begins with.
fn after_job(path: &str) -> Option<&str> {
    let (job, rest) = path.split_once('/')?;
    let (incarnation, rest) = rest.split_once('/').unwrap_or((rest, ""));
    job.parse::<JobId>().ok()?;
    incarnation.parse::<Incarnation>().ok()?;
    Some(rest)
}

fn path(parts: &[&str]) -> Path {
    parts.iter().copied().collect()
}

pub(crate) fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Whether this is spelled as [`random`] does.
pub(crate) fn is_random(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
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
