//! Each bad input has one clear answer, and nothing is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use incumbent_kubernetes_double::Rule;
use serde_json::json;
use zookeeper_client::{Acls, CreateMode};

use super::*;
use crate::kubernetes::MAPS;

/// The kinds of refusals, of a plan and of the same command that would do it.
async fn refused(from: &FlinkAddress, to: &FlinkAddress) -> Vec<(RefusalKind, String)> {
    let dry = planned(from, to).await;
    let wet = moved(from, to).await.unwrap();
    assert_eq!(dry.refusals.len(), wet.refusals.len());
    assert_eq!(
        (dry.state, wet.state),
        (MigrationState::Refused, MigrationState::Refused)
    );
    let refusals = wet.refusals.into_iter();
    refusals.map(|it| (it.kind, it.why)).collect()
}

#[tokio::test]
async fn a_cluster_that_still_runs_is_not_moved() {
    for server in Server::each().await {
        let store = Store::start().await;
        let clients = put(&server, ZNODES[2]).await;
        let (from, to) = (
            at(&server, "/flink/cluster"),
            store.address_of("default/moved"),
        );
        let before = all(&clients[0]).await;
        let found = refused(&from, &to).await;
        assert_eq!(found[0].0, RefusalKind::InUse);
        assert!(found[0].1.contains("leads or waits"), "{found:?}");
        assert_eq!(all(&clients[0]).await, before);
        assert_eq!(store.double.count("configmaps", ""), 0);
        // Nor is anything moved to where one runs, although it has no jobs.
        drop(clients);
        stopped_again(&server).await;
        let waiting = server.client().await;
        let target = at(&server, "/flink/target");
        let ephemeral = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
        let directories = CreateMode::Persistent.with_acls(Acls::anyone_all());
        waiting
            .mkdir("/flink/target/leader/latch", &directories)
            .await
            .unwrap();
        let latch = "/flink/target/leader/latch/_c_1-latch-0000000000";
        waiting.create(latch, b"", &ephemeral).await.unwrap();
        let found = refused(&from, &target).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, RefusalKind::InUse);
    }
}

async fn stopped_again(server: &Server) {
    let client = server.client().await;
    while all(&client)
        .await
        .values()
        .any(|(_, stat)| stat.ephemeral_owner != 0)
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The holder renews its lock, of which only changes count.
#[tokio::test]
async fn a_lock_that_is_renewed_keeps_a_cluster_from_being_moved() {
    let store = Arc::new(Store::with(MAPS[3]).await);
    let server = Server::ours().await;
    let ended = Arc::new(AtomicBool::new(false));
    let renewing = tokio::spawn({
        let (store, ended) = (Arc::clone(&store), Arc::clone(&ended));
        async move {
            let mut number = 0;
            while !ended.load(Ordering::Relaxed) {
                number += 1;
                hold(&store, number);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    let (from, to) = (
        store.address_of("default/cluster"),
        at(&server, "/flink/cluster"),
    );
    let found = refused(&from, &to).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].1.contains("is renewed"), "{found:?}");
    ended.store(true, Ordering::Relaxed);
    renewing.await.unwrap();
    // Dead, it is moved once its lease is over.
    assert_eq!(
        moved(&from, &to).await.unwrap().state,
        MigrationState::Complete
    );
}

/// A lease of a second.
fn hold(store: &Store, number: u32) {
    let name = "cluster-cluster-config-map";
    let mut map = store.double.object("configmaps", "default", name).unwrap();
    let lock = json!({
        "holderIdentity": "a", "leaseDuration": "PT1S", "renewTime": number.to_string(),
    });
    map["metadata"]["annotations"]["control-plane.alpha.kubernetes.io/leader"] =
        lock.to_string().into();
    store.put(name, map);
}

#[tokio::test]
async fn a_lock_that_was_not_watched_is_told_and_refuses() {
    let store = Store::with(MAPS[3]).await;
    let server = Server::ours().await;
    let (from, to) = (
        store.address_of("default/cluster"),
        at(&server, "/flink/cluster"),
    );
    let options = MigrationOptions {
        wait: false,
        ..OPTIONS
    };
    let dry = plan_migration(&from, &to, options).await.unwrap();
    assert_eq!(dry.refusals.len(), 1);
    assert!(dry.refusals[0].why.contains("was not watched"), "{dry:?}");
}

#[tokio::test]
async fn a_target_with_data_takes_none() {
    let store = Store::with(MAPS[2]).await;
    free(&store);
    for server in Server::each().await {
        stopped(&server, ZNODES[2]).await;
        let revision = store.double.revision();
        let client = server.client().await;
        let before = all(&client).await;
        let (one, other) = (
            at(&server, "/flink/cluster"),
            store.address_of("default/cluster"),
        );
        for (from, to) in [(&one, &other), (&other, &one)] {
            let found = refused(from, to).await;
            assert_eq!(found[0].0, RefusalKind::NotEmpty, "{found:?}");
        }
        for same in [&one, &other] {
            let found = migrate(same, same, OPTIONS, &|_| {}).await;
            let error = found.unwrap_err().to_string();
            assert!(error.contains("source and target are the same"), "{error}");
        }
        assert_eq!(all(&client).await, before);
        assert_eq!(store.double.revision(), revision);
    }
}

#[tokio::test]
async fn damaged_handles_are_named_and_nothing_moves() {
    for server in Server::each().await {
        let store = Store::start().await;
        stopped(&server, ZNODES[0]).await;
        let client = server.client().await;
        let nodes = all(&client).await;
        let graph = nodes.keys().find(|path| {
            path.starts_with("/flink/cluster/jobgraphs/") && !path.ends_with("/locks")
        });
        let graph = graph.unwrap();
        client.set_data(graph, b"text", None).await.unwrap();
        let (from, to) = (
            at(&server, "/flink/cluster"),
            store.address_of("default/moved"),
        );
        let dry = planned(&from, &to).await;
        assert_eq!(dry.refusals[0].kind, RefusalKind::Damaged);
        assert_eq!(format!("/flink/cluster{}", dry.refusals[0].key), *graph);
        assert_eq!(
            moved(&from, &to).await.unwrap().state,
            MigrationState::Refused
        );
        assert_eq!(store.double.count("configmaps", ""), 0);
    }
}

#[tokio::test]
async fn a_file_that_is_gone_refuses_if_files_are_looked_at() {
    let store = Store::start().await;
    let server = Server::ours().await;
    stopped(&server, ZNODES[0]).await;
    let options = MigrationOptions {
        files: true,
        ..OPTIONS
    };
    let (from, to) = (
        at(&server, "/flink/cluster"),
        store.address_of("default/moved"),
    );
    // They were on the machine of those who captured them.
    let dry = plan_migration(&from, &to, options).await.unwrap();
    assert_eq!(dry.refusals.len(), 2);
    for refusal in &dry.refusals {
        assert_eq!(refusal.kind, RefusalKind::Damaged);
        assert!(refusal.why.contains("its file is missing"), "{refusal:?}");
    }
}

#[tokio::test]
async fn nothing_at_the_source_is_not_found() {
    let store = Store::start().await;
    let server = Server::ours().await;
    let (from, to) = (
        at(&server, "/flink/cluster"),
        store.address_of("default/moved"),
    );
    for (from, to) in [(&from, &to), (&to, &from)] {
        let nothing = plan_migration(from, to, OPTIONS).await;
        assert!(
            matches!(nothing, Err(FlinkError::Nothing(_))),
            "{nothing:?}"
        );
        let words = format!("there is no HA data of a Flink cluster at {from}");
        assert_eq!(nothing.unwrap_err().to_string(), words);
        let itself = plan_migration(from, from, OPTIONS).await;
        assert!(matches!(itself, Err(FlinkError::Named(_))), "{itself:?}");
    }
}

#[tokio::test]
async fn rights_that_are_missing_on_kubernetes_are_named_before_anything_is_written() {
    let server = Server::ours().await;
    stopped(&server, ZNODES[2]).await;
    let from = at(&server, "/flink/cluster");
    for (verbs, missing) in [
        (&["list"][..], &["create", "update"][..]),
        (&["list", "create"], &["update"]),
        (&["list", "update"], &["create"]),
    ] {
        let rules = vec![Rule::new("", &["configmaps"], verbs)];
        let store = Store::of(Some(("token", rules))).await;
        let to = store.address_of("default/moved");
        let found = refused(&from, &to).await;
        assert_eq!(found.len(), missing.len(), "{found:?}");
        for ((kind, why), verb) in found.iter().zip(missing) {
            assert_eq!(*kind, RefusalKind::Rights);
            assert!(
                why.contains(&format!("right to {verb} ConfigMaps")),
                "{why}"
            );
        }
        assert_eq!(store.double.count("configmaps", ""), 0);
    }
    // Reading takes `list`.
    let store = Store::of(Some(("token", Vec::new()))).await;
    let refused = plan_migration(&from, &store.address_of("default/moved"), OPTIONS).await;
    assert!(
        matches!(refused, Err(FlinkError::Refused { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn rights_that_are_missing_in_zookeeper_stop_it_before_anything_is_closed() {
    for server in Server::each().await {
        let store = Store::with(MAPS[3]).await;
        free(&store);
        let client = server.client().await;
        let readable = CreateMode::Persistent.with_acls(Acls::anyone_read());
        client.create("/flink", b"", &readable).await.unwrap();
        let revision = store.double.revision();
        let (from, to) = (
            store.address_of("default/cluster"),
            at(&server, "/flink/moved"),
        );
        let refused = moved(&from, &to).await;
        let Err(FlinkError::Refused { what, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert!(what.starts_with("create of /flink/moved"), "{what}");
        assert_eq!(
            store.double.revision(),
            revision,
            "the source is not closed"
        );
    }
}
