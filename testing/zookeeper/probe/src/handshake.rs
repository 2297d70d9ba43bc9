//! The usual first messages. Any other is written as a [`ConnectRequest`].

use incumbent_zk_proto::{ConnectRequest, ConnectResponse, PASSWORD_BYTES};

/// Asks for a new session as today's clients do.
pub fn new_session(timeout_ms: i32) -> ConnectRequest<'static> {
    ConnectRequest {
        last_zxid_seen: 0,
        timeout_ms,
        session: 0,
        password: &[0; PASSWORD_BYTES],
        read_only: Some(false),
    }
}

/// Asks to continue the session that was granted earlier.
pub fn again(granted: &ConnectResponse) -> ConnectRequest<'_> {
    ConnectRequest {
        last_zxid_seen: 0,
        timeout_ms: granted.timeout_ms,
        session: granted.session,
        password: &granted.password,
        read_only: granted.read_only,
    }
}
