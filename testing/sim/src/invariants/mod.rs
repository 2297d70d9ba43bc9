//! What is promised, one promise per file. Each is checked from the [`Fact`](crate::history::Fact)s
//! alone.

mod changes;
mod durable;
mod epochs;
mod fence;
mod idle;
mod linear;
mod monotone;
mod recovery;
mod single_guard;
mod standby;
mod terms;

use crate::faults::Plan;
use crate::oracle::Invariant;

/// Everything that is promised in the plan's mode.
pub fn all(plan: &Plan) -> Vec<Box<dyn Invariant>> {
    let mut all: Vec<Box<dyn Invariant>> = vec![
        Box::new(epochs::Epochs::new(plan)),
        Box::new(changes::Changes::default()),
        Box::new(terms::Terms::default()),
        Box::new(fence::Fence::default()),
        Box::new(durable::Durable::default()),
        Box::new(monotone::Monotone::default()),
        Box::new(standby::Standby::new(plan.mode.is_truthful())),
        Box::new(idle::Idle::new(plan)),
        Box::new(recovery::Recovery::new(plan)),
        Box::new(linear::Linear::default()),
    ];
    if plan.mode.is_truthful() {
        all.push(Box::new(single_guard::SingleGuard::default()));
    }
    all
}
