//! The messages of etcd's protocol that this crate uses, with only the fields that it uses.
//!
//! They are written by hand, with the field numbers of etcd's public `rpc.proto`, `kv.proto` and
//! `auth.proto`: sixteen small messages, whose numbers no longer change. Decoding skips all other
//! fields that a server sends. The fields of a `oneof` are declared as optional fields with the
//! same numbers. Only one of them is set, so the encoded bytes are the same.

use prost::Message;
use prost::bytes::Bytes;

/// The name of a procedure, as gRPC sends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method(pub(crate) &'static str);

pub(crate) const RANGE: Method = Method("/etcdserverpb.KV/Range");
pub(crate) const TXN: Method = Method("/etcdserverpb.KV/Txn");
pub(crate) const WATCH: Method = Method("/etcdserverpb.Watch/Watch");
pub(crate) const AUTHENTICATE: Method = Method("/etcdserverpb.Auth/Authenticate");

/// Part of every answer.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Header {
    #[prost(uint64, tag = "1")]
    pub(crate) cluster_id: u64,
    /// The store's revision. In the answer to a transaction that wrote, the revision of that write.
    #[prost(int64, tag = "3")]
    pub(crate) revision: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyValue {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    /// The revision of the key's last write.
    #[prost(int64, tag = "3")]
    pub(crate) mod_revision: i64,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) value: Bytes,
}

/// Asks for the keys from `key` up to, not including, `range_end`, or for `key` alone if
/// `range_end` is empty. The answer is in byte order, and linearizable by default.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RangeRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) range_end: Bytes,
    /// The largest number of keys to return; 0 means all.
    #[prost(int64, tag = "3")]
    pub(crate) limit: i64,
    /// Return keys without values.
    #[prost(bool, tag = "8")]
    pub(crate) keys_only: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RangeResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<Header>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) kvs: Vec<KeyValue>,
    /// There are more keys than the limit.
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

/// A condition on a key.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Compare {
    /// The comparison: 0 is "equal".
    #[prost(int32, tag = "1")]
    pub(crate) result: i32,
    /// The property to compare; see [`MOD`].
    #[prost(int32, tag = "2")]
    pub(crate) target: i32,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) key: Bytes,
    /// 0 means that the key is absent.
    #[prost(int64, optional, tag = "6")]
    pub(crate) mod_revision: Option<i64>,
}

/// [`Compare::result`]: equal.
pub(crate) const EQUAL: i32 = 0;
/// [`Compare::target`]: the revision of the last write.
pub(crate) const MOD: i32 = 2;

/// If all compares hold, etcd does all steps in one revision; otherwise it does nothing.
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

/// Asks for events from now on.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct WatchCreateRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) range_end: Bytes,
    /// Lets the server split a large set of simultaneous events over several answers.
    #[prost(bool, tag = "8")]
    pub(crate) fragment: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WatchResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<Header>,
    #[prost(bool, tag = "3")]
    pub(crate) created: bool,
    /// The server has ended the watch.
    #[prost(bool, tag = "4")]
    pub(crate) canceled: bool,
    /// If a compaction ended the watch: the oldest revision that is left.
    #[prost(int64, tag = "5")]
    pub(crate) compact_revision: i64,
    #[prost(string, tag = "6")]
    pub(crate) cancel_reason: String,
    #[prost(message, repeated, tag = "11")]
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Event {
    /// [`DELETE`], or 0 if the key was written.
    #[prost(int32, tag = "1")]
    pub(crate) kind: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) kv: Option<KeyValue>,
}

/// [`Event::kind`]: a key was removed.
pub(crate) const DELETE: i32 = 1;

/// `Debug` shows none of its fields.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct AuthenticateRequest {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) password: String,
}

/// `Debug` shows none of its fields.
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

    /// An absent key needs an explicit value of 0: some servers might misread a compare whose
    /// target has no value.
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
