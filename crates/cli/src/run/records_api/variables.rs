//! Variables by which a command finds the records API.

/// The path of the Unix socket.
pub(crate) const SOCKET: &str = "INCUMBENT_RECORDS_SOCKET";
/// The URL, with `--records tcp`.
pub(crate) const URL: &str = "INCUMBENT_RECORDS_URL";
/// The token, with `--records tcp`.
pub(crate) const TOKEN: &str = "INCUMBENT_RECORDS_TOKEN";
