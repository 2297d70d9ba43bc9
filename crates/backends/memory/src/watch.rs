//! Hints from whoever writes to whoever watches.

use futures::StreamExt;
use futures::stream;
use incumbent_backend::{GroupName, Hint, WatchStream};
use tokio::sync::broadcast::{Receiver, Sender, error::RecvError};

/// Hints kept for a slow watcher. Whoever lags further behind is told that anything may have
/// changed.
const KEPT_HINTS: usize = 1024;

/// Tells every watcher of every group.
#[derive(Debug)]
pub(crate) struct Bell {
    sender: Sender<(GroupName, Hint)>,
}

impl Bell {
    pub(crate) fn ring(&self, group: GroupName, hint: Hint) {
        // Fails if nobody listens, which is nobody's loss.
        let _ = self.sender.send((group, hint));
    }

    /// Hints of one group, from this call on.
    pub(crate) fn listen(&self, group: GroupName) -> WatchStream {
        // The stream holds a sender too, so that it never ends.
        let state = (self.sender.subscribe(), self.sender.clone(), group);
        let next = |mut state: (Receiver<_>, Sender<_>, GroupName)| async {
            let hint = next_of(&state.2, &mut state.0).await;
            Some((hint, state))
        };
        stream::unfold(state, next).boxed()
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self {
            sender: Sender::new(KEPT_HINTS),
        }
    }
}

async fn next_of(group: &GroupName, receiver: &mut Receiver<(GroupName, Hint)>) -> Hint {
    loop {
        match receiver.recv().await {
            Ok((of, hint)) if of == *group => return hint,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return Hint::anything(),
            Err(RecvError::Closed) => unreachable!("the stream holds a sender"),
        }
    }
}
