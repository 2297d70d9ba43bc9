//! Moving a cluster's data between stores.

mod refusals;
mod resume;

use std::collections::BTreeMap;
use std::time::Duration;

use incumbent_flink_ha::{
    DeleteMarker, FlinkAddress, FlinkError, Migration, MigrationOptions, MigrationState,
    MigrationStep, RefusalKind, migrate, plan_migration, reopen,
};
use serde_json::Value;
use zookeeper_client::Client;

use crate::inspect;
use crate::kubernetes::{MAPS, Store};
use crate::zookeeper::inspect::all;
use crate::zookeeper::{Server, ZNODES, put};

const OPTIONS: MigrationOptions = MigrationOptions {
    wait: true,
    files: false,
    marker: DeleteMarker::Since1_19,
};

async fn planned(from: &FlinkAddress, to: &FlinkAddress) -> Migration {
    loop {
        match plan_migration(from, to, OPTIONS).await {
            // A busy machine: the server did not answer in time. Nothing was written.
            Err(FlinkError::Unavailable { .. }) => {}
            planned => return planned.unwrap(),
        }
    }
}

async fn moved(from: &FlinkAddress, to: &FlinkAddress) -> Result<Migration, FlinkError> {
    migrate(from, to, OPTIONS, &|_| {}).await
}

pub(crate) fn at(server: &Server, path: &str) -> FlinkAddress {
    let address = format!("zookeeper://{}{path}", server.socket());
    address.parse().unwrap()
}

/// The nodes of a Flink that was killed, when its sessions are over.
pub(crate) async fn stopped(server: &Server, lines: &str) {
    drop(put(server, lines).await);
    let client = server.client().await;
    // A closed session ends at once, and the server may not have heard of it yet.
    loop {
        let nodes = all(&client).await;
        if nodes.values().all(|(_, stat)| stat.ephemeral_owner == 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a Flink that starts there would find: its applications and jobs, without keys. `None` if it
/// may not lead there.
async fn meaning(address: &FlinkAddress, store: &Store) -> Option<Vec<Value>> {
    // A dry run reads everything, and once.
    let nowhere = store.address_of("default/nowhere");
    let found = match plan_migration(address, &nowhere, OPTIONS).await {
        Err(FlinkError::Nothing(_)) => return None,
        found => found.unwrap(),
    };
    if found
        .refusals
        .iter()
        .any(|it| it.kind == RefusalKind::Closed)
    {
        return None;
    }
    let moves = found.moves.iter().map(|it| {
        let fields = [&it.id, &it.what, &it.value].map(String::as_str);
        serde_json::json!([fields, it.deleting])
    });
    Some(moves.collect())
}

/// The nodes below a path, with their data: relative, without those of leaders.
async fn data(client: &Client, base: &str) -> BTreeMap<String, Vec<u8>> {
    let nodes = all(client).await.into_iter();
    let nodes = nodes.filter_map(|(path, (data, _))| {
        let path = path.strip_prefix(base)?.to_owned();
        let own = !path.is_empty() && !path.starts_with("/leader");
        // What is in a node of locks is an address, which nothing reads.
        let data = if path.ends_with("/locks") {
            vec![]
        } else {
            data
        };
        own.then_some((path, data))
    });
    nodes.collect()
}

#[tokio::test]
async fn what_a_flink_stored_moves_to_kubernetes_and_back_and_its_source_keeps_it() {
    for lines in ZNODES {
        let servers = if lines == ZNODES[1] {
            vec![Server::ours().await]
        } else {
            Server::each().await
        };
        for server in servers {
            let store = Store::start().await;
            stopped(&server, lines).await;
            let client = server.client().await;
            let (from, to) = (
                at(&server, "/flink/cluster"),
                store.address_of("default/moved"),
            );
            let (nodes, revision) = (all(&client).await, store.double.revision());
            let before = meaning(&from, &store).await;
            let dry = planned(&from, &to).await;
            assert_eq!(
                (dry.refusals, dry.state),
                (vec![], MigrationState::NotBegun)
            );
            assert_eq!(all(&client).await, nodes, "a dry run writes nothing");
            assert_eq!(
                store.double.revision(),
                revision,
                "a dry run writes nothing"
            );

            let done = moved(&from, &to).await.unwrap();
            assert_eq!(done.state, MigrationState::Complete);
            assert_eq!(done.moves.len(), dry.moves.len());
            assert_eq!(meaning(&to, &store).await, before);
            let problems = inspect(&to).await.unwrap().problems;
            let kinds: Vec<_> = problems.iter().map(|it| it.kind.name()).collect();
            assert_eq!(kinds, ["no-leader"], "{problems:?}");
            // The source has all that it had, and a closed gate.
            let mut kept = all(&client).await;
            let gate = "/flink/cluster/leader/latch/incumbent-closed-latch-";
            assert!(kept.remove(gate).is_some());
            let same = nodes
                .iter()
                .filter(|(path, _)| *path != "/flink/cluster/leader/latch");
            for (path, node) in same {
                assert_eq!(kept.get(path), Some(node), "{path}");
            }
            assert_eq!(kept.len(), nodes.len());
            let problems = inspect(&from).await.unwrap().problems;
            assert!(
                problems.iter().any(|it| it.kind.name() == "closed"),
                "{problems:?}"
            );
            // Again: it is done, and nothing is written.
            let revision = store.double.revision();
            assert_eq!(
                moved(&from, &to).await.unwrap().state,
                MigrationState::Complete
            );
            assert_eq!(store.double.revision(), revision);

            let back = at(&server, "/flink/back");
            let done = moved(&to, &back).await.unwrap();
            assert_eq!(done.state, MigrationState::Complete);
            assert_eq!(meaning(&back, &store).await, before);
            assert_eq!(
                data(&client, "/flink/back").await,
                data(&client, "/flink/cluster")
                    .await
                    .into_iter()
                    // Flink 2.3 makes this one, also when it is empty.
                    .filter(|(path, _)| path != "/applications" || lines == ZNODES[2])
                    .collect(),
            );
        }
    }
}

#[tokio::test]
async fn what_a_flink_stored_on_kubernetes_moves_to_another_cluster_id_and_to_zookeeper() {
    for json in &MAPS[1..] {
        let store = Store::with(json).await;
        free(&store);
        let server = Server::ours().await;
        let (first, second) = (
            store.address_of("default/cluster"),
            store.address_of("default/b"),
        );
        let before = meaning(&first, &store).await;
        moved(&first, &second).await.unwrap();
        assert_eq!(meaning(&second, &store).await, before);
        let third = at(&server, "/root/team/cluster");
        moved(&second, &third).await.unwrap();
        assert_eq!(meaning(&third, &store).await, before);
        let fourth = at(&server, "/other");
        moved(&third, &fourth).await.unwrap();
        assert_eq!(meaning(&fourth, &store).await, before);
    }
}

/// As a leader that has stopped releases its lock.
pub(crate) fn free(store: &Store) {
    let name = "cluster-cluster-config-map";
    let mut map = store.double.object("configmaps", "default", name).unwrap();
    let lock = serde_json::json!({ "holderIdentity": "", "leaseDuration": 15.0 });
    map["metadata"]["annotations"]["control-plane.alpha.kubernetes.io/leader"] =
        lock.to_string().into();
    store.put(name, map);
}

#[tokio::test]
async fn a_source_that_is_reopened_is_as_it_was() {
    let store = Store::with(MAPS[3]).await;
    free(&store);
    for server in Server::each().await {
        stopped(&server, ZNODES[0]).await;
        let client = server.client().await;
        let nodes = all(&client).await;
        let from = at(&server, "/flink/cluster");
        let to = store.address_of(&format!("default/moved-{}", server.socket().port()));
        assert_eq!(reopen(&from).await.unwrap(), None);
        moved(&from, &to).await.unwrap();
        let was = reopen(&from).await.unwrap().unwrap();
        assert!(was.starts_with("kubernetes://default/moved-"), "{was}");
        let paths = |nodes: BTreeMap<String, _>| nodes.into_keys().collect::<Vec<_>>();
        assert_eq!(paths(all(&client).await), paths(nodes));
        // On Kubernetes the lock is back.
        let next = at(&server, "/flink/next");
        moved(&to, &next).await.unwrap();
        assert!(reopen(&to).await.unwrap().is_some());
        let election = &inspect(&to).await.unwrap().elections[0];
        assert!(
            election.lock.is_some() && election.holder.is_none(),
            "{election:?}"
        );
    }
    let nothing = reopen(&store.address_of("default/nothing")).await;
    assert!(
        matches!(nothing, Err(FlinkError::Nothing(_))),
        "{nothing:?}"
    );
}

#[tokio::test]
async fn the_steps_come_in_the_order_that_keeps_everybody_out() {
    let store = Store::start().await;
    let server = Server::ours().await;
    stopped(&server, ZNODES[2]).await;
    let steps = std::sync::Mutex::new(Vec::new());
    let step = |step| steps.lock().unwrap().push(step);
    let (from, to) = (
        at(&server, "/flink/cluster"),
        store.address_of("default/moved"),
    );
    migrate(&from, &to, OPTIONS, &step).await.unwrap();
    use MigrationStep::{Copied, SourceClosed, TargetClosed, TargetOpened, Verified};
    let steps = steps.into_inner().unwrap();
    // The checkpoint and the counter; the plan and the application.
    let expected = [
        TargetClosed,
        SourceClosed,
        Copied(2),
        Copied(4),
        Verified,
        TargetOpened,
    ];
    assert_eq!(steps, expected);
}
