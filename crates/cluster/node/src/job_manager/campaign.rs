//! [`JobManager`]: campaigns, and performs each term that it wins.

use std::sync::Arc;
use std::time::Duration;

use incumbent::{Candidate, EndpointName, Error, Leadership};
use incumbent_backend::causes;
use tokio::time::Instant;

use super::ledger;
use super::standby::announce;
use super::term::{Ended, Term};
use super::{JobManagerHandle, MakeTaskManagers, Shared};
use crate::NodeError;
use crate::node::{ENDPOINT, Node};

/// Pause after a term that this process gave up by itself, before it campaigns again, so
/// that the process with the newer term is not disturbed.
const PAUSE: Duration = Duration::from_secs(1);

/// A JobManager: campaigns until it is shut down.
pub struct JobManager {
    candidate: Candidate,
    shared: Arc<Shared>,
}

impl JobManager {
    /// Prepares to campaign: begins to listen on the liveness endpoint.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`NodeError::Store`].
    pub fn new(node: Node) -> Result<Self, NodeError> {
        Self::with(node, None)
    }

    /// The same, with somebody who makes TaskManagers while this process leads.
    ///
    /// # Errors
    ///
    /// [`NodeError::Store`].
    pub fn with(node: Node, maker: Option<Arc<dyn MakeTaskManagers>>) -> Result<Self, NodeError> {
        super::describe_metrics();
        Ok(Self {
            candidate: node.group().candidate()?,
            shared: Arc::new(Shared::new(node, maker)),
        })
    }

    /// Asks this JobManager, while it leads.
    pub fn handle(&self) -> JobManagerHandle {
        JobManagerHandle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Campaigns, and leads, until `shutdown` is done. Then it gives up its term, so that another
    /// JobManager leads within milliseconds. Tasks go on.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the term in the background.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let leadership = tokio::select! {
                leadership = self.candidate.campaign() => leadership,
                () = announce(&self.shared.node) => continue,
                () = &mut shutdown => return,
            };
            let ended = self.lead(leadership, &mut shutdown).await;
            match ended {
                Ended::ShuttingDown => return,
                Ended::Lost(_) | Ended::Asked(_) => {}
                Ended::Superseded => tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = &mut shutdown => return,
                },
            }
        }
    }

    /// One term, from its grant until nothing of it goes on.
    async fn lead(&self, leadership: Leadership, shutdown: impl Future<Output = ()>) -> Ended {
        let granted_at = Instant::now();
        let leadership = Arc::new(leadership);
        let node = &self.shared.node;
        let (term, door) = Term::begin(&self.shared, &leadership);
        // Before it is activated, so that the first request finds it so.
        node.role().leads(leadership.guard());
        node.standing().is_well();
        self.shared.door.send_replace(Some(door));
        let (ended, unanswered) = {
            let mut term = std::pin::pin!(term.run(&leadership, shutdown));
            let activation = async {
                if activate(&leadership, node).await {
                    ledger::write_down(&leadership, node, granted_at).await;
                }
            };
            // Beside the term (R10): reports are acknowledged and records are opened meanwhile.
            tokio::select! {
                ended = &mut term => ended,
                () = activation => term.await,
            }
        };
        self.shared.door.send_replace(None);
        let (name, epoch) = (node.name(), leadership.epoch().get());
        match &ended {
            Ended::Lost(why) => tracing::warn!(
                node = name,
                epoch,
                ?why,
                "this JobManager leads no more; tasks go on, and the next leader adopts them"
            ),
            Ended::Superseded => tracing::warn!(
                node = name,
                epoch,
                "a newer leader has been seen; this JobManager leads no more"
            ),
            Ended::Asked(_) | Ended::ShuttingDown => tracing::info!(
                node = name,
                epoch,
                "this JobManager gives up its term; tasks go on, and the next leader adopts them"
            ),
        }
        let to = match &ended {
            Ended::Asked(to) => to.clone(),
            Ended::Lost(_) | Ended::Superseded | Ended::ShuttingDown => None,
        };
        if let Some(leadership) = Arc::into_inner(leadership) {
            leadership.resign(to).await;
        }
        drop(unanswered);
        ended
    }
}

/// Says to everybody who leads, and where. Ends when that is done, and returns whether it is; if
/// the term is over before, the loop of the term notices.
async fn activate(leadership: &Leadership, node: &Node) -> bool {
    let endpoint: EndpointName = ENDPOINT.parse().expect("it is a name");
    let activated = async {
        leadership.publish(&endpoint, &node.url()).await?;
        leadership.activate().await
    };
    let epoch = leadership.epoch().get();
    let activated = activated.await;
    let is_active = activated.is_ok();
    match activated {
        // The election has a line about it.
        Ok(()) => tracing::debug!(node = node.name(), epoch, "everybody is told who leads"),
        Err(Error::Fenced { .. }) => {}
        // Only what is refused for its form, which a URL of ours is not.
        Err(error) => tracing::error!(
            node = node.name(),
            epoch,
            why = causes(&error),
            "cannot say to others that this JobManager leads"
        ),
    }
    is_active
}
