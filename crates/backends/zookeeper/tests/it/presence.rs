//! Presence of holders, on a real ZooKeeper and on the leader server.

use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use incumbent_backend::{Backend, Gone, GroupName, Nonce, Presence};
use incumbent_backend_zookeeper::ZooKeeperBackend;
use incumbent_leader_server as ours;
use incumbent_servers::free_port;
use incumbent_servers::zookeeper::{Options, ZooKeeper};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout};
use zookeeper_client::Client;

use crate::{IN_TIME, base, create, key, open, read};
use incumbent_servers::{Mode, Proxy};

/// Longer than any grace period after which an absent holder is reported as gone.
const LONG_ENOUGH: Duration = Duration::from_millis(3_500);

/// Set for the process that this test starts from its own binary. Its value is the address on which
/// that process appears.
const HOLD: &str = "INCUMBENT_TEST_HOLD";

const NONCE: Nonce = Nonce::new(0xabc);

fn group() -> GroupName {
    "demo".parse().unwrap()
}

type Going = Pin<Box<dyn Future<Output = Gone> + Send>>;

/// Either server. It can be restarted with its sessions.
enum Server {
    Real(Arc<ZooKeeper>),
    Ours(Box<Ours>),
}

impl Server {
    async fn each() -> Vec<Self> {
        let mut servers = vec![Self::Ours(Box::new(Ours::start(true, None).await))];
        let real = ZooKeeper::start(Options::default().config("tickTime=100"));
        servers.extend(real.map(|server| Self::Real(Arc::new(server))));
        servers
    }

    fn socket(&self) -> SocketAddr {
        match self {
            Self::Real(server) => server.socket(),
            Self::Ours(server) => server.address,
        }
    }

    async fn restart(&mut self) {
        match self {
            Self::Real(server) => {
                let server = Arc::clone(server);
                spawn_blocking(move || server.restart()).await.unwrap();
            }
            Self::Ours(server) => server.restart().await,
        }
    }
}

/// The leader server, in this process.
struct Ours {
    options: ours::Options,
    address: SocketAddr,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    _kept: Option<tempfile::TempDir>,
}

impl Ours {
    async fn start(kept: bool, disconnect_grace: Option<Duration>) -> Self {
        let kept = kept.then(|| tempfile::tempdir().unwrap());
        let mut options = ours::Options::local();
        // Do not take a port from the ephemeral range: while no server listens there, a client may
        // connect to itself.
        options.listen[0].set_port(free_port().unwrap());
        options.data_dir = kept.as_ref().map(|dir| dir.path().to_owned());
        options.machine.min_session_timeout = Duration::from_millis(500);
        options.machine.disconnect_grace = disconnect_grace;
        let mut server = Self {
            address: options.listen[0],
            options,
            running: None,
            _kept: kept,
        };
        server.begin().await;
        server
    }

    async fn begin(&mut self) {
        let server = ours::Server::bind(self.options.clone()).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(async { server.run(stopped).await.unwrap() });
        self.running = Some((stop, serving));
    }

    async fn restart(&mut self) {
        let (stop, serving) = self.running.take().unwrap();
        stop.send(()).unwrap();
        serving.await.unwrap();
        self.begin().await;
    }
}

fn at(socket: impl std::fmt::Display, base: &str, more: &str) -> ZooKeeperBackend {
    open(&format!("zookeeper://{socket}{base}?presence=on{more}"))
}

/// Watches the holder, starting from when it was seen.
async fn watched(standby: &ZooKeeperBackend, by_hand: &Client, base: &str) -> Going {
    let mut gone = standby.vanished(&group(), NONCE).boxed();
    let node = format!("{base}/demo/@present/{NONCE}");
    let seen = async {
        loop {
            let (found, watcher) = by_hand.check_and_watch_stat(&node).await.unwrap();
            if found.is_some() {
                return;
            }
            watcher.changed().await;
        }
    };
    timeout(IN_TIME, seen).await.expect("it is shown");
    // Its own watch fires at the same time, on another connection.
    let early = timeout(LONG_ENOUGH / 2, &mut gone).await;
    assert!(early.is_err(), "it has only just appeared");
    gone
}

async fn still(gone: &mut Going, why: &str) {
    assert!(timeout(LONG_ENOUGH, gone).await.is_err(), "{why}");
}

#[tokio::test]
async fn a_holder_that_lives_is_never_gone_whatever_is_interrupted_and_is_when_it_says_so() {
    for mut server in Server::each().await {
        let base = base();
        let near = Proxy::to(server.socket()).await;
        let far = Proxy::to(server.socket()).await;
        let holder = at(near.address(), &base, "&session-timeout=4s");
        let standby = at(far.address(), &base, "&session-timeout=4s");
        create(&holder, &key("a"), b"").await;
        let presence = holder.appear(&group(), NONCE).expect("it is on");
        let by_hand = Client::connect(&server.socket().to_string()).await.unwrap();
        let mut gone = watched(&standby, &by_hand, &base).await;
        drop(by_hand);
        for _ in 0..5 {
            near.cut();
            read(&holder, &key("a")).await;
            far.cut();
            read(&standby, &key("a")).await;
        }
        still(&mut gone, "connections were cut").await;
        for _ in 0..2 {
            server.restart().await;
            read(&holder, &key("a")).await;
            read(&standby, &key("a")).await;
            still(&mut gone, "the server was restarted").await;
        }
        let listed = standby.list(&group()).await.unwrap();
        assert_eq!(listed.len(), 1, "what is present is no key: {listed:?}");
        drop(presence);
        timeout(IN_TIME, gone).await.expect("it has gone");
    }
}

/// All sessions have ended, and both sides need a new one.
#[tokio::test]
async fn a_server_that_forgets_its_sessions_does_not_make_a_holder_gone() {
    let mut server = Ours::start(false, None).await;
    let base = base();
    let holder = at(server.address, &base, "");
    let standby = at(server.address, &base, "");
    let _presence = holder.appear(&group(), NONCE).unwrap();
    let by_hand = Client::connect(&server.address.to_string()).await.unwrap();
    let mut gone = watched(&standby, &by_hand, &base).await;
    for _ in 0..3 {
        server.restart().await;
        still(&mut gone, "it has a new session").await;
    }
}

/// As documented: a holder that is cut off looks dead.
#[tokio::test]
async fn a_holder_cut_off_for_longer_than_its_session_is_gone_and_appears_again() {
    for server in Server::each().await {
        let base = base();
        let proxy = Proxy::to(server.socket()).await;
        let holder = at(proxy.address(), &base, "&session-timeout=600ms");
        let standby = at(server.socket(), &base, "");
        let presence = holder.appear(&group(), NONCE).unwrap();
        let by_hand = Client::connect(&server.socket().to_string()).await.unwrap();
        let gone = watched(&standby, &by_hand, &base).await;
        proxy.set(Mode::Stalled);
        timeout(IN_TIME, gone).await.expect("its session is over");
        proxy.set(Mode::Open);
        let mut gone = watched(&standby, &by_hand, &base).await;
        drop(presence);
        timeout(IN_TIME, &mut gone).await.expect("it has gone");
    }
}

#[tokio::test]
async fn who_was_never_seen_is_never_gone_and_nobody_is_shown_unasked() {
    let server = Ours::start(false, None).await;
    let base = base();
    let standby = at(server.address, &base, "");
    create(&standby, &key("a"), b"").await;
    still(&mut standby.vanished(&group(), NONCE), "it never came").await;
    for option in ["", "?presence=off"] {
        let usual = open(&format!("zookeeper://{}{base}{option}", server.address));
        assert!(usual.appear(&group(), NONCE).is_none());
        let presence = standby.appear(&group(), NONCE).unwrap();
        let by_hand = Client::connect(&server.address.to_string()).await.unwrap();
        let mut blind = usual.vanished(&group(), NONCE);
        let gone = watched(&standby, &by_hand, &base).await;
        drop(presence);
        timeout(IN_TIME, gone).await.expect("it has gone");
        still(&mut blind, "it was not asked to look").await;
    }
}

/// Not a test of its own: the code of the process that is killed or stopped.
#[tokio::test]
async fn holds_until_killed() {
    let Ok(address) = std::env::var(HOLD) else {
        return;
    };
    let holder = open(&address);
    let _presence: Presence = holder.appear(&group(), NONCE).unwrap();
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nholds").unwrap();
    out.flush().unwrap();
    drop(out);
    std::future::pending::<()>().await;
}

struct Holder(Child);

impl Holder {
    fn start(address: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["presence::holds_until_killed", "--exact", "--nocapture"])
            .env(HOLD, address)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "holds"));
        Self(child)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_holder_that_is_killed_is_gone_and_so_is_one_that_is_stopped_for_long() {
    let grace = Duration::from_millis(500);
    let mut servers = Server::each().await;
    servers.push(Server::Ours(Box::new(
        Ours::start(false, Some(grace)).await,
    )));
    for server in &servers {
        let quick = matches!(server, Server::Ours(server) if server.options.machine.disconnect_grace.is_some());
        for signal in [Signal::KILL, Signal::STOP] {
            let base = base();
            let session = if quick { "40s" } else { "1s" };
            // A stopped process closes nothing, so only its silence shows.
            let session = if signal == Signal::STOP {
                "1s"
            } else {
                session
            };
            let address = format!(
                "zookeeper://{}{base}?presence=on&session-timeout={session}",
                server.socket()
            );
            let started = address.clone();
            let holder = spawn_blocking(move || Holder::start(&started))
                .await
                .unwrap();
            let standby = at(server.socket(), &base, "");
            let by_hand = Client::connect(&server.socket().to_string()).await.unwrap();
            let gone = watched(&standby, &by_hand, &base).await;
            let begun = Instant::now();
            holder.signal(signal);
            timeout(IN_TIME, gone).await.expect("it has gone");
            let took = begun.elapsed();
            let server = match server {
                Server::Real(_) => "ZooKeeper",
                Server::Ours(_) if quick => "ours, with a grace of 500 ms",
                Server::Ours(_) => "ours",
            };
            println!("{server}, {signal:?}, a session of {session}: gone after {took:?}");
            assert!(took < Duration::from_secs(30), "{took:?}");
        }
    }
}
