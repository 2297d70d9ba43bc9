//! Nothing is written behind a gate that has opened since it was read.

use incumbent_backend::Address;
use incumbent_leader_server::{Options, Server};
use tokio::sync::oneshot;

use super::super::sweep::sweep;
use super::super::{contents, nodes};
use super::*;
use crate::clean::Change;
use crate::fixtures::{ZNODES, tree};

const BASE: &str = "/flink/copy";

/// An unfinished copy of what a Flink 2.3 has stored, on a server of its own.
struct Begun {
    target: ZooKeeperTarget,
    entries: BTreeMap<Item, Entry>,
    stop: oneshot::Sender<()>,
}

impl Begun {
    async fn new() -> Self {
        let mut options = Options::local();
        options.listen[0].set_port(incumbent_servers::free_port().unwrap());
        let server = Server::bind(options).await.unwrap();
        let address = server.addresses()[0];
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        tokio::spawn(async { server.run(stopped).await.unwrap() });
        let address: Address = format!("zookeeper://{address}{BASE}").parse().unwrap();
        let target = ZooKeeperTarget::of(&address).unwrap();
        close(&target, &copying()).await.unwrap();
        Self {
            entries: contents("elsewhere", &tree(ZNODES[2].1)).entries,
            target,
            stop,
        }
    }

    async fn tree(&self) -> Tree {
        nodes(&self.target).await.unwrap()
    }

    async fn paths(&self) -> Vec<String> {
        self.tree().await.into_keys().collect()
    }
}

#[tokio::test]
async fn nothing_is_created_behind_a_gate_that_has_opened_since() {
    let copy = Begun::new().await;
    let before = copy.tree().await;
    assert!(!copy.entries.is_empty());
    open(&copy.target, &before).await.unwrap();
    let late = fill(&copy.target, &before, &copy.entries, &|_| {}).await;
    assert!(matches!(late, Err(FlinkError::Changed(_))), "{late:?}");
    let paths = copy.paths().await;
    let made = paths.iter().filter(|path| path.matches('/').count() > 2);
    assert_eq!(made.count(), 0, "{paths:?}");
    drop(copy.stop);
}

#[tokio::test]
async fn nothing_is_removed_behind_a_gate_that_has_opened_since() {
    let copy = Begun::new().await;
    let empty = copy.tree().await;
    fill(&copy.target, &empty, &copy.entries, &|_| {})
        .await
        .unwrap();
    let whole = copy.tree().await;
    open(&copy.target, &whole).await.unwrap();
    let paths = copy.paths().await;
    let of_job = copy.entries.keys().find_map(|item| match item {
        Item::Counter { job } => Some(job.clone()),
        _ => None,
    });
    let job = of_job.unwrap();
    let entry = copy.entries.keys().next().unwrap();
    for change in [
        Change::Entry(super::super::path(entry)),
        Change::Job(job.clone()),
        Change::Counter { job, next: 77 },
        Change::Copy,
    ] {
        let late = sweep(&copy.target, &whole, std::slice::from_ref(&change)).await;
        assert!(matches!(late, Err(FlinkError::Changed(_))), "{late:?}");
        assert_eq!(copy.paths().await, paths);
    }
    // While it is closed, all of it goes.
    close(&copy.target, &copying()).await.unwrap();
    let whole = copy.tree().await;
    sweep(&copy.target, &whole, &[Change::Copy]).await.unwrap();
    let paths = copy.paths().await;
    let left = paths.iter().filter(|path| path.matches('/').count() > 1);
    assert_eq!(left.collect::<Vec<_>>(), ["/leader/latch"]);
    drop(copy.stop);
}

fn copying() -> Gate {
    Gate::Copying {
        from: "elsewhere".into(),
        fingerprint: "of it".into(),
    }
}
