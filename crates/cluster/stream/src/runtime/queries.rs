//! What is asked of the state of this task, on its way to the worker and back.

use std::sync::mpsc::{Sender, channel};
use std::thread::Thread;

use incumbent_task::{Answer as Said, Asked as Wanted, Task};

use super::spawn;
use crate::Result;
use crate::orders::{Asked, Order, Query};

/// Answers queries, one after the other, on a thread of its own. The worker answers one between two
/// of its steps. `states` are the names of all states.
pub(super) fn pass_on(
    task: &Task,
    states: Vec<String>,
    orders: Sender<Order>,
    worker: Thread,
) -> Result<()> {
    let task = task.clone();
    let pass_on = move || {
        for question in task.queries() {
            // That the TaskManager is gone is found, and said, by the thread of the events.
            let Ok(question) = question else { return };
            let Some(said) = answer(&question.asked, &states, &orders, &worker) else {
                return;
            };
            // Nobody may wait for it any more.
            let _ = task.answer(&question, &said);
        }
    };
    spawn("queries", pass_on).map(drop)
}

/// `None` if the worker has ended.
fn answer(
    asked: &Wanted,
    states: &[String],
    orders: &Sender<Order>,
    worker: &Thread,
) -> Option<Said> {
    let (state, what) = match asked {
        Wanted::Key { state, key } => (state, Asked::Key(key.clone())),
        Wanted::Range {
            state,
            from,
            to,
            limit,
        } => {
            let (from, to, limit) = (from.clone(), to.clone(), *limit);
            (state, Asked::Range { from, to, limit })
        }
        Wanted::States => return Some(Said::states(states.iter().cloned())),
    };
    if !states.contains(state) {
        return Some(Said::unknown_state(states.iter().cloned()));
    }
    let (answer, answers) = channel();
    let query = Query {
        state: state.clone(),
        what,
        answer,
    };
    orders.send(Order::Query(query)).ok()?;
    worker.unpark();
    Some(match (answers.recv().ok()?, asked) {
        (Err(why), _) => Said::bad_key(why),
        (Ok(answer), Wanted::Key { key, .. }) => {
            let value = answer.entries.into_iter().next().map(|(_, value)| value);
            Said::value(key.clone(), value, answer.is_owner)
        }
        (Ok(answer), Wanted::Range { .. } | Wanted::States) => {
            Said::range(answer.entries, answer.has_more)
        }
    })
}
