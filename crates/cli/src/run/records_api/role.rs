//! What the command is to do, as it is told: [`Board`]. It leads, it stands by, or it is to stop
//! leading and to say so.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use incumbent::{Epoch, Guard};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Acknowledgements that wait for the runner. A command sends one for each time that it stops
/// leading.
const MOST_WAITING: usize = 16;

/// What the command is told, as JSON: one object, or one line of a stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RoleView {
    pub(crate) role: Role,
    /// Rises with each change. What is acknowledged is named by it.
    pub(crate) number: u64,
    /// The term that it leads, or is to stop leading.
    pub(crate) epoch: Option<Epoch>,
    /// While it steps down: the time that is left. After it, the command is killed.
    pub(crate) acknowledge_within_seconds: Option<f64>,
    /// While it steps down: why.
    pub(crate) why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Another node leads, or none: it must not act.
    Standby,
    /// It acts, and its writes carry this epoch.
    Leader,
    /// It is to stop acting, and to acknowledge that it has.
    SteppingDown,
}

/// What was written on the board last.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) role: Role,
    pub(crate) number: u64,
    pub(crate) epoch: Option<Epoch>,
    pub(crate) until: Option<Instant>,
    pub(crate) why: Option<String>,
    /// Of the term that it leads.
    pub(crate) guard: Option<Guard>,
}

/// An acknowledgement: the number, and where the runner says whether it was the one that it waits
/// for.
pub(crate) type Acknowledgement = (u64, oneshot::Sender<bool>);

/// What the command is to do. The runner writes, and the command reads.
#[derive(Debug)]
pub(crate) struct Board {
    told: watch::Sender<Told>,
    acknowledged: mpsc::Sender<Acknowledgement>,
    /// Whether the command has asked for its role.
    is_read: watch::Sender<bool>,
}

impl Told {
    /// What a command is told at its start.
    pub(crate) fn standby(number: u64) -> Self {
        Self {
            role: Role::Standby,
            number,
            epoch: None,
            until: None,
            why: None,
            guard: None,
        }
    }

    pub(crate) fn leader(number: u64, guard: Guard) -> Self {
        Self {
            role: Role::Leader,
            epoch: Some(guard.epoch()),
            guard: Some(guard),
            ..Self::standby(number)
        }
    }

    pub(crate) fn stepping_down(
        number: u64,
        epoch: Option<Epoch>,
        until: Instant,
        why: String,
    ) -> Self {
        Self {
            role: Role::SteppingDown,
            epoch,
            until: Some(until),
            why: Some(why),
            ..Self::standby(number)
        }
    }

    /// As it is now: a leader whose time is up leads no more, although the runner has not said so
    /// yet. It may have been stopped.
    fn view(&self) -> RoleView {
        let is_over = self.guard.as_ref().is_some_and(|guard| !guard.is_valid());
        let (role, why, until) = match self.role {
            Role::Leader if is_over => {
                let hard = self.guard.as_ref().map(Guard::until_hard_deadline);
                let why = "the lease was not renewed in time".to_owned();
                (Role::SteppingDown, Some(why), hard)
            }
            role => {
                let left = |until: Instant| until.saturating_duration_since(Instant::now());
                (role, self.why.clone(), self.until.map(left))
            }
        };
        RoleView {
            role,
            number: self.number,
            epoch: self.epoch,
            acknowledge_within_seconds: until.as_ref().map(Duration::as_secs_f64),
            why,
        }
    }
}

impl Board {
    /// With what the command is told first, and where its acknowledgements arrive.
    pub(crate) fn new(told: Told) -> (Self, mpsc::Receiver<Acknowledgement>) {
        let (acknowledged, receiver) = mpsc::channel(MOST_WAITING);
        let board = Self {
            told: watch::Sender::new(told),
            acknowledged,
            is_read: watch::Sender::new(false),
        };
        (board, receiver)
    }

    pub(crate) fn tell(&self, told: Told) {
        self.told.send_replace(told);
    }

    /// A new command has not asked yet.
    pub(crate) fn unread(&self) {
        self.is_read.send_replace(false);
    }

    /// Waits until the command has asked for its role.
    pub(crate) fn read(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut is_read = self.is_read.subscribe();
        async move {
            if is_read.wait_for(|is_read| *is_read).await.is_err() {
                std::future::pending().await
            }
        }
    }

    /// What the command is to do now, without its having asked.
    pub(crate) fn view(&self) -> RoleView {
        self.told.borrow().view()
    }

    pub(super) fn ask(&self) -> RoleView {
        self.is_read.send_replace(true);
        self.view()
    }

    /// Every change as a line of JSON, beginning with how it is now. Of quick changes only the last
    /// may come.
    pub(super) fn follow(&self) -> Body {
        self.is_read.send_replace(true);
        let mut told = self.told.subscribe();
        told.mark_changed();
        let lines = futures::stream::unfold(told, async |mut told| {
            told.changed().await.ok()?;
            let view = told.borrow_and_update().view();
            let mut line = serde_json::to_vec(&view).expect("its names are text");
            line.push(b'\n');
            Some((Ok::<_, Infallible>(Bytes::from(line)), told))
        });
        Body::from_stream(lines)
    }

    /// Returns whether that is what the runner waits for.
    pub(super) async fn acknowledge(&self, number: u64) -> bool {
        let (done, was_it) = oneshot::channel();
        if self.acknowledged.send((number, done)).await.is_err() {
            return false;
        }
        was_it.await.unwrap_or(false)
    }
}
