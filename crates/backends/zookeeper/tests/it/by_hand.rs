//! Nodes that people make, change and remove with zkCli.

use incumbent_backend::{Backend, Erased, Swapped};
use incumbent_servers::zookeeper::ZooKeeper;
use zookeeper_client::{Acls, Client, CreateMode};

use crate::{base, create, key, open, read, swap};

struct Shell {
    client: Client,
    base: String,
}

impl Shell {
    async fn create(&self, node: &str, body: &[u8]) {
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let node = format!("{}/{node}", self.base);
        let above = node.rsplit_once('/').unwrap().0;
        self.client.mkdir(above, &options).await.unwrap();
        self.client.create(&node, body, &options).await.unwrap();
    }

    async fn remove(&self, node: &str) {
        let node = format!("{}/{node}", self.base);
        for child in self.client.list_children(&node).await.unwrap() {
            let child = format!("{node}/{child}");
            self.client.delete(&child, None).await.unwrap();
        }
        self.client.delete(&node, None).await.unwrap();
    }
}

async fn shell() -> Option<(Shell, crate::ZooKeeperBackend)> {
    let (server, base) = (ZooKeeper::shared()?.address(), base());
    let backend = open(&format!("zookeeper://{server}{base}"));
    let client = Client::connect(&server).await.unwrap();
    Some((Shell { client, base }, backend))
}

#[tokio::test]
async fn a_person_reads_what_is_there_where_it_is_looked_for() {
    let Some((shell, backend)) = shell().await else {
        return;
    };
    create(&backend, &key("jobs/17"), br#"{"state":"running"}"#).await;
    let node = format!("{}/demo/jobs+17", shell.base);
    let (body, _) = shell.client.get_data(&node).await.unwrap();
    assert_eq!(body, br#"{"state":"running"}"#);
}

#[tokio::test]
async fn a_body_changed_by_hand_is_a_new_version() {
    let Some((shell, backend)) = shell().await else {
        return;
    };
    let first = create(&backend, &key("a"), b"1").await;
    let node = format!("{}/demo/a", shell.base);
    shell
        .client
        .set_data(&node, b"by hand", None)
        .await
        .unwrap();
    assert_eq!(
        swap(&backend, &key("a"), &first, b"2").await,
        Swapped::Conflict
    );
    let found = read(&backend, &key("a")).await.unwrap();
    assert_eq!(found.body, b"by hand");
    let Swapped::Committed(_) = swap(&backend, &key("a"), &found.version, b"2").await else {
        panic!("nobody else writes");
    };
}

#[tokio::test]
async fn a_node_made_by_hand_is_read_listed_and_taken_over_by_the_first_swap() {
    let Some((shell, backend)) = shell().await else {
        return;
    };
    shell.create("demo/a", b"by hand").await;
    shell.create("demo/no key's", b"").await;
    let found = read(&backend, &key("a")).await.unwrap();
    assert_eq!(found.body, b"by hand");
    let listed = backend.list(key("a").group()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].version, found.version);
    let Swapped::Committed(second) = swap(&backend, &key("a"), &found.version, b"2").await else {
        panic!("nobody else writes");
    };
    assert_eq!(read(&backend, &key("a")).await.unwrap().version, second);
    let again = swap(&backend, &key("a"), &found.version, b"late").await;
    assert_eq!(again, Swapped::Conflict);
}

/// ZooKeeper itself would accept the version, since it is 0 each time.
#[tokio::test]
async fn a_node_made_by_hand_again_takes_no_version_of_the_one_before() {
    let Some((shell, backend)) = shell().await else {
        return;
    };
    shell.create("demo/a", b"first").await;
    let first = read(&backend, &key("a")).await.unwrap().version;
    shell.remove("demo/a").await;
    assert_eq!(
        swap(&backend, &key("a"), &first, b"late").await,
        Swapped::Conflict
    );
    shell.create("demo/a", b"second").await;
    assert_eq!(
        swap(&backend, &key("a"), &first, b"late").await,
        Swapped::Conflict
    );
    let second = read(&backend, &key("a")).await.unwrap();
    assert_eq!(second.body, b"second");
    assert_ne!(second.version, first);
    shell.remove("demo/a").await;
    create(&backend, &key("a"), b"third").await;
    for old in [&first, &second.version] {
        assert_eq!(
            swap(&backend, &key("a"), old, b"late").await,
            Swapped::Conflict
        );
    }
    assert_eq!(read(&backend, &key("a")).await.unwrap().body, b"third");
}

/// Many handles swap a bare node at once. One wins, and the outcome it gets is true.
#[tokio::test]
async fn of_many_who_take_over_a_node_made_by_hand_one_wins() {
    let Some((shell, backend)) = shell().await else {
        return;
    };
    shell.create("demo/a", b"by hand").await;
    let bare = read(&backend, &key("a")).await.unwrap().version;
    let server = ZooKeeper::shared().expect("it runs").address();
    let address = format!("zookeeper://{server}{}", shell.base);
    let others: Vec<_> = (0..8).map(|_| open(&address)).collect();
    let key = key("a");
    let swaps = others.iter().map(|other| swap(other, &key, &bare, b"2"));
    let swapped = futures::future::join_all(swaps).await;
    let won: Vec<_> = swapped
        .into_iter()
        .filter(|swapped| *swapped != Swapped::Conflict)
        .collect();
    let [Swapped::Committed(version)] = &won[..] else {
        panic!("{won:?}");
    };
    let Swapped::Committed(_) = swap(&backend, &key, version, b"3").await else {
        panic!("the winner goes on from what it wrote");
    };
}

#[tokio::test]
async fn a_record_with_two_lives_is_erased() {
    let Some((shell, backend)) = shell().await else {
        return;
    };
    let version = create(&backend, &key("a"), b"1").await;
    shell.create("demo/a/life-ffffffffffffffff", b"").await;
    let erased = backend.erase(&key("a"), &version).await.unwrap();
    assert_eq!(erased, Erased::Gone);
    assert_eq!(read(&backend, &key("a")).await, None);
}

#[tokio::test]
async fn a_record_with_a_foreign_child_is_kept_and_not_refused_for_ever() {
    let Some((shell, backend)) = shell().await else {
        return;
    };
    let version = create(&backend, &key("a"), b"1").await;
    shell.create("demo/a/note", b"").await;
    let erased = backend.erase(&key("a"), &version).await.unwrap();
    assert_eq!(erased, Erased::Kept);
    assert_eq!(read(&backend, &key("a")).await.unwrap().version, version);
    shell.remove("demo/a/note").await;
    let erased = backend.erase(&key("a"), &version).await.unwrap();
    assert_eq!(erased, Erased::Gone);
}
