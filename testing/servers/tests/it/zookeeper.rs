//! A real ZooKeeper starts, stops and restarts.

use std::time::Duration;

use incumbent_servers::zookeeper::{Options, ZooKeeper};

#[test]
fn it_serves_and_is_gone_when_it_is_dropped() {
    let Some(server) = ZooKeeper::start(Options::default().config("tickTime=700")) else {
        return;
    };
    assert_eq!(server.ask("ruok").unwrap(), "imok");
    assert!(server.ask("conf").unwrap().contains("tickTime=700"));
    let (socket, data) = (server.socket(), server.data_dir().to_owned());
    assert!(data.exists());
    drop(server);
    assert!(std::net::TcpStream::connect(socket).is_err());
    assert!(!data.exists());
}

#[test]
fn it_comes_back_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::default().data_dir(directory.path().join("data"));
    let Some(server) = ZooKeeper::start(options) else {
        return;
    };
    let (address, pid) = (server.address(), server.pid());
    server.kill();
    assert!(server.ask("ruok").is_err());
    server.restart();
    assert_eq!(server.ask("ruok").unwrap(), "imok");
    assert_eq!(server.address(), address);
    assert_ne!(server.pid(), pid);
    drop(server);
    assert!(directory.path().join("data/version-2").exists());
}

#[test]
fn paused_it_answers_nothing_and_resumed_it_does() {
    let Some(server) = ZooKeeper::start(Options::default()) else {
        return;
    };
    server.pause();
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| server.ask("ruok"));
        std::thread::park_timeout(Duration::from_millis(100));
        assert!(!asked.is_finished());
        server.resume();
        asked.join().unwrap()
    });
    assert_eq!(asked.unwrap(), "imok");
}
