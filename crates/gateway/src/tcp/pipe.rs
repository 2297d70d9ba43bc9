//! [`Pipe`]: passes bytes both ways between two connections, until both sides have ended.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use metrics::Counter;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep};

/// How much is read at once, and so the most data under way in one direction. With the default
/// limit of connections, 320 MB in total.
const BUFFER: usize = 16 * 1024;

/// How a pipe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides ended in good order, or one side ended its half and then refused further bytes.
    Closed,
    /// One side broke off in the middle.
    Broken,
    /// Nothing came for longer than allowed.
    Idle,
}

/// Counts the bytes that have passed.
pub(crate) struct Pipe {
    /// From the client to the leader.
    pub(crate) received: Flow,
    /// From the leader to the client.
    pub(crate) sent: Flow,
    is_half_closed: AtomicBool,
}

/// The bytes that have passed in one direction.
pub(crate) struct Flow {
    bytes: AtomicU64,
    total: Counter,
    /// Whether its receiver has broken off. The write to the receiver gets this error first, and
    /// only once; a read from the receiver then just returns the end.
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

    /// Passes on the bytes, and the end of each half. If one side takes no more bytes, no more are
    /// read from the other.
    ///
    /// Silence is checked periodically, so it may last up to twice as long as allowed.
    ///
    /// # Cancel safety
    ///
    /// Bytes that were read but not written are lost. The connections are then useless.
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
            // A failed read ends both directions. A failed write ends only its own: the side that
            // takes no more bytes may still have sent some.
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

    /// Passes on bytes until `from` ends, or `to` takes no more. An error means that `from` broke
    /// off, so its last bytes are missing. `back` is the flow towards `from`.
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
                    // Everything it sent before has been passed on, but this is not an end in good
                    // order.
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                self.is_half_closed.store(true, Ordering::Relaxed);
                // The receiver may be gone already.
                let _ = to.shutdown().await;
                return Ok(());
            }
            if let Err(error) = to.write_all(&buffer[..count]).await {
                // The system returns this error if the receiver had ended its half before it broke
                // off. Then it has sent all that it wanted to send.
                let had_ended = error.kind() == io::ErrorKind::BrokenPipe;
                flow.is_broken.store(!had_ended, Ordering::Relaxed);
                // The bytes that the receiver itself sent are still passed on.
                return Ok(());
            }
            flow.add(count);
        }
    }

    /// Changes with every byte, and with the end of a half: a side that has just ended its half may
    /// be waiting for an answer.
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
