//! [`Double`]: the handle of a test.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use hyper::body::Bytes;
use tokio::sync::oneshot;

use crate::ask::Act;
use crate::bucket::Contents;
use crate::fault::{Fault, Faults};
use crate::serve;

/// What kind of store it is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether it ignores `If-None-Match`, as old versions of some stores do.
    pub ignores_conditions: bool,
    /// Most entries in one answer to a listing.
    pub page: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ignores_conditions: false,
            page: 1000,
        }
    }
}

/// A store on a port of 127.0.0.1. Dropping it ends it, and its objects are gone.
///
/// It has a thread of its own, so it answers even while its test blocks.
#[derive(Debug)]
pub struct Double {
    address: SocketAddr,
    world: Arc<World>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What requests share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) options: Options,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) contents: Contents,
    pub(crate) faults: Faults,
    pub(crate) seen: BTreeMap<Act, u64>,
}

impl World {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Double {
    /// Starts a store.
    ///
    /// # Panics
    ///
    /// If no port or no thread can be had.
    pub fn start(options: Options) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port can be bound");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let world = Arc::new(World {
            options,
            state: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let thread = {
            let world = Arc::clone(&world);
            std::thread::spawn(move || serve::run(world, listener, stopped))
        };
        Self {
            address,
            world,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Its endpoint: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The settings by which a client finds it.
    pub fn settings(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.url().as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", crate::ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", "any"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Has requests go wrong.
    pub fn inject(&self, fault: Fault) {
        self.world.state().faults.add(fault);
    }

    /// Lifts all faults.
    pub fn heal(&self) {
        self.world.state().faults.clear();
    }

    /// How many requests of a kind there were, with those that went wrong.
    pub fn seen(&self, act: Act) -> u64 {
        self.world.state().seen.get(&act).copied().unwrap_or(0)
    }

    /// All objects: `bucket/key`.
    pub fn objects(&self) -> Vec<String> {
        self.world
            .state()
            .contents
            .objects
            .keys()
            .cloned()
            .collect()
    }

    /// The content of an object: `bucket/key`.
    pub fn content(&self, path: &str) -> Option<Bytes> {
        let state = self.world.state();
        let object = state.contents.objects.get(path)?;
        Some(object.content.clone())
    }

    /// Uploads in parts that are neither completed nor given up.
    pub fn unfinished(&self) -> usize {
        self.world.state().contents.unfinished()
    }

    /// Deletes everything.
    pub fn wipe(&self) {
        self.world.state().contents.clear();
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
