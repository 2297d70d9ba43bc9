//! The order in which clients see replies and events.

use std::net::SocketAddr;

use incumbent_leader_server::Options;
use incumbent_zk_probe::Frame;
use incumbent_zk_proto::{Code, EventKind, Request, Response};

use crate::harness::{
    Running, client, create, create_with, data, delete, done, get_data, kept_in, set, soon,
};

/// In memory, and with a directory, where replies wait for the disk.
fn both(dir: &tempfile::TempDir) -> [Options; 2] {
    [Options::local(), kept_in(dir.path())]
}

#[tokio::test]
async fn pipelined_replies_come_in_the_order_of_their_requests() {
    let dir = tempfile::tempdir().unwrap();
    for options in both(&dir) {
        let server = Running::start(options).await;
        let mut probe = server.client().await;
        let mut sent = Vec::new();
        for index in 0..500 {
            let path = format!("/{}", index / 2);
            sent.push(match index % 5 {
                0 => probe.push(&create(&path)),
                1 => probe.push(&get_data(&path)),
                2 => probe.push(&Request::Ping),
                3 => probe.push(&delete("/none")),
                _ => probe.push(&set(&path, b"y")),
            });
        }
        probe.flush().await.unwrap();
        let mut zxid = 0;
        for xid in sent {
            let Frame::Reply(reply) = soon(probe.receive()).await.unwrap() else {
                panic!("nothing is watched")
            };
            assert_eq!(reply.xid, xid);
            assert!(reply.zxid >= zxid);
            zxid = reply.zxid;
        }
    }
}

#[tokio::test]
async fn an_event_comes_before_any_reply_that_shows_its_change() {
    let dir = tempfile::tempdir().unwrap();
    for options in both(&dir) {
        let server = Running::start(options).await;
        let (mut writer, mut reader) = (server.client().await, server.client().await);
        done(&mut writer, &create_with("/n", 0, b"0")).await;
        let mut known = 0;
        for round in 1..200_u32 {
            let get = Request::GetData {
                path: "/n",
                watch: true,
            };
            done(&mut reader, &get).await;
            let text = round.to_string();
            writer.push(&set("/n", text.as_bytes()));
            writer.flush().await.unwrap();
            // Many reads race with the one write.
            for _ in 0..4 {
                reader.push(&get_data("/n"));
            }
            reader.flush().await.unwrap();
            let mut told = false;
            while reader.in_flight() > 0 || !told {
                match soon(reader.receive()).await.unwrap() {
                    Frame::Event(event) => {
                        assert_eq!(event.event.kind, EventKind::DataChanged);
                        told = true;
                    }
                    Frame::Reply(reply) => {
                        let Ok(Response::Data(Some(bytes), _)) = reply.result else {
                            panic!("{reply:?}")
                        };
                        let seen: u32 = std::str::from_utf8(&bytes).unwrap().parse().unwrap();
                        assert!(seen == known || (told && seen == round), "{seen} {told}");
                        assert!(!told || seen == round, "an old state after the event");
                    }
                }
            }
            known = round;
            soon(writer.receive()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_writer_is_told_of_its_own_change_before_it_is_answered() {
    let server = Running::start(Options::local()).await;
    let mut probe = server.client().await;
    let exists = Request::Exists {
        path: "/n",
        watch: true,
    };
    assert_eq!(
        crate::harness::ask(&mut probe, &exists).await,
        Err(Code::NoNode)
    );
    done(&mut probe, &create("/n")).await;
    assert_eq!(probe.take_events().len(), 1);
}

async fn follow(address: SocketAddr, last: u32) {
    let mut probe = client(address).await;
    let mut known = 0;
    while known < last {
        done(&mut probe, &Request::Sync { path: "/n" }).await;
        let bytes = data(&mut probe, "/n").await;
        let now = std::str::from_utf8(&bytes).unwrap().parse().unwrap();
        assert!(now >= known);
        known = now;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_was_answered_the_other_sees_after_a_sync() {
    let dir = tempfile::tempdir().unwrap();
    for options in both(&dir) {
        let server = Running::start(options).await;
        let (mut writer, mut reader) = (server.client().await, server.client().await);
        done(&mut writer, &create_with("/n", 0, b"0")).await;
        let follower = tokio::spawn(follow(server.address, 100));
        for round in 1..=100 {
            let text = round.to_string();
            done(&mut writer, &set("/n", text.as_bytes())).await;
            done(&mut reader, &Request::Sync { path: "/n" }).await;
            assert_eq!(data(&mut reader, "/n").await, text.as_bytes());
        }
        follower.await.unwrap();
    }
}
