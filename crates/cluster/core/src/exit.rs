//! Exit codes that mean something to the cluster, besides 0 (from `sysexits.h`). Any program may
//! use them; docs/guide/task-contract.md tells its authors.

use crate::{Cause, CauseKind};

/// The task has lost another task of its job: the cause is elsewhere (`EX_TEMPFAIL`).
pub const PEER_LOST: i32 = 75;

/// Another attempt would fail in the same way (`EX_CONFIG`): the job fails at once.
pub const OF_NO_USE: i32 = 78;

/// Whether this failure is the consequence of another one.
pub(crate) fn is_consequence(cause: &Cause) -> bool {
    cause.kind == CauseKind::TaskFailed && cause.exit_code == Some(PEER_LOST)
}

/// Whether another attempt would be of no use.
pub(crate) fn is_final(cause: &Cause) -> bool {
    cause.kind == CauseKind::TaskFailed && cause.exit_code == Some(OF_NO_USE)
}
