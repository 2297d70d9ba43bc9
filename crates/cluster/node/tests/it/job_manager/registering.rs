//! Which TaskManagers a leader takes in.

use incumbent_cluster_core::view::NodeKind;
use incumbent_cluster_node::NodeOptions;
use incumbent_cluster_node::wire::{ANNOUNCEMENTS, Announcement};
use serde_json::Value;

use super::fake::{Fake, nobody};
use super::harness::{PATIENCE, Place, listen, wait};

#[tokio::test]
async fn a_task_manager_is_known_by_the_address_at_which_it_was_verified() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    let fake = Fake::start(&place, "tm-1", 3).await;
    fake.is_registered().await;
    let cluster = manager.cluster().await;
    assert_eq!(cluster.id, manager.node.cluster().id);
    assert_eq!(cluster.leader.address, manager.node.address());
    assert_eq!(cluster.leader.pid, std::process::id());
    assert_eq!((cluster.slots, cluster.slots_free), (3, 3));
    let mut nodes = cluster.nodes.iter();
    let task_manager = nodes.find(|node| node.kind == NodeKind::TaskManager);
    let task_manager = task_manager.unwrap();
    assert_eq!(task_manager.address, fake.node.address());
    assert_eq!(task_manager.seen.as_deref(), Some("127.0.0.1"));
    assert_eq!(task_manager.version.as_deref(), Some("test"));
    assert_eq!(cluster.refused, []);
}

#[tokio::test]
async fn a_job_manager_that_stands_by_is_shown() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let standby = place.manager("jm-2").await;
    wait("the standby is shown", async || {
        let cluster = manager.cluster().await;
        let mut nodes = cluster.nodes.iter();
        nodes.any(|node| node.name == "jm-2" && node.address == standby.node.address())
    })
    .await;
}

/// As behind a translation of addresses: what it advertises leads nowhere.
#[tokio::test]
async fn a_task_manager_that_cannot_be_connected_back_to_is_told_what_to_set() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    let nowhere = nobody().await.to_string();
    let fake = Fake::start_as(&place, "tm-1", 1, Some(&nowhere)).await;
    let refusal = fake.refusal().await;
    for words in [
        "tm-1",
        "connected from 127.0.0.1:",
        &nowhere,
        "--advertise HOST[:PORT]",
    ] {
        assert!(refusal.contains(words), "{refusal}");
    }
    let cluster = manager.cluster().await;
    assert_eq!(cluster.slots, 0);
    let [refused] = &cluster.refused[..] else {
        panic!("{cluster:?}");
    };
    let (name, seen) = (&refused.name[..], &refused.seen[..]);
    assert_eq!((name, seen), ("tm-1", "127.0.0.1"));
    assert_eq!(refused.advertised.as_deref(), Some(&nowhere[..]));
    assert!(refused.why.contains("--advertise"), "{refused:?}");
}

/// Jobs would come in through it without the token of the cluster.
#[tokio::test]
async fn a_task_manager_with_another_token_is_refused_and_told_what_to_do() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    let token = Some("a-token-of-sixteen".to_owned());
    let change = |options: &mut NodeOptions| options.token = token;
    let other = Fake::start_with(&place, "tm-1", change).await;
    let refusal = other.refusal().await;
    for words in ["TaskManager tm-1", "another token", "--token-file"] {
        assert!(refusal.contains(words), "{refusal}");
    }
    let cluster = manager.cluster().await;
    assert_eq!(cluster.slots, 0);
    let [refused] = &cluster.refused[..] else {
        panic!("{cluster:?}");
    };
    assert!(refused.why.contains("--token-file"), "{refused:?}");
    // One that has what the leader has is taken in.
    let same = Fake::start(&place, "tm-2", 1).await;
    same.is_registered().await;
}

/// As if a volume is not mounted on one machine: no other could restore what its tasks store.
#[tokio::test]
async fn a_task_manager_whose_blobs_are_another_place_is_refused_and_told_what_to_do() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    let empty = tempfile::tempdir().unwrap();
    let url = format!("file://{}", empty.path().display());
    let change = |options: &mut NodeOptions| options.blobs.clone_from(&url);
    let other = Fake::start_with(&place, "tm-1", change).await;
    let refusal = other.refusal().await;
    let ours = manager.node.blobs().url();
    for words in ["TaskManager tm-1", &url[..], ours, "--blobs", "mount"] {
        assert!(refusal.contains(words), "{refusal}");
    }
    assert_eq!(manager.cluster().await.slots, 0);
    let same = Fake::start(&place, "tm-2", 1).await;
    same.is_registered().await;
}

/// It hears of it while it stands by, and not when it has taken over.
#[tokio::test]
async fn a_job_manager_with_another_token_is_refused_before_it_leads() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let (_listener, bound) = listen().await;
    let token = Some("a-token-of-sixteen".to_owned());
    let change = |options: &mut NodeOptions| options.token = token;
    let node = place.node_with("jm-2", bound, change).await;
    let announcement = Announcement {
        nonce: node.nonce(),
        name: "jm-2".to_owned(),
        pid: 1,
        address: node.address().to_owned(),
        advertise: None,
        version: None,
        common: node.common().clone(),
    };
    let leader = manager.node.address();
    let client = node.client();
    let told = client.post::<Value>(leader, ANNOUNCEMENTS, &announcement, PATIENCE);
    let refusal = told.await.unwrap_err();
    assert!(refusal.problem().unwrap().is("other-token"), "{refusal}");
    assert!(refusal.to_string().contains("JobManager jm-2"), "{refusal}");
}

#[tokio::test]
async fn of_two_live_task_managers_with_one_name_the_second_is_refused() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    let mut first = Fake::start(&place, "tm-1", 1).await;
    first.is_registered().await;
    let second = Fake::start(&place, "tm-1", 2).await;
    let refusal = second.refusal().await;
    for words in ["tm-1", first.node.address(), "--name"] {
        assert!(refusal.contains(words), "{refusal}");
    }
    assert_eq!(manager.cluster().await.slots, 1);
    // Once the first is dead, the name is free.
    first.kill();
    second.is_registered().await;
}
