//! Logins by digest.

use incumbent_backend::{Backend, Expected, Failure, Unread};
use incumbent_servers::zookeeper::ZooKeeper;
use tokio::time::timeout;
use zookeeper_client::Client;

use crate::logs::Log;
use crate::{IN_TIME, base, create, key, open, read};

#[tokio::test]
async fn who_logs_in_shares_with_nobody_else_and_the_password_is_not_shown() {
    let Some(server) = ZooKeeper::shared() else {
        return;
    };
    let (log, _guard) = Log::begin();
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

/// Asks until the server answers, and its answer is a refusal.
async fn refused<F: Future<Output = String>>(ask: impl Fn() -> F) {
    let refused = async { while !ask().await.contains("refused at") {} };
    timeout(IN_TIME, refused).await.expect("it is refused");
}
