//! [`Error`]: why a sink does not start, or ends.

/// Why a sink does not start, or ends the attempt. What waiting mends is not here.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sink is not described well. Nothing was sent.
    #[error("the HTTP sink: {0}")]
    Described(String),
    /// The server refuses a request. Others of its batch may have been taken.
    #[error(
        "{url} refused request {key}: {status}: {answer}; if such records may be dropped, say \
         skip_refused"
    )]
    Refused {
        /// Where it was sent, without its query.
        url: String,
        /// Its key.
        key: String,
        /// The status.
        status: String,
        /// The beginning of the answer.
        answer: String,
    },
    /// The server's certificate is refused, so it is not known who would get the records. They wait
    /// in the checkpoint: name another CA, or give the server another certificate.
    #[error(
        "{url}: {requests} of the requests of batch {batch} were not sent: {advice} (Http::ca names \
         the file of a CA); they wait in the checkpoint, and are sent once the certificate is \
         accepted"
    )]
    Untrusted {
        /// Where they go, without its query.
        url: String,
        /// How many requests.
        requests: usize,
        /// The batch: their keys begin with it.
        batch: String,
        /// What is wrong with the certificate, and what to do.
        advice: String,
    },
    /// The attempt ended while records waited. The next one sends them.
    #[error("given up while the server was out: {0}")]
    GivenUp(String),
}
