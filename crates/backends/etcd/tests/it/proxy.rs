//! A network between a client and a server that can be interrupted.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All passes.
    Open,
    /// What is sent passes, what is answered does not.
    Mute,
    /// Nothing passes, and connections stay.
    Stalled,
    /// All passes on new connections. On those that there are nothing ever passes again, and they
    /// stay.
    Frozen,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy)]
struct State {
    mode: Mode,
    /// Connections of earlier ones end.
    cut: u64,
    /// On connections of earlier ones nothing passes.
    frozen: u64,
}

impl Proxy {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, states) = watch::channel(State {
            mode: Mode::Open,
            cut: 0,
            frozen: 0,
        });
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connection(near, server, states.clone()));
            }
        });
        Self { address, state }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.state.send_modify(|state| {
            state.mode = mode;
            if mode == Mode::Frozen {
                (state.mode, state.frozen) = (Mode::Open, state.frozen + 1);
            }
        });
    }

    /// Ends all connections that there are.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.cut += 1);
    }
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
