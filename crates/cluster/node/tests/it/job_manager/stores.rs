//! One job on each kind of store: submitted, run, checkpointed, adopted, stopped, resumed, removed.
//!
//! Stores that are not installed are skipped aloud; with `INCUMBENT_REQUIRE_FOREIGN` (etcd) or
//! `INCUMBENT_REQUIRE_ZOOKEEPER` set, they fail. `INCUMBENT_TEST_KUBECONFIG` names a real API
//! server.

use std::time::Duration;

use incumbent::backend::Backend;
use incumbent_backend_kubernetes::KubernetesBackend;
use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::record::JobState;
use incumbent_cluster_core::{JobId, SavepointId};
use incumbent_kubernetes_double::{Double, Options};
use incumbent_servers::etcd::Etcd;
use incumbent_servers::zookeeper::ZooKeeper;
use tokio::task::AbortHandle;

use super::checkpoints::{completed, record};
use super::fake::Fake;
use super::harness::{Manager, Place, Server, checkpointing, submit, wait};
use super::savepoints::restores;

/// Between two checkpoints, where a store has no reason for more.
const SECOND: Duration = Duration::from_secs(1);

/// The kubeconfig of a real API server.
const KUBECONFIG: &str = "INCUMBENT_TEST_KUBECONFIG";

/// Ends a leader server with its test.
struct Serving(AbortHandle);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn on_server(address: String, keep: impl std::any::Any + Send + Sync) -> Place {
    Place::Server(Server {
        address,
        dir: tempfile::tempdir().unwrap(),
        _keep: Box::new(keep),
    })
}

/// A name that no other test has on a shared server.
fn own_name() -> String {
    format!("it-{:016x}", rand::random::<u64>())
}

/// Waits until the job was adopted: the same attempt, by the same processes.
async fn adopted(leader: &Manager, fakes: &[Fake; 2], job: JobId) {
    let pids = fakes.each_ref().map(|fake| fake.pids(job));
    leader.leads().await;
    let view = leader.until(job, JobState::Running).await;
    assert_eq!((view.attempt, view.restarts), (1, 0));
    wait("all is known", async || leader.cluster().await.is_complete).await;
    assert_eq!(fakes.each_ref().map(|fake| fake.pids(job)), pids);
}

/// A whole life under three leaders, of which the first dies and the second gives up.
async fn lives(place: Place, interval: Duration) {
    let first = place.manager("jm-1").await;
    first.leads().await;
    assert_eq!(first.node.checkpoint_interval(), interval);
    let fakes = [
        Fake::start(&place, "tm-1", 2).await,
        Fake::start(&place, "tm-2", 2).await,
    ];
    let job = submit(&fakes[0].node, checkpointing("a", 4)).await;
    let before = completed(&first.node, job, 2).await;
    let second = place.manager("jm-2").await;
    first.crash().await;
    adopted(&second, &fakes, job).await;
    let newest = before.checkpoints.last().unwrap().number;
    completed(&second.node, job, newest + 2).await;
    let third = place.manager("jm-3").await;
    second.stop().await;
    adopted(&third, &fakes, job).await;
    let savepoint = SavepointId::new(rand::random());
    let answer = third.ask(Question::Suspend { job, savepoint }).await;
    assert!(matches!(answer, Answer::Job(_)), "{answer:?}");
    third.until(job, JobState::Suspended).await;
    let stopped = record(&third.node, job).await;
    let last = stopped.checkpoints.last().unwrap();
    assert_eq!(last.savepoint, Some(savepoint));
    third.ask(Question::Resume(job)).await;
    let view = third.until(job, JobState::Running).await;
    assert_eq!(view.attempt, 2);
    completed(&third.node, job, last.number + 1).await;
    let point = last.restore_point(job, stopped.incarnation);
    for fake in &fakes {
        let restores = restores(fake, job);
        assert_eq!(restores.last(), Some(&Some(point.clone())));
        assert_eq!(fake.early(), Vec::<String>::new());
    }
    third.ask(Question::Cancel(job)).await;
    third.until(job, JobState::Canceled).await;
    assert_eq!(third.ask(Question::Remove(job)).await, Answer::Done);
    third.stop().await;
}

#[tokio::test]
async fn a_job_lives_on_memory() {
    lives(Place::memory(), SECOND).await;
}

#[tokio::test]
async fn a_job_lives_on_a_directory() {
    lives(Place::directory(), SECOND).await;
}

#[tokio::test]
async fn a_job_lives_on_the_leader_server() {
    let options = incumbent_leader_server::Options::local();
    let server = incumbent_leader_server::Server::bind(options).await;
    let server = server.unwrap();
    let address = format!("zookeeper://{}/{}", server.addresses()[0], own_name());
    let serving = tokio::spawn(server.run(std::future::pending()));
    lives(on_server(address, Serving(serving.abort_handle())), SECOND).await;
}

#[tokio::test]
async fn a_job_lives_on_zookeeper() {
    let Some(server) = ZooKeeper::shared() else {
        return;
    };
    let address = format!("zookeeper://{}/{}", server.address(), own_name());
    lives(on_server(address, ()), SECOND).await;
}

#[tokio::test]
async fn a_job_lives_on_etcd() {
    let Some(server) = Etcd::shared() else {
        return;
    };
    let address = format!("etcd://{}/{}", server.address(), own_name());
    lives(on_server(address, ()), SECOND).await;
}

#[tokio::test]
async fn a_job_lives_on_a_double_of_kubernetes() {
    let double = Double::start(Options::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let kubeconfig = dir.path().join("kubeconfig");
    std::fs::write(&kubeconfig, double.kubeconfig(None)).unwrap();
    let address = on_kubernetes(kubeconfig.to_str().unwrap());
    lives(on_server(address, (double, dir)), SECOND * 10).await;
}

#[tokio::test]
async fn a_job_lives_on_kubernetes() {
    let Ok(kubeconfig) = std::env::var(KUBECONFIG) else {
        eprintln!("SKIPPED on a real API server: {KUBECONFIG} is not set");
        return;
    };
    let address = on_kubernetes(&kubeconfig);
    lives(on_server(address.clone(), ()), SECOND * 10).await;
    // Leaves nothing behind on a server that others use too.
    let backend = KubernetesBackend::open(&address.parse().unwrap()).unwrap();
    for group in backend.groups().await.unwrap() {
        for listed in backend.list(&group).await.unwrap() {
            let _ = backend.erase(&listed.key, &listed.version).await.unwrap();
        }
    }
}

fn on_kubernetes(kubeconfig: &str) -> String {
    format!("kubernetes:///{}?kubeconfig={kubeconfig}", own_name())
}
