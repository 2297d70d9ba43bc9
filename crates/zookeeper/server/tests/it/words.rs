//! Four-letter words.

use incumbent_leader_server::Options;
use incumbent_zk_probe::four_letter_word;
use incumbent_zk_proto::Request;

use crate::harness::{EPHEMERAL, Running, create_with, done, get_data, kept_in, soon};

const ALL: &[&str] = &[
    "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst",
    "srvr", "stat", "stmk", "wchc", "wchp", "wchs",
];

async fn word(server: &Running, word: &str) -> String {
    soon(four_letter_word(server.address, word)).await.unwrap()
}

#[tokio::test]
async fn every_word_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        words: vec!["*".into()],
        ..kept_in(dir.path())
    };
    let server = Running::start(options).await;
    let mut probe = server.client().await;
    done(&mut probe, &create_with("/mine", EPHEMERAL, b"")).await;
    let path = "/mine";
    done(&mut probe, &Request::Exists { path, watch: true }).await;
    done(&mut probe, &get_data(path)).await;
    let session = format!("0x{:x}", probe.granted().session);
    let port = format!("clientPort={}", server.address.port());
    let dir_name = dir.path().to_str().unwrap();
    for (name, expected) in [
        ("ruok", &["imok"][..]),
        ("isro", &["rw"]),
        (
            "conf",
            &[
                &port,
                dir_name,
                "maxClientCnxns=60",
                "maxSessionTimeout=40000",
            ],
        ),
        ("cons", &["/127.0.0.1:", "recved="]),
        ("dirs", &["datadir_size: ", "logdir_size: "]),
        (
            "dump",
            &[&session, "/mine", "Sessions with Ephemerals (1):"],
        ),
        ("envi", &["Environment:", "zookeeper.version="]),
        (
            "mntr",
            &[
                "zk_server_state\tstandalone",
                "zk_version\t3.9.0-incumbent-",
                // The four nodes that always exist, the root twice, and that of the client.
                "zk_znode_count\t6",
                "zk_watch_count\t1",
                "zk_ephemerals_count\t1",
                // That of the client, and the one that asks.
                "zk_num_alive_connections\t2",
            ],
        ),
        (
            "srvr",
            &[
                "Zookeeper version: 3.",
                "Mode: standalone",
                ", built on 20",
                "Node count: 6",
                "Connections: 2",
            ],
        ),
        ("stat", &["Clients:", "/127.0.0.1:", "Mode: standalone"]),
        ("wchc", &[&session, "\t/mine"]),
        ("wchp", &["/mine", &format!("\t{session}")]),
        (
            "wchs",
            &["1 connections watching 1 paths", "Total watches:1"],
        ),
        ("crst", &["Connection stats reset."]),
        ("srst", &["Server stats reset."]),
    ] {
        let said = word(&server, name).await;
        for part in expected {
            assert!(said.contains(part), "{name}: {part:?} is not in {said:?}");
        }
        assert!(ALL.contains(&name));
    }
    // The numbers start anew, and connected clients continue.
    assert!(word(&server, "srvr").await.contains("Received: 0"));
    done(&mut probe, &get_data(path)).await;
    assert!(word(&server, "srvr").await.contains("Received: 1"));
}

#[tokio::test]
async fn what_is_not_on_the_list_is_refused() {
    let server = Running::start(Options::local()).await;
    assert!(word(&server, "srvr").await.contains("Mode: standalone"));
    for name in ALL.iter().filter(|name| **name != "srvr") {
        let said = word(&server, name).await;
        let refusal = format!("{name} is not executed because it is not in the whitelist.\n");
        assert_eq!(said, refusal);
    }
}

#[tokio::test]
async fn words_that_nothing_answers_are_refused_also_if_all_are_allowed() {
    let options = Options {
        words: vec!["*".into()],
        ..Options::local()
    };
    let server = Running::start(options).await;
    for name in ["gtmk", "hash", "stmk"] {
        assert!(word(&server, name).await.contains("is not executed"));
    }
}

/// Each line has a name and a number, and the numbers count.
#[tokio::test]
async fn exporters_read_numbers_that_count() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options {
        words: vec!["mntr".into()],
        ..kept_in(dir.path())
    };
    options.machine.max_sessions = 3;
    options.machine.min_session_timeout = std::time::Duration::from_millis(2_000);
    let server = Running::start(options).await;
    let mut probe = server.client().await;
    done(&mut probe, &create_with("/n", 0, &[b'x'; 1000])).await;
    for _ in 0..3 {
        done(&mut probe, &get_data("/n")).await;
    }
    let watch = true;
    done(&mut probe, &Request::GetData { path: "/n", watch }).await;
    done(&mut probe, &crate::harness::set("/n", b"y")).await;
    let (scheme, auth) = ("none", &b""[..]);
    let mut stranger = server.client().await;
    let refused = crate::harness::ask(&mut stranger, &Request::Auth { scheme, auth }).await;
    assert!(refused.is_err());
    // This client is silent from now on.
    let silent = server.client_with(2_000).await;
    let full =
        crate::harness::connect(server.address, &incumbent_zk_probe::new_session(2_000)).await;
    assert!(full.is_err());
    let monitor = server.monitor.clone();
    crate::harness::until("it expires", || {
        monitor.report().summary.expired_sessions == 1
    })
    .await;
    drop(silent);

    let said = word(&server, "mntr").await;
    let mut numbers = std::collections::BTreeMap::new();
    for line in said.lines() {
        let (name, value) = line.split_once('\t').unwrap();
        assert!(name.starts_with("zk_"), "{line}");
        if !["zk_version", "zk_server_state"].contains(&name) {
            let number: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            let before = numbers.insert(name.to_owned(), number);
            assert_eq!(before, None, "{name} is there twice");
        }
    }
    let exactly = |name: &str, expected: f64| {
        let found = numbers.get(name).copied();
        assert_eq!(found, Some(expected), "{name} in {said}");
    };
    exactly("zk_auth_failed_count", 1.0);
    exactly("zk_connection_rejected", 1.0);
    exactly("zk_stale_sessions_expired", 1.0);
    exactly("zk_cnt_readlatency", 4.0 + 1.0);
    exactly("zk_cnt_updatelatency", 2.0);
    exactly("zk_local_sessions", 0.0);
    let zxid = u32::try_from(monitor.report().summary.zxid).unwrap();
    exactly("zk_last_processed_zxid", zxid.into());
    let at_least = |name: &str, least: f64| {
        let found = numbers.get(name).copied();
        assert!(
            found.is_some_and(|found| found >= least),
            "{name} in {said}"
        );
    };
    at_least("zk_open_file_descriptor_count", 3.0);
    at_least(
        "zk_max_file_descriptor_count",
        numbers["zk_open_file_descriptor_count"],
    );
    at_least("zk_bytes_received_count", 1000.0);
    at_least("zk_response_bytes", 4000.0);
    at_least("zk_watch_bytes", 20.0);
    at_least("zk_cnt_fsynctime", 2.0);
    for name in ["fsynctime", "readlatency", "updatelatency"] {
        for kind in ["avg", "min", "max", "sum"] {
            at_least(&format!("zk_{kind}_{name}"), 0.0);
        }
    }
}
