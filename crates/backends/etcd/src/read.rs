//! Reads, and lists of keys and groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use incumbent_backend::{GroupName, Key, Listed, Stored};
use prost::bytes::Bytes;

use crate::error::EtcdError;
use crate::links::{Call, Links};
use crate::message::{KeyValue, RANGE, RangeRequest, RangeResponse};
use crate::names::{self, Range, State};

/// Keys in one answer. A key and its fields take less than 1 KiB, and an answer should stay below
/// 1.5 MiB, which etcd itself considers large.
const PAGE: i64 = 1000;

/// Keys in one answer when searching for groups. The search skips the rest of each group it finds.
const PAGE_OF_GROUPS: i64 = 100;

pub(crate) async fn read(links: &Arc<Links>, key: &Key) -> Result<Option<Stored>, EtcdError> {
    let request = RangeRequest {
        key: names::key_bytes(&links.settings.base, key),
        ..RangeRequest::default()
    };
    let answer = range(links, &links.call(), &key.to_string(), &request).await?;
    let header = answer.header;
    Ok(answer.kvs.into_iter().next().map(|kv| Stored {
        version: State::of(header.as_ref(), kv.mod_revision).version(),
        body: kv.value.to_vec(),
    }))
}

/// Lists page by page. Each page is linearizable, so a key created before the call is in the page
/// where it belongs.
pub(crate) async fn list(links: &Arc<Links>, group: &GroupName) -> Result<Vec<Listed>, EtcdError> {
    let (base, call) = (&links.settings.base, links.call());
    let mut rest = Range::of_group(base, group);
    let mut listed = Vec::new();
    loop {
        let what = format!("{group}/");
        let answer = range(links, &call, &what, &page(&rest, PAGE)).await?;
        let header = answer.header;
        // A name that is not a valid key does not belong to us.
        listed.extend(answer.kvs.iter().filter_map(|kv| {
            let key = names::key_of(base, &kv.key)?;
            let version = State::of(header.as_ref(), kv.mod_revision).version();
            Some(Listed { key, version })
        }));
        match answer.kvs.last() {
            Some(last) if answer.more => rest = rest.after(&last.key),
            _ => return Ok(listed),
        }
    }
}

/// The search skips the rest of each group that it knows, so the work grows with the number of
/// groups and not of keys.
pub(crate) async fn groups(links: &Arc<Links>) -> Result<Vec<GroupName>, EtcdError> {
    let (base, call) = (&links.settings.base, links.call());
    let mut rest = Range::of_base(base);
    let mut groups = BTreeSet::new();
    loop {
        let what = format!("{base}/");
        let answer = range(links, &call, &what, &page(&rest, PAGE_OF_GROUPS)).await?;
        let of_key = |kv: &KeyValue| Some(names::key_of(base, &kv.key)?.group().clone());
        groups.extend(answer.kvs.iter().filter_map(of_key));
        match answer.kvs.last() {
            Some(last) if answer.more => {
                rest = match of_key(last) {
                    Some(group) => rest.after_group(base, &group),
                    None => rest.after(&last.key),
                }
            }
            _ => return Ok(groups.into_iter().collect()),
        }
    }
}

fn page(rest: &Range, limit: i64) -> RangeRequest {
    RangeRequest {
        key: Bytes::clone(&rest.from),
        range_end: Bytes::clone(&rest.until),
        limit,
        keys_only: true,
    }
}

async fn range(
    links: &Arc<Links>,
    call: &Call,
    what: &str,
    request: &RangeRequest,
) -> Result<RangeResponse, EtcdError> {
    let answer = links.ask(call, None, RANGE, what, request).await?;
    Ok(answer.expect("a question about no etcd in particular is asked of any"))
}
