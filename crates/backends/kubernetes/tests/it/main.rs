//! What no other backend meets: an API server with roles, histories that end, answers that get
//! lost, and people with kubectl.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod access;
mod credentials;
mod flink_bugs;
mod logs;
mod objects;
mod opening;
mod outage;
mod outcomes;
mod owners;
#[path = "../place/mod.rs"]
mod place;
mod pods;
mod rates;
mod watches;

use std::time::Duration;

use incumbent::backend::{Backend, Expected, Key, Stored, Swapped, Version};
use incumbent::{Group, HolderName, Liveness, Options, Store, Timing, TimingOptions};
use incumbent_backend_kubernetes::KubernetesBackend;
use incumbent_kubernetes_double::{Double, Fault, How, Match, Seen, Verb};
use tempfile::NamedTempFile;

/// In which everything that a test waits for must come.
const IN_TIME: Duration = Duration::from_secs(60);

/// A lease that a test can outlast.
const LEASE: Duration = Duration::from_secs(1);

/// A double, and the kubeconfig that leads to it.
struct Server {
    double: Double,
    file: NamedTempFile,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(incumbent_kubernetes_double::Options::default()).await
    }

    async fn start_with(options: incumbent_kubernetes_double::Options) -> Self {
        logs::listen();
        let double = Double::start(options).await;
        let file = place::kubeconfig(&double, None);
        Self { double, file }
    }

    /// The cluster `demo`, in the namespace `default`.
    fn open(&self, options: &str) -> KubernetesBackend {
        open_with(&self.file, options)
    }

    /// The requests with these verbs, in the order in which they came.
    fn seen(&self, verbs: &[Verb]) -> Vec<Seen> {
        let seen = self.double.seen().into_iter();
        seen.filter(|seen| verbs.contains(&seen.verb)).collect()
    }

    fn writes(&self) -> Vec<Seen> {
        self.seen(&[Verb::Create, Verb::Update, Verb::Patch, Verb::Delete])
    }

    /// Injects a fault into the next of these requests.
    fn once(&self, verb: Verb, resource: &str, how: How) {
        self.double.inject(Fault {
            on: Match::on(verb, resource),
            skip: 0,
            times: Some(1),
            how,
        });
    }

    /// Injects a fault into all of these requests.
    fn always(&self, verb: Verb, resource: &str, how: How) {
        self.double.inject(Fault {
            on: Match::on(verb, resource),
            skip: 0,
            times: None,
            how,
        });
    }
}

fn open_with(kubeconfig: &NamedTempFile, options: &str) -> KubernetesBackend {
    KubernetesBackend::open(&place::address(kubeconfig.path(), "demo", options)).unwrap()
}

fn key(item: &str) -> Key {
    Key::of_item("g".parse().unwrap(), item).unwrap()
}

async fn create(backend: &impl Backend, key: &Key, body: &[u8]) -> Version {
    match backend.swap(key, Expected::Absent, body).await.unwrap() {
        Swapped::Committed(version) => version,
        Swapped::Conflict => panic!("{key} exists already"),
    }
}

async fn replace(backend: &impl Backend, key: &Key, at: &Version, body: &[u8]) -> Version {
    match backend.swap(key, Expected::At(at), body).await.unwrap() {
        Swapped::Committed(version) => version,
        Swapped::Conflict => panic!("nobody else writes {key}"),
    }
}

async fn read(backend: &impl Backend, key: &Key) -> Option<Stored> {
    backend.read(key).await.unwrap()
}

/// An answer that refuses.
fn refusal(status: u16, retry_after: Option<u32>) -> How {
    How::Answer {
        status,
        reason: "Whatever".into(),
        message: "a fault".into(),
        retry_after,
    }
}

fn timing(lease: Duration) -> Timing {
    Timing::new(TimingOptions::for_lease(lease)).unwrap()
}

/// A process that takes part in the group `g`, without a liveness endpoint, so that leases count.
fn node(backend: KubernetesBackend, name: &str, lease: Duration) -> Group {
    let holder: HolderName = name.parse().unwrap();
    let options = Options {
        holder: Some(holder),
        timing: timing(lease),
        liveness: Liveness::Off,
        ..Options::default()
    };
    Store::on(backend).group_with("g", options).unwrap()
}

/// Waits until something has happened.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(IN_TIME, waited).await;
    assert!(waited.is_ok(), "{what} in {IN_TIME:?}");
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(IN_TIME, future).await;
    ended.unwrap_or_else(|_| panic!("{what} in {IN_TIME:?}"))
}
