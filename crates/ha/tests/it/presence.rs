//! Standbys that are told that the leader has vanished.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use incumbent::backend::{
    Backend, Expected, Failure, Gone, GroupName, Key, Limits, Listed, Nonce, Presence, Stored,
    Swapped, Unread, WatchStream,
};
use incumbent::{
    Clock, Epoch, Error, Group, Liveness, LostBecause, Options, Store, Timing, TimingOptions,
};
use incumbent_backend_memory::MemoryBackend;
use incumbent_backend_zookeeper::ZooKeeperBackend;
use incumbent_leader_server::{Options as ServerOptions, Server};
use tokio::sync::watch;
use tokio::time::Instant;

use incumbent_servers::{Mode, Proxy};

/// Memory, with presence.
#[derive(Clone)]
struct Seeing {
    memory: MemoryBackend,
    present: watch::Sender<HashSet<Nonce>>,
}

/// Removes its nonce when it is dropped.
struct Shown(Seeing, Nonce);

impl Seeing {
    fn new() -> Self {
        Self {
            memory: MemoryBackend::new(),
            present: watch::Sender::default(),
        }
    }

    fn removes(&self, nonce: Nonce) {
        self.present.send_modify(|present| {
            present.remove(&nonce);
        });
    }

    fn shows(&self, nonce: Nonce) -> bool {
        self.present.borrow().contains(&nonce)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.removes(self.1);
    }
}

#[async_trait]
impl Backend for Seeing {
    fn limits(&self) -> Limits {
        self.memory.limits()
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        self.memory.read(key).await
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        self.memory.swap(key, expected, body).await
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        self.memory.list(group).await
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        self.memory.watch(group)
    }

    fn appear(&self, _group: &GroupName, nonce: Nonce) -> Option<Presence> {
        self.present.send_modify(|present| {
            present.insert(nonce);
        });
        Some(Presence::new(Shown(self.clone(), nonce)))
    }

    fn vanished(&self, _group: &GroupName, nonce: Nonce) -> BoxFuture<'static, Gone> {
        let mut present = self.present.subscribe();
        Box::pin(async move {
            for wanted in [true, false] {
                let found = present.wait_for(|present| present.contains(&nonce) == wanted);
                found.await.expect("the backend is there");
            }
            Gone::Unseen
        })
    }
}

fn node(store: &Store, name: &str, clock: Clock) -> Group {
    let options = Options {
        holder: Some(name.parse().unwrap()),
        clock,
        liveness: Liveness::Off,
        ..Options::default()
    };
    store.group_with("demo", options).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_from_a_leader_that_vanished_and_nothing_else_tells_of() {
    let seeing = Seeing::new();
    let store = Store::on(seeing.clone());
    let [a, b] = ["a", "b"].map(|name| node(&store, name, Clock::tokio()));
    let old = a.candidate().unwrap().campaign().await;
    let nonce = old.seal().nonce;
    let mut record = old.open::<u64>(&"count".parse().unwrap()).await.unwrap();
    let candidate = b.candidate().unwrap();
    let campaign = tokio::spawn(async move { candidate.campaign().await });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!campaign.is_finished() && seeing.shows(nonce));
    let start = Instant::now();
    seeing.removes(nonce);
    let new = campaign.await.unwrap();
    assert_eq!(new.epoch(), Epoch::new(2));
    assert!(start.elapsed() < Duration::from_millis(100), "no lease");
    new.open::<u64>(&"count".parse().unwrap()).await.unwrap();
    assert!(matches!(record.commit(1).await, Err(Error::Fenced { .. })));
    let why = old.lost().await;
    assert!(matches!(why, LostBecause::Superseded(epoch) if epoch == Epoch::new(2)));
}

/// Work may go on when the term is over, until the leadership is dropped.
#[tokio::test(start_paused = true)]
async fn a_leader_is_shown_until_its_work_has_ended() {
    let seeing = Seeing::new();
    let store = Store::on(seeing.clone());
    let a = node(&store, "a", Clock::tokio());
    let leadership = a.candidate().unwrap().campaign().await;
    let nonce = leadership.seal().nonce;
    let root = Key::root("demo".parse().unwrap());
    assert!(seeing.memory.remove_by_hand(&root));
    assert_eq!(leadership.lost().await, LostBecause::RootGone);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(seeing.shows(nonce));
    drop(leadership);
    let mut present = seeing.present.subscribe();
    let gone = present.wait_for(|present| !present.contains(&nonce));
    gone.await.unwrap();
}

/// On the leader server, which is asked for sessions of two seconds; the lease is two minutes.
#[tokio::test]
async fn a_leader_that_is_cut_off_is_replaced_after_its_session_and_cannot_write() {
    let mut options = ServerOptions::local();
    options.machine.min_session_timeout = Duration::from_millis(500);
    let server = Server::bind(options).await.unwrap();
    let address = server.addresses()[0];
    tokio::spawn(server.run(std::future::pending()));
    let proxy = Proxy::to(address).await;
    let open = async |at: String| {
        let address = format!("zookeeper://{at}/demo?presence=on&session-timeout=2s");
        Store::on(ZooKeeperBackend::open(&address.parse().unwrap()).unwrap())
    };
    let far = open(proxy.address()).await;
    let near = open(address.to_string()).await;
    let timing = Timing::new(TimingOptions::for_lease(Duration::from_secs(120))).unwrap();
    let [a, b] = [(&far, "a"), (&near, "b")].map(|(store, name)| {
        let options = Options {
            holder: Some(name.parse().unwrap()),
            timing,
            liveness: Liveness::Off,
            ..Options::default()
        };
        store.group_with("demo", options).unwrap()
    });
    let name = "count".parse().unwrap();
    let old = a.candidate().unwrap().campaign().await;
    let mut record = old.open::<u64>(&name).await.unwrap();
    record.commit(1).await.unwrap();
    let candidate = b.candidate().unwrap();
    let mut campaign = tokio::spawn(async move { candidate.campaign().await });
    // The standby has to have seen it before.
    let waited = tokio::time::timeout(Duration::from_secs(3), &mut campaign);
    assert!(waited.await.is_err(), "it lives");
    let start = Instant::now();
    proxy.set(Mode::Stalled);
    let new = tokio::time::timeout(Duration::from_secs(60), campaign);
    let new = new.await.expect("long before the lease ends").unwrap();
    println!("taken over {:?} after it was cut off", start.elapsed());
    assert!(old.guard().is_valid(), "it knows nothing of it yet");
    let mut opened = new.open::<u64>(&name).await.unwrap();
    assert_eq!(opened.data(), Some(&1));
    proxy.set(Mode::Open);
    let refused = async {
        loop {
            match record.commit(2).await {
                Ok(()) => panic!("it is fenced"),
                Err(Error::Fenced { .. }) => return,
                // Its connection is not back yet.
                Err(_) => {
                    while record
                        .reopen()
                        .await
                        .is_err_and(|error| !matches!(error, Error::Fenced { .. }))
                    {
                    }
                }
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(60), refused);
    refused.await.expect("it is refused");
    opened.commit(3).await.unwrap();
}
