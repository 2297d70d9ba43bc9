//! One leader, as its ConfigMap changes.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use incumbent_backend::jitter;
use incumbent_backend_kubernetes::quietly;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Error;
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::time::{Instant, sleep, timeout};

use super::cluster::Cluster;
use super::layout;
use crate::channel::{EntryLog, LeaderSender, pace};
use crate::component::Component;
use crate::decode::Leader;

/// How long a list may take, and the beginning of a watch.
const IN_TIME: Duration = Duration::from_secs(15);

/// How long a watch lasts before the server ends it and all begins anew: shorter than the time
/// after which networks forget idle connections.
const WATCH_SECONDS: u32 = 290;

/// How long a watch may be silent before it counts as dead. Servers send a bookmark about every
/// minute.
const SILENCE: Duration = Duration::from_secs(150);

/// The status of a watch whose history is forgotten, which may be just after its list.
const GONE: u16 = 410;

/// The leaders in the two ConfigMaps that may have one: the cluster's, and before 1.15 the
/// component's own. `None` until it is known.
type Known = [Option<Option<Leader>>; 2];

/// Follows until the task is aborted. Each of the two ConfigMaps is watched by its name, because
/// the cluster's others change with each checkpoint.
pub(crate) async fn follow(cluster: Cluster, component: Component, sender: LeaderSender) {
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
        sender: &sender,
        log: EntryLog::default(),
    });
    tokio::join!(one.run(), other.run());
}

struct Follower<'a> {
    cluster: &'a Cluster,
    component: &'a Component,
    name: &'a str,
    /// The index among the two.
    which: usize,
    known: &'a Mutex<Known>,
    sender: &'a LeaderSender,
    log: EntryLog,
}

impl Follower<'_> {
    async fn run(&self) {
        let mut pace = pace();
        loop {
            let begun = Instant::now();
            let ended = self.once().await;
            // In every case there is a pause: a watch that ends at once must not begin again at
            // once.
            let pause = pace.after_run(begun.elapsed(), jitter());
            match ended {
                // The server ended the watch at its time.
                Ok(()) => {}
                Err(WatchEnd::Refused { code: GONE, .. }) => {}
                Err(failure) => self
                    .sender
                    .note_failure("the Kubernetes API", &failure, pause),
            }
            sleep(pause).await;
        }
    }

    /// Lists, and watches until the watch ends.
    ///
    /// It never continues an earlier watch. The server may have been restored from a backup since,
    /// or installed anew. Then its versions begin lower again, and a watch from a version in the
    /// future is silent until that version comes. Listing one object is cheap.
    async fn once(&self) -> Result<(), WatchEnd> {
        let named = format!("metadata.name={}", self.name);
        let maps = &self.cluster.maps;
        // A list without a version returns the newest state, and not that of a cache.
        let asked = ListParams::default().fields(&named);
        let found = timeout(IN_TIME, quietly(maps.list(&asked))).await??;
        self.publish(found.items.first());
        let version = found.metadata.resource_version.unwrap_or_default();
        let asked = WatchParams::default().fields(&named).timeout(WATCH_SECONDS);
        let events = timeout(IN_TIME, quietly(maps.watch(&asked, &version))).await??;
        self.sender.note_success();
        let mut events = pin!(events);
        while let Some(event) = timeout(SILENCE, quietly(events.next())).await? {
            match event? {
                WatchEvent::Added(map) | WatchEvent::Modified(map) => self.publish(Some(&map)),
                WatchEvent::Deleted(_) => self.publish(None),
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(status) => return Err(Error::Api(status).into()),
            }
        }
        Ok(())
    }

    fn publish(&self, map: Option<&ConfigMap>) {
        let decoded = map.map_or(Ok(None), |map| layout::leader(map, self.component));
        let leader = self.log.leader(self.name, decoded);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known[self.which] = Some(leader);
        if let [Some(present), Some(older)] = &*known {
            // An update from an old Flink may have left the component's own ConfigMap behind.
            self.sender.send(present.clone().or_else(|| older.clone()));
        }
    }
}

/// Why a watch ended.
#[derive(Debug, thiserror::Error)]
enum WatchEnd {
    /// In the server's own words.
    #[error("{message} (status {code})")]
    Refused { code: u16, message: String },
    #[error(transparent)]
    Client(Error),
    #[error("no answer, or no event, in time")]
    Silent(#[from] tokio::time::error::Elapsed),
}

impl From<Error> for WatchEnd {
    fn from(error: Error) -> Self {
        match error {
            // The client's own text would repeat it twice, once in the form of debug output.
            Error::Api(status) => Self::Refused {
                code: status.code,
                message: status.message,
            },
            error => Self::Client(error),
        }
    }
}
