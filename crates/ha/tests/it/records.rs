//! Records, sealed and fenced.

use std::collections::BTreeMap;

use incumbent::backend::{Backend, Expected, Key, Swapped};
use incumbent::{Creation, Error, Found, RecordName, Snapshot};
use incumbent_backend_memory::MemoryBackend;

use crate::node;

fn record(name: &str) -> RecordName {
    name.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_record_outlives_its_leader() {
    let backend = MemoryBackend::new();
    let (a, b) = (node(&backend, "a"), node(&backend, "b"));
    let leadership = a.candidate().unwrap().campaign().await;
    let mut counts = leadership
        .open::<BTreeMap<String, u32>>(&record("counts"))
        .await
        .unwrap();
    assert_eq!(counts.data(), None);
    let both = BTreeMap::from([("x".to_owned(), 1), ("y".to_owned(), 2)]);
    counts.commit(both.clone()).await.unwrap();
    drop(leadership);
    let leadership = b.candidate().unwrap().campaign().await;
    let counts = leadership
        .open::<BTreeMap<String, u32>>(&record("counts"))
        .await
        .unwrap();
    assert_eq!(counts.data(), Some(&both), "several keys, one commit");
    let snapshot = a
        .read::<BTreeMap<String, u32>>(&record("counts"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((snapshot.data, snapshot.stamp), (both, counts.stamp()));
}

/// The old leader does not even know that it lost: its lease is valid on its own clock.
#[tokio::test(start_paused = true)]
async fn a_deposed_leader_cannot_write() {
    let backend = MemoryBackend::new();
    let (a, b) = (node(&backend, "a"), node(&backend, "b"));
    let old = a.candidate().unwrap().campaign().await;
    let mut stale = old.open::<u32>(&record("count")).await.unwrap();
    stale.commit(1).await.unwrap();
    backend.remove_by_hand(&Key::root("demo".parse().unwrap()));
    let new = b.candidate().unwrap().campaign().await;
    let mut fresh = new.open::<u32>(&record("count")).await.unwrap();
    assert_eq!(fresh.data(), Some(&1));
    let fenced = stale.commit(2).await.unwrap_err();
    assert!(matches!(fenced, Error::Fenced { .. }), "{fenced}");
    assert!(matches!(
        stale.delete().await,
        Err(Error::Fenced { .. } | Error::Conflict { .. })
    ));
    assert!(matches!(
        old.open::<u32>(&record("other")).await,
        Err(Error::Fenced { .. })
    ));
    fresh.commit(3).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_second_handle_makes_the_first_one_conflict_until_it_is_opened_again() {
    let group = node(&MemoryBackend::new(), "a");
    let leadership = group.candidate().unwrap().campaign().await;
    let mut first = leadership.open::<u32>(&record("count")).await.unwrap();
    let mut second = leadership.open::<u32>(&record("count")).await.unwrap();
    second.commit(1).await.unwrap();
    assert!(matches!(first.commit(2).await, Err(Error::Conflict { .. })));
    assert!(
        matches!(first.commit(2).await, Err(Error::Conflict { .. })),
        "it stays so"
    );
    first.reopen().await.unwrap();
    assert_eq!(first.data(), Some(&1));
    first.commit(2).await.unwrap();
    assert!(
        leadership.guard().is_valid(),
        "a conflict is no loss of leadership"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deleted_record_leaves_a_tombstone() {
    let group = node(&MemoryBackend::new(), "a");
    let leadership = group.candidate().unwrap().campaign().await;
    let mut count = leadership.open::<u32>(&record("jobs/1")).await.unwrap();
    count.commit(1).await.unwrap();
    count.delete().await.unwrap();
    assert_eq!(count.data(), None);
    assert_eq!(group.read::<u32>(&record("jobs/1")).await.unwrap(), None);
    assert_eq!(group.records().await.unwrap(), [record("jobs/1")]);
    count.commit(2).await.unwrap();
    assert_eq!(
        group
            .read::<u32>(&record("jobs/1"))
            .await
            .unwrap()
            .unwrap()
            .data,
        2
    );
}

#[tokio::test(start_paused = true)]
async fn too_large_changes_nothing_and_the_handle_stays_good() {
    let group = node(&MemoryBackend::new(), "a");
    let leadership = group.candidate().unwrap().campaign().await;
    let mut text = leadership.open::<String>(&record("text")).await.unwrap();
    let error = text.commit("x".repeat(1024 * 1024)).await.unwrap_err();
    assert!(
        matches!(&error, Error::TooLarge { record, .. } if record.as_str() == "text"),
        "{error}"
    );
    text.commit("x".repeat(1024 * 1024 - 1026)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn data_of_another_type_is_named_and_left_alone() {
    let group = node(&MemoryBackend::new(), "a");
    let leadership = group.candidate().unwrap().campaign().await;
    leadership
        .open::<String>(&record("text"))
        .await
        .unwrap()
        .commit("hello".into())
        .await
        .unwrap();
    assert!(matches!(
        leadership.open::<u32>(&record("text")).await,
        Err(Error::WrongType { .. })
    ));
    assert!(matches!(
        group.read::<u32>(&record("text")).await,
        Err(Error::WrongType { .. })
    ));
    assert_eq!(
        leadership
            .open::<String>(&record("text"))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "hello"
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_by_hand_is_a_conflict_for_the_leader_and_no_loss() {
    let group = node(&MemoryBackend::new(), "a");
    let leadership = group.candidate().unwrap().campaign().await;
    let mut count = leadership.open::<u32>(&record("count")).await.unwrap();
    count.commit(1).await.unwrap();
    let by_hand = serde_json::value::RawValue::from_string("7".into()).unwrap();
    group
        .overwrite_by_hand(&record("count"), Some(by_hand))
        .await
        .unwrap();
    assert!(matches!(count.commit(2).await, Err(Error::Conflict { .. })));
    count.reopen().await.unwrap();
    assert_eq!(count.data(), Some(&7));
    count.commit(8).await.unwrap();
    group
        .overwrite_by_hand(&record("count"), None)
        .await
        .unwrap();
    assert_eq!(group.read::<u32>(&record("count")).await.unwrap(), None);
}

/// Writes this as the body of the record `count`, as somebody else may.
async fn damage(backend: &MemoryBackend, body: &[u8]) {
    let key = Key::record("demo".parse().unwrap(), record("count"));
    let stored = backend.read(&key).await.unwrap().unwrap();
    let expected = Expected::At(&stored.version);
    let swapped = backend.swap(&key, expected, body).await.unwrap();
    assert!(matches!(swapped, Swapped::Committed(_)));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_is_replaced_by_hand_and_older_leaders_stay_fenced() {
    let backend = MemoryBackend::new();
    let (a, b) = (node(&backend, "a"), node(&backend, "b"));
    let old = a.candidate().unwrap().campaign().await;
    let mut stale = old.open::<u32>(&record("count")).await.unwrap();
    backend.remove_by_hand(&Key::root("demo".parse().unwrap()));
    let new = b.candidate().unwrap().campaign().await;
    damage(&backend, b"garbage").await;
    let damaged = new.open::<u32>(&record("count")).await.err().unwrap();
    assert!(matches!(damaged, Error::Damaged { .. }), "{damaged}");
    assert!(damaged.remedy().unwrap().contains("--force"));
    let by_hand = serde_json::value::RawValue::from_string("7".into()).unwrap();
    b.overwrite_by_hand(&record("count"), Some(by_hand))
        .await
        .unwrap();
    let fenced = stale.reopen().await.unwrap_err();
    assert!(matches!(fenced, Error::Fenced { .. }), "{fenced}");
    let count = new.open::<u32>(&record("count")).await.unwrap();
    assert_eq!(count.data(), Some(&7));
}

#[tokio::test(start_paused = true)]
async fn a_record_of_a_newer_format_is_not_replaced_by_hand() {
    let backend = MemoryBackend::new();
    let group = node(&backend, "a");
    let leadership = group.candidate().unwrap().campaign().await;
    drop(leadership.open::<u32>(&record("count")).await.unwrap());
    damage(&backend, br#"{"incumbent":"record","format":99}"#).await;
    let newer = group.overwrite_by_hand(&record("count"), None).await;
    let newer = newer.unwrap_err();
    assert!(matches!(newer, Error::Damaged { .. }), "{newer}");
    assert_eq!(newer.remedy(), None);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_commit_must_be_opened_again() {
    let group = node(&MemoryBackend::new(), "a");
    let leadership = group.candidate().unwrap().campaign().await;
    let mut count = leadership.open::<u32>(&record("count")).await.unwrap();
    let commit = count.commit(1);
    drop(commit);
    count
        .commit(1)
        .await
        .expect("a future that was never polled has done nothing");
    tokio::select! {
        biased;
        _ = count.commit(2) => {}
        () = std::future::ready(()) => {}
    }
    count.reopen().await.unwrap();
    assert_eq!(count.data(), Some(&2));
}

#[tokio::test(start_paused = true)]
async fn an_erased_record_leaves_nothing_and_its_name_can_be_used_again() {
    let group = node(&MemoryBackend::new(), "a");
    let leadership = group.candidate().unwrap().campaign().await;
    let mut job = leadership.open::<u32>(&record("jobs/1")).await.unwrap();
    job.commit(1).await.unwrap();
    job.erase().await.unwrap();
    assert_eq!(group.records().await.unwrap(), []);
    let mut job = leadership.open::<u32>(&record("jobs/1")).await.unwrap();
    assert_eq!(job.data(), None);
    job.commit(2).await.unwrap();
    assert_eq!(group.records().await.unwrap(), [record("jobs/1")]);
}

/// Flink's issue 20695: a session cluster keeps objects of jobs that are long done.
#[tokio::test(start_paused = true)]
async fn after_a_thousand_short_jobs_nothing_is_left_of_them() {
    let group = node(&MemoryBackend::new(), "a");
    let leadership = group.candidate().unwrap().campaign().await;
    for number in 0..1000 {
        let name = record(&format!("jobs/{number}"));
        let mut job = leadership.open::<u32>(&name).await.unwrap();
        job.commit(number).await.unwrap();
        job.erase().await.unwrap();
    }
    assert_eq!(group.records().await.unwrap(), []);
}

/// The old leader does not even know that it lost, and the name is free.
#[tokio::test(start_paused = true)]
async fn a_deposed_leader_cannot_bring_back_what_a_newer_one_erased() {
    let backend = MemoryBackend::new();
    let (a, b) = (node(&backend, "a"), node(&backend, "b"));
    let old = a.candidate().unwrap().campaign().await;
    let mut stale = old.open::<u32>(&record("jobs/1")).await.unwrap();
    stale.commit(1).await.unwrap();
    let again = old.open::<u32>(&record("jobs/2")).await.unwrap();
    again.erase().await.unwrap();
    backend.remove_by_hand(&Key::root("demo".parse().unwrap()));
    let new = b.candidate().unwrap().campaign().await;
    let job = new.open::<u32>(&record("jobs/1")).await.unwrap();
    job.erase().await.unwrap();
    let gone = stale.commit(2).await.unwrap_err();
    assert!(
        matches!(gone, Error::Conflict { .. } | Error::Fenced { .. }),
        "{gone}"
    );
    let fenced = stale.reopen().await.unwrap_err();
    assert!(matches!(fenced, Error::Fenced { .. }), "{fenced}");
    assert_eq!(b.read::<u32>(&record("jobs/1")).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_floor_was_removed_by_hand_opens_no_record_without_data() {
    let backend = MemoryBackend::new();
    let group = node(&backend, "a");
    let leadership = group.candidate().unwrap().campaign().await;
    let mut count = leadership.open::<u32>(&record("count")).await.unwrap();
    count.commit(1).await.unwrap();
    backend.remove_by_hand(&Key::floor("demo".parse().unwrap()));
    count.reopen().await.unwrap();
    let Err(damaged) = leadership.open::<u32>(&record("other")).await else {
        panic!("nothing tells whether somebody newer has erased it");
    };
    assert!(matches!(damaged, Error::Damaged { .. }), "{damaged}");
}

/// What a person writes after the erasure is not the old leader's either.
#[tokio::test(start_paused = true)]
async fn a_deposed_leader_cannot_take_what_was_put_by_hand_after_an_erasure() {
    let backend = MemoryBackend::new();
    let (a, b) = (node(&backend, "a"), node(&backend, "b"));
    let old = a.candidate().unwrap().campaign().await;
    let mut stale = old.open::<u32>(&record("jobs/1")).await.unwrap();
    backend.remove_by_hand(&Key::root("demo".parse().unwrap()));
    let new = b.candidate().unwrap().campaign().await;
    let job = new.open::<u32>(&record("jobs/1")).await.unwrap();
    job.erase().await.unwrap();
    let json = serde_json::value::RawValue::from_string("7".into()).unwrap();
    b.overwrite_by_hand(&record("jobs/1"), Some(json))
        .await
        .unwrap();
    for _ in 0..2 {
        let fenced = stale.reopen().await.unwrap_err();
        assert!(matches!(fenced, Error::Fenced { .. }), "{fenced}");
    }
    let mut job = new.open::<u32>(&record("jobs/1")).await.unwrap();
    assert_eq!(job.data(), Some(&7));
    job.commit(8).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_not_wanted_is_left_as_it_is() {
    let backend = MemoryBackend::new();
    let (a, b) = (node(&backend, "a"), node(&backend, "b"));
    let [kept, ended, absent] = ["kept", "ended", "absent"].map(|name| name.parse().unwrap());
    {
        let leadership = a.candidate().unwrap().campaign().await;
        for (name, data) in [(&kept, 1_u32), (&ended, 0)] {
            let mut record = leadership.open::<u32>(name).await.unwrap();
            record.commit(data).await.unwrap();
        }
        leadership.resign(None).await;
    }
    let leadership = b.candidate().unwrap().campaign().await;
    let before = a.read::<u32>(&ended).await.unwrap().unwrap().stamp;
    let wanted = |data: Option<&u32>| data.is_some_and(|data| *data > 0);
    let left = leadership.open_if(&ended, wanted).await.unwrap();
    assert!(matches!(left, Found::Left(Some(Snapshot { data: 0, .. }))));
    let after = a.read::<u32>(&ended).await.unwrap().unwrap().stamp;
    assert_eq!(after, before);
    let left = leadership.open_if(&absent, wanted).await.unwrap();
    assert!(matches!(left, Found::Left(None)));
    // No tombstone.
    assert!(matches!(
        a.create(&absent, &2_u32).await.unwrap(),
        Creation::Created(_)
    ));
    let Found::Open(mut record) = leadership.open_if(&kept, wanted).await.unwrap() else {
        panic!("it was wanted");
    };
    assert_eq!(record.data(), Some(&1));
    assert_eq!(record.stamp().epoch(), leadership.epoch());
    record.commit(3).await.unwrap();
}
