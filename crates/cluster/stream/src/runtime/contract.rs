//! A job as a task of a cluster: by the task contract, and by nothing else.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::Thread;

use incumbent_task::{Event, Task};

use super::{Describe, give_up, restore, upload};
use crate::api::Job;
use crate::engine::{Plan, Seat, Wiring, work};
use crate::mesh::Mesh;
use crate::orders::{Order, Report};
use crate::{At, Error, Result, Waker};

/// Runs this process's share of the job until it is told to stop.
///
/// # Errors
///
/// Whatever ends the attempt.
pub(super) fn run(describe: impl Fn(&Job<'_>) + Send + Sync + 'static) -> Result<()> {
    let describe: Arc<Describe> = Arc::new(describe);
    let task = Task::from_env()?;
    let identity = task.identity().clone();
    if !identity.is_checkpointing {
        let fault = "a stream job needs checkpoints: give its job file a [checkpoints] section, or \
                     submit its executable with `incumbent job run -- EXECUTABLE`";
        return Err(Error::Malformed(vec![fault.to_owned()]));
    }
    let plan = Plan::of(&*describe)?;
    // Bound before the others can know it.
    let mesh = match identity.tasks {
        1 => None,
        _ => Some(Mesh::bind(&task)?),
    };
    let restored = restore::read(&task, &plan)?;
    let worker = std::thread::current();
    let at = At {
        name: String::new(),
        job: identity.job.clone(),
        attempt: identity.attempt,
        rank: identity.rank,
        tasks: identity.tasks,
        waker: Waker::new(move || worker.unpark()),
    };
    let number = restored.number;
    let opened = plan.open(&at, restored)?;
    let peers = task.ready()?;
    let wiring = match mesh {
        None => Wiring::Alone,
        Some(mesh) => mesh.connect(&peers)?,
    };
    let (order, orders) = channel();
    let (report, reports) = channel::<Report>();
    listen(&task, number, order, std::thread::current())?;
    upload::start(task, reports)?;
    let seat = Seat {
        at,
        orders,
        reports: report,
    };
    work(wiring, &*describe, opened, seat)
}

/// Passes on what the task is told, on a thread of its own.
///
/// That the checkpoint is committed which the job started from is already published, and told again:
/// what a sink stages as its last now is not in it, and must not be published with it.
fn listen(task: &Task, restored: u64, orders: Sender<Order>, worker: Thread) -> Result<()> {
    let events = task.events();
    let pass_on = move || {
        for event in events {
            let order = match event {
                Ok(Event::Checkpoint { number, .. }) => Order::Checkpoint { number },
                Ok(Event::Committed { number }) if number <= restored => continue,
                Ok(Event::Committed { number }) => Order::Committed { number },
                Ok(Event::Aborted { number }) => Order::Aborted { number },
                Ok(Event::Stop) => Order::Stop,
                // It is of a later version.
                Ok(_) => continue,
                Err(error) => give_up(&error.into()),
            };
            if orders.send(order).is_err() {
                return;
            }
            worker.unpark();
        }
    };
    let thread = std::thread::Builder::new().name("events".to_owned());
    thread
        .spawn(pass_on)
        .map_err(super::io("cannot start a thread"))?;
    Ok(())
}
