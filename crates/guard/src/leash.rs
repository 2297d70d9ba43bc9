//! The handle that sends messages to a guard.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};
use rustix::process::Signal;
use tokio::net::UnixStream;

use crate::wire::ToGuard;
use crate::{Deadlines, LeashError, fds};

/// Sends messages to the guard, from any thread and without waiting. Cheap to clone. After
/// [`Guarded`](crate::Guarded) is dropped, every call fails.
#[derive(Clone, Debug)]
pub struct Leash {
    pub(crate) control: Arc<UnixStream>,
}

impl Leash {
    /// Moves the deadlines to later moments. Never blocks, so it cannot delay a renewal.
    ///
    /// Moments earlier than those in force have no effect. SIGTERM is sent only once, even if the
    /// deadlines are extended after it.
    ///
    /// # Errors
    ///
    /// [`LeashError::Gone`] or [`LeashError::Stuck`]: not extended.
    pub fn extend(&self, deadlines: Deadlines) -> Result<(), LeashError> {
        self.send(ToGuard::Extend(deadlines))
    }

    /// Replaces the deadlines by those of a `binding` with a higher number: for a command that
    /// outlives a lease, and is bound by the next one. With the number of the present binding it is
    /// [`extend`](Self::extend); with a lower one it does nothing, so what two threads send may
    /// arrive in either order. A command starts with binding 0.
    ///
    /// What is sent after this returns is obeyed after it. So a command that is told of its lease
    /// only then has the deadlines of the lease, whatever becomes of the runner.
    ///
    /// # Errors
    ///
    /// [`LeashError::Gone`] or [`LeashError::Stuck`]: not bound.
    pub fn bind(&self, binding: u64, deadlines: Deadlines) -> Result<(), LeashError> {
        self.send(ToGuard::Bind(binding, deadlines))
    }

    /// Asks the command to end (SIGTERM), and kills it after `grace` or at the hard deadline,
    /// whichever is first.
    ///
    /// A further call can shorten the grace; zero kills the command at once.
    ///
    /// # Errors
    ///
    /// [`LeashError::Gone`] or [`LeashError::Stuck`]: not asked.
    pub fn stop(&self, grace: Duration) -> Result<(), LeashError> {
        self.send(ToGuard::Stop(grace))
    }

    /// Sends a signal to the command's process group.
    ///
    /// # Errors
    ///
    /// [`LeashError::NoSuchSignal`], and as with [`Leash::extend`].
    pub fn signal(&self, number: i32) -> Result<(), LeashError> {
        Signal::from_named_raw(number).ok_or(LeashError::NoSuchSignal(number))?;
        self.send(ToGuard::Signal(number))
    }

    /// Ends the conversation with the guard. Closing the socket is not enough while another leash
    /// keeps it.
    pub(crate) fn release(&self) {
        let _ = shutdown(&*self.control, Shutdown::Both);
    }

    fn send(&self, message: ToGuard) -> Result<(), LeashError> {
        match fds::send(&*self.control, message, &[]) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(LeashError::Stuck),
            Err(_) => Err(LeashError::Gone),
        }
    }
}
