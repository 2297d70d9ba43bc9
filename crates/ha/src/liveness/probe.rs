//! [`LivenessProbe`]: the connection to a liveness endpoint, and what it proves.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use incumbent_backend::{Pace, jitter};
use incumbent_core::root::LivenessAddress;
use incumbent_core::{HolderName, Nonce};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::rules::{Judge, Seen, SignOfDeath, Stakes};
use super::server::keep_alive;
use super::{BUFFER, GREETING, LONGEST_LINE, scope};

/// How long an attempt to connect may take before it is given up. That proves nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause after a connection has ended that lasted for the longest pause or more. Short, because
/// the next attempt is what proves that the process is dead.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// When a host that vanished is noticed: the silence before the first probe, the time between two
/// probes, and their number. It proves nothing. But a fresh attempt follows, and a host that has
/// started again refuses it.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 3);

/// Stays connected to a liveness endpoint and says when its process is proven dead.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use incumbent::{LivenessProbe, LivenessServer, LivenessState, Nonce, ProbeOptions, Stakes};
///
/// let (server, nonce) = (LivenessServer::listen(LivenessServer::loopback(), None)?, Nonce::new(7));
/// server.say(Some(nonce));
///
/// let options = ProbeOptions::new("probe-1".parse()?, Stakes::High);
/// let mut probe = LivenessProbe::start(server.address().clone(), nonce, options);
/// while probe.changed().await != LivenessState::Connected {}
///
/// drop(server); // as its process would when it dies
/// println!("dead: {:?}", probe.dead().await);
/// # Ok(()) }
/// ```
///
/// [`Dead`](LivenessState::Dead) is a proof, by the rules of [`SignOfDeath`] and [`Stakes`]: a
/// fresh connection is refused at once, or answers with another nonce. Unless both processes run
/// under the same kernel and in the same network, it counts only if this probe has met the process
/// under this address before. All else is [`Unknown`](LivenessState::Unknown): time-outs, silence,
/// an unreachable network.
///
/// Each probe is one small task and one connection, some 3 KiB together, so a process may have
/// thousands, as far as its limit of descriptors goes. Give addresses by number:
/// names are looked up on a thread, at each attempt. Dropping the probe ends it.
#[derive(Debug)]
pub struct LivenessProbe {
    states: watch::Receiver<LivenessState>,
    task: JoinHandle<()>,
}

/// How a probe behaves.
#[derive(Clone, Debug)]
pub struct ProbeOptions {
    /// The name by which it introduces itself; people see it in the list of who is connected.
    pub name: HolderName,
    /// What a wrong verdict would cost.
    pub stakes: Stakes,
    /// The longest pause between attempts to connect; 2 s by default.
    pub longest_pause: Duration,
}

/// What a probe knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LivenessState {
    /// Nothing is proven: it was not reached yet, or the connection has ended and cannot be made
    /// anew.
    Unknown,
    /// It said its nonce, and the connection stands. A process that is stopped looks like this too.
    Connected,
    /// It is proven dead. This is final.
    Dead(SignOfDeath),
}

impl ProbeOptions {
    /// With the longest pause of 2 s.
    pub fn new(name: HolderName, stakes: Stakes) -> Self {
        Self {
            name,
            stakes,
            longest_pause: Duration::from_secs(2),
        }
    }
}

impl LivenessProbe {
    /// Begins to connect to the process that says this nonce at this address.
    ///
    /// Must be called inside a Tokio runtime.
    pub fn start(address: LivenessAddress, nonce: Nonce, options: ProbeOptions) -> Self {
        let (sender, states) = watch::channel(LivenessState::Unknown);
        let task = tokio::spawn(async move {
            let sign = until_dead(&address, nonce, &options, &sender).await;
            sender.send_replace(LivenessState::Dead(sign));
        });
        Self { states, task }
    }

    /// What it knows now.
    pub fn state(&self) -> LivenessState {
        *self.states.borrow()
    }

    /// Waits until what it knows has changed since the last call; of quick changes, only the last
    /// is returned. Waits for ever once the process is dead and this has said so, or if the runtime
    /// has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> LivenessState {
        match self.states.changed().await {
            Ok(()) => *self.states.borrow_and_update(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits until the process is proven dead; at once, if it is.
    ///
    /// The future may outlive the probe, and then waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub fn dead(&self) -> impl Future<Output = SignOfDeath> + Send + use<> {
        let mut states = self.states.clone();
        async move {
            loop {
                if let LivenessState::Dead(sign) = *states.borrow_and_update() {
                    return sign;
                }
                if states.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl Drop for LivenessProbe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn until_dead(
    address: &LivenessAddress,
    nonce: Nonce,
    options: &ProbeOptions,
    states: &watch::Sender<LivenessState>,
) -> SignOfDeath {
    let mut judge = Judge::new(address, scope().as_deref(), options.stakes);
    let address = address.address.as_str();
    let mut pace = Pace::new(FIRST_PAUSE, options.longest_pause);
    loop {
        let begun = tokio::time::Instant::now();
        let met = || {
            states.send_replace(LivenessState::Connected);
        };
        let seen = connect(address, nonce, &options.name, met).await;
        let lasted = match seen {
            Seen::Ended => begun.elapsed(),
            Seen::Refused | Seen::AnotherNonce | Seen::Nothing => Duration::ZERO,
        };
        if let Some(sign) = judge.see(seen, || is_local(address)) {
            return sign;
        }
        states.send_if_modified(|state| {
            std::mem::replace(state, LivenessState::Unknown) != LivenessState::Unknown
        });
        tokio::time::sleep(pace.after_run(lasted, jitter())).await;
    }
}

/// Whether this is an address of this host, as it is now.
fn is_local(address: &str) -> bool {
    let address = address.parse::<SocketAddr>().map(|address| address.ip());
    address.is_ok_and(|ip| ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok())
}

/// Connects, calls `met` if the endpoint says the nonce, and returns when the connection ends.
async fn connect(address: &str, nonce: Nonce, name: &HolderName, met: impl FnOnce()) -> Seen {
    let stream = match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return Seen::Refused,
        Ok(Err(_)) | Err(_) => return Seen::Nothing,
    };
    // Without keep-alive, only a host that vanishes is noticed late.
    let _ = keep_alive(&stream, KEEPALIVE);
    let mut stream = BufReader::with_capacity(BUFFER, stream);
    // No time-out: the kernel accepts for a stopped process, which says nothing. When it dies, the
    // connection ends.
    let mut line = String::new();
    if (&mut stream)
        .take(LONGEST_LINE)
        .read_line(&mut line)
        .await
        .is_err()
    {
        return Seen::Nothing;
    }
    match line.strip_prefix(GREETING).map(str::trim_end) {
        Some(said) if said == nonce.to_string() => {}
        Some(_) => return Seen::AnotherNonce,
        None => return Seen::Nothing,
    }
    met();
    tracing::debug!(address, "connected to the liveness endpoint");
    let mut stream = stream.into_inner();
    if stream
        .write_all(format!("standby {name}\n").as_bytes())
        .await
        .is_ok()
    {
        let mut rest = [0; 64];
        while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
    }
    Seen::Ended
}
