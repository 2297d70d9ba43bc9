//! The tasks of one client, so that they can be ended.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;

use asyncs::task::{Spawn, Task, enter};
use tokio::task::AbortHandle;

/// The tasks that a client began.
///
/// The client cannot be told to leave its session alone. When it is dropped, it closes the session.
/// Or it keeps reconnecting, ever less often, for as long as the session may live, and takes the
/// session away from the client that continued it.
#[derive(Default)]
pub(crate) struct Tasks {
    begun: RefCell<Vec<AbortHandle>>,
}

impl Tasks {
    /// Runs a future and takes over the tasks that it begins.
    pub(crate) async fn of<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _scope = enter(self);
            future.as_mut().poll(context)
        })
        .await
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.begun.borrow().is_empty()
    }

    /// Aborts the tasks. This closes their connections, but not their sessions.
    pub(crate) fn abort(&self) {
        for task in self.begun.borrow().iter() {
            task.abort();
        }
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: Task) {
        let task = tokio::spawn(Box::into_pin(task.future));
        self.begun.borrow_mut().push(task.abort_handle());
    }
}
