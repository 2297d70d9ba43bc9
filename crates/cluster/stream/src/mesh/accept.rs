//! [`Accepting`]: ranks that connect to this one.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use super::greeting::{Greeting, Stranger};
use super::{News, socket};
use crate::{Error, Result};

/// Most connections that have not said yet who they are. Each has a thread, for a second at most;
/// a job has a thousand tasks at most, and a peer that is dropped comes again.
const MOST_STRANGERS: usize = 256;

/// After an accept that failed, as too many files are open.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until it is dropped. Then the port is closed.
#[derive(Debug)]
pub(super) struct Accepting {
    listener: Arc<TcpListener>,
}

impl Accepting {
    pub(super) fn start(listener: TcpListener, us: Greeting, tell: Sender<News>) -> Result<Self> {
        let listener = Arc::new(listener);
        let accepting = Arc::clone(&listener);
        let run = move || accept(&accepting, &us, &tell);
        (thread::Builder::new()
            .name("mesh:accept".to_owned())
            .spawn(run))
        .map_err(no_thread)?;
        Ok(Self { listener })
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        // It ends the call that waits for a connection.
        let _ = rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both);
    }
}

pub(super) fn no_thread(cause: io::Error) -> Error {
    Error::Io {
        doing: "starting a thread".to_owned(),
        cause,
    }
}

fn accept(listener: &TcpListener, us: &Greeting, tell: &Sender<News>) {
    let strangers = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, address) = match listener.accept() {
            Ok(accepted) => accepted,
            // It was shut down: all have met, or it is given up.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted; trying again");
                pause(PAUSE);
                continue;
            }
        };
        if strangers.fetch_add(1, Ordering::AcqRel) >= MOST_STRANGERS {
            strangers.fetch_sub(1, Ordering::AcqRel);
            tracing::debug!(%address, "too many connections have not said who they are; this one is closed");
            continue;
        }
        let (us, tell, leaving) = (us.clone(), tell.clone(), Arc::clone(&strangers));
        let run = move || {
            if let Err(stranger) = greet(stream, &us, &tell) {
                tracing::debug!(%address, %stranger, "a connection is not of this job's tasks; it is closed");
            }
            leaving.fetch_sub(1, Ordering::AcqRel);
        };
        let started = thread::Builder::new()
            .name("mesh:greet".to_owned())
            .spawn(run);
        if started.is_err() {
            strangers.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn greet(stream: TcpStream, us: &Greeting, tell: &Sender<News>) -> Result<(), Stranger> {
    let news = match us.accepted(&stream) {
        Ok(rank) => {
            socket::prepare(&stream).map_err(Stranger::Silent)?;
            News::Met(rank, stream)
        }
        Err(Stranger::Program(rank)) => News::OtherProgram(rank),
        Err(stranger) => return Err(stranger),
    };
    // Nobody may wait any more.
    let _ = tell.send(news);
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the system says that it has no more files"
)]
pub(super) fn pause(time: Duration) {
    thread::sleep(time);
}
