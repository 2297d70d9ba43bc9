//! Interrupted at every write, the same command goes on; until then nobody starts on a part.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use incumbent_kubernetes_double::{Fault, How, Match, Verb};

use super::*;

/// Most writes that a migration of one job could need.
const MOST_WRITES: u32 = 12;

/// What a write of the double may meet.
fn troubles() -> Vec<How> {
    let answer = |status, reason: &str| How::Answer {
        status,
        reason: reason.into(),
        message: "of the test".into(),
        retry_after: None,
    };
    vec![
        How::CutBefore,
        How::CutAfter,
        answer(403, "Forbidden"),
        answer(429, "TooManyRequests"),
        answer(500, "InternalError"),
    ]
}

fn on_writes(store: &Store, skip: u32, how: &How) {
    for verb in [Verb::Create, Verb::Update] {
        store.double.inject(Fault {
            on: Match::on(verb, "configmaps"),
            skip,
            times: None,
            how: how.clone(),
        });
    }
}

#[tokio::test]
async fn trouble_at_any_write_of_kubernetes_leaves_the_target_closed_and_the_same_command_goes_on()
{
    let server = Server::ours().await;
    stopped(&server, ZNODES[2]).await;
    for how in troubles() {
        // Each verb has a place of its own in the order of writes.
        for skip in 0..MOST_WRITES {
            let store = Store::start().await;
            let (from, to) = (
                at(&server, "/flink/cluster"),
                store.address_of("default/moved"),
            );
            reopen(&from).await.unwrap();
            let before = meaning(&from, &store).await;
            assert!(before.is_some());
            on_writes(&store, skip, &how);
            let tried = moved(&from, &to).await;
            store.double.clear_faults();
            let whole = tried.is_ok();
            if let Err(error) = tried {
                // Only if the last write was done and not answered, it is open.
                let there = meaning(&to, &store).await;
                let may_be = matches!(how, How::CutAfter) && there == before;
                assert!(there.is_none() || may_be, "{how:?} {skip} {error}");
                let again = moved(&from, &to).await.unwrap();
                assert_eq!(again.state, MigrationState::Complete, "{how:?} {skip}");
            }
            assert_eq!(meaning(&to, &store).await, before, "{how:?} {skip}");
            assert_eq!(meaning(&from, &store).await, None);
            if whole {
                assert!(skip >= 2, "a fault at a write was not noticed");
                break;
            }
        }
    }
}

/// Where the version of a marker is in a handle of a ConfigMap, and that up to Flink 1.18.
const VERSION: std::ops::Range<usize> = 107..115;
const UP_TO_1_18: i64 = -6_953_210_432_246_692_993;

#[tokio::test]
async fn a_copy_that_goes_on_for_an_older_flink_has_its_markers_throughout() {
    let (store, server) = (Store::start().await, Server::ours().await);
    stopped(&server, ZNODES[0]).await;
    let (from, to) = (
        at(&server, "/flink/cluster"),
        store.address_of("default/moved"),
    );
    // The last but one write is not done: the handles of the job are there.
    on_writes(&store, 1, &How::CutBefore);
    assert!(moved(&from, &to).await.is_err());
    store.double.clear_faults();
    let options = MigrationOptions {
        marker: "1.18".parse().unwrap(),
        ..OPTIONS
    };
    let again = migrate(&from, &to, options, &|_| {}).await.unwrap();
    assert_eq!(again.state, MigrationState::Complete);
    let mut versions = Vec::new();
    for name in store.double.names("configmaps", "default") {
        let map = store.double.object("configmaps", "default", &name).unwrap();
        for value in map["data"]
            .as_object()
            .into_iter()
            .flat_map(|data| data.values())
        {
            if let Ok(handle) = STANDARD.decode(value.as_str().unwrap())
                && let Some(version) = handle.get(VERSION)
            {
                versions.push(i64::from_be_bytes(version.try_into().unwrap()));
            }
        }
    }
    assert!(versions.len() > 1, "{versions:?}");
    assert!(versions.iter().all(|version| *version == UP_TO_1_18));
}

#[tokio::test]
async fn trouble_when_the_source_is_closed_leaves_it_as_it_was() {
    for how in troubles() {
        let store = Store::with(MAPS[3]).await;
        free(&store);
        let server = Server::ours().await;
        let (from, to) = (
            store.address_of("default/cluster"),
            at(&server, "/flink/cluster"),
        );
        let before = meaning(&from, &store).await;
        assert!(before.is_some());
        on_writes(&store, 0, &how);
        assert!(moved(&from, &to).await.is_err());
        store.double.clear_faults();
        assert_eq!(meaning(&to, &store).await, None);
        let is_open = meaning(&from, &store).await.is_some();
        assert_eq!(is_open, !matches!(how, How::CutAfter));
        assert_eq!(
            moved(&from, &to).await.unwrap().state,
            MigrationState::Complete
        );
        assert_eq!(meaning(&to, &store).await, before);
    }
}

/// The plan is made, and then the source changes: as by a JobManager that was paused.
#[tokio::test]
async fn what_was_written_to_the_source_meanwhile_keeps_the_target_closed() {
    let server = Server::ours().await;
    let moments = [MigrationStep::SourceClosed, MigrationStep::Copied(9)];
    for (number, moment) in moments.into_iter().enumerate() {
        let store = Store::with(MAPS[3]).await;
        free(&store);
        let from = store.address_of("default/cluster");
        let to = at(&server, &format!("/flink/target-{number}"));
        let step = |step: MigrationStep| {
            if step == moment {
                count_on(&store);
            }
        };
        let changed = migrate(&from, &to, OPTIONS, &step).await;
        assert!(
            matches!(changed, Err(FlinkError::Changed(_))),
            "{changed:?}"
        );
        for closed in [&from, &to] {
            assert_eq!(meaning(closed, &store).await, None);
        }
        let again = moved(&from, &to).await.unwrap();
        assert_eq!(again.state, MigrationState::Refused);
        assert!(
            again.refusals[0].why.contains("as it was earlier"),
            "{again:?}"
        );
    }
}

/// Two people run the same migration. While one of them is slow, the other completes it, a Flink
/// runs there, and its job ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_that_is_late_by_a_completed_copy_brings_nothing_back() {
    let store = Store::with(MAPS[3]).await;
    free(&store);
    let from = store.address_of("default/cluster");
    for server in Server::each().await {
        reopen(&from).await.unwrap();
        let to = at(&server, "/flink/target");
        let client = server.client().await;
        let ended = tokio::sync::OnceCell::new();
        let step = |step: MigrationStep| {
            // What belongs to the job is copied, and that by which Flink finds it is not.
            if !matches!(step, MigrationStep::Copied(_)) || ended.initialized() {
                return;
            }
            let other = async {
                moved(&from, &to).await.unwrap();
                let plans = client.list_children("/flink/target/execution-plans").await;
                let plan = format!("/flink/target/execution-plans/{}", plans.unwrap()[0]);
                client.delete(&format!("{plan}/locks"), None).await.unwrap();
                client.delete(&plan, None).await.unwrap();
                ended.set(plan).unwrap();
            };
            let here = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| here.block_on(other));
        };
        let late = migrate(&from, &to, OPTIONS, &step).await;
        assert!(matches!(late, Err(FlinkError::Changed(_))), "{late:?}");
        let nodes = all(&client).await;
        assert!(!nodes.contains_key(ended.get().unwrap()), "it is back");
    }
}

/// Takes the next number for a checkpoint.
fn count_on(store: &Store) {
    let list: Value = serde_json::from_str(MAPS[3]).unwrap();
    let mut maps = list["items"].as_array().unwrap().iter();
    let map = maps.find(|map| map["data"]["counter"].is_string()).unwrap();
    let name = map["metadata"]["name"].as_str().unwrap();
    let mut map = store.double.object("configmaps", "default", name).unwrap();
    map["data"]["counter"] = "77".into();
    store.put(name, map);
}
