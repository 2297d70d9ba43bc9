//! A body that is too long, and a store that is full.

use incumbent_backend::{Backend, Erased, Expected, Failure, Swapped, causes};
use incumbent_servers::etcd::{Etcd, Options};

use crate::{base, create, key, open, read, swap};

#[tokio::test]
async fn a_body_that_the_servers_do_not_take_is_not_written_and_says_which_limit() {
    for options in [
        // Two limits apply: etcd's own, and gRPC's, which is half a MiB above it.
        Options::default().argument("--max-request-bytes=10000"),
        Options::default().argument("--max-request-bytes=600000"),
    ] {
        let Some(server) = Etcd::start(options) else {
            return;
        };
        let backend = open(&format!("etcd://{}{}", server.address(), base()));
        let largest = vec![b'x'; backend.limits().largest_body];
        let version = create(&backend, &key("a"), b"1").await;
        for body in [&largest[..], &largest[..610_000]] {
            let swapped = backend.swap(&key("a"), Expected::At(&version), body).await;
            let Err(Failure::NotApplied(why)) = swapped else {
                panic!("{swapped:?}");
            };
            let why = causes(&*why);
            assert!(why.contains("--max-request-bytes"), "{why}");
        }
        assert_eq!(read(&backend, &key("a")).await.unwrap().version, version);
    }
}

/// etcd applies the transaction that uses the last room, and answers as if it had not.
#[tokio::test]
async fn a_store_that_is_full_says_what_to_do_and_takes_no_write_for_not_done() {
    let options = Options::default().argument("--quota-backend-bytes=16777216");
    let Some(server) = Etcd::start(options) else {
        return;
    };
    let backend = open(&format!("etcd://{}", server.address()));
    let key = key("a");
    let body = vec![b'x'; backend.limits().largest_body];
    let mut version = create(&backend, &key, b"1").await;
    let other = self::key("b");
    let of_other = create(&backend, &other, b"1").await;
    let why = loop {
        match backend.swap(&key, Expected::At(&version), &body).await {
            Ok(Swapped::Committed(next)) => version = next,
            Err(Failure::Unknown(why)) => break causes(&*why),
            other => panic!("{other:?}"),
        }
    };
    assert!(why.contains("alarm disarm"), "{why}");
    // Reads still work, and so do requests that free room.
    let found = read(&backend, &key).await.unwrap();
    let swapped = backend.swap(&key, Expected::At(&found.version), b"2").await;
    assert!(matches!(swapped, Err(Failure::Unknown(_))), "{swapped:?}");
    assert_eq!(read(&backend, &key).await.unwrap(), found);
    let erased = backend.erase(&other, &of_other).await.unwrap();
    assert_eq!(erased, Erased::Gone);
    // Follows the advice in the error message.
    let revision = found.version.as_str().split_once(':').unwrap().1;
    server.ctl(&["compaction", revision]).unwrap();
    server.ctl(&["defrag"]).unwrap();
    server.ctl(&["alarm", "disarm"]).unwrap();
    let Swapped::Committed(_) = swap(&backend, &key, &found.version, b"3").await else {
        panic!("nobody else writes");
    };
}
