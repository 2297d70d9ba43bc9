//! A network between a client and a server, which a test can interrupt.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

/// The traffic that a [`Proxy`] lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    Open,
    /// Requests, but no answers.
    Mute,
    /// Nothing. Connections stay open.
    Stalled,
    /// Everything on new connections. Existing connections stay open, and pass nothing ever again.
    Frozen,
    /// Accepts new connections and closes them at once.
    Refusing,
}

/// A port of 127.0.0.1 that forwards to a server, as its [`Mode`] allows.
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepted: Arc<Mutex<Vec<Instant>>>,
}

#[derive(Clone, Copy)]
struct State {
    mode: Mode,
    /// Connections with a smaller number are closed.
    cut: u64,
    /// Connections with a smaller number pass nothing.
    frozen: u64,
}

impl Proxy {
    /// Starts a proxy to this server.
    ///
    /// # Panics
    ///
    /// If there is no port to listen on.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let (state, states) = watch::channel(State {
            mode: Mode::Open,
            cut: 0,
            frozen: 0,
        });
        let accepted = Arc::<Mutex<Vec<_>>>::default();
        let times = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                lock(&times).push(Instant::now());
                if states.borrow().mode != Mode::Refusing {
                    tokio::spawn(connection(near, server, states.clone()));
                }
            }
        });
        Self {
            address,
            state,
            accepted,
        }
    }

    /// The address that it listens on.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Changes the mode.
    pub fn set(&self, mode: Mode) {
        self.state.send_modify(|state| {
            state.mode = mode;
            if mode == Mode::Frozen {
                (state.mode, state.frozen) = (Mode::Open, state.frozen + 1);
            }
        });
    }

    /// Closes all existing connections.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cut += 1);
    }

    /// The times at which connections were accepted, oldest first.
    pub fn accepted(&self) -> Vec<Instant> {
        lock(&self.accepted).clone()
    }
}

fn lock(times: &Mutex<Vec<Instant>>) -> MutexGuard<'_, Vec<Instant>> {
    times.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn connection(near: TcpStream, server: SocketAddr, states: watch::Receiver<State>) {
    let Ok(far) = TcpStream::connect(server).await else {
        return;
    };
    let State { cut, frozen, .. } = *states.borrow();
    let mut until_cut = states.clone();
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::select! {
        () = pass(near_read, far_write, states.clone(), frozen, &[Mode::Open, Mode::Mute]) => {}
        () = pass(far_read, near_write, states, frozen, &[Mode::Open]) => {}
        _ = until_cut.wait_for(|state| state.cut > cut) => {}
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut states: watch::Receiver<State>,
    frozen: u64,
    open: &[Mode],
) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut bytes).await else {
            return;
        };
        let opened = states.wait_for(|state| state.frozen == frozen && open.contains(&state.mode));
        if opened.await.is_err() {
            return;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
