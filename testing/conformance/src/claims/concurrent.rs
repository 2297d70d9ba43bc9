//! Several clients at once, each with a handle of its own.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future;
use incumbent_backend::{Expected, Failure, Key, Stored, Swapped, Version};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use crate::history::{History, Id, Told, What};
use crate::words::{committed, fresh_group, fresh_key, key, pace};
use crate::{Handle, Place, settle};

/// The number of clients at once, and of each one's operations. They are enough to collide, and few
/// enough for a store that takes milliseconds.
const CLIENTS: u32 = 4;
const INCREMENTS: usize = 40;
const OPERATIONS: usize = 80;
const ROUNDS: usize = 20;

/// Acknowledged writes are visible at once, to a handle that has read before and to one that has
/// not.
pub async fn handles_see_acknowledged_writes_of_others_at_once(place: Place) {
    let (writer, reader, key) = (place.open().await, place.open().await, fresh_key());
    let mut version = None::<Version>;
    for round in 0..100u32 {
        pace(&writer, 1).await;
        let body = round.to_string().into_bytes();
        let expected = version.as_ref().map_or(Expected::Absent, Expected::At);
        let swapped = writer
            .swap(&key, expected, &body)
            .await
            .expect("a reliable handle has a known outcome");
        let written = committed(swapped);
        let mut handles = vec![Arc::clone(&reader)];
        if round % 10 == 0 {
            handles.push(place.open().await);
        }
        for handle in handles {
            let seen = handle.read(&key).await.expect("a reliable handle answers");
            assert_eq!(
                seen,
                Some(Stored {
                    version: written.clone(),
                    body: body.clone()
                }),
                "round {round}"
            );
        }
        version = Some(written);
    }
}

/// The final result contains every increment once: the body is the list of all of them.
pub async fn concurrent_increments_lose_nothing(place: Place) {
    let key = fresh_key();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (handle, key) = (place.open().await, key.clone());
        clients.spawn(async move {
            for n in 0..INCREMENTS {
                pace(&handle, CLIENTS).await;
                append(&handle, &key, &format!("{client}.{n} ")).await;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client does not panic");
    }
    let end = settle::read(&place.open_reliable().await, &key)
        .await
        .expect("it was written");
    let end = String::from_utf8(end.body).expect("it is text");
    let marks: Vec<&str> = end.split_terminator(' ').collect();
    let different: HashSet<&str> = marks.iter().copied().collect();
    assert_eq!(
        marks.len(),
        different.len(),
        "an increment was applied twice"
    );
    assert_eq!(
        different.len(),
        CLIENTS as usize * INCREMENTS,
        "an acknowledged increment was lost"
    );
}

/// Appends the mark once, whatever calls or answers are lost.
async fn append(handle: &Handle, key: &Key, mark: &str) {
    loop {
        let found = settle::read(handle, key).await;
        // Otherwise, on a runtime with one thread and a backend that never waits, clients would not
        // run concurrently.
        tokio::task::yield_now().await;
        let (expected, mut body) = match &found {
            None => (Expected::Absent, Vec::new()),
            Some(found) => (Expected::At(&found.version), found.body.clone()),
        };
        body.extend(mark.as_bytes());
        let has_mine = |body: &[u8]| {
            String::from_utf8_lossy(body)
                .split_inclusive(' ')
                .any(|word| word == mark)
        };
        if settle::swap(handle, key, expected, &body, has_mine).await {
            return;
        }
    }
}

/// If several clients create one key at once, exactly one succeeds, and its body is stored.
pub async fn concurrent_creates_have_one_winner(place: Place) {
    let (group, judge) = (fresh_group(), place.open_reliable().await);
    let mut handles = Vec::new();
    for _ in 0..CLIENTS {
        handles.push(place.open().await);
    }
    for round in 0..ROUNDS {
        let key = key(&group, &format!("round/{round}"));
        let mut clients = JoinSet::new();
        for (client, handle) in handles.iter().enumerate() {
            let (handle, key, body) = (
                Arc::clone(handle),
                key.clone(),
                format!("client {client}").into_bytes(),
            );
            clients.spawn(async move {
                tokio::task::yield_now().await;
                let won = settle::swap(&handle, &key, Expected::Absent, &body, |found| {
                    found == body
                })
                .await;
                won.then_some(body)
            });
        }
        let winners: Vec<Vec<u8>> = clients.join_all().await.into_iter().flatten().collect();
        assert_eq!(
            winners.len(),
            1,
            "{} of {CLIENTS} created {key}",
            winners.len()
        );
        let found = settle::read(&judge, &key)
            .await
            .expect("somebody created it");
        assert_eq!(
            found.body, winners[0],
            "the body of {key} is not its winner's"
        );
    }
}

/// Random reads and swaps of one key: one order explains all answers, and agrees with time.
pub async fn history_of_one_key_is_linearizable(place: Place) {
    let (key, history) = (fresh_key(), Arc::new(History::default()));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (handle, key, history) = (place.open().await, key.clone(), Arc::clone(&history));
        clients.spawn(async move { random_client(client.into(), &handle, &key, &history).await });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client does not panic");
    }
    let last = settle::read(&place.open_reliable().await, &key).await;
    let history = Arc::into_inner(history).expect("all clients are done");
    history.check(last.map_or(0, |found| id_in(&found.body)));
}

async fn random_client(client: u64, handle: &Handle, key: &Key, history: &History) {
    let mut dice = StdRng::seed_from_u64(client);
    let mut known: Option<(Id, Version)> = None;
    for operation in 0..OPERATIONS {
        tokio::task::yield_now().await;
        let begin = history.clock.now();
        if dice.random_bool(0.5) {
            let Ok(found) = handle.read(key).await else {
                continue;
            };
            known = found.map(|found| (id_in(&found.body), found.version));
            let (saw, version) = known
                .clone()
                .map_or((0, None), |(id, version)| (id, Some(version)));
            history.add(begin, What::Read { saw, version });
            continue;
        }
        pace(handle, CLIENTS).await;
        let id: Id = client * 1_000_000 + operation as u64 + 1;
        let after = known.as_ref().map_or(0, |(id, _)| *id);
        let expected = known
            .as_ref()
            .map_or(Expected::Absent, |(_, version)| Expected::At(version));
        let told = match handle.swap(key, expected, &body_of(id)).await {
            Ok(Swapped::Committed(version)) => {
                known = Some((id, version.clone()));
                Told::Committed(version)
            }
            Ok(Swapped::Conflict) => Told::Conflict,
            Err(Failure::NotApplied(_)) => Told::NotApplied,
            Err(Failure::Unknown(_)) => Told::Unknown,
            Err(other) => panic!("{key} cannot be written: {other:?}"),
        };
        history.add(begin, What::Write { id, after, told });
    }
}

/// A dropped swap may have happened, may happen later, or may never happen. But it never happens by
/// half, and no other client's write is lost.
pub async fn dropped_swaps_leave_a_whole_state(place: Place) {
    let (handle, other, key) = (place.open().await, place.open().await, fresh_key());
    let mut dice = StdRng::seed_from_u64(1);
    let mut possible = HashSet::from([body_of(1)]);
    assert!(
        settle::swap(&handle, &key, Expected::Absent, &body_of(1), |body| body
            == body_of(1))
        .await
    );
    for round in 1..=ROUNDS as u64 {
        pace(&handle, 1).await;
        let before = settle::read(&handle, &key).await.expect("it was created");
        let dropped = body_of(2 * round);
        possible.insert(dropped.clone());
        poll_some(
            handle.swap(&key, Expected::At(&before.version), &dropped),
            dice.random_range(0..4),
        )
        .await;
        let between = settle::read(&other, &key).await.expect("it was created");
        assert!(
            possible.contains(&between.body),
            "round {round}: half a body, or one from nowhere"
        );
        pace(&other, 1).await;
        let mine = body_of(2 * round + 1);
        possible = HashSet::from([mine.clone()]);
        let is_mine = |body: &[u8]| body == mine;
        let mut at = between.version;
        while !settle::swap(&other, &key, Expected::At(&at), &mine, is_mine).await {
            let newer = settle::read(&other, &key).await.expect("it was created");
            assert_eq!(newer.body, dropped, "round {round}: nobody else writes");
            at = newer.version;
        }
    }
}

/// Polls a few times, then drops.
async fn poll_some<F: Future>(future: F, times: usize) {
    let mut future = Box::pin(future);
    for _ in 0..times {
        if future::poll_immediate(&mut future).await.is_some() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// A body that names its write, and is long enough that a half-written one is noticed.
fn body_of(id: Id) -> Vec<u8> {
    format!("{id} ").repeat(50).into_bytes()
}

fn id_in(body: &[u8]) -> Id {
    let text = std::str::from_utf8(body).expect("bodies here are text");
    let id = text
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("bodies here begin with an id");
    assert_eq!(body, body_of(id), "a body is not whole");
    id
}
