//! One leader, as it changes.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use tokio::sync::watch;

use crate::address::{FlinkAddress, Place};
use crate::component::Component;
use crate::error::FlinkError;
use crate::kubernetes;
use crate::model::Leader;
use crate::zookeeper;

/// Pauses between attempts: short enough that a restart of a server is not noticed, long enough
/// that many who lost the same server do not keep the next one busy.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Who leads a component of a Flink cluster: first now, as soon as it is known, and then each time
/// it is another.
///
/// - `None` says that nobody leads, or that what Flink wrote cannot be read, which is logged.
/// - Equal values are told once. Whoever is slow is told the newest, and not what was in between.
/// - It goes on over lost connections, servers that restart, histories that are forgotten (410),
///   and entries that are removed and come back. **While the store is not reached, what was told
///   last stays**: a leader may have gone meanwhile. That there is trouble is logged, one line for
///   each loss.
/// - Nothing is ever written. In ZooKeeper our session is the only trace.
///
/// It never ends. Dropping it ends all that it began.
///
/// # Errors
///
/// - [`FlinkError::File`], [`FlinkError::Config`]: files for TLS, or the kubeconfig, cannot be
///   used.
/// - [`FlinkError::NoRuntime`]: it is not called inside a Tokio runtime.
pub fn follow(
    address: &FlinkAddress,
    component: &Component,
) -> Result<BoxStream<'static, Option<Leader>>, FlinkError> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| FlinkError::NoRuntime)?;
    let (sender, receiver) = watch::channel(None);
    let teller = Teller {
        sender,
        troubled: AtomicBool::new(false),
    };
    let component = component.clone();
    let task = match &address.place {
        Place::ZooKeeper(place) => {
            let tls = place.tls()?;
            runtime.spawn(zookeeper::follow(*place.clone(), tls, component, teller))
        }
        Place::Kubernetes(place) => {
            let cluster = kubernetes::Cluster::connect(place)?;
            runtime.spawn(kubernetes::follow(cluster, component, teller))
        }
    };
    let ends = EndsWith(task.abort_handle());
    let told = stream::unfold((receiver, ends), |(mut receiver, ends)| async {
        loop {
            if receiver.changed().await.is_err() {
                // Only if the task panicked.
                return None;
            }
            // Not known yet: nothing to tell.
            let known = receiver.borrow_and_update().clone();
            if let Some(leader) = known {
                return Some((leader, (receiver, ends)));
            }
        }
    });
    // What was overtaken by its opposite before it was heard is no change.
    let mut last = None;
    let told = told.filter(move |leader: &Option<Leader>| {
        let new = last.as_ref() != Some(leader);
        last = Some(leader.clone());
        std::future::ready(new)
    });
    Ok(told.boxed())
}

/// Ends a task when it is dropped.
struct EndsWith(tokio::task::AbortHandle);

impl Drop for EndsWith {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Takes what is known to whoever listens.
pub(crate) struct Teller {
    /// `None` until it is known.
    sender: watch::Sender<Option<Option<Leader>>>,
    /// Whether the store cannot be reached: one line for each loss, and one for each return.
    troubled: AtomicBool,
}

impl Teller {
    pub(crate) fn tell(&self, leader: Option<Leader>) {
        self.sender.send_if_modified(|known| {
            let new = known.as_ref() != Some(&leader);
            if new {
                *known = Some(leader);
            }
            new
        });
    }

    /// The store answers.
    pub(crate) fn well(&self) {
        if self.troubled.swap(false, Ordering::Relaxed) {
            tracing::info!("who leads the Flink cluster can be read again");
        }
    }

    pub(crate) fn trouble(&self, store: &str, why: &dyn Error) {
        if !self.troubled.swap(true, Ordering::Relaxed) {
            let mut text = why.to_string();
            let mut cause = why.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            tracing::warn!(
                store,
                why = text,
                "who leads the Flink cluster is not known for now; it is tried again and again"
            );
        }
    }
}

/// Ever longer pauses, each drawn at random, so that many processes do not come at once.
pub(crate) fn pauses() -> Pauses {
    let pauses = ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .build();
    Box::new(pauses.map(|pause| pause.mul_f64(rand::random_range(0.5..1.0))))
}

pub(crate) type Pauses = Box<dyn Iterator<Item = Duration> + Send>;
