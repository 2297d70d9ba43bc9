//! The messages of etcd's protocol that we send and read, and of these the fields that we use.
//!
//! Written by hand, by the numbers of etcd's public `rpc.proto`, `kv.proto` and `auth.proto`:
//! sixteen small messages, whose numbers do not change any more. What a server sends besides is
//! skipped. Fields of a `oneof` are written as optional ones of the same number, of which we set
//! one: the bytes are the same.

use prost::Message;
use prost::bytes::Bytes;

/// The name of a procedure, as gRPC sends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method(pub(crate) &'static str);

pub(crate) const RANGE: Method = Method("/etcdserverpb.KV/Range");
pub(crate) const TXN: Method = Method("/etcdserverpb.KV/Txn");
pub(crate) const WATCH: Method = Method("/etcdserverpb.Watch/Watch");
pub(crate) const AUTHENTICATE: Method = Method("/etcdserverpb.Auth/Authenticate");

/// With every answer.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Header {
    #[prost(uint64, tag = "1")]
    pub(crate) cluster_id: u64,
    /// The store's revision; of a transaction that wrote, the one it wrote at.
    #[prost(int64, tag = "3")]
    pub(crate) revision: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyValue {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    /// The revision of the last write.
    #[prost(int64, tag = "3")]
    pub(crate) mod_revision: i64,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) value: Bytes,
}

/// Keys from `key` until before `range_end`, or `key` alone if that is empty. In the order of their
/// bytes. Linearizable, as long as nobody asks for less.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RangeRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) range_end: Bytes,
    /// The most that are wanted; 0 is all.
    #[prost(int64, tag = "3")]
    pub(crate) limit: i64,
    /// Without values.
    #[prost(bool, tag = "8")]
    pub(crate) keys_only: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RangeResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<Header>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) kvs: Vec<KeyValue>,
    /// There are more than the limit.
    #[prost(bool, tag = "3")]
    pub(crate) more: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PutRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeleteRangeRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
}

/// One step of a transaction.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RequestOp {
    #[prost(message, optional, tag = "2")]
    pub(crate) put: Option<PutRequest>,
    #[prost(message, optional, tag = "3")]
    pub(crate) delete: Option<DeleteRangeRequest>,
}

/// What a key must be like.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Compare {
    /// How: 0 is "equal".
    #[prost(int32, tag = "1")]
    pub(crate) result: i32,
    /// What of it; see [`MOD`].
    #[prost(int32, tag = "2")]
    pub(crate) target: i32,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) key: Bytes,
    /// 0 is a key that is not there.
    #[prost(int64, optional, tag = "6")]
    pub(crate) mod_revision: Option<i64>,
}

/// [`Compare::result`]: the same.
pub(crate) const EQUAL: i32 = 0;
/// [`Compare::target`]: the revision of the last write.
pub(crate) const MOD: i32 = 2;

/// If all compares hold, all steps are done, in one revision; otherwise nothing.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TxnRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) compare: Vec<Compare>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) success: Vec<RequestOp>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TxnResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<Header>,
    /// Whether the compares held.
    #[prost(bool, tag = "2")]
    pub(crate) succeeded: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WatchRequest {
    #[prost(message, optional, tag = "1")]
    pub(crate) create: Option<WatchCreateRequest>,
}

/// Events from now on.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct WatchCreateRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) range_end: Bytes,
    /// Much that happens at once may come in several answers.
    #[prost(bool, tag = "8")]
    pub(crate) fragment: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WatchResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<Header>,
    #[prost(bool, tag = "3")]
    pub(crate) created: bool,
    /// The server ends the watch.
    #[prost(bool, tag = "4")]
    pub(crate) canceled: bool,
    /// If it ends because of a compaction: what is left.
    #[prost(int64, tag = "5")]
    pub(crate) compact_revision: i64,
    #[prost(string, tag = "6")]
    pub(crate) cancel_reason: String,
    #[prost(message, repeated, tag = "11")]
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Event {
    /// See [`DELETE`]; otherwise a key was written.
    #[prost(int32, tag = "1")]
    pub(crate) kind: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) kv: Option<KeyValue>,
}

/// [`Event::kind`]: a key was removed.
pub(crate) const DELETE: i32 = 1;

/// Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct AuthenticateRequest {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) password: String,
}

/// Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct AuthenticateResponse {
    #[prost(string, tag = "2")]
    pub(crate) token: String,
}

impl std::fmt::Debug for AuthenticateRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthenticateRequest")
    }
}

impl std::fmt::Debug for AuthenticateResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthenticateResponse")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That a key is absent must be said: by a compare whose target has no value some servers might
    /// understand something else.
    #[test]
    fn a_revision_of_zero_is_sent() {
        let compare = Compare {
            result: EQUAL,
            target: MOD,
            key: Bytes::from_static(b"k"),
            mod_revision: Some(0),
        };
        assert_eq!(compare.encode_to_vec(), [0x10, 2, 0x1a, 1, b'k', 0x30, 0]);
    }

    #[test]
    fn a_password_is_not_shown() {
        let request = AuthenticateRequest {
            name: "alice".into(),
            password: "secret".into(),
        };
        let response = AuthenticateResponse {
            token: "secret".into(),
        };
        assert!(!format!("{request:?} {response:?}").contains("secret"));
    }
}
