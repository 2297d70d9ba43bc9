//! [`Door`]: how requests reach the loop of the present term.

use incumbent::Guard;
use incumbent_cluster_core::JobId;
use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::message::{Ack, Report};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};

use super::NotLeading;
use super::registry::Registry;

/// How many inputs wait for the loop, which takes each in microseconds. Those who bring more wait.
const MOST_INPUTS: usize = 1024;

/// How many questions wait for their answers. More wait for these; each costs less than 1 KiB, and
/// the server limits how many requests there are at all.
const MOST_QUESTIONS: usize = 4096;

/// One term, as requests see it.
pub(super) struct Door {
    pub(super) guard: Guard,
    pub(super) registry: Registry,
    inputs: mpsc::Sender<Input>,
    questions: Semaphore,
}

/// What requests bring.
pub(super) enum Input {
    /// Somebody asks.
    Asked {
        question: Question,
        answer: oneshot::Sender<Answer>,
    },
    /// A TaskManager reported.
    Reported {
        report: Box<Report>,
        /// Where its orders go, if the report is full and it was verified.
        address: Option<String>,
        answer: oneshot::Sender<Ack>,
    },
    /// A record may be new or changed.
    Hinted(JobId),
}

impl Door {
    pub(super) fn new(guard: Guard) -> (Self, mpsc::Receiver<Input>) {
        let (inputs, receiver) = mpsc::channel(MOST_INPUTS);
        let door = Self {
            guard,
            registry: Registry::default(),
            inputs,
            questions: Semaphore::new(MOST_QUESTIONS),
        };
        (door, receiver)
    }

    /// Brings this to the loop; waits while too much waits there already.
    pub(super) async fn send(&self, input: Input) -> Result<(), NotLeading> {
        self.inputs.send(input).await.map_err(|_| NotLeading)
    }

    /// The right to ask a question, for as long as it is waited for.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        tokio::select! {
            place = self.questions.acquire() => place.ok(),
            () = self.guard.ended() => None,
        }
    }
}
