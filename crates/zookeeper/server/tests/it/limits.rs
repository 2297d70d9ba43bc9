//! Everything has a limit. Reaching it harms no other client, and stops growth only.

use incumbent_leader_server::Options;
use incumbent_zk_proto::{Acl, Code, Create, CreateKind, Id, Request, perms};

use crate::harness::{
    EPHEMERAL, LONG_MS, Running, ask, create, create_with, done, is_there, kept_in, set, soon,
    until,
};
use crate::raw::{Raw, greeting};

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let options = Options {
        max_connections_per_address: 3,
        ..Options::local()
    };
    at_most_three(options).await;
}

#[tokio::test]
async fn there_are_only_so_many_connections() {
    let options = Options {
        max_connections_per_address: 0,
        max_connections: 3,
        ..Options::local()
    };
    at_most_three(options).await;
}

async fn at_most_three(options: Options) {
    let server = Running::start(options).await;
    let mut probe = server.client().await;
    let second = server.client().await;
    // Also a connection that has sent nothing yet.
    let silent = Raw::connect(server.address).await;
    let mut refused = Raw::connect(server.address).await;
    refused.send(&greeting(LONG_MS)).await;
    assert_eq!(refused.closed().await, b"");
    refused
        .closed_because("wants a new session, and the limit of connections")
        .await;
    done(&mut probe, &create("/n")).await;
    // A limit stops growth: a client comes back to its session, and a monitor gets its answer.
    let back = server.come_back(second.granted()).await.unwrap();
    drop(second);
    let said = soon(incumbent_zk_probe::four_letter_word(server.address, "srvr")).await;
    assert!(said.unwrap().contains("Mode: standalone"));
    drop((back, silent));
    let address = server.address;
    let again = async {
        loop {
            let request = incumbent_zk_probe::new_session(LONG_MS);
            if let Ok(probe) = incumbent_zk_probe::Probe::connect(address, &request).await {
                return probe;
            }
        }
    };
    done(&mut soon(again).await, &create("/m")).await;
}

#[tokio::test]
async fn there_are_only_so_many_sessions() {
    let mut options = Options::local();
    options.machine.max_sessions = 2;
    let server = Running::start(options).await;
    let (first, mut second) = (server.client().await, server.client().await);
    let mut refused = Raw::connect(server.address).await;
    refused.send(&greeting(LONG_MS)).await;
    assert_eq!(refused.closed().await, b"");
    refused.closed_because("the limit of 2 sessions").await;
    // Clients with a session may come back.
    let granted = first.granted().clone();
    drop(first);
    let first = server.come_back(&granted).await.unwrap();
    soon(first.close()).await.unwrap();
    server.client().await;
    done(&mut second, &create("/on")).await;
}

#[tokio::test]
async fn nodes_and_memory_are_limited_and_deleting_makes_room() {
    let mut options = Options::local();
    options.machine.max_nodes = 6;
    let server = Running::start(options).await;
    let mut probe = server.client().await;
    done(&mut probe, &create("/1")).await;
    done(&mut probe, &create_with("/2", EPHEMERAL, b"")).await;
    let refused = ask(&mut probe, &create("/3")).await;
    assert_eq!(refused, Err(Code::QuotaExceeded));
    done(&mut probe, &crate::harness::delete("/1")).await;
    done(&mut probe, &create("/3")).await;

    let mut options = Options::local();
    options.machine.max_bytes = 100_000;
    let server = Running::start(options).await;
    let mut probe = server.client().await;
    let large = vec![b'x'; 60_000];
    done(&mut probe, &create_with("/n", 0, &large)).await;
    let refused = ask(&mut probe, &create_with("/m", 0, &large)).await;
    assert_eq!(refused, Err(Code::QuotaExceeded));
    done(&mut probe, &set("/n", b"")).await;
    done(&mut probe, &create_with("/m", 0, &large)).await;
}

#[tokio::test]
async fn one_connection_watches_only_so_much() {
    let mut options = Options::local();
    options.machine.max_watches = 10;
    let server = Running::start(options).await;
    let (mut probe, mut other) = (server.client().await, server.client().await);
    let watch = |path| Request::Exists { path, watch: true };
    let paths: Vec<_> = (0..11).map(|index| format!("/{index}")).collect();
    for path in &paths[..10] {
        assert_eq!(ask(&mut probe, &watch(path)).await, Err(Code::NoNode));
    }
    let refused = ask(&mut probe, &watch(&paths[10])).await;
    assert_eq!(refused, Err(Code::QuotaExceeded));
    let free = ask(&mut other, &watch(&paths[10])).await;
    assert_eq!(free, Err(Code::NoNode));
    drop(probe);
    let monitor = server.monitor.clone();
    until("its watches are gone", || {
        monitor.report().summary.watches == 1
    })
    .await;
}

fn with_list<'a>(path: &'a str, acl: &[Acl]) -> Request<'a> {
    Request::Create(Create {
        path,
        data: None,
        acl: acl.to_vec(),
        flags: 0,
        kind: CreateKind::Plain,
    })
}

fn entry(scheme: &str, id: String) -> Acl {
    Acl {
        perms: perms::ALL,
        id: Id {
            scheme: scheme.into(),
            id,
        },
    }
}

#[tokio::test]
async fn a_change_that_becomes_too_large_for_the_log_is_refused_and_the_server_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(kept_in(dir.path())).await;
    let mut probe = server.client().await;
    for user in 0..60 {
        let auth = format!("user{user}:{}", "p".repeat(1000));
        let auth = auth.as_bytes();
        let scheme = "digest";
        done(&mut probe, &Request::Auth { scheme, auth }).await;
    }
    // In the log, each of these becomes sixty.
    let mine = [entry("auth", String::new())];
    let paths: Vec<_> = (0..900).map(|index| format!("/{index}")).collect();
    let all = paths.iter().map(|path| with_list(path, &mine)).collect();
    let refused = ask(&mut probe, &Request::Multi(all)).await;
    assert_eq!(refused, Err(Code::QuotaExceeded));
    assert_eq!(server.monitor.report().summary.nodes, 4);
    done(&mut probe, &with_list("/one", &mine)).await;
    server.stop().await;
    let server = Running::start(kept_in(dir.path())).await;
    assert!(is_there(&mut server.client().await, "/one").await);
}

#[tokio::test]
async fn nobody_proves_any_number_of_identities() {
    let server = Running::start(Options::local()).await;
    let mut probe = server.client().await;
    let mut count = 0;
    loop {
        let auth = format!("user{count}:secret");
        let auth = auth.as_bytes();
        let scheme = "digest";
        match soon(probe.call(&Request::Auth { scheme, auth }))
            .await
            .unwrap()
            .code()
        {
            None => count += 1,
            Some(code) => break assert_eq!(code, Code::AuthFailed),
        }
        assert!(count < 1000, "there is no limit");
    }
    done(&mut server.client().await, &create("/on")).await;
}

#[tokio::test]
async fn a_list_of_tens_of_thousands_holds_nobody_up() {
    let server = Running::start(Options::local()).await;
    let mut probe = server.client().await;
    let list = |count: u32| -> Vec<_> {
        let address = |index| std::net::Ipv4Addr::from(index).to_string();
        (0..count)
            .map(|index| entry("ip", address(index)))
            .collect()
    };
    let (few, many) = (list(7_500), list(30_000));
    let (_, base) = timed(done(&mut probe, &with_list("/few", &few))).await;
    let (_, took) = timed(done(&mut probe, &with_list("/many", &many))).await;
    // Comparing each entry with each other would take sixteen times as long for four times as many,
    // which is many seconds.
    let most = 8 * base + std::time::Duration::from_secs(2);
    assert!(took < most, "{took:?} after {base:?}");
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, std::time::Duration) {
    let start = tokio::time::Instant::now();
    let done = work.await;
    (done, start.elapsed())
}
