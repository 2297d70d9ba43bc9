//! [`Hub`]: the newest state, for all listeners of this node.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use incumbent::Group;
use tokio::sync::watch;

use super::{LeaderNow, LeaderState};
use crate::api::Api;
use crate::api::locate::Asker;
use crate::api::overview::Overview;

/// How often the leader is asked, for all listeners together, and whether the store answers is
/// looked at.
pub const ASKING: Duration = Duration::from_secs(1);

/// How long the leader may take to answer. It is asked again afterwards.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked while somebody listens.
pub(in crate::api) trait Source: Send + Sync + 'static {
    /// The overview, from the leader; `None` if it does not answer.
    fn overview(&self) -> BoxFuture<'_, Option<Overview>>;
}

impl Source for Api {
    fn overview(&self) -> BoxFuture<'_, Option<Overview>> {
        let asker = Asker::of_node(&self.node);
        Box::pin(async move { self.ask_leader("/v1/overview", asker, PATIENCE).await.ok() })
    }
}

/// What is told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) leader: LeaderNow,
    /// The last that is known.
    pub(super) overview: Option<Arc<Overview>>,
}

/// Tells all listeners of this node. Works while there are some.
#[derive(Clone, Default)]
pub(in super::super) struct Hub(Arc<Mutex<Option<watch::Sender<Told>>>>);

impl Hub {
    /// The newest state, from now on. Must be called inside a Tokio runtime.
    pub(super) fn listen(
        &self,
        group: &Group,
        source: Option<Arc<dyn Source>>,
    ) -> watch::Receiver<Told> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*running {
            return sender.subscribe();
        }
        let sender = watch::Sender::new(Told {
            leader: LeaderNow::of(group),
            overview: None,
        });
        let receiver = sender.subscribe();
        *running = Some(sender.clone());
        tokio::spawn(self.clone().run(sender, group.clone(), source));
        receiver
    }

    async fn run(self, sender: watch::Sender<Told>, group: Group, source: Option<Arc<dyn Source>>) {
        let follow = follow(&sender, &group);
        let ask = ask(&sender, &group, source.as_deref());
        let nobody_listens = async {
            loop {
                sender.closed().await;
                // Somebody may begin to listen until the lock is held.
                let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if sender.is_closed() {
                    *running = None;
                    return;
                }
            }
        };
        tokio::select! {
            () = follow => {}
            () = ask => {}
            () = nobody_listens => {}
        }
    }
}

/// Tells who leads, at once.
async fn follow(sender: &watch::Sender<Told>, group: &Group) {
    let mut observer = group.observe();
    loop {
        observer.next().await;
        tell_leader(sender, group);
    }
}

/// Asks the leader what there is, once a second.
async fn ask(sender: &watch::Sender<Told>, group: &Group, source: Option<&dyn Source>) {
    loop {
        tell_leader(sender, group);
        let leads = sender.borrow().leader.state == LeaderState::Active;
        if let Some(source) = source.filter(|_| leads)
            && let Some(overview) = source.overview().await
        {
            sender.send_if_modified(|told| {
                let is_news = told.overview.as_deref() != Some(&overview);
                if is_news {
                    told.overview = Some(Arc::new(overview));
                }
                is_news
            });
        }
        tokio::time::sleep(ASKING).await;
    }
}

fn tell_leader(sender: &watch::Sender<Told>, group: &Group) {
    let leader = LeaderNow::of(group);
    sender.send_if_modified(|told| {
        let is_news = told.leader != leader;
        if is_news {
            told.leader = leader;
        }
        is_news
    });
}
