//! Four-letter words.

use incumbent_leader_server::Options;
use incumbent_zk_probe::four_letter_word;
use incumbent_zk_proto::Request;

use crate::harness::{EPHEMERAL, Running, create_with, done, get_data, kept_in, soon};

const ALL: &[&str] = &[
    "conf", "cons", "crst", "dirs", "dump", "envi", "isro", "mntr", "ruok", "srst", "srvr", "stat",
    "wchc", "wchp", "wchs",
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
                "zk_znode_count\t5",
                "zk_watch_count\t1",
                "zk_ephemerals_count\t1",
                "zk_num_alive_connections\t1",
            ],
        ),
        (
            "srvr",
            &[
                "Zookeeper version: 3.",
                "Mode: standalone",
                "Node count: 5",
                "Connections: 1",
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
    // The numbers begin anew, and those who are connected go on.
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
