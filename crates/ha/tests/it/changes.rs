//! Changes of a group's records, as they come.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt;
use incumbent::{Change, Changes, Clock, Group, Liveness, Options, RecordName, Store};
use incumbent_backend_file::FileBackend;
use incumbent_backend_memory::MemoryBackend;
use incumbent_backend_zookeeper::ZooKeeperBackend;
use incumbent_conformance::{Faults, Unreliable, WatchMode};
use incumbent_leader_server::{Options as ServerOptions, Server};
use tokio::time::{Instant, timeout};

use crate::node;

/// So long that only a fault makes a test wait for it.
const PATIENCE: Duration = Duration::from_secs(20);

fn job(id: u32) -> RecordName {
    format!("jobs/{id}").parse().unwrap()
}

fn written(ids: &[u32]) -> Vec<Change> {
    ids.iter().map(|id| Change::Written(job(*id))).collect()
}

fn unreliable(backend: &Unreliable<MemoryBackend>, name: &str) -> Group {
    let options = Options {
        holder: Some(name.parse().unwrap()),
        liveness: Liveness::Off,
        clock: Clock::tokio(),
        ..Options::default()
    };
    let store = Store::on(backend.clone());
    store.group_with("demo", options).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_present_state_comes_first_then_what_others_create_at_once() {
    let backend = MemoryBackend::new();
    let (a, b) = (node(&backend, "a"), node(&backend, "b"));
    b.create(&job(1), &1).await.unwrap();
    let mut changes = a.changes();
    assert_eq!(changes.next().await, written(&[1]));
    let start = Instant::now();
    b.create(&job(2), &1).await.unwrap();
    assert_eq!(changes.next().await, written(&[2]));
    assert!(start.elapsed() < Duration::from_millis(5), "no listing");
}

#[tokio::test(start_paused = true)]
async fn an_empty_group_is_said_to_be_empty_and_then_nothing_is_said() {
    let mut changes = node(&MemoryBackend::new(), "a").changes();
    assert_eq!(changes.next().await, []);
    let silent = timeout(Duration::from_secs(600), changes.next()).await;
    assert!(silent.is_err(), "{silent:?}");
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_change_is_told_once() {
    let group = node(&MemoryBackend::new(), "a");
    let mut changes = group.changes();
    changes.next().await;
    let leadership = group.candidate().unwrap().campaign().await;
    let mut record = leadership.open::<u32>(&job(1)).await.unwrap();
    assert_eq!(changes.next().await, written(&[1]), "sealed");
    record.commit(1).await.unwrap();
    assert_eq!(changes.next().await, written(&[1]), "written");
    record.delete().await.unwrap();
    assert_eq!(changes.next().await, written(&[1]), "deleted");
    record.erase().await.unwrap();
    // The hint does not say that it is gone. The listing does.
    assert_eq!(changes.next().await, written(&[1]));
    assert_eq!(changes.next().await, [Change::Gone(job(1))]);
    let silent = timeout(Duration::from_secs(600), changes.next()).await;
    assert!(silent.is_err(), "{silent:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_single_hint_a_change_is_told_within_half_a_minute() {
    let silent = Faults {
        watch: WatchMode::Silent,
        ..Faults::NONE
    };
    let backend = Unreliable::new(MemoryBackend::new(), 1, silent);
    let group = unreliable(&backend, "a");
    let mut changes = group.changes();
    assert_eq!(changes.next().await, []);
    group.create(&job(1), &1).await.unwrap();
    let start = Instant::now();
    assert_eq!(changes.next().await, written(&[1]));
    assert!(start.elapsed() <= Duration::from_secs(30));
}

/// It does not ask for a while, and the group's task goes on.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_up_nobody_and_is_told_everything_once() {
    let backend = MemoryBackend::new();
    let (a, b) = (node(&backend, "a"), node(&backend, "b"));
    let mut changes = a.changes();
    assert_eq!(changes.next().await, []);
    for id in 0..3000 {
        b.create(&job(id), &1).await.unwrap();
        tokio::task::yield_now().await;
    }
    // It still campaigns and wins.
    let _leadership = a.candidate().unwrap().campaign().await;
    let mut told = BTreeMap::new();
    while told.len() < 3000 {
        for change in timeout(PATIENCE, changes.next()).await.unwrap() {
            *told.entry(change.name().clone()).or_insert(0) += 1;
        }
    }
    assert!(told.values().all(|times| *times == 1), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_survived_and_explained() {
    let backend = Unreliable::new(MemoryBackend::new(), 1, Faults::NONE);
    let group = unreliable(&backend, "a");
    group.create(&job(1), &1).await.unwrap();
    backend.set_faults(Faults::CUT);
    let mut changes = group.changes();
    let silent = timeout(Duration::from_secs(300), changes.next()).await;
    assert!(silent.is_err() && changes.unreadable().is_some());
    backend.set_faults(Faults::NONE);
    let healed = Instant::now();
    assert_eq!(changes.next().await, written(&[1]));
    assert!(healed.elapsed() <= Duration::from_secs(5));
    assert_eq!(changes.unreadable(), None);
}

/// The time for which it was away is not taken for the time that a listing takes.
#[tokio::test(start_paused = true)]
async fn a_reader_that_was_away_during_a_listing_is_told_in_time() {
    const SLOW: Faults = Faults {
        late: 1.0,
        delay: Duration::from_millis(300),
        watch: WatchMode::Silent,
        ..Faults::NONE
    };
    let backend = Unreliable::new(MemoryBackend::new(), 1, SLOW);
    let (a, b) = (unreliable(&backend, "a"), unreliable(&backend, "b"));
    let mut changes = a.changes();
    timeout(Duration::from_millis(1), changes.next())
        .await
        .unwrap_err();
    tokio::time::advance(Duration::from_secs(60)).await;
    changes.next().await;
    b.create(&job(1), &1).await.unwrap();
    let told = timeout(Duration::from_secs(31), changes.next()).await;
    assert_eq!(told.unwrap(), written(&[1]));
}

/// Calls and hints are lost and late, and the reader is often not there.
#[tokio::test(start_paused = true)]
async fn no_record_is_missed_for_good() {
    const BAD: Faults = Faults {
        lost_call: 0.3,
        lost_answer: 0.3,
        late: 0.5,
        delay: Duration::from_millis(300),
        watch: WatchMode::Lagging(Duration::from_secs(3)),
    };
    for seed in 0..20 {
        let backend = Unreliable::new(MemoryBackend::new(), seed, BAD);
        let (a, b) = (unreliable(&backend, "a"), unreliable(&backend, "b"));
        let mut changes = a.changes();
        let mut told: BTreeMap<RecordName, u32> = BTreeMap::new();
        for id in 0..30 {
            // Whether it was created is seen at the end.
            let _ = b.create(&job(id), &id).await;
            let wait = Duration::from_millis(u64::from(id) * 40);
            if let Ok(changed) = timeout(wait, changes.next()).await {
                note(&mut told, &changed);
            }
        }
        backend.set_faults(Faults::NONE);
        backend.deliver_late().await;
        while let Ok(changed) = timeout(Duration::from_secs(31), changes.next()).await {
            note(&mut told, &changed);
        }
        for name in a.records().await.unwrap() {
            assert!(told.contains_key(&name), "seed {seed}: never told {name}");
        }
    }
}

fn note(told: &mut BTreeMap<RecordName, u32>, changes: &[Change]) {
    for change in changes {
        *told.entry(change.name().clone()).or_default() += 1;
    }
}

/// Its hints name no version, so a change is told again with the next listing.
#[tokio::test]
async fn on_the_leader_server_what_another_process_creates_is_told_before_any_listing() {
    let server = Server::bind(ServerOptions::local()).await.unwrap();
    let address = format!("zookeeper://{}/demo", server.addresses()[0]);
    tokio::spawn(server.run(std::future::pending()));
    let open = || {
        let backend = ZooKeeperBackend::open(&address.parse().unwrap()).unwrap();
        let options = Options {
            liveness: Liveness::Off,
            ..Options::default()
        };
        Store::on(backend).group_with("demo", options).unwrap()
    };
    let (a, b) = (open(), open());
    // Nobody has ever led, so not even the group is there.
    b.create(&job(0), &1).await.unwrap();
    let mut changes = a.changes();
    assert_eq!(changes.next().await, written(&[0]));
    for id in 1..10 {
        b.create(&job(id), &1).await.unwrap();
        loop {
            let told = timeout(PATIENCE, changes.next()).await.unwrap();
            if told.contains(&Change::Written(job(id))) {
                break;
            }
        }
    }
}

/// As two processes: two backends that share nothing but the directory.
#[tokio::test]
async fn what_another_process_creates_in_a_directory_is_told_in_moments() {
    let dir = std::env::temp_dir().join(format!("incumbent-changes-{}", std::process::id()));
    let address = format!("file://{}?sync=none", dir.display());
    let open = || Store::on(FileBackend::open(&address.parse().unwrap()).unwrap());
    let options = || Options {
        liveness: Liveness::Off,
        ..Options::default()
    };
    let [a, b] = [open(), open()].map(|store| store.group_with("demo", options()).unwrap());
    let mut changes: Changes = a.changes();
    assert_eq!(changes.next().await, []);
    let mut took = Vec::new();
    for id in 0..20 {
        b.create(&job(id), &1).await.unwrap();
        let start = Instant::now();
        let told = timeout(Duration::from_secs(10), changes.next()).await;
        assert_eq!(told.expect("no listing is due by then"), written(&[id]));
        took.push(start.elapsed());
    }
    assert!(changes.next().now_or_never().is_none());
    took.sort();
    println!("told {:?} after the creation was answered", took[10]);
    std::fs::remove_dir_all(dir).unwrap();
}
