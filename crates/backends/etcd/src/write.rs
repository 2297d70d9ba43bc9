//! Swaps and erasures: each is one transaction of etcd.

use std::sync::Arc;

use incumbent_backend::{Erased, Expected, Failure, Key, Swapped, Version};
use prost::bytes::Bytes;

use crate::error::EtcdError;
use crate::links::Links;
use crate::message::{
    Compare, DeleteRangeRequest, EQUAL, MOD, PutRequest, RequestOp, TXN, TxnRequest, TxnResponse,
};
use crate::names::{self, State};

pub(crate) async fn swap(
    links: &Arc<Links>,
    key: &Key,
    expected: Expected<'_>,
    body: &[u8],
) -> Result<Swapped, Failure> {
    let expected = match expected {
        Expected::Absent => None,
        Expected::At(version) => match State::of_version(version) {
            Some(state) => Some(state),
            // No body ever had this version.
            None => return Ok(Swapped::Conflict),
        },
    };
    let bytes = names::key_bytes(&links.settings.base, key);
    let step = RequestOp {
        put: Some(PutRequest {
            key: bytes.clone(),
            value: Bytes::copy_from_slice(body),
        }),
        ..RequestOp::default()
    };
    let answer = transact(links, key, bytes, expected, step).await;
    Ok(match answer.map_err(EtcdError::of_a_write)? {
        Some(answer) => {
            let header = answer.header.as_ref();
            // Of a transaction that writes, this is the revision of all that it wrote.
            let revision = header.map_or(0, |header| header.revision);
            Swapped::Committed(State::of(header, revision).version())
        }
        None => Swapped::Conflict,
    })
}

pub(crate) async fn erase(
    links: &Arc<Links>,
    key: &Key,
    version: &Version,
) -> Result<Erased, Failure> {
    let Some(state) = State::of_version(version) else {
        return Ok(Erased::Conflict);
    };
    let bytes = names::key_bytes(&links.settings.base, key);
    let step = RequestOp {
        delete: Some(DeleteRangeRequest { key: bytes.clone() }),
        ..RequestOp::default()
    };
    let answer = transact(links, key, bytes, Some(state), step).await;
    Ok(match answer.map_err(EtcdError::of_a_write)? {
        Some(_) => Erased::Gone,
        None => Erased::Conflict,
    })
}

/// Does a step if the key is still in this state. `None` if it is not.
async fn transact(
    links: &Arc<Links>,
    key: &Key,
    bytes: Bytes,
    expected: Option<State>,
    step: RequestOp,
) -> Result<Option<TxnResponse>, EtcdError> {
    let request = TxnRequest {
        compare: vec![Compare {
            result: EQUAL,
            target: MOD,
            key: bytes,
            mod_revision: Some(expected.map_or(0, |state| state.revision)),
        }],
        success: vec![step],
    };
    let about = expected.map(|state| state.cluster);
    let (call, what) = (links.call(), key.to_string());
    let answer: Option<TxnResponse> = links.ask(&call, about, TXN, &what, &request).await?;
    Ok(answer.filter(|answer| answer.succeeded))
}
