//! Logins by digest.

use incumbent_backend::{Backend, Expected, Failure, GroupName, Key, Rights, Unread};
use incumbent_backend_zookeeper::ZooKeeperBackend;
use incumbent_servers::zookeeper::ZooKeeper;
use tokio::time::timeout;
use zookeeper_client::{Acl, Acls, AuthId, Client, CreateMode, Permission};

use crate::{IN_TIME, base, create, key, open, read};
use incumbent_conformance::log::Log;

#[tokio::test]
async fn who_logs_in_shares_with_nobody_else_and_the_password_is_not_shown() {
    let Some(server) = ZooKeeper::shared() else {
        return;
    };
    let (log, _guard) = Log::begin("");
    let (server, base) = (server.address(), base());
    let with = |login: &str| open(&format!("zookeeper://{login}{server}{base}"));
    let ours = with("alice:s%40cret@");
    let version = create(&ours, &key("a"), b"1").await;
    assert_eq!(
        read(&with("alice:s%40cret@"), &key("a"))
            .await
            .unwrap()
            .version,
        version
    );
    for other in [with(""), with("alice:wrong@"), with("bob:s%40cret@")] {
        refused(|| async {
            match other.read(&key("a")).await {
                Err(Unread::Unavailable(why)) => why.to_string(),
                found => panic!("{found:?}"),
            }
        })
        .await;
        refused(|| async {
            match other.list(key("a").group()).await {
                Err(Unread::Unavailable(why)) => why.to_string(),
                listed => panic!("{listed:?}"),
            }
        })
        .await;
        for (item, at) in [("a", Expected::At(&version)), ("b", Expected::Absent)] {
            refused(|| async {
                match other.swap(&key(item), at, b"2").await {
                    Err(Failure::NotApplied(why) | Failure::Unknown(why)) => why.to_string(),
                    swapped => panic!("{swapped:?}"),
                }
            })
            .await;
        }
    }
    assert_eq!(read(&ours, &key("a")).await.unwrap().body, b"1");
    let client = Client::connector().with_auth("digest", b"alice:s@cret");
    let client = client.connect(&server).await.unwrap();
    let (acls, _) = client.get_acl(&format!("{base}/demo/a")).await.unwrap();
    assert_eq!(acls.len(), 1);
    assert_eq!(acls[0].scheme(), "digest");
    let shown = format!("{ours:?} {:?}", log.lines());
    assert!(
        shown.contains("connected") && !shown.contains("cret"),
        "{shown}"
    );
}

#[tokio::test]
async fn who_could_not_campaign_is_told_before_and_no_record_is_changed() {
    let Some(server) = ZooKeeper::shared() else {
        return;
    };
    let (server, base) = (server.address(), base());
    let with = |login: &str| open(&format!("zookeeper://{login}{server}{base}"));
    let [alice, bob] = ["alice:s%40cret@", "bob:s%40cret@"].map(with);
    let group: GroupName = "demo".parse().unwrap();
    // No node exists yet, and any user may create one.
    assert_eq!(rights(&alice, &group).await, Rights::Granted);
    assert_eq!(alice.groups().await.unwrap(), []);
    let root = Key::root(group.clone());
    let version = create(&alice, &root, b"1").await;
    assert_eq!(rights(&alice, &group).await, Rights::Granted);
    let missing = |rights: Rights, words: &[&str]| match rights {
        Rights::Missing(why) => {
            assert!(words.iter().all(|word| why.contains(word)), "{why}");
            assert!(!why.contains("cret"), "{why}");
        }
        rights => panic!("{rights:?}"),
    };
    missing(
        rights(&bob, &group).await,
        &["\"bob\" may not create", "/demo in"],
    );
    missing(
        rights(&with(""), &group).await,
        &["nobody", "may not create"],
    );
    // A user that may create and read, but not write.
    let client = Client::connector().with_auth("digest", b"alice:s@cret");
    let client = client.connect(&server).await.unwrap();
    let acls = [
        Acl::new(Permission::ALL, AuthId::authed()),
        Acl::new(Permission::READ | Permission::CREATE, AuthId::anyone()),
    ];
    for node in [format!("{base}/demo"), format!("{base}/demo/@root")] {
        client.set_acl(&node, &acls, None).await.unwrap();
    }
    missing(
        rights(&bob, &group).await,
        &["may not write", "/demo/@root"],
    );
    let found = read(&alice, &root).await.unwrap();
    assert_eq!((found.version, &*found.body), (version, &b"1"[..]));
    let children = client.list_children(&format!("{base}/demo")).await.unwrap();
    assert_eq!(children, ["@root"]);
    // A parent node that is read-only.
    let closed = format!("{base}/closed");
    let open_to_read = [Acl::new(Permission::READ, AuthId::anyone())];
    let creation = CreateMode::Persistent.with_acls(Acls::from(&open_to_read[..]));
    client.create(&closed, b"", &creation).await.unwrap();
    let below = open(&format!("zookeeper://{server}{closed}"));
    missing(rights(&below, &group).await, &["may not create", &closed]);
}

/// A busy machine may need several calls.
async fn rights(backend: &ZooKeeperBackend, group: &GroupName) -> Rights {
    let asked = async {
        loop {
            if let Ok(rights) = backend.check_rights(group).await {
                return rights;
            }
        }
    };
    timeout(IN_TIME, asked).await.expect("it is answered")
}

/// Repeats a request until the server answers with a refusal.
async fn refused<F: Future<Output = String>>(ask: impl Fn() -> F) {
    let refused = async { while !ask().await.contains("refused at") {} };
    timeout(IN_TIME, refused).await.expect("it is refused");
}
