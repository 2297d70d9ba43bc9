//! One leader, as its ConfigMap changes.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Error;
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::time::{Instant, timeout};

use super::connect::{Cluster, quietly};
use super::layout;
use crate::component::Component;
use crate::follow::{Teller, pauses};
use crate::model::Leader;

/// In which a list must be there, and a watch must begin.
const IN_TIME: Duration = Duration::from_secs(15);

/// How long a watch lasts before the server ends it. Then all begins anew. Shorter than what
/// networks forget connections in.
const WATCH_SECONDS: u32 = 290;

/// After so much silence a watch is taken to be dead. Servers send a bookmark each minute or so.
const SILENCE: Duration = Duration::from_secs(150);

/// A watch that lasted so long was good: what follows is not a failure in a row.
const GOOD: Duration = Duration::from_secs(5);

/// The history that a watch would go on from is forgotten. It may be just after it was listed.
const GONE: u16 = 410;

/// What the two ConfigMaps say in which a leader may be: that of the cluster, and that of the
/// component before 1.15. `None` until it is known.
type Known = [Option<Option<Leader>>; 2];

/// Follows until nobody listens. Each of the two is watched by itself, by its name: the others
/// change with each checkpoint.
pub(crate) async fn follow(cluster: Cluster, component: Component, teller: Teller) {
    let names = [
        layout::cluster_map(&cluster.id),
        component.own_config_map(&cluster.id),
    ];
    let known = Mutex::new(Known::default());
    let [one, other] = [0, 1].map(|which| Follower {
        cluster: &cluster,
        component: &component,
        name: &names[which],
        which,
        known: &known,
        teller: &teller,
    });
    tokio::join!(one.run(), other.run());
}

struct Follower<'a> {
    cluster: &'a Cluster,
    component: &'a Component,
    name: &'a str,
    /// Of the two.
    which: usize,
    known: &'a Mutex<Known>,
    teller: &'a Teller,
}

impl Follower<'_> {
    async fn run(&self) {
        let mut pauses = pauses();
        loop {
            let begun = Instant::now();
            let ended = self.once().await;
            if begun.elapsed() >= GOOD {
                pauses = crate::follow::pauses();
            }
            match ended {
                // The server ended the watch, in order.
                Ok(()) => {}
                Err(Trouble::Kube(Error::Api(status))) if status.code == GONE => {}
                Err(trouble) => self.teller.trouble("the Kubernetes API", &trouble),
            }
            // In any case: what ends at once must not be begun again at once.
            tokio::time::sleep(pauses.next().unwrap_or_default()).await;
        }
    }

    /// Lists, and watches until that ends.
    ///
    /// It never goes on from where a watch was before. The server may have been restored from a
    /// backup since, or made anew: then its versions begin again lower, and a watch from a version
    /// that is yet to come is silent for as long. One object is cheap to list.
    async fn once(&self) -> Result<(), Trouble> {
        let named = format!("metadata.name={}", self.name);
        let maps = &self.cluster.maps;
        // Without a version it is the newest state, not one of a cache.
        let asked = ListParams::default().fields(&named);
        let found = timeout(IN_TIME, quietly(maps.list(&asked))).await??;
        self.tell(found.items.first());
        let version = found.metadata.resource_version.unwrap_or_default();
        let asked = WatchParams::default().fields(&named).timeout(WATCH_SECONDS);
        let events = timeout(IN_TIME, quietly(maps.watch(&asked, &version))).await??;
        self.teller.well();
        let mut events = pin!(events);
        while let Some(event) = timeout(SILENCE, quietly(events.next())).await? {
            match event? {
                WatchEvent::Added(map) | WatchEvent::Modified(map) => self.tell(Some(&map)),
                WatchEvent::Deleted(_) => self.tell(None),
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(status) => return Err(Error::Api(status).into()),
            }
        }
        Ok(())
    }

    fn tell(&self, map: Option<&ConfigMap>) {
        let leader = map.and_then(|map| {
            layout::leader(map, self.component).unwrap_or_else(|error| {
                let name = self.name;
                tracing::warn!(configmap = name, %error, "what Flink says of its leader cannot be read");
                None
            })
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known[self.which] = Some(leader);
        if let [Some(present), Some(older)] = &*known {
            // Who moved from an old Flink to a new one may have left its ConfigMap behind.
            self.teller.tell(present.clone().or_else(|| older.clone()));
        }
    }
}

/// Why a watch is to be begun again.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Kube(#[from] Error),
    #[error("it is silent")]
    Silent(#[from] tokio::time::error::Elapsed),
}
