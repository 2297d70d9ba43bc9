//! [`dial`]: connecting to a rank that waits for this one.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use super::accept::{no_thread, pause};
use super::greeting::{Greeting, Stranger};
use super::{GREETING_TIME, News, now, socket};
use crate::Result;

/// First and longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// Connects to this rank, on a thread of its own, until it has succeeded or the time is over.
pub(super) fn dial(
    peer: u32,
    address: String,
    us: Greeting,
    until: Instant,
    tell: Sender<News>,
) -> Result<()> {
    let run = move || {
        let (mut wait, longest) = PAUSES;
        while now() < until {
            let news = match attempt(peer, &address, &us) {
                Ok(stream) => News::Met(peer, stream),
                Err(Failed::Greeting(Stranger::Program(peer))) => News::OtherProgram(peer),
                Err(failed) => News::NotYet(peer, failed.to_string()),
            };
            let is_done = !matches!(news, News::NotYet(..));
            // Nobody may wait any more.
            if tell.send(news).is_err() || is_done {
                return;
            }
            pause(wait);
            wait = (wait * 2).min(longest);
        }
    };
    let spawned = thread::Builder::new()
        .name(format!("mesh:dial-{peer}"))
        .spawn(run);
    spawned.map(drop).map_err(no_thread)
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Connect(#[from] io::Error),
    #[error("what answers there is not this rank: {0}")]
    Greeting(#[from] Stranger),
}

fn attempt(peer: u32, address: &str, us: &Greeting) -> Result<TcpStream, Failed> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, GREETING_TIME) {
            Ok(stream) => {
                us.dialed(&stream, peer)?;
                socket::prepare(&stream)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}
