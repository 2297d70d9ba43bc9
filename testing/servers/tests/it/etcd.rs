//! A real etcd starts, stops and restarts.

use std::net::TcpStream;
use std::time::Duration;

use incumbent_servers::etcd::{Cluster, Etcd, Options};

#[test]
fn it_serves_and_is_gone_when_it_is_dropped() {
    let Some(server) = Etcd::start(Options::default()) else {
        return;
    };
    server.ctl(&["put", "a", "1"]).unwrap();
    assert_eq!(server.ctl(&["get", "a"]).unwrap(), "a\n1\n");
    let socket = server.socket();
    drop(server);
    assert!(TcpStream::connect(socket).is_err());
}

#[test]
fn it_comes_back_where_it_was() {
    let Some(server) = Etcd::start(Options::default()) else {
        return;
    };
    let (address, pid) = (server.address(), server.pid());
    server.ctl(&["put", "a", "1"]).unwrap();
    server.kill();
    assert!(TcpStream::connect(server.socket()).is_err());
    server.restart();
    assert_eq!(server.ctl(&["get", "a"]).unwrap(), "a\n1\n");
    assert_eq!(server.address(), address);
    assert_ne!(server.pid(), pid);
}

#[test]
fn paused_it_answers_nothing_and_resumed_it_does() {
    let Some(server) = Etcd::start(Options::default()) else {
        return;
    };
    server.pause();
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| server.ctl(&["--command-timeout=60s", "get", "a"]));
        std::thread::park_timeout(Duration::from_millis(200));
        assert!(!asked.is_finished());
        server.resume();
        asked.join().unwrap()
    });
    assert_eq!(asked.unwrap(), "");
}

#[test]
fn several_are_one() {
    let Some(servers) = Cluster::start(3, Options::default()) else {
        return;
    };
    servers[0].ctl(&["put", "a", "1"]).unwrap();
    assert_eq!(servers[2].ctl(&["get", "a"]).unwrap(), "a\n1\n");
    assert!(servers.leader().is_some());
}
