//! Waiting for what may not be there.

use incumbent_guard::Guarded;
use tokio::time::Instant;

use crate::run::warm::hook::Hook;
use crate::run::warm::term::Boxed;

/// The result of a future, once; forever nothing if there is none.
pub(super) async fn resolved<T>(future: &mut Option<Boxed<T>>) -> T {
    let Some(running) = future else {
        return std::future::pending().await;
    };
    let result = running.await;
    *future = None;
    result
}

pub(super) async fn resolved_of<T>(future: Option<&mut Option<Boxed<T>>>) -> T {
    match future {
        Some(future) => resolved(future).await,
        None => std::future::pending().await,
    }
}

pub(super) async fn of_command(
    command: &mut Option<Guarded>,
) -> Result<incumbent_guard::Event, incumbent_guard::GuardLost> {
    match command {
        Some(command) => command.next_event().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn of_hook(hook: &mut Option<Hook>) -> Result<bool, incumbent_guard::GuardLost> {
    match hook {
        Some(hook) => hook.ended().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
