//! Swaps and erasures. Each is one etcd transaction.

use std::sync::Arc;

use incumbent_backend::{
    Erased, Expected, Failure, GroupName, Key, Rights, Swapped, Version, causes,
};
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
            // A transaction's revision is the revision of everything it wrote.
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

/// Checks whether a campaign would be allowed, with a transaction that can never take effect: etcd
/// checks the rights of all its steps before it compares anything.
pub(crate) async fn check_rights(
    links: &Arc<Links>,
    group: &GroupName,
) -> Result<Rights, EtcdError> {
    let base = &links.settings.base;
    let keys = [Key::root(group.clone()), Key::floor(group.clone())];
    let keys = keys.map(|key| names::key_bytes(base, &key));
    let put = |key: &Bytes| RequestOp {
        put: Some(PutRequest {
            key: key.clone(),
            value: Bytes::new(),
        }),
        ..RequestOp::default()
    };
    let request = TxnRequest {
        compare: vec![Compare {
            result: EQUAL,
            target: MOD,
            key: keys[0].clone(),
            // Revisions count up from 1.
            mod_revision: Some(i64::MAX),
        }],
        success: keys.iter().map(put).collect(),
    };
    let (call, what) = (links.call(), format!("{base}/{group}/"));
    let answer = links.ask::<_, TxnResponse>(&call, None, TXN, &what, &request);
    match answer.await {
        Ok(_) => Ok(Rights::Granted),
        Err(error) if error.is_denied() => {
            let account = match links.settings.hosts.login() {
                Some(login) => format!("the user {:?}", login.user),
                None => "this process, which logs in as nobody,".to_owned(),
            };
            Ok(Rights::Missing(format!(
                "{account} may not write below {what} in etcd ({}): {}",
                links.settings.hosts,
                causes(&error)
            )))
        }
        Err(error) => Err(error),
    }
}

/// Does a step if the key is still in this state. Returns `None` if it is not.
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
