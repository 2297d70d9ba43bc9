//! Exit codes that mean something to the cluster, besides 0.

/// Another task of the job is gone, and this one cannot go on without it. The cause is elsewhere,
/// and the cluster shows that one, if there is one within a second (`EX_TEMPFAIL`).
pub const PEER_LOST: i32 = 75;

/// Another attempt would fail in the same way: the job fails at once, whatever its restart strategy
/// is (`EX_CONFIG`).
pub const OF_NO_USE: i32 = 78;
