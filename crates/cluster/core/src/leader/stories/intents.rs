//! What is told of intents: written down, and carried out.

use super::super::{LeaderAction, Story};
use crate::checkpoint::{Goal, Intent};
use crate::{JobRecord, view};

/// An intent is written down, or withdrawn.
pub(super) fn changed(before: &JobRecord, record: &JobRecord, out: &mut Vec<LeaderAction>) {
    let name = &record.spec.name;
    let mut is_warning = false;
    let text = match (before.intent, record.intent) {
        (None, Some(Intent::Savepoint { id })) => {
            format!("job {name:?} is to make savepoint {id}")
        }
        (None | Some(Intent::Rescale { .. }), Some(Intent::Stop { savepoint })) => format!(
            "job {name:?} is to be suspended: it makes savepoint {savepoint} first, then publishes \
             what is staged"
        ),
        (None, Some(Intent::Rescale { tasks })) => format!(
            "job {name:?} is to have {tasks} tasks instead of {}: it makes a checkpoint first",
            record.tasks()
        ),
        (Some(Intent::Stop { .. }), None) if record.closing.is_none() => {
            format!("job {name:?} goes on: it is not to be stopped any more")
        }
        (Some(Intent::Savepoint { id }), None) if record.savepoint(id).is_none() => {
            is_warning = true;
            format!(
                "job {name:?} makes no savepoint {id}: no checkpoint for it was completed; the job \
                 goes on"
            )
        }
        (Some(Intent::Rescale { tasks }), None)
            if record.closing.is_none() && before.tasks() == record.tasks() =>
        {
            format!("job {name:?} goes on as it is: it is not to have {tasks} tasks any more")
        }
        _ if before.origin.is_none() && record.origin.is_some() => {
            format!("job {name:?} is to start{}", restored_text(record))
        }
        _ if before.tasks() != record.tasks() => {
            format!(
                "job {name:?} is to have {} tasks when it runs",
                record.tasks()
            )
        }
        _ => return,
    };
    out.push(LeaderAction::Tell(Story {
        job: Some(record.id),
        attempt: Some(record.attempt),
        is_warning,
        text,
    }));
}

/// The last checkpoint is committed, or its attempt is placed anew to publish it.
pub(super) fn closing_text(before: &JobRecord, record: &JobRecord) -> String {
    let name = &record.spec.name;
    let Some(closing) = record.closing else {
        return String::new();
    };
    let goal = match closing.goal {
        Goal::Suspended => "suspended",
        Goal::Finished => "finished",
    };
    let number = closing.number;
    if before.attempt == record.attempt {
        return format!(
            "job {name:?}: checkpoint {number} is its last one; its tasks publish what they have \
             staged, then it is {goal}"
        );
    }
    format!(
        "job {name:?}: attempt {} starts from checkpoint {number}, only to publish what is staged; \
         then the job is {goal}",
        record.attempt
    )
}

/// What the attempt starts from, if it starts from something.
pub(super) fn restored_text(record: &JobRecord) -> String {
    match (record.checkpoints.last(), &record.origin) {
        (Some(last), _) => format!(" from checkpoint {}", last.number),
        (None, Some(origin)) => format!(" from {}", view::origin_text(origin)),
        (None, None) => String::new(),
    }
}
