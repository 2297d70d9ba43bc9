//! What a connection of a client is doing: [`Activity`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a connection of a client is doing.
#[derive(Default)]
pub(crate) struct Activity {
    requests: AtomicUsize,
    /// Set by every request that begins or ends, taken back with every look.
    was_active: AtomicBool,
    /// Whether an answer was given before all of the request had come.
    has_left_over: AtomicBool,
}

/// A request that is being answered.
pub(crate) struct Busy {
    activity: Arc<Activity>,
    heard: Arc<AtomicBool>,
}

impl Activity {
    /// Whether there was no request since the last look, and there is none now. Each call is a
    /// look.
    pub(crate) fn look_idle(&self) -> bool {
        // In this order: a request that ends meanwhile notes first that it was there.
        let is_busy = self.is_busy();
        let was_active = self.was_active.swap(false, Ordering::SeqCst);
        !is_busy && !was_active
    }

    /// Whether a request is being answered.
    pub(crate) fn is_busy(&self) -> bool {
        self.requests.load(Ordering::SeqCst) > 0
    }

    /// Whether the client may still be sending a request that was answered already.
    pub(crate) fn has_left_over(&self) -> bool {
        self.has_left_over.load(Ordering::Relaxed)
    }
}

impl Busy {
    /// `heard` is set whenever something comes on the connection.
    pub(crate) fn new(activity: &Arc<Activity>, heard: &Arc<AtomicBool>) -> Self {
        activity.requests.fetch_add(1, Ordering::SeqCst);
        activity.was_active.store(true, Ordering::SeqCst);
        Self {
            activity: Arc::clone(activity),
            heard: Arc::clone(heard),
        }
    }

    /// Notes that the request is answered before all of it has come.
    pub(crate) fn leave_over(&self) {
        self.activity.has_left_over.store(true, Ordering::Relaxed);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // It was busy until now, however long ago it began.
        self.activity.was_active.store(true, Ordering::SeqCst);
        self.activity.requests.fetch_sub(1, Ordering::SeqCst);
        // What comes from now on belongs to the next request.
        self.heard.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_whose_long_request_has_just_ended_is_not_idle_yet() {
        let activity = Arc::new(Activity::default());
        let long = Busy::new(&activity, &Arc::default());
        assert!(!activity.look_idle());
        assert!(!activity.look_idle(), "it is busy");
        drop(long);
        assert!(!activity.look_idle(), "it was busy a moment ago");
        assert!(activity.look_idle());
    }
}
