//! `kill -9` under load: everything that a client was shown is there afterwards.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use incumbent_zk_probe::{Error, Frame, Probe, again};
use incumbent_zk_proto::{AddMode, ConnectResponse, EventKind, Request, Response};

use crate::child::ServerProcess;
use crate::harness::{EPHEMERAL, client, connect, create, create_with, data, done, set, until};

const WRITERS: u64 = 4;
/// How many requests of a writer are on their way at once.
const DEPTH: usize = 16;

/// What one client was shown.
#[derive(Default)]
struct Shown {
    /// Nodes that existed.
    nodes: Vec<String>,
    /// The highest number that a node had as its data.
    numbers: HashMap<String, u64>,
    /// Sessions, and an ephemeral node of each.
    sessions: Vec<(ConnectResponse, String)>,
}

fn number(bytes: &[u8]) -> u64 {
    std::str::from_utf8(bytes).unwrap().parse().unwrap()
}

/// Writes all the time, and notes what was acknowledged.
async fn write(address: SocketAddr, round: u32, writer: u64, count: Arc<AtomicU64>) -> Shown {
    let mut shown = Shown::default();
    let mut probe = client(address).await;
    let mine = format!("/r{round}-e{writer}");
    done(&mut probe, &create_with(&mine, EPHEMERAL, b"")).await;
    shown.sessions.push((probe.granted().clone(), mine));
    let mut sent = HashMap::new();
    let counter = format!("/w{writer}");
    let mut next = 0_u64;
    loop {
        while probe.in_flight() < DEPTH {
            next += 1;
            if next.is_multiple_of(2) {
                let path = format!("{counter}/r{round}-{next}");
                sent.insert(probe.push(&create(&path)), Ok(path));
            } else {
                // Numbers rise from round to round.
                let value = u64::from(round) * 10_000_000 + next;
                let text = value.to_string();
                sent.insert(probe.push(&set(&counter, text.as_bytes())), Err(value));
            }
        }
        if probe.flush().await.is_err() {
            return shown;
        }
        loop {
            let Ok(frame) = probe.receive().await else {
                return shown;
            };
            let Frame::Reply(reply) = frame else { continue };
            assert!(reply.result.is_ok(), "{reply:?}");
            match sent.remove(&reply.xid).unwrap() {
                Ok(path) => shown.nodes.push(path),
                Err(value) => {
                    shown.numbers.insert(counter.clone(), value);
                }
            }
            count.fetch_add(1, Ordering::Relaxed);
            if !probe.has_frame() {
                break;
            }
        }
    }
}

/// Watches everything, and notes the events.
async fn watch(mut probe: Probe) -> Shown {
    let mut shown = Shown::default();
    loop {
        match probe.receive().await {
            Ok(Frame::Event(event)) if event.event.kind == EventKind::Created => {
                // An event of an ephemeral node says nothing after its session has ended.
                let path = event.event.path.to_string();
                if !path.contains("-e") {
                    shown.nodes.push(path);
                }
            }
            Ok(_) => {}
            Err(_) => return shown,
        }
    }
}

/// Reads what others write, and notes what it sees.
async fn read(address: SocketAddr) -> Shown {
    let mut shown = Shown::default();
    let mut probe = client(address).await;
    loop {
        for writer in 0..WRITERS {
            let path = format!("/w{writer}");
            let get = Request::GetData {
                path: &path,
                watch: false,
            };
            let Ok(reply) = probe.call(&get).await else {
                return shown;
            };
            let Ok(Response::Data(Some(bytes), _)) = reply.result else {
                panic!("{reply:?}")
            };
            let before = shown.numbers.insert(path, number(&bytes));
            assert!(before.is_none_or(|before| before <= number(&bytes)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_shown_is_lost_by_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = ServerProcess::start(Some(dir.path())).await;
    let mut probe = client(server.address).await;
    for writer in 0..WRITERS {
        done(&mut probe, &create_with(&format!("/w{writer}"), 0, b"0")).await;
    }
    drop(probe);
    for round in 1..=4 {
        let count = Arc::new(AtomicU64::new(0));
        let mut watcher = client(server.address).await;
        let everything = Request::AddWatch {
            path: "/",
            mode: AddMode::Recursive,
        };
        done(&mut watcher, &everything).await;
        let mut clients = vec![
            tokio::spawn(watch(watcher)),
            tokio::spawn(read(server.address)),
        ];
        for writer in 0..WRITERS {
            let count = Arc::clone(&count);
            clients.push(tokio::spawn(write(server.address, round, writer, count)));
        }
        until("enough was acknowledged", || {
            count.load(Ordering::Relaxed) > 400 * u64::from(round)
        })
        .await;
        let address = server.address;
        server.kill().await;
        server = ServerProcess::start_at(Some(dir.path()), address).await;
        let mut probe = client(address).await;
        for client in clients {
            check(address, &mut probe, client.await.unwrap()).await;
        }
    }
}

async fn check(address: SocketAddr, probe: &mut Probe, shown: Shown) {
    for paths in shown.nodes.chunks(500) {
        for path in paths {
            probe.push(&Request::Exists { path, watch: false });
        }
        probe.flush().await.unwrap();
        for path in paths {
            let Frame::Reply(reply) = probe.receive().await.unwrap() else {
                panic!("nothing is watched")
            };
            assert!(reply.result.is_ok(), "{path} was shown, and is lost");
        }
    }
    for (path, least) in shown.numbers {
        let now = number(&data(probe, &path).await);
        assert!(now >= least, "{path} was at {least}, and is at {now}");
    }
    for (granted, path) in shown.sessions {
        let back = connect(address, &again(&granted)).await;
        let mut back = back.unwrap_or_else(|error: Error| panic!("{path}: {error}"));
        assert!(crate::harness::is_there(&mut back, &path).await, "{path}");
        back.close().await.unwrap();
        assert!(!crate::harness::is_there(probe, &path).await, "{path}");
    }
}
