//! Keys that people make, change and remove with etcdctl.

use incumbent_backend::{Backend, Erased, Expected, Swapped, Version};
use incumbent_servers::etcd::{Etcd, Options};

use crate::{base, create, key, open, read, swap};

#[tokio::test]
async fn a_person_reads_what_is_there_where_it_is_looked_for() {
    let Some(server) = Etcd::shared() else { return };
    let base = base();
    let backend = open(&format!("etcd://{}{base}", server.address()));
    create(&backend, &key("jobs/17"), br#"{"state":"running"}"#).await;
    let name = format!("{base}/demo//jobs/17");
    let shown = server.ctl(&["get", &name]).unwrap();
    assert_eq!(shown, format!("{name}\n{}\n", r#"{"state":"running"}"#));
}

#[tokio::test]
async fn what_is_changed_removed_and_made_by_hand_is_a_new_version() {
    let Some(server) = Etcd::shared() else { return };
    let base = base();
    let backend = open(&format!("etcd://{}{base}", server.address()));
    let (key, name) = (key("a"), format!("{base}/demo//a"));
    let first = create(&backend, &key, b"1").await;
    server.ctl(&["put", &name, "by hand"]).unwrap();
    assert_eq!(swap(&backend, &key, &first, b"2").await, Swapped::Conflict);
    let second = read(&backend, &key).await.unwrap();
    assert_eq!(second.body, b"by hand");
    server.ctl(&["del", &name]).unwrap();
    assert_eq!(read(&backend, &key).await, None);
    server.ctl(&["put", &name, "again"]).unwrap();
    for old in [&first, &second.version] {
        assert_eq!(swap(&backend, &key, old, b"late").await, Swapped::Conflict);
        let erased = backend.erase(&key, old).await.unwrap();
        assert_eq!(erased, Erased::Conflict);
    }
    let third = read(&backend, &key).await.unwrap();
    assert_eq!(third.body, b"again");
    let Swapped::Committed(_) = swap(&backend, &key, &third.version, b"3").await else {
        panic!("nobody else writes");
    };
}

#[tokio::test]
async fn what_is_erased_is_gone_and_what_comes_after_it_is_not_the_same() {
    let Some(server) = Etcd::shared() else { return };
    let base = base();
    let backend = open(&format!("etcd://{}{base}", server.address()));
    let key = key("a");
    let first = create(&backend, &key, b"1").await;
    let Swapped::Committed(second) = swap(&backend, &key, &first, b"2").await else {
        panic!("nobody else writes");
    };
    assert_eq!(backend.erase(&key, &first).await.unwrap(), Erased::Conflict);
    let foreign = Version::new("17");
    assert_eq!(
        backend.erase(&key, &foreign).await.unwrap(),
        Erased::Conflict
    );
    assert_eq!(backend.erase(&key, &second).await.unwrap(), Erased::Gone);
    assert_eq!(server.ctl(&["get", "--prefix", &base]).unwrap(), "");
    assert_eq!(
        backend.erase(&key, &second).await.unwrap(),
        Erased::Conflict
    );
    assert_eq!(swap(&backend, &key, &second, b"3").await, Swapped::Conflict);
    let third = create(&backend, &key, b"1").await;
    for old in [first, second] {
        assert_ne!(third, old);
        assert_eq!(swap(&backend, &key, &old, b"late").await, Swapped::Conflict);
    }
}

/// After a restore, revisions continue from the snapshot and repeat old ones. The cluster ID
/// distinguishes them.
#[tokio::test]
async fn a_version_of_before_a_restore_is_not_taken_for_a_later_one() {
    let Some(server) = Etcd::start(Options::default()) else {
        return;
    };
    let backend = open(&format!("etcd://{}/it", server.address()));
    let key = key("a");
    let first = create(&backend, &key, b"1").await;
    let snapshot = tempfile::tempdir().unwrap();
    let snapshot = snapshot.path().join("snapshot").display().to_string();
    server.ctl(&["snapshot", "save", &snapshot]).unwrap();
    let Swapped::Committed(lost) = swap(&backend, &key, &first, b"lost").await else {
        panic!("nobody else writes");
    };
    server.restore(&snapshot);
    let restored = read(&backend, &key).await.unwrap();
    assert_eq!(restored.body, b"1");
    assert_ne!(restored.version, first);
    let Swapped::Committed(new) = swap(&backend, &key, &restored.version, b"new").await else {
        panic!("nobody else writes");
    };
    let revision = |version: &Version| version.as_str().split_once(':').unwrap().1.to_owned();
    assert_eq!(revision(&lost), revision(&new), "it is this case");
    for old in [&first, &lost] {
        let swapped = backend.swap(&key, Expected::At(old), b"late").await;
        assert_eq!(swapped.unwrap(), Swapped::Conflict);
        assert_eq!(backend.erase(&key, old).await.unwrap(), Erased::Conflict);
    }
    assert_eq!(read(&backend, &key).await.unwrap().body, b"new");
}
