//! Whole nodes on a backend that loses requests and answers, in paused time: what was acknowledged
//! is never lost, and when the faults end somebody leads and commits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use incumbent::{Clock, Error, Group, Liveness, Options, Record, Store};
use incumbent_backend_memory::MemoryBackend;
use incumbent_conformance::{Faults, Unreliable, WatchMode};

/// Bad, and most of the time somebody leads.
const BAD: Faults = Faults {
    lost_call: 0.15,
    lost_answer: 0.15,
    late: 0.5,
    delay: Duration::from_millis(200),
    watch: WatchMode::Lagging(Duration::from_secs(3)),
};

/// So bad that leases are lost.
const WORSE: Faults = Faults {
    lost_call: 0.8,
    lost_answer: 0.8,
    ..BAD
};

/// What was acknowledged, in the order in which it was.
type Acknowledged = Arc<Mutex<Vec<(u64, u64)>>>;

/// Leads, counts upwards, loses, and again; as a careful application does.
async fn count(group: Group, acknowledged: Acknowledged) {
    let candidate = group.candidate().unwrap();
    let name = "count".parse().unwrap();
    loop {
        let leadership = candidate.campaign().await;
        let epoch = leadership.epoch().get();
        let Ok(mut record) = leadership.open::<u64>(&name).await else {
            continue;
        };
        let _ = leadership.activate().await;
        while let Some(count) = step(&mut record).await {
            acknowledged.lock().unwrap().push((epoch, count));
        }
    }
}

/// One step, as far as it is known to be taken; `None` ends the term.
async fn step(record: &mut Record<u64>) -> Option<u64> {
    loop {
        let next = record.data().map_or(1, |count| count + 1);
        match record.commit(next).await {
            Ok(()) => return Some(next),
            Err(Error::Unavailable(_)) => {}
            Err(Error::Unknown { .. } | Error::Conflict { .. }) => {
                // It may have been written. What is there now is where to go on, and no step is
                // claimed.
                while let Err(error) = record.reopen().await {
                    if !matches!(error, Error::Unavailable(_)) {
                        return None;
                    }
                }
            }
            Err(_) => return None,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_acknowledged_is_lost_and_the_group_heals() {
    let mut terms = 0;
    for seed in 0..20 {
        let backend = Unreliable::new(MemoryBackend::new(), seed, BAD);
        let clock = Clock::tokio();
        let node = |name: &str| {
            let options = Options {
                holder: Some(name.parse().unwrap()),
                liveness: Liveness::Off,
                clock,
                ..Options::default()
            };
            Store::on(backend.clone())
                .group_with("demo", options)
                .unwrap()
        };
        let acknowledged = Acknowledged::default();
        let mut nodes = tokio::task::JoinSet::new();
        for name in ["a", "b", "c"] {
            nodes.spawn(count(node(name), Arc::clone(&acknowledged)));
        }
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            backend.set_faults(WORSE);
            tokio::time::sleep(Duration::from_secs(20)).await;
            backend.set_faults(BAD);
        }
        // Without any delay the nodes would be so busy that paused time never moves.
        backend.set_faults(Faults {
            delay: Duration::from_millis(50),
            ..Faults::NONE
        });
        let healed = acknowledged.lock().unwrap().len();
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert!(
            acknowledged.lock().unwrap().len() > healed,
            "seed {seed}: nobody commits"
        );
        let acknowledged = std::mem::take(&mut *acknowledged.lock().unwrap());
        nodes.shutdown().await;

        // Each acknowledged step is higher than all that were acknowledged before it.
        let ordered = acknowledged.is_sorted_by(|(e1, c1), (e2, c2)| e1 <= e2 && c1 < c2);
        assert!(ordered, "seed {seed}: {acknowledged:?}");
        let (epoch, last) = *acknowledged.last().unwrap();
        let kept = node("reader")
            .read::<u64>(&"count".parse().unwrap())
            .await
            .unwrap()
            .unwrap();
        assert!(
            kept.data >= last,
            "seed {seed}: {} is behind {last}",
            kept.data
        );
        terms += epoch;
    }
    assert!(
        terms > 100,
        "only {terms} terms: the faults are too tame to show anything"
    );
}
