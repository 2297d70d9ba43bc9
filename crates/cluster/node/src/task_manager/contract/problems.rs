//! Why a request of a task is refused, and what to do: as problems of `/v1`.

use axum::http::StatusCode;
use incumbent_cluster_blobs::Error;
use incumbent_cluster_core::checkpoint::{LONGEST_FILE_NAME, MOST_FILES};
use incumbent_cluster_core::task_manager::NotHeard;

use super::parts::Refusal;
use crate::api::{Problem, chain};

/// 409: not as things stand. `name` says what to do.
fn conflict(name: &str, title: &str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::CONFLICT, name, title, detail)
}

pub(super) fn not_heard(why: &NotHeard) -> Problem {
    match why {
        NotHeard::NoSuchTask => ending(),
        NotHeard::NotCheckpointing => not_checkpointing(),
        NotHeard::NotPending { number, .. } => aborted(*number),
        NotHeard::OtherFiles { number } => acknowledged(*number),
        NotHeard::Finished => finished(),
    }
}

pub(super) fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::NeverAsked { number, asked } => {
            let present = match asked {
                Some(asked) => format!("number {asked} is"),
                None => "no number is at present".to_owned(),
            };
            let detail = format!(
                "Checkpoint {number} was never asked for; {present}. Store and acknowledge what \
                 /v1/events asks for."
            );
            conflict("never-asked", "Nobody asked for it", detail)
        }
        Refusal::Aborted { number } => aborted(*number),
        Refusal::Acknowledged { number } => acknowledged(*number),
        Refusal::Finished => finished(),
        Refusal::TooMany => {
            let detail = format!(
                "A rank has at most {MOST_FILES} files in a checkpoint. Put more into each."
            );
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            Problem::new(status, "too-many-files", "Too many files", detail)
        }
        Refusal::BeingStored { file } => {
            let detail = format!(
                "File {file} is being stored by another request. Wait for its answer, then send \
                 this again."
            );
            conflict("being-stored", "It is being stored", detail)
        }
        Refusal::Missing { file } => {
            let detail = format!(
                "File {file} was not stored for this checkpoint. Store it first; files of earlier \
                 checkpoints do not count."
            );
            conflict("no-such-file", "A file is missing", detail)
        }
    }
}

fn aborted(number: u64) -> Problem {
    let detail = format!(
        "Checkpoint {number} was aborted, or another one has taken its place. Keep what is staged \
         for it: it belongs to the next one."
    );
    conflict("aborted", "It was aborted", detail)
}

fn acknowledged(number: u64) -> Problem {
    let detail = format!(
        "Checkpoint {number} was acknowledged already, with the files that it had then. It cannot \
         be changed."
    );
    conflict("acknowledged", "It was acknowledged already", detail)
}

fn finished() -> Problem {
    let detail = "The task has said that it has finished, with the files that it had stored then. \
                  Nothing more can come of it.";
    conflict("finished", "The task has finished", detail)
}

pub(super) fn not_checkpointing() -> Problem {
    let detail = "The job does not checkpoint, so its tasks are asked for nothing and store \
                  nothing. Give the job a [checkpoints] section to change that.";
    conflict("not-checkpointing", "The job does not checkpoint", detail)
}

/// The task is being ended, or the TaskManager is.
pub(super) fn ending() -> Problem {
    let detail = "The task or its TaskManager ends; nothing counts any more.";
    conflict("ending", "It ends", detail)
}

pub(super) fn bad_name(name: &str) -> Problem {
    let shown = &name[..name.floor_char_boundary(LONGEST_FILE_NAME)];
    let detail = format!(
        "{shown:?} cannot be the name of a file: names have 1 to {LONGEST_FILE_NAME} letters, \
         digits, dots, underscores and hyphens, and do not begin with a dot."
    );
    let title = "Not a name of a file";
    Problem::new(StatusCode::BAD_REQUEST, "bad-name", title, detail)
}

pub(super) fn nothing_to_restore() -> Problem {
    let detail = "This task starts from nothing: there is no checkpoint yet.";
    let title = "Nothing to restore";
    Problem::new(StatusCode::NOT_FOUND, "nothing-to-restore", title, detail)
}

/// Nobody waits for this answer.
pub(super) fn no_such_query() -> Problem {
    let detail = "Nobody waits for an answer under this id: it was answered already, or it \
                  came too late. Go on with the next one.";
    let title = "No such query";
    Problem::new(StatusCode::NOT_FOUND, "no-such-query", title, detail)
}

/// What the task was to start from is gone or altered: it is ended.
pub(super) fn not_restored(why: &str) -> Problem {
    let detail = format!("{why}. The task is ended.");
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Problem::new(status, "not-restored", "It cannot be restored", detail)
}

/// An outage is 503, whatever its reason: the same request again is right.
pub(super) fn of_outage(error: &Error) -> Problem {
    let detail = format!(
        "The blobs do not take or give files: {}. Nothing was kept; send the same request again. \
         Checkpoints that fail for this do not count against the job.",
        chain(error)
    );
    Problem::unavailable("blobs-unavailable", "The blobs do not answer", detail)
}
