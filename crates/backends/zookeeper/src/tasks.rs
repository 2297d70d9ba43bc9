//! The tasks of one client, so that they can be ended.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;

use asyncs::task::{Spawn, Task, enter};
use tokio::task::AbortHandle;

/// The tasks that a client began.
///
/// The client cannot be told to leave its session alone: when it is dropped, it closes it, or goes
/// on to connect for as long as the session may live, ever less often, and takes the session away
/// from the client that continued it.
#[derive(Default)]
pub(crate) struct Tasks {
    begun: RefCell<Vec<AbortHandle>>,
}

impl Tasks {
    /// Makes those its own that this future begins.
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

    /// Ends them where they are: connections are closed, sessions are not.
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
