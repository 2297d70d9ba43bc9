//! Bytes both ways between two connections, until both sides have ended theirs: [`Pipe`].

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use metrics::Counter;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep};

/// How much is read at once, and so how much is on its way here in one direction: with all
/// connections that there may be, 320 MB.
const BUFFER: usize = 16 * 1024;

/// How a pipe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides have ended theirs in good order, or one had ended its own and takes no more.
    Closed,
    /// One side broke off in the middle.
    Broken,
    /// Nothing came for as long as it may be so.
    Idle,
}

/// What has passed.
pub(crate) struct Pipe {
    /// From the client to the leader.
    pub(crate) received: Flow,
    /// From the leader to the client.
    pub(crate) sent: Flow,
    is_half_closed: AtomicBool,
}

/// What has passed in one direction.
pub(crate) struct Flow {
    bytes: AtomicU64,
    total: Counter,
    /// Whether its receiver has broken off. Who writes learns of it first, and only once: who reads
    /// then sees an end.
    is_broken: AtomicBool,
}

impl Pipe {
    pub(crate) fn new() -> Self {
        let flow = |direction| Flow {
            bytes: AtomicU64::new(0),
            total: metrics::counter!("incumbent_gateway_tcp_bytes_total", "direction" => direction),
            is_broken: AtomicBool::new(false),
        };
        Self {
            received: flow("received"),
            sent: flow("sent"),
            is_half_closed: AtomicBool::new(false),
        }
    }

    /// Passes on what comes, and the end of each half. What one side does not take is not read from
    /// the other.
    ///
    /// Silence is looked at now and then: it may last up to twice as long as it should.
    ///
    /// # Cancel safety
    ///
    /// What has been read and not written is lost; the connections are of no use any more.
    pub(crate) async fn run(
        &self,
        client: &mut TcpStream,
        leader: &mut TcpStream,
        (idle, half_closed): (Option<Duration>, Duration),
    ) -> End {
        let (from_client, to_client) = client.split();
        let (from_leader, to_leader) = leader.split();
        let both = async {
            let up = self.one_way((from_client, &self.sent), (to_leader, &self.received));
            let down = self.one_way((from_leader, &self.received), (to_client, &self.sent));
            // Who cannot be read from any more ends both; who takes no more may still have said
            // something.
            futures::try_join!(up, down)
        };
        let mut both = pin!(both);
        let look = idle.map_or(half_closed, |idle| idle.min(half_closed));
        let (mut last, mut since) = (self.moves(), Instant::now());
        loop {
            tokio::select! {
                ended = &mut both => return match ended {
                    Ok(((), ())) => End::Closed,
                    Err(_) => End::Broken,
                },
                () = sleep(look) => {}
            }
            let moves = self.moves();
            if moves != last {
                (last, since) = (moves, Instant::now());
                continue;
            }
            let patience = match self.is_half_closed.load(Ordering::Relaxed) {
                true => Some(look),
                false => idle,
            };
            if patience.is_some_and(|patience| since.elapsed() >= patience) {
                return End::Idle;
            }
        }
    }

    /// Until `from` ends, or `to` takes no more. An error is one of `from`, which gets what flows
    /// `back`: what came last is missing.
    async fn one_way(
        &self,
        (mut from, back): (ReadHalf<'_>, &Flow),
        (mut to, flow): (WriteHalf<'_>, &Flow),
    ) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                if back.is_broken.load(Ordering::Relaxed) {
                    // What it said before has been passed on, and this is no end in good order.
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                self.is_half_closed.store(true, Ordering::Relaxed);
                // The other side may be gone already.
                let _ = to.shutdown().await;
                return Ok(());
            }
            if let Err(error) = to.write_all(&buffer[..count]).await {
                // Who had ended his half before he broke off has said all that he wanted to: that
                // is the system's word for it.
                let had_ended = error.kind() == io::ErrorKind::BrokenPipe;
                flow.is_broken.store(!had_ended, Ordering::Relaxed);
                // What it has said itself is still passed on.
                return Ok(());
            }
            flow.add(count);
        }
    }

    /// Changes with every byte, and with the end of a half: a side that has just ended its half may
    /// wait for an answer.
    fn moves(&self) -> u64 {
        let ends = u64::from(self.is_half_closed.load(Ordering::Relaxed));
        self.received.bytes() + self.sent.bytes() + ends
    }
}

impl Flow {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn add(&self, count: usize) {
        let count = count as u64;
        self.bytes.fetch_add(count, Ordering::Relaxed);
        self.total.increment(count);
    }
}
