//! What an owner may want of a job and that needs a checkpoint, a stop or slots (R5): whether it is
//! so already, can be written down, or is refused.
//!
//! A wish that comes twice is the same wish: a client asks again whenever it has lost an answer.

use crate::checkpoint::{Goal, Intent, MOST_SAVEPOINTS};
use crate::job_file;
use crate::leader::Question;
use crate::leader::views::state_text;
use crate::record::{LARGEST_RECORD, largest_size};
use crate::{Desired, JobId, JobRecord, JobState, MOST_TASKS, SavepointId};

/// A wish about one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::leader) enum Wish {
    Stop { savepoint: SavepointId },
    Resume,
    Rescale { tasks: u32 },
    Savepoint { id: SavepointId },
}

/// What becomes of a wish, as the record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::leader) enum Verdict {
    /// It is written down, or done.
    Done,
    /// It is to be written down.
    Write,
    /// Not as things stand, and why.
    Refuse(String),
}

impl Wish {
    /// The wish that a question is, and the job that it is about.
    pub(in crate::leader) fn of(question: &Question) -> Option<(JobId, Self)> {
        Some(match *question {
            Question::Suspend { job, savepoint } => (job, Self::Stop { savepoint }),
            Question::Resume(job) => (job, Self::Resume),
            Question::Rescale { job, tasks } => (job, Self::Rescale { tasks }),
            Question::Savepoint { job, savepoint } => (job, Self::Savepoint { id: savepoint }),
            _ => return None,
        })
    }

    /// The savepoint that it wants made.
    pub(in crate::leader) fn savepoint(self) -> Option<SavepointId> {
        match self {
            Self::Stop { savepoint: id } | Self::Savepoint { id } => Some(id),
            Self::Resume | Self::Rescale { .. } => None,
        }
    }
}

/// Decides about a wish.
pub(in crate::leader) fn verdict(record: &JobRecord, wish: Wish) -> Verdict {
    if is_so(record, wish) {
        return Verdict::Done;
    }
    match refusal(record, wish) {
        Some(why) => Verdict::Refuse(why),
        None => Verdict::Write,
    }
}

/// Whether it is written down already, or done.
fn is_so(record: &JobRecord, wish: Wish) -> bool {
    if record.state.is_terminal() || record.desired == Desired::Canceled {
        // A savepoint stays one when its job has ended.
        return matches!(wish, Wish::Savepoint { id } if record.savepoint(id).is_some());
    }
    match wish {
        Wish::Stop { savepoint } => match (record.state, record.intent) {
            (JobState::Suspended, _) => true,
            (_, Some(Intent::Stop { .. })) if !record.is_checkpointing() => true,
            (_, Some(intent)) => intent == Intent::Stop { savepoint },
            (_, None) => record.closing.is_some() && record.savepoint(savepoint).is_some(),
        },
        Wish::Resume => record.desired == Desired::Running,
        Wish::Rescale { tasks } => match record.intent {
            Some(Intent::Rescale { tasks: wanted }) => wanted == tasks,
            Some(Intent::Stop { .. } | Intent::Savepoint { .. }) | None => record.tasks() == tasks,
        },
        Wish::Savepoint { id } => {
            let is_being_made = record.intent.and_then(savepoint_of) == Some(id);
            is_being_made || record.savepoint(id).is_some()
        }
    }
}

fn refusal(record: &JobRecord, wish: Wish) -> Option<String> {
    let id = record.id;
    if record.state.is_terminal() {
        return Some(format!(
            "job {id} has ended: it is {}; run it again as a new job",
            state_text(record.state)
        ));
    }
    if record.desired == Desired::Canceled {
        return Some(format!("job {id} is being canceled"));
    }
    let gives_way = match (wish, record.intent) {
        (Wish::Resume, Some(Intent::Stop { .. })) => record.state != JobState::Stopping,
        // It may wait for slots for long.
        (Wish::Stop { .. }, Some(Intent::Rescale { .. })) => true,
        (Wish::Rescale { tasks }, Some(Intent::Rescale { .. })) => tasks == record.tasks(),
        _ => false,
    };
    if let Some(why) = busy(record).filter(|_| !gives_way) {
        return Some(format!("job {id} {why}; ask again when that is done"));
    }
    let makes_savepoint = match wish {
        Wish::Savepoint { .. } => true,
        // A waiting job is suspended as it is.
        Wish::Stop { .. } => record.is_checkpointing() && record.state != JobState::Waiting,
        Wish::Resume | Wish::Rescale { .. } => false,
    };
    if makes_savepoint && record.savepoints.len() >= MOST_SAVEPOINTS {
        return Some(format!(
            "job {id} has {MOST_SAVEPOINTS} savepoints, which is the most: remove one with \
             `incumbent savepoint rm`"
        ));
    }
    match wish {
        Wish::Savepoint { .. } => no_savepoint(record),
        Wish::Rescale { tasks } => no_rescaling(record, tasks),
        Wish::Stop { .. } | Wish::Resume => None,
    }
}

/// What the job is doing for an earlier wish, in words.
fn busy(record: &JobRecord) -> Option<String> {
    if let Some(closing) = record.closing {
        return Some(match closing.goal {
            Goal::Suspended => {
                "is being stopped: its tasks publish what they have staged".to_owned()
            }
            Goal::Finished => {
                "is about to be finished: its tasks publish their last output".to_owned()
            }
        });
    }
    Some(match record.intent? {
        Intent::Stop { savepoint } if record.is_checkpointing() => {
            format!("is being stopped with savepoint {savepoint}")
        }
        Intent::Stop { .. } => "is being stopped".to_owned(),
        Intent::Savepoint { id } => format!("is making savepoint {id}"),
        Intent::Rescale { tasks } => format!("is being given {tasks} tasks"),
    })
}

fn no_savepoint(record: &JobRecord) -> Option<String> {
    let id = record.id;
    if !record.is_checkpointing() {
        return Some(format!(
            "job {id} has no [checkpoints]: its tasks keep their state to themselves, so there is \
             nothing to make a savepoint of"
        ));
    }
    match record.state {
        JobState::Running | JobState::Restarting => None,
        state => Some(format!(
            "job {id} is {}: a savepoint is made of tasks that run",
            state_text(state)
        )),
    }
}

fn no_rescaling(record: &JobRecord, tasks: u32) -> Option<String> {
    if tasks == 0 || tasks > MOST_TASKS {
        return Some(format!("a job has 1 to {MOST_TASKS} tasks, not {tasks}"));
    }
    if largest_size(record, tasks) > LARGEST_RECORD {
        let id = record.id;
        return Some(format!(
            "the record of job {id} has no room for {tasks} tasks"
        ));
    }
    // Templates may name ranks that would not be there.
    let mut spec = record.spec.clone();
    spec.tasks = tasks;
    let problem = job_file::check(&spec).into_iter().next()?;
    Some(format!(
        "job {} cannot have {tasks} tasks: {}: {}",
        record.id, problem.key, problem.why
    ))
}

/// The savepoint that an intent wants made.
pub(in crate::leader) fn savepoint_of(intent: Intent) -> Option<SavepointId> {
    match intent {
        Intent::Savepoint { id } | Intent::Stop { savepoint: id } => Some(id),
        Intent::Rescale { .. } => None,
    }
}
