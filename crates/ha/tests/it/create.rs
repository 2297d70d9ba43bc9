//! Records that are created without leading.

use std::time::Duration;

use incumbent::backend::Key;
use incumbent::{Clock, Creation, Epoch, Error, Liveness, Nonce, Options, RecordName, Store};
use incumbent_backend_memory::MemoryBackend;
use incumbent_conformance::{Faults, Unreliable, WatchMode};

use crate::node;

fn job(id: u32) -> RecordName {
    format!("jobs/{id}").parse().unwrap()
}

/// The data of a creation that somebody else made before.
#[track_caller]
fn existing<T: std::fmt::Debug>(creation: Creation<T>) -> T {
    match creation {
        Creation::Exists(snapshot) => snapshot.data,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_that_create_a_record_one_does_and_the_other_is_told_what_is_there() {
    let backend = MemoryBackend::new();
    let (a, b) = (node(&backend, "a"), node(&backend, "b"));
    let (name, one, two) = (job(1), 1_u32, 2_u32);
    let (first, second) = tokio::join!(a.create(&name, &one), b.create(&name, &two));
    assert!(matches!(first.unwrap(), Creation::Created(stamp) if stamp.epoch() == Epoch::ZERO));
    assert_eq!(existing(second.unwrap()), 1);
    assert_eq!(b.read::<u32>(&name).await.unwrap().unwrap().data, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_created_while_nobody_leads_is_the_next_leaders() {
    let backend = MemoryBackend::new();
    let (a, b) = (node(&backend, "a"), node(&backend, "b"));
    a.create(&job(1), &1_u32).await.unwrap();
    let leadership = b.candidate().unwrap().campaign().await;
    let mut record = leadership.open::<u32>(&job(1)).await.unwrap();
    assert_eq!(record.data(), Some(&1));
    record.commit(2).await.unwrap();
    assert_eq!(existing(a.create(&job(1), &3_u32).await.unwrap()), 2);
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_is_not_created_again() {
    let group = node(&MemoryBackend::new(), "a");
    group.create(&job(1), &1_u32).await.unwrap();
    let leadership = group.candidate().unwrap().campaign().await;
    let mut record = leadership.open::<u32>(&job(1)).await.unwrap();
    record.delete().await.unwrap();
    let again = group.create(&job(1), &1_u32).await.unwrap();
    assert!(matches!(again, Creation::Deleted(_)), "{again:?}");
    // Nor a name that a leader has opened before anybody created it.
    leadership.open::<u32>(&job(2)).await.unwrap();
    let late = group.create(&job(2), &1_u32).await.unwrap();
    assert!(matches!(late, Creation::Deleted(_)), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_creator_recognizes_its_record_whatever_leaders_have_done_to_it() {
    let group = node(&MemoryBackend::new(), "a");
    let number = Nonce::new(rand::random());
    let create = async || group.create_as(&job(1), number, &1_u32).await.unwrap();
    assert!(matches!(create().await, Creation::Created(_)));
    let leadership = group.candidate().unwrap().campaign().await;
    let mut record = leadership.open::<u32>(&job(1)).await.unwrap();
    assert!(matches!(create().await, Creation::Created(stamp) if stamp.epoch() == Epoch::new(1)));
    record.commit(2).await.unwrap();
    record.commit(3).await.unwrap();
    assert!(matches!(create().await, Creation::Created(_)));
    let by_hand = serde_json::value::RawValue::from_string("7".into()).unwrap();
    group
        .overwrite_by_hand(&job(1), Some(by_hand))
        .await
        .unwrap();
    record.reopen().await.unwrap();
    record.delete().await.unwrap();
    assert!(matches!(create().await, Creation::Created(_)));
    assert_eq!(group.read::<u32>(&job(1)).await.unwrap(), None);
}

/// It does not know that it was deposed, and the record is younger than its term.
#[tokio::test(start_paused = true)]
async fn a_leader_that_was_deposed_before_cannot_open_what_was_created_since() {
    let backend = MemoryBackend::new();
    let (a, b) = (node(&backend, "a"), node(&backend, "b"));
    let old = a.candidate().unwrap().campaign().await;
    backend.remove_by_hand(&Key::root("demo".parse().unwrap()));
    let new = b.candidate().unwrap().campaign().await;
    b.create(&job(1), &1_u32).await.unwrap();
    let Err(fenced) = old.open::<u32>(&job(1)).await else {
        panic!("it opened a record that is the newer leader's");
    };
    assert!(matches!(fenced, Error::Fenced { .. }), "{fenced}");
    let mut record = new.open::<u32>(&job(1)).await.unwrap();
    assert_eq!(record.data(), Some(&1));
    record.commit(2).await.unwrap();
}

/// Nothing shows whether a newer leader has erased the name before it was created.
#[tokio::test(start_paused = true)]
async fn a_leader_whose_floor_was_removed_by_hand_opens_no_created_record() {
    let backend = MemoryBackend::new();
    let group = node(&backend, "a");
    let leadership = group.candidate().unwrap().campaign().await;
    group.create(&job(1), &1_u32).await.unwrap();
    backend.remove_by_hand(&Key::floor("demo".parse().unwrap()));
    let opened = leadership.open::<u32>(&job(1)).await.err();
    assert!(matches!(opened, Some(Error::Damaged { .. })), "{opened:?}");
}

#[tokio::test(start_paused = true)]
async fn data_that_are_too_large_are_not_created() {
    let group = node(&MemoryBackend::new(), "a");
    let error = group.create(&job(1), &"x".repeat(1024 * 1024)).await;
    assert!(
        matches!(error, Err(Error::TooLarge { .. })),
        "room for a seal is kept free"
    );
    assert_eq!(group.records().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn data_of_another_type_are_not_taken_for_the_own() {
    let group = node(&MemoryBackend::new(), "a");
    let created = group.create(&job(1), &"text".to_owned()).await;
    assert!(matches!(created, Ok(Creation::Created(_))), "{created:?}");
    let other = group.create(&job(1), &1_u32).await;
    assert!(matches!(other, Err(Error::WrongType { .. })), "{other:?}");
}

/// Requests and answers are lost. Every name is created by one, and only its creator says so.
#[tokio::test(start_paused = true)]
async fn lost_answers_are_settled_and_nobody_claims_what_another_created() {
    const BAD: Faults = Faults {
        lost_call: 0.3,
        lost_answer: 0.3,
        late: 0.5,
        delay: Duration::from_millis(50),
        watch: WatchMode::Lagging(Duration::from_millis(10)),
    };
    let (mut settled, mut unknown) = (0, 0);
    for seed in 0..20 {
        let backend = Unreliable::new(MemoryBackend::new(), seed, BAD);
        let groups = ["a", "b"].map(|name| {
            let options = Options {
                holder: Some(name.parse().unwrap()),
                liveness: Liveness::Off,
                clock: Clock::tokio(),
                ..Options::default()
            };
            let store = Store::on(backend.clone());
            store.group_with("demo", options).unwrap()
        });
        for id in 0..10 {
            let name = job(id);
            let (name, [a, b]) = (&name, &groups);
            let created = tokio::join!(a.create(name, &1_u32), b.create(name, &2_u32));
            let mut owners = Vec::new();
            for (creation, mine) in [(created.0, 1), (created.1, 2)] {
                match creation {
                    Ok(Creation::Created(_)) => owners.push(mine),
                    Ok(Creation::Exists(found)) => assert_ne!(found.data, mine, "seed {seed}"),
                    Ok(Creation::Deleted(_)) => panic!("seed {seed}: nobody deletes"),
                    Err(Error::Unknown { .. } | Error::Unavailable(_)) => unknown += 1,
                    Err(error) => panic!("seed {seed}: {error}"),
                }
            }
            assert!(owners.len() <= 1, "seed {seed}: both created {name}");
            settled += owners.len();
            backend.set_faults(Faults::NONE);
            let there = a.read::<u32>(name).await.unwrap().map(|found| found.data);
            backend.set_faults(BAD);
            if let Some(owner) = owners.first() {
                assert_eq!(there, Some(*owner), "seed {seed}");
            }
        }
    }
    assert!(settled > 150, "{settled} settled, {unknown} unknown");
}
