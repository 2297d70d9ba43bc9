//! The only place where clocks are read.

use std::time::{Duration, SystemTime};

use incumbent_core::{Now, Time};

/// Where a group takes the time from.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The time since boot of the operating system, which goes on while the machine sleeps, so that
    /// a lease does not outlive a suspend. A paused virtual machine may not count its pause; the
    /// seals cover that.
    #[default]
    Boot,
    /// Tokio's clock from this moment on, which tests can pause and advance.
    Tokio(tokio::time::Instant),
}

impl Clock {
    /// Tokio's clock, for tests with paused time.
    pub fn tokio() -> Self {
        Self::Tokio(tokio::time::Instant::now())
    }

    /// The time, for deciding.
    pub fn time(self) -> Time {
        match self {
            Self::Boot => {
                let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                let seconds = u64::try_from(t.tv_sec).expect("a machine boots at zero");
                let nanos = u32::try_from(t.tv_nsec).expect("less than a second");
                Time::from_origin(Duration::new(seconds, nanos))
            }
            Self::Tokio(origin) => Time::from_origin(origin.elapsed()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "shown to people, never compared")]
    pub(crate) fn now(self) -> Now {
        Now {
            time: self.time(),
            wall: SystemTime::now(),
        }
    }
}
