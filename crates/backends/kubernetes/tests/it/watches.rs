//! Hints, while histories end and connections break.

use std::time::Duration;

use futures::StreamExt;
use incumbent::backend::{Backend, Hint, Key, Version, WatchStream};
use incumbent_kubernetes_double::{How, Options, Verb};

use crate::{Server, create, in_time, key, replace, until};

/// The next hint about a key. Hints that anything may have changed are skipped.
async fn about(hints: &mut WatchStream) -> (Key, Option<Version>) {
    let hint = async {
        loop {
            let hint = hints.next().await.expect("it never ends");
            if let Some(key) = hint.key {
                return (key, hint.version);
            }
        }
    };
    in_time("a hint comes", hint).await
}

/// Takes hints until one leads to this version of the key `a`: it names the version, or says that
/// anything may have changed.
async fn leads_to(hints: &mut WatchStream, version: &Version) {
    let seen = async {
        loop {
            let hint = hints.next().await.unwrap();
            if hint == Hint::anything() || hint.version.as_ref() == Some(version) {
                return;
            }
        }
    };
    in_time("a hint leads to it", seen).await;
}

fn gone() -> How {
    How::Answer {
        status: 410,
        reason: "Expired".into(),
        message: "too old resource version".into(),
        retry_after: None,
    }
}

async fn anything(hints: &mut WatchStream) {
    let hint = in_time("a hint comes", hints.next()).await;
    assert_eq!(hint, Some(Hint::anything()));
}

#[tokio::test]
async fn hints_name_key_and_version_and_a_deletion_names_none() {
    for options in ["", "root=lease"] {
        let server = Server::start().await;
        let backend = server.open(options);
        let mut hints = backend.watch(key("a").group());
        anything(&mut hints).await;
        if !options.is_empty() {
            anything(&mut hints).await;
        }
        for item in ["@root", "a", "jobs/17.x"] {
            let first = create(&backend, &key(item), b"1").await;
            assert_eq!(about(&mut hints).await, (key(item), Some(first.clone())));
            let second = replace(&backend, &key(item), &first, b"2").await;
            assert_eq!(about(&mut hints).await, (key(item), Some(second.clone())));
            let _ = backend.erase(&key(item), &second).await.unwrap();
            assert_eq!(about(&mut hints).await, (key(item), None));
        }
    }
}

/// FLINK-22054, number 16: the API server was overloaded by one watch for each ConfigMap.
#[tokio::test]
async fn bug_16_all_groups_and_clones_share_one_watch() {
    let server = Server::start().await;
    let backend = server.open("");
    let groups = (0..20).map(|at| format!("g{at}").parse().unwrap());
    let mut all: Vec<WatchStream> = groups.map(|group| backend.clone().watch(&group)).collect();
    anything(&mut all[0]).await;
    for (at, hints) in all.iter_mut().enumerate() {
        let key = Key::of_item(format!("g{at}").parse().unwrap(), "a").unwrap();
        let version = create(&backend, &key, b"").await;
        assert_eq!(about(hints).await, (key, Some(version)));
    }
    assert_eq!(server.seen(&[Verb::Watch]).len(), 1);
    assert_eq!(server.seen(&[Verb::List]).len(), 1);
}

#[tokio::test]
async fn the_watch_ends_with_the_last_stream_and_starts_again_with_the_next() {
    let server = Server::start().await;
    let backend = server.open("");
    for _ in 0..3 {
        server.double.forget_seen();
        let (mut first, second) = (
            backend.watch(key("a").group()),
            backend.watch(key("a").group()),
        );
        anything(&mut first).await;
        drop(first);
        let mut second = second;
        let at = create(&backend, &key("a"), b"").await;
        assert!(matches!(about(&mut second).await, (_, Some(_))));
        drop(second);
        server.double.cut_watches();
        let _ = backend.erase(&key("a"), &at).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(server.seen(&[Verb::Watch]).len(), 1, "nobody listens");
    }
}

/// FLINK-20417, number 15: processes ended on "too old resource version".
#[tokio::test]
async fn bug_15_a_history_that_ends_loses_no_change() {
    let server = Server::start().await;
    let backend = server.open("");
    let mut hints = backend.watch(key("a").group());
    anything(&mut hints).await;
    let mut at = create(&backend, &key("a"), b"0").await;
    about(&mut hints).await;
    // Each time the watch continues, its history has been dropped.
    for round in 0..5_u32 {
        server.double.go_down();
        server.double.come_back();
        at = replace(&backend, &key("a"), &at, round.to_string().as_bytes()).await;
        server.double.compact();
        anything(&mut hints).await;
        at = replace(&backend, &key("a"), &at, b"seen").await;
        leads_to(&mut hints, &at).await;
    }
    // Also as the answer to a watch.
    server.double.forget_seen();
    server.once(Verb::Watch, "configmaps", gone());
    server.double.cut_watches();
    anything(&mut hints).await;
    assert_eq!(server.seen(&[Verb::List]).len(), 1, "it asks where it is");
}

#[tokio::test]
async fn cut_watches_start_again_and_hint_that_anything_may_have_changed() {
    let server = Server::start().await;
    let backend = server.open("");
    let mut hints = backend.watch(key("a").group());
    anything(&mut hints).await;
    for _ in 0..5 {
        server.double.cut_watches();
        anything(&mut hints).await;
    }
    server.once(Verb::Watch, "configmaps", How::CutInAnswer);
    server.double.cut_watches();
    let version = create(&backend, &key("a"), b"").await;
    leads_to(&mut hints, &version).await;
}

/// FLINK-32010, number 17: a subscriber that came after the publication, or after the object was
/// deleted and created again, was not notified.
#[tokio::test]
async fn bug_17_an_object_deleted_and_created_again_gives_a_hint() {
    let server = Server::start().await;
    let backend = server.open("");
    create(&backend, &key("@root"), b"1").await;
    let mut hints = backend.watch(key("a").group());
    anything(&mut hints).await;
    for _ in 0..3 {
        server
            .double
            .delete_by_hand("configmaps", "default", "demo.g--root");
        assert_eq!(about(&mut hints).await, (key("@root"), None));
        let version = create(&backend, &key("@root"), b"2").await;
        assert_eq!(about(&mut hints).await, (key("@root"), Some(version)));
    }
}

#[tokio::test]
async fn objects_that_are_not_ours_give_no_hint() {
    let server = Server::start().await;
    let backend = server.open("");
    let mut hints = backend.watch(key("a").group());
    anything(&mut hints).await;
    let at = create(&backend, &key("a"), b"").await;
    about(&mut hints).await;
    let mut copy = server
        .double
        .object("configmaps", "default", "demo.g.a")
        .unwrap();
    copy["metadata"]["uid"] = serde_json::Value::Null;
    server
        .double
        .put_by_hand("configmaps", "default", "a-copy", copy);
    let next = replace(&backend, &key("a"), &at, b"2").await;
    assert_eq!(about(&mut hints).await, (key("a"), Some(next)));
}

#[tokio::test]
async fn no_request_is_sent_while_nothing_happens() {
    let options = Options {
        bookmark_every: Duration::from_millis(50),
        ..Options::default()
    };
    let server = Server::start_with(options).await;
    let backend = server.open("");
    let mut hints = backend.watch(key("a").group());
    anything(&mut hints).await;
    until("both are seen", || server.double.seen().len() == 2).await;
    // For the time of many bookmarks.
    assert!(
        tokio::time::timeout(Duration::from_secs(2), hints.next())
            .await
            .is_err()
    );
    assert_eq!(
        server.double.seen().len(),
        2,
        "one list of one object, and one watch"
    );
}

#[tokio::test]
async fn a_slow_listener_gets_a_hint_that_anything_may_have_changed() {
    let server = Server::start().await;
    let backend = server.open("");
    let mut hints = backend.watch(key("a").group());
    anything(&mut hints).await;
    let mut other = backend.watch(key("a").group());
    let mut at = create(&backend, &key("@root"), b"").await;
    for _ in 0..1100 {
        at = replace(&backend, &key("@root"), &at, b"").await;
    }
    loop {
        if about(&mut other).await.1.as_ref() == Some(&at) {
            break;
        }
    }
    anything(&mut hints).await;
}
