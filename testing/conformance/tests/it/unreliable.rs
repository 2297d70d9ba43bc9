//! `Unreliable` causes the faults it should, and no others.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use incumbent_backend::{Backend, Expected, Failure, Key, Swapped, Unread, Version};
use incumbent_backend_memory::MemoryBackend;
use incumbent_conformance::{Faults, Unreliable, WatchMode};

/// Nothing happens, nothing is heard, and every swap comes late.
const ALL_LATE: Faults = Faults {
    late: 1.0,
    ..Faults::CUT
};

fn key() -> Key {
    Key::root("demo".parse().unwrap())
}

fn around(store: &MemoryBackend, faults: Faults) -> Unreliable<MemoryBackend> {
    Unreliable::new(store.clone(), 1, faults)
}

async fn present(store: &MemoryBackend) -> Option<(Version, Vec<u8>)> {
    store
        .read(&key())
        .await
        .unwrap()
        .map(|found| (found.version, found.body))
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_swap_has_happened() {
    let store = MemoryBackend::new();
    let link = around(
        &store,
        Faults {
            lost_answer: 1.0,
            ..Faults::NONE
        },
    );
    assert!(matches!(
        link.swap(&key(), Expected::Absent, b"x").await,
        Err(Failure::Unknown(_))
    ));
    assert!(matches!(
        link.read(&key()).await,
        Err(Unread::Unavailable(_))
    ));
    assert_eq!(present(&store).await.unwrap().1, b"x");
}

#[tokio::test]
async fn a_lost_request_is_not_applied_or_unknown_and_has_not_happened() {
    let store = MemoryBackend::new();
    let told = around(
        &store,
        Faults {
            lost_call: 1.0,
            ..Faults::NONE
        },
    );
    assert!(matches!(
        told.swap(&key(), Expected::Absent, b"x").await,
        Err(Failure::NotApplied(_))
    ));
    let untold = around(&store, Faults::CUT);
    assert!(matches!(
        untold.swap(&key(), Expected::Absent, b"x").await,
        Err(Failure::Unknown(_))
    ));
    assert_eq!(present(&store).await, None);
}

#[tokio::test]
async fn a_late_swap_happens_after_some_of_the_next_calls_and_only_once() {
    let store = MemoryBackend::new();
    let link = around(&store, ALL_LATE);
    assert!(matches!(
        link.swap(&key(), Expected::Absent, b"x").await,
        Err(Failure::Unknown(_))
    ));
    assert_eq!(present(&store).await, None);
    link.heal();
    let mut calls = 0;
    while link.read(&key()).await.unwrap().is_none() {
        calls += 1;
        assert!(calls < 20, "it never came");
    }
    let (version, _) = present(&store).await.unwrap();
    for _ in 0..20 {
        link.read(&key()).await.unwrap();
    }
    assert_eq!(present(&store).await.unwrap().0, version);
}

#[tokio::test]
async fn a_late_swap_that_is_not_expected_any_more_changes_nothing() {
    let store = MemoryBackend::new();
    let link = around(&store, ALL_LATE);
    assert!(link.swap(&key(), Expected::Absent, b"late").await.is_err());
    assert!(matches!(
        store.swap(&key(), Expected::Absent, b"first").await,
        Ok(Swapped::Committed(_))
    ));
    link.deliver_late().await;
    assert_eq!(present(&store).await.unwrap().1, b"first");
}

#[tokio::test]
async fn clones_share_faults_and_what_is_on_its_way() {
    let store = MemoryBackend::new();
    let (one, other) = {
        let one = around(&store, ALL_LATE);
        (one.clone(), one)
    };
    assert!(one.swap(&key(), Expected::Absent, b"x").await.is_err());
    other.heal();
    other.deliver_late().await;
    assert!(one.read(&key()).await.unwrap().is_some());
}

#[tokio::test]
async fn the_same_seed_and_calls_give_the_same_outcomes_and_all_of_them_occur() {
    let run = async || {
        let link = around(
            &MemoryBackend::new(),
            Faults {
                delay: Duration::ZERO,
                ..Faults::RAGING
            },
        );
        let mut outcomes = Vec::new();
        for _ in 0..100 {
            outcomes.push(match link.swap(&key(), Expected::Absent, b"x").await {
                Ok(Swapped::Committed(_)) => "committed",
                Ok(Swapped::Conflict) => "conflict",
                Err(Failure::NotApplied(_)) => "not applied",
                Err(_) => "unknown",
            });
        }
        outcomes
    };
    let outcomes = run().await;
    assert_eq!(outcomes, run().await);
    assert!(
        BTreeSet::from_iter(outcomes).is_superset(&["conflict", "not applied", "unknown"].into())
    );
}

#[tokio::test(start_paused = true)]
async fn delays_pass_on_the_paused_clock() {
    let link = around(
        &MemoryBackend::new(),
        Faults {
            delay: Duration::from_secs(3600),
            ..Faults::NONE
        },
    );
    let before = tokio::time::Instant::now();
    link.read(&key()).await.unwrap();
    let took = before.elapsed();
    assert!(
        took > Duration::from_secs(1) && took <= Duration::from_secs(7200),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_says_nothing_and_a_healed_one_speaks_again() {
    let store = MemoryBackend::new();
    let link = around(
        &store,
        Faults {
            watch: WatchMode::Silent,
            ..Faults::NONE
        },
    );
    let mut hints = link.watch(key().group());
    let Ok(Swapped::Committed(first)) = store.swap(&key(), Expected::Absent, b"x").await else {
        panic!()
    };
    assert!(hints.next().now_or_never().is_none());
    link.heal();
    let Ok(Swapped::Committed(second)) = store.swap(&key(), Expected::At(&first), b"y").await
    else {
        panic!()
    };
    assert_eq!(hints.next().await.unwrap().version, Some(second));
}

#[tokio::test(start_paused = true)]
async fn a_lagging_watch_coalesces() {
    let store = MemoryBackend::new();
    let lag = Duration::from_secs(60);
    let link = around(
        &store,
        Faults {
            watch: WatchMode::Lagging(lag),
            ..Faults::NONE
        },
    );
    let mut hints = link.watch(key().group());
    let Ok(Swapped::Committed(first)) = store.swap(&key(), Expected::Absent, b"x").await else {
        panic!()
    };
    let Ok(Swapped::Committed(_)) = store.swap(&key(), Expected::At(&first), b"y").await else {
        panic!()
    };
    let before = tokio::time::Instant::now();
    let hint = hints.next().await.unwrap();
    assert_eq!((hint.key, hint.version), (None, None));
    assert!(before.elapsed() <= lag);
    assert!(hints.next().now_or_never().is_none());
}
