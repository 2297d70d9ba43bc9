//! All that can happen to few pods, tried: the machine as it is, with an API server, TaskManagers,
//! a job and one leader after the other around it. Breadth first, so that what is broken is reached
//! by a shortest way.
//!
//! In every state that can be reached: no name is made by two leaders, no leader asks for more than
//! is missing as far as it was told, and no deletion hits a task in a pod whose TaskManager was
//! known when that was decided. And wherever nothing more can happen, what can run runs after all
//! trouble is over, and no pod is left that nobody needs: what an earlier leader asked for was
//! adopted, or removed.
//!
//! Time passes only by waking the machine when it wants to be. States that differ only in how long
//! the next pause is count as one.

mod fingerprint;
mod leader;
mod shapes;
mod things;
mod world;

use std::collections::HashSet;

use self::world::{Action, World};

/// More states than any of the shapes here has: a shape that grew is noticed.
const MOST_STATES: usize = 5_000_000;

/// What is tried.
#[derive(Clone, Debug)]
struct Shape {
    /// Tasks of the job, each in a pod of its own.
    tasks: usize,
    /// What may happen, and how often at most.
    budget: Budget,
    mutation: Mutation,
}

/// How often something may happen.
#[derive(Clone, Debug, Hash)]
struct Budget {
    /// A leader follows another.
    leaders: u8,
    /// A request is not answered in time: it arrives later, or has arrived.
    unanswered: u8,
    /// A request is lost.
    lost: u8,
    /// A pod ends by itself.
    crashes: u8,
    /// A pod is deleted by somebody else.
    by_hand: u8,
    /// A node vanishes: its TaskManager is silent.
    vanish: u8,
    /// The job is cancelled.
    cancels: u8,
    /// The next job comes, when there is none.
    submits: u8,
    /// All pods are listed again.
    lists: u8,
    /// The machine is woken.
    wakes: u8,
}

const NOTHING: Budget = Budget {
    leaders: 0,
    unanswered: 0,
    lost: 0,
    crashes: 0,
    by_hand: 0,
    vanish: 0,
    cancels: 0,
    submits: 0,
    lists: 0,
    wakes: 0,
};

/// A mistake that must be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    None,
    /// The epoch is left out of names.
    NamesWithoutEpoch,
    /// A request without an answer counts as one that was refused.
    UnansweredIsRefused,
    /// A leader sees only the pods that it has asked for.
    OwnPodsOnly,
    /// A leader asks before it has listed.
    AsksBeforeListing,
    /// A leader does not hear of pods that come later than its list.
    NoChanges,
    /// Silence counts as a proof of death.
    SilenceIsDeath,
    /// A TaskManager is told to leave by the deletion of its pod.
    ReleasesByDeletion,
}

/// Tries everything. Returns how many states there are, or the way to what is broken.
fn explore(shape: &Shape) -> Result<usize, String> {
    let start = World::new(shape);
    let mut seen = HashSet::from([start.fingerprint()]);
    // How each state was reached first.
    let mut origins: Vec<(usize, Option<Action>)> = vec![(0, None)];
    let mut layer = vec![(0, start)];
    while !layer.is_empty() {
        let mut next = Vec::new();
        for (from, world) in layer {
            let actions = world.actions();
            if actions.is_empty() {
                let healed = world.clone().healed();
                healed.map_err(|why| way(&origins, from, None, &why))?;
            }
            for action in actions {
                let mut after = world.clone();
                let kept = after.act(&action);
                kept.map_err(|why| way(&origins, from, Some(&action), &why))?;
                if seen.insert(after.fingerprint()) {
                    origins.push((from, Some(action)));
                    next.push((origins.len() - 1, after));
                }
            }
            assert!(seen.len() < MOST_STATES, "the shape is too large");
        }
        layer = next;
    }
    Ok(seen.len())
}

/// What is broken, and how it came to that.
fn way(
    origins: &[(usize, Option<Action>)],
    from: usize,
    last: Option<&Action>,
    why: &str,
) -> String {
    let mut steps: Vec<&Action> = last.into_iter().collect();
    let mut at = from;
    while let (before, Some(action)) = &origins[at] {
        steps.push(action);
        at = *before;
    }
    steps.reverse();
    let steps: Vec<String> = steps.iter().map(|step| format!("\n  {step:?}")).collect();
    format!("{why}, after{}", steps.concat())
}
