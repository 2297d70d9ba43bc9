//! A job as a task of a cluster: by the task contract, and by nothing else.

use std::any::Any;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::Thread;
use std::time::Duration;

use incumbent_task::{Event, Identity, Task};

use super::program::Program;
use super::{Describe, exit, queries, restore, spawn, upload};
use crate::engine::{Plan, Seat, Wiring, work};
use crate::mesh::{Channels, Greeting, MEETING_TIME, Mesh, listen};
use crate::orders::{Order, Report};
use crate::room::{MOST_ON_THE_WAY, Room};
use crate::{At, Error, Result, Waker};

/// The port that the TaskManager has reserved for this task.
const PORT: &str = "INCUMBENT_PORT";

/// How long a rank that has published everything waits for the others: until then they would take
/// its end for a failure, if they were told to stop later.
const FAREWELL_TIME: Duration = Duration::from_secs(10);

/// Runs this process's share of the job until it is told to stop.
///
/// # Errors
///
/// Whatever ends the attempt.
pub(super) fn run(describe: &Arc<Describe>) -> Result<()> {
    let task = Task::from_env()?;
    let identity = task.identity().clone();
    if !identity.is_checkpointing {
        let fault = "a stream job needs checkpoints: give its job file a [checkpoints] section, or \
                     submit its executable with `incumbent job run -- EXECUTABLE`";
        return Err(Error::Malformed(vec![fault.to_owned()]));
    }
    // Bound before `ready`, so that all listen when the others learn of it.
    let meeting = match identity.tasks {
        1 => None,
        _ => Some((listen(port()?)?, Program::start()?)),
    };
    let plan = Plan::of(&**describe)?;
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
    let states = plan.states.keys().cloned().collect();
    let opened = plan.open(&at, restored)?;
    let peers = task.ready()?;
    let Channels { wiring, threads } = match meeting {
        None => Channels {
            wiring: Wiring::Alone,
            threads: Box::new(()),
        },
        Some((listener, program)) => meet(listener, &identity, program, &peers)?,
    };
    let (order, orders) = channel();
    let (report, reports) = channel::<Report>();
    pass_events_on(&task, number, order.clone(), std::thread::current())?;
    queries::pass_on(&task, states, order, std::thread::current())?;
    upload::start(task, reports)?;
    let room = Room::new(MOST_ON_THE_WAY, at.waker.clone());
    let seat = Seat {
        at,
        orders,
        reports: report,
        room,
    };
    work(wiring, &**describe, opened, seat)?;
    leave(threads)
}

fn port() -> Result<u16> {
    let said = std::env::var(PORT).unwrap_or_default();
    said.parse().map_err(|_| {
        let fault = format!("{PORT} is {said:?}, and should be the port of this task");
        Error::Malformed(vec![fault])
    })
}

fn meet(
    listener: TcpListener,
    identity: &Identity,
    program: Program,
    peers: &[String],
) -> Result<Channels> {
    let greeting = Greeting {
        job: identity.job.clone(),
        attempt: identity.attempt,
        rank: identity.rank,
        tasks: identity.tasks,
        program: program.digest()?,
    };
    Mesh::meet(listener, greeting, peers, MEETING_TIME)?.channels()
}

/// Passes on what the task is told, on a thread of its own.
///
/// That the checkpoint is committed which the job started from is already published, and told
/// again: what a sink stages as its last now is not in it, and must not be published with it.
fn pass_events_on(task: &Task, restored: u64, orders: Sender<Order>, worker: Thread) -> Result<()> {
    let events = task.events();
    let pass_on = move || {
        for event in events {
            let order = match event {
                Ok(Event::Checkpoint { number, .. }) => Order::Checkpoint { number },
                Ok(Event::Committed { number }) if number <= restored => continue,
                Ok(Event::Committed { number }) => Order::Committed { number },
                Ok(Event::Aborted { number }) => Order::Aborted { number },
                Ok(Event::Stop) => {
                    exit::stopping();
                    Order::Stop
                }
                // It is of a later version.
                Ok(_) => continue,
                Err(error) => exit::with(&error.into()),
            };
            if orders.send(order).is_err() {
                return;
            }
            worker.unpark();
        }
    };
    spawn("events", pass_on).map(drop)
}

/// Says goodbye to the other ranks. Everything is published: nothing that goes wrong matters.
fn leave(threads: Box<dyn Any + Send>) -> Result<()> {
    /// How often it is looked whether a rank has broken off, which ends the waiting.
    const LOOK_EVERY: Duration = Duration::from_millis(50);

    let (tell, gone) = channel();
    spawn("farewell", move || {
        drop(threads);
        let _ = tell.send(());
    })?;
    for _ in 0..FAREWELL_TIME.as_millis() / LOOK_EVERY.as_millis() {
        let waits = matches!(
            gone.recv_timeout(LOOK_EVERY),
            Err(RecvTimeoutError::Timeout)
        );
        if !waits || exit::has_lost_a_peer() {
            break;
        }
    }
    Ok(())
}
