//! What is written, and which processes can write it.

use std::time::Duration;

use futures::StreamExt;
use incumbent::backend::{Backend, Erased, Expected, Key, Swapped};
use incumbent::{Error, Record};
use incumbent_kubernetes_double::{Fault, How, Match, Rule, Verb};
use serde_json::json;

use super::{STEADY, lead, name, open};
use crate::{LEASE, Server, create, in_time, key, node, open_with, place, read, refusal, until};

/// Each write loses its answer, then its request: what was reported as done exists, once.
#[tokio::test]
async fn bugs_19_20_21_a_write_whose_answer_was_lost_is_done_once() {
    for lost in [|| How::CutAfter, || How::CutBefore, || How::CutInAnswer] {
        for at in 0..8 {
            let server = Server::start().await;
            for verb in [Verb::Create, Verb::Update] {
                let on = Match::on(verb, "configmaps");
                server.double.inject(Fault {
                    on,
                    skip: at,
                    times: Some(1),
                    how: lost(),
                });
            }
            let group = node(server.open(""), "a", STEADY);
            let leadership = lead(&group).await;
            let mut record = open(&leadership, "jobs/17").await;
            for count in 1..=5 {
                record.commit(count).await.unwrap();
            }
            let mut other = open(&leadership, "jobs/18").await;
            other.commit(1).await.unwrap();
            assert!(
                leadership.guard().is_valid(),
                "an unknown outcome is no lost leadership"
            );
            leadership.resign(None).await;
            let next = lead(&node(server.open(""), "b", STEADY)).await;
            assert_eq!(open(&next, "jobs/17").await.data(), Some(&5));
            assert_eq!(open(&next, "jobs/18").await.data(), Some(&1));
            assert_eq!(
                next.group().records().await.unwrap(),
                [name("jobs/17"), name("jobs/18")]
            );
        }
    }
}

#[tokio::test]
async fn bug_26_the_first_write_on_an_empty_cluster_needs_nothing_before_it() {
    for options in ["", "root=lease"] {
        let server = Server::start().await;
        assert_eq!(server.double.count("configmaps", "default"), 0);
        let leadership = lead(&node(server.open(options), "a", LEASE)).await;
        let mut record = open(&leadership, "savepoint").await;
        assert_eq!(record.data(), None);
        record.commit(1).await.unwrap();
    }
}

#[tokio::test]
async fn bug_27_what_is_too_large_is_refused_and_renewals_do_not_grow() {
    let server = Server::start().await;
    let group = node(server.open(""), "a", STEADY);
    let leadership = lead(&group).await;
    let root_size = || {
        let root = server
            .double
            .object("configmaps", "default", "demo.g--root")
            .unwrap();
        root.to_string().len()
    };
    let before = root_size();
    let mut large: Record<String> = leadership.open(&name("checkpoints")).await.unwrap();
    large.commit("x".repeat(500 * 1024)).await.unwrap();
    server.double.forget_seen();
    match large.commit("x".repeat(513 * 1024)).await {
        Err(Error::TooLarge {
            record,
            size,
            limit,
        }) => {
            assert_eq!(record, name("checkpoints"));
            assert!(size > limit && limit < 512 * 1024, "{size} {limit}");
        }
        other => panic!("{other:?}"),
    }
    let writes = server.writes();
    assert!(
        writes.iter().all(|seen| seen.name == "demo.g--root"),
        "nothing was sent: {writes:#?}"
    );
    for job in 0..50 {
        open(&leadership, &format!("jobs/{job}")).await;
    }
    until("a renewal", || {
        server
            .writes()
            .iter()
            .filter(|seen| seen.name == "demo.g--root")
            .count()
            > 1
    })
    .await;
    assert!(
        root_size() < before + 20,
        "the root does not grow with the number of jobs"
    );
    assert!(leadership.guard().is_valid());
}

/// A leader that was paused continues when another leads. It tries to write through its own handle,
/// and past it at the version it knew.
#[tokio::test]
async fn bug_28_a_deposed_leader_cannot_write() {
    let server = Server::start().await;
    let rules = vec![Rule::new("", &["*"], &["*"])];
    server.double.allow("token", "a", rules.clone());
    let file = place::kubeconfig(&server.double, Some("token"));
    let backend = open_with(&file, "");
    let paused = lead(&node(backend.clone(), "a", LEASE)).await;
    let mut counter = open(&paused, "counter").await;
    counter.commit(1).await.unwrap();
    let known = read(&backend, &key("counter")).await.unwrap();
    // As if it were paused: none of its requests gets through.
    server.double.allow("token", "a", vec![]);
    let next = lead(&node(server.open(""), "b", LEASE)).await;
    let mut recovered = open(&next, "counter").await;
    assert_eq!(recovered.data(), Some(&1));
    server.double.allow("token", "a", rules);
    let late = counter.commit(2).await;
    assert!(matches!(late, Err(Error::Fenced { .. })), "{late:?}");
    let swapped = backend
        .swap(&key("counter"), Expected::At(&known.version), b"{}")
        .await
        .unwrap();
    assert_eq!(swapped, Swapped::Conflict);
    let erased = backend
        .erase(&key("counter"), &known.version)
        .await
        .unwrap();
    assert_eq!(erased, Erased::Conflict);
    recovered.commit(3).await.unwrap();
}

/// A write of its first term hangs until it leads again, in its third.
#[tokio::test]
async fn bug_29_a_write_that_hung_over_two_changes_of_leader_is_refused() {
    let server = Server::start().await;
    let backend = server.open("");
    let (a, b) = (
        node(backend.clone(), "a", STEADY),
        node(server.open(""), "b", STEADY),
    );
    let first = lead(&a).await;
    open(&first, "counter").await.commit(1).await.unwrap();
    let known = read(&backend, &key("counter")).await.unwrap();
    server.double.inject(Fault {
        on: Match {
            name: Some("demo.g.counter".into()),
            ..Match::on(Verb::Update, "configmaps")
        },
        skip: 0,
        times: Some(1),
        how: How::Delay {
            before: Duration::from_secs(3),
            after: Duration::ZERO,
        },
    });
    let hung = tokio::spawn({
        let (backend, known) = (backend.clone(), known.clone());
        async move {
            backend
                .swap(&key("counter"), Expected::At(&known.version), &known.body)
                .await
        }
    });
    until("it is on its way", || {
        server
            .writes()
            .iter()
            .filter(|seen| seen.name == "demo.g.counter")
            .count()
            == 3
    })
    .await;
    first.resign(None).await;
    let second = lead(&b).await;
    open(&second, "counter").await.commit(2).await.unwrap();
    second.resign(None).await;
    let third = lead(&a).await;
    let counter = open(&third, "counter").await;
    assert_eq!((third.epoch().get(), counter.data()), (3, Some(&2)));
    assert!(!hung.is_finished());
    assert_eq!(
        in_time("it lands", hung).await.unwrap().unwrap(),
        Swapped::Conflict
    );
    let mut counter = counter;
    counter.commit(3).await.unwrap();
}

#[tokio::test]
async fn bug_30_a_submission_to_a_leader_that_is_being_deposed_is_there_or_an_error() {
    for how in [How::CutAfter, How::CutBefore] {
        let server = Server::start().await;
        let group = node(server.open(""), "a", LEASE);
        let leadership = lead(&group).await;
        let mut job = open(&leadership, "jobs/17").await;
        server.always(Verb::Update, "configmaps", how.clone());
        server.always(Verb::Get, "configmaps", How::CutBefore);
        let submitted = job.commit(17).await;
        assert!(submitted.is_err(), "nobody can know: {submitted:?}");
        in_time("it is lost", leadership.lost()).await;
        server.double.clear_faults();
        let next = lead(&node(server.open(""), "b", LEASE)).await;
        let found = open(&next, "jobs/17").await;
        match how {
            How::CutAfter => assert_eq!(found.data(), Some(&17)),
            _ => assert_eq!(found.data(), None),
        }
        let late = job.commit(18).await;
        assert!(
            matches!(late, Err(Error::Fenced { .. } | Error::Conflict { .. })),
            "{late:?}"
        );
    }
}

#[tokio::test]
async fn bug_31_of_two_who_create_one_key_one_succeeds() {
    let server = Server::start().await;
    let backends = [server.open(""), server.open("")];
    for round in 0..50 {
        let key = key(&format!("jobs/{round}"));
        let create = async |at: usize| {
            backends[at]
                .swap(&key, Expected::Absent, &[b'0' + u8::try_from(at).unwrap()])
                .await
                .unwrap()
        };
        let (a, b) = tokio::join!(create(0), create(1));
        let winner = match (&a, &b) {
            (Swapped::Committed(version), Swapped::Conflict) => (version, b"0"),
            (Swapped::Conflict, Swapped::Committed(version)) => (version, b"1"),
            other => panic!("{other:?}"),
        };
        let found = read(&backends[0], &key).await.unwrap();
        assert_eq!((&found.version, &*found.body), (winner.0, &winner.1[..]));
    }
}

#[tokio::test]
async fn bug_39_no_end_of_a_term_deletes_data() {
    let server = Server::start().await;
    for way in 0..4 {
        let group = node(server.open(""), "a", LEASE);
        let leadership = lead(&group).await;
        let mut record = open(&leadership, "jobs/17").await;
        assert_eq!(
            record.data(),
            (way > 0).then_some(&way),
            "it is there still"
        );
        record.commit(way + 1).await.unwrap();
        match way {
            0 => drop(leadership),
            1 => {
                leadership.resign(None).await;
            }
            2 => {
                server.always(Verb::Update, "configmaps", refusal(500, None));
                in_time("it is lost", leadership.lost()).await;
                server.double.clear_faults();
            }
            _ => {
                server
                    .double
                    .delete_by_hand("configmaps", "default", "demo.g--root");
                in_time("it is lost", leadership.lost()).await;
            }
        }
        group.close().await;
    }
    assert_eq!(server.seen(&[Verb::Delete]).len(), 0);
}

#[tokio::test]
async fn bug_40_maps_with_our_labels_that_are_not_ours_are_no_records() {
    let server = Server::start().await;
    let backend = server.open("");
    create(&backend, &key("jobs/1"), b"{}").await;
    let ours = server
        .double
        .object("configmaps", "default", "demo.g.jobs.1")
        .unwrap();
    let labels = ours["metadata"]["labels"].clone();
    for (name, annotations) in [
        ("unrelated", json!({})),
        ("demo.g.jobs.2", json!({})),
        ("a-copy", ours["metadata"]["annotations"].clone()),
        (
            "demo.g.jobs.3",
            json!({ "incumbent/cluster": "demo", "incumbent/group": "-", "incumbent/item": "jobs/3" }),
        ),
    ] {
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "labels": labels, "annotations": annotations } });
        server
            .double
            .put_by_hand("configmaps", "default", name, object);
    }
    let group = node(backend.clone(), "a", LEASE);
    assert_eq!(group.records().await.unwrap(), [name("jobs/1")]);
    let missing = backend.read(&key("jobs/2")).await.unwrap_err().to_string();
    assert_eq!(missing, "cannot be trusted");
    // One of ours that was damaged is named, and the others can be used.
    let mut damaged = ours.clone();
    damaged["data"] = json!({});
    server
        .double
        .put_by_hand("configmaps", "default", "demo.g.jobs.1", damaged);
    let leadership = lead(&group).await;
    match leadership.open::<u64>(&name("jobs/1")).await {
        Err(Error::Damaged { what, .. }) => assert!(what.contains("jobs/1"), "{what}"),
        other => panic!("{:?}", other.map(|record| record.data().copied())),
    }
    open(&leadership, "jobs/4").await.commit(4).await.unwrap();
    assert_eq!(
        Key::record("g".parse().unwrap(), name("jobs/4")),
        key("jobs/4")
    );
}

/// A thousand objects are created, written and erased, and some erasures lose their answer.
#[tokio::test]
async fn bug_38_after_a_thousand_short_jobs_there_are_as_many_objects_as_before() {
    let server = Server::start().await;
    let leadership = lead(&node(server.open("qps=10000&burst=10000"), "a", STEADY)).await;
    let before = server.double.count("configmaps", "default");
    for skip in [100, 200, 300] {
        server.double.inject(Fault {
            on: Match::on(Verb::Delete, "configmaps"),
            skip,
            times: Some(1),
            how: How::CutAfter,
        });
    }
    let jobs: Vec<String> = (0..1000).map(|number| format!("jobs/{number}")).collect();
    let run = futures::stream::iter(&jobs).map(async |job| {
        let mut record = open(&leadership, job).await;
        record.commit(1).await.unwrap();
        record.erase().await.unwrap();
    });
    run.buffer_unordered(16).collect::<Vec<()>>().await;
    assert_eq!(server.double.count("configmaps", "default"), before);
    assert_eq!(leadership.group().records().await.unwrap(), []);
}

/// The old leader is paused and does not know that it lost. What a newer leader has erased does not
/// come back.
#[tokio::test]
async fn bug_28_a_leader_that_lost_cannot_bring_back_what_was_erased() {
    let server = Server::start().await;
    let (old, new) = (
        node(server.open(""), "old", STEADY),
        node(server.open(""), "new", STEADY),
    );
    let leadership = lead(&old).await;
    let mut stale = open(&leadership, "jobs/17").await;
    stale.commit(1).await.unwrap();
    // As after a pause: it receives nothing, and none of its requests about the root arrives.
    let root = "demo.g--root".to_owned();
    server.double.delete_by_hand("configmaps", "default", &root);
    let next = lead(&new).await;
    open(&next, "jobs/17").await.erase().await.unwrap();
    let refused = stale.commit(2).await.unwrap_err();
    assert!(
        matches!(refused, Error::Conflict { .. } | Error::Fenced { .. }),
        "{refused}"
    );
    let fenced = stale.reopen().await.unwrap_err();
    assert!(matches!(fenced, Error::Fenced { .. }), "{fenced}");
    assert_eq!(new.read::<u64>(&name("jobs/17")).await.unwrap(), None);
}
