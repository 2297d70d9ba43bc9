//! The outbox against a system that remembers, and a checkpoint that is a plain value.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::Waker;

/// The other system: it has progress for each rank, as an exactly-once sink needs.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<Stored>>);

/// The numbers, and the progress of each rank.
type Stored = (Vec<u64>, BTreeMap<String, (u64, u64)>);

/// Lets deliveries through, or refuses them.
type Through = Result<(), &'static str>;

impl Store {
    fn numbers(&self) -> Vec<u64> {
        let mut numbers = self.0.lock().unwrap().0.clone();
        numbers.sort_unstable();
        numbers
    }
}

/// Delivers what it is let through by.
struct ToStore {
    store: Store,
    /// One message lets one delivery through; `None` of them are asked for.
    gate: Option<Receiver<Through>>,
}

impl Carrier for ToStore {
    fn deliver(&mut self, batch: &Batch, patience: &Patience) -> Result<(), BoxError> {
        while let Some(gate) = &self.gate {
            match gate.try_recv() {
                Ok(let_through) => {
                    let_through?;
                    break;
                }
                Err(_) if patience.pause(Duration::from_millis(1)) => {}
                Err(_) => return Err("given up".into()),
            }
        }
        let mut store = self.store.0.lock().unwrap();
        let (numbers, progress) = &mut *store;
        let progress = progress.entry(batch.id().line()).or_default();
        if *progress < batch.id().position() {
            *progress = batch.id().position();
            let number = |line| std::str::from_utf8(line).unwrap().parse::<u64>().unwrap();
            numbers.extend(batch.lines().map(number));
        }
        Ok(())
    }
}

fn at(attempt: u64, rank: u32, tasks: u32) -> At {
    At {
        name: "out".to_owned(),
        job: "0123456789abcdef0123456789abcdef".to_owned(),
        attempt,
        rank,
        tasks,
        waker: Waker::new(|| ()),
    }
}

fn open(at: &At, staged: &[Staged], store: &Store) -> Outbox<u64> {
    gated(at, staged, store, None)
}

fn gated(
    at: &At,
    staged: &[Staged],
    store: &Store,
    gate: Option<Receiver<Through>>,
) -> Outbox<u64> {
    let carrier = ToStore {
        store: store.clone(),
        gate,
    };
    let encode = |number: &u64, line: &mut Vec<u8>| {
        line.extend_from_slice(number.to_string().as_bytes());
        Ok(())
    };
    Outbox::open(at, staged.to_vec(), encode, carrier).unwrap()
}

fn gate() -> (Sender<Through>, Receiver<Through>) {
    channel()
}

#[test]
fn nothing_is_delivered_before_its_commit() {
    let store = Store::default();
    let mut outbox = open(&at(1, 0, 1), &[], &store);
    outbox.write(vec![1, 2]).unwrap();
    assert_eq!(outbox.stage(5).unwrap().len(), 1);
    outbox.write(vec![3]).unwrap();
    outbox.commit(4).unwrap();
    assert!(store.numbers().is_empty());
    assert!(outbox.held_bytes() > 0);
    outbox.commit(5).unwrap();
    outbox.close().unwrap();
    assert_eq!(store.numbers(), [1, 2]);
    assert_eq!(outbox.held_bytes(), 2);
}

#[test]
fn what_was_staged_for_an_aborted_number_goes_with_the_next() {
    let store = Store::default();
    let mut outbox = open(&at(1, 0, 1), &[], &store);
    outbox.write(vec![1]).unwrap();
    outbox.stage(5).unwrap();
    outbox.write(vec![2]).unwrap();
    let staged = outbox.stage(6).unwrap();
    assert_eq!(staged.len(), 2);
    assert_ne!(staged[0].name, staged[1].name);
    outbox.commit(6).unwrap();
    outbox.close().unwrap();
    assert_eq!(store.numbers(), [1, 2]);
    assert!(outbox.stage(7).unwrap().is_empty());
}

#[test]
fn the_last_output_is_not_a_part_of_a_checkpoint_before_it() {
    let store = Store::default();
    let mut outbox = open(&at(1, 0, 1), &[], &store);
    outbox.write(vec![1]).unwrap();
    outbox.stage(5).unwrap();
    outbox.write(vec![2]).unwrap();
    assert_eq!(outbox.stage_last().unwrap().len(), 2);
    outbox.commit(5).unwrap();
    outbox.close().unwrap();
    assert_eq!(store.numbers(), [1]);
    outbox.commit(6).unwrap();
    outbox.close().unwrap();
    assert_eq!(store.numbers(), [1, 2]);
}

#[test]
fn a_commit_does_not_wait_out_an_outage_and_checkpoints_hold_the_rest() {
    let (store, (open_gate, outage)) = (Store::default(), gate());
    let mut outbox = gated(&at(1, 0, 1), &[], &store, Some(outage));
    outbox.write(vec![1]).unwrap();
    outbox.stage(1).unwrap();
    outbox.commit(1).unwrap();
    outbox.write(vec![2]).unwrap();
    let staged = outbox.stage(2).unwrap();
    assert_eq!(staged.len(), 2);
    assert_eq!(outbox.held_bytes(), 4);
    assert!(store.numbers().is_empty());
    // The next attempt delivers both.
    open(&at(2, 0, 1), &staged, &store);
    assert_eq!(store.numbers(), [1, 2]);
    // The old one comes through at last.
    outbox.commit(2).unwrap();
    open_gate.send(Ok(())).unwrap();
    open_gate.send(Ok(())).unwrap();
    outbox.close().unwrap();
    assert_eq!(store.numbers(), [1, 2]);
}

#[test]
fn other_numbers_of_ranks_deliver_each_batch_once() {
    for (before, after) in [(1, 4), (4, 1), (3, 2), (2, 3), (4, 4)] {
        let store = Store::default();
        let mut staged = Vec::new();
        let mut old = Vec::new();
        for rank in 0..before {
            let mut outbox = open(&at(3, rank, before), &[], &store);
            for number in 1..=3 {
                let value = u64::from(rank) * 10 + number;
                outbox.write(vec![value]).unwrap();
                staged.extend(outbox.stage(number).unwrap());
            }
            old.push(outbox);
        }
        // Each stage reported the earlier ones again.
        staged.sort_by(|a, b| a.name.cmp(&b.name));
        staged.dedup_by(|a, b| a.name == b.name);
        // Only what the checkpoint had: 1 and 2. Number 3 was never committed.
        staged.retain(|staged| staged.from <= 2);
        std::thread::scope(|scope| {
            for outbox in &mut old {
                scope.spawn(|| outbox.commit(2).unwrap());
            }
            for rank in (0..after).rev() {
                let (staged, store) = (&staged, &store);
                scope.spawn(move || open(&at(4, rank, after), staged, store));
            }
        });
        for outbox in &mut old {
            outbox.close().unwrap();
        }
        let expected = (0..u64::from(before)).flat_map(|rank| [rank * 10 + 1, rank * 10 + 2]);
        assert_eq!(
            store.numbers(),
            expected.collect::<Vec<_>>(),
            "{before} to {after}"
        );
    }
}

#[test]
fn a_refusal_ends_the_attempt_at_the_next_call() {
    let (store, (open_gate, refusing)) = (Store::default(), gate());
    let mut outbox = gated(&at(1, 0, 1), &[], &store, Some(refusing));
    outbox.write(vec![1]).unwrap();
    outbox.stage(1).unwrap();
    open_gate.send(Err("no such table")).unwrap();
    let refused = outbox.commit(1).unwrap_err();
    assert_eq!(refused.to_string(), "no such table");
    assert!(outbox.write(vec![2]).is_err());
    assert!(outbox.stage(2).is_err());
    assert!(outbox.close().is_err());
}

#[test]
fn damaged_and_missing_bytes_are_found() {
    let store = Store::default();
    let mut outbox = open(&at(1, 0, 1), &[], &store);
    outbox.write(vec![1, 2]).unwrap();
    let staged = outbox.stage(1).unwrap();
    let mut cut = staged.clone();
    cut[0].bytes = Some(b"1\n".as_slice().into());
    let mut gone = staged;
    gone[0].bytes = None;
    for damaged in [cut, gone] {
        let carrier = ToStore {
            store: store.clone(),
            gate: None,
        };
        let opened = Outbox::<u64>::open(&at(2, 0, 1), damaged, |_, _| Ok(()), carrier);
        assert!(opened.is_err());
    }
}

#[test]
fn runs_without_a_cluster_are_no_repetitions_of_each_other() {
    let mut local = at(1, 0, 1);
    local.job = "local".to_owned();
    assert_ne!(BatchId::first(&local), BatchId::first(&local));
    assert_eq!(BatchId::first(&at(1, 0, 1)), BatchId::first(&at(1, 0, 1)));
}

#[test]
fn a_large_interval_is_several_batches() {
    let store = Store::default();
    let at = at(1, 0, 1);
    let carrier = ToStore {
        store: store.clone(),
        gate: None,
    };
    let encode = |_: &u64, line: &mut Vec<u8>| {
        line.resize(line.len() + LARGEST_BATCH / 2, b'0');
        Ok(())
    };
    let mut outbox = Outbox::open(&at, Vec::new(), encode, carrier).unwrap();
    outbox.write(vec![0, 0, 0]).unwrap();
    assert_eq!(outbox.stage(1).unwrap().len(), 2);
}
