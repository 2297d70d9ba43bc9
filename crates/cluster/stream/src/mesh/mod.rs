//! The connections between the ranks of a job, and timely's channels on top of them.
//!
//! timely's own start-up trusts anyone who connects: a port scan ends it, and a silent connection
//! blocks it. So the sockets are made here. Rank `i` dials every `j < i` and accepts every `j > i`;
//! both sides of a connection say who they are before it counts ([`Greeting`]).
//!
//! Start with [`Mesh::meet`]. `greeting.rs` is what they say, `dial.rs` and `accept.rs` are the two
//! sides, `wiring.rs` hands the sockets over.

mod accept;
mod dial;
mod greeting;
mod socket;
#[cfg(test)]
mod tests;
mod wiring;

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use self::accept::Accepting;
use self::dial::dial;
pub(crate) use self::greeting::Greeting;
pub(crate) use self::socket::listen;
pub(crate) use self::wiring::{Channels, threads};
use crate::{Error, Result};

/// How long after the rendezvous all ranks must be connected. All listen by then, so it takes
/// milliseconds; a rank that cannot be reached in this time will not be.
pub(crate) const MEETING_TIME: Duration = Duration::from_secs(10);

/// How long the other side of a connection may take to say who it is.
const GREETING_TIME: Duration = Duration::from_secs(1);

/// The connections of one rank: one to each other rank.
#[derive(Debug)]
pub(crate) struct Mesh {
    rank: u32,
    /// By rank; none to itself.
    sockets: Vec<Option<TcpStream>>,
}

/// What the threads that make connections report.
#[derive(Debug)]
enum News {
    /// This rank is connected.
    Met(u32, TcpStream),
    /// It is not, yet.
    NotYet(u32, String),
    /// It is one of this attempt, and runs another program: waiting does not help.
    OtherProgram(u32),
}

impl Mesh {
    /// Connects to all other ranks, whose addresses are `peers`. Anyone else who connects meanwhile
    /// is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Peers`]: a rank was not reached within `within`. [`Error::Malformed`]: a rank runs
    /// another program than this one.
    pub(crate) fn meet(
        listener: TcpListener,
        greeting: Greeting,
        peers: &[String],
        within: Duration,
    ) -> Result<Self> {
        let rank = greeting.rank;
        let (tell, news) = channel();
        let until = now() + within;
        let _accepting = Accepting::start(listener, greeting.clone(), tell.clone())?;
        for (peer, address) in (0..rank).zip(peers) {
            dial(peer, address.clone(), greeting.clone(), until, tell.clone())?;
        }
        let mut sockets: Vec<Option<TcpStream>> = (0..greeting.tasks).map(|_| None).collect();
        let mut last = vec![String::new(); sockets.len()];
        let mut missing = sockets.len().saturating_sub(1);
        while missing > 0 {
            let left = until.saturating_duration_since(now());
            match news.recv_timeout(left) {
                Ok(News::Met(peer, socket)) => {
                    let place = &mut sockets[peer as usize];
                    // The first one counts: its peer has taken it too.
                    if place.is_none() {
                        *place = Some(socket);
                        missing -= 1;
                    }
                }
                Ok(News::NotYet(peer, why)) => last[peer as usize] = why,
                Ok(News::OtherProgram(peer)) => {
                    return Err(Error::Malformed(vec![format!(
                        "rank {peer} runs another executable than rank {rank}: all tasks of a job \
                         run the same file"
                    )]));
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(Error::Peers(
                        absent(rank, &sockets, peers, &last, within).into(),
                    ));
                }
            }
        }
        Ok(Self { rank, sockets })
    }
}

/// Who is missing, in words.
fn absent(
    rank: u32,
    sockets: &[Option<TcpStream>],
    peers: &[String],
    last: &[String],
    within: Duration,
) -> String {
    let missing = (0u32..)
        .zip(sockets)
        .filter(|(peer, socket)| *peer != rank && socket.is_none());
    let each = missing.map(|(peer, _)| {
        let at = peers.get(peer as usize).map_or("?", String::as_str);
        match last[peer as usize].as_str() {
            _ if peer > rank => format!("rank {peer} at {at} did not connect to this one"),
            "" => format!("rank {peer} at {at} was not reached"),
            why => format!("rank {peer} at {at} was not reached: {why}"),
        }
    });
    let each: Vec<_> = each.collect();
    format!("within {} s, {}", within.as_secs_f32(), each.join("; "))
}

#[expect(
    clippy::disallowed_methods,
    reason = "connections are made within a time, and what waits for them is not simulated"
)]
fn now() -> Instant {
    Instant::now()
}
