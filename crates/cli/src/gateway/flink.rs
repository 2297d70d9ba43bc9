//! `incumbent gateway --flink`: the leader that a real Apache Flink has elected.

use std::collections::BTreeMap;

use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use incumbent::{Epoch, Leader, Nonce, View};
use incumbent_flink_ha::{Component, FlinkAddress, follow};
use incumbent_gateway::Options;

use crate::exit::Failure;

/// Who leads, as Flink's HA data say. Flink has no epochs: those that the gateway counts here tell its leaders apart in logs.
pub(super) fn views(
    address: &FlinkAddress,
    options: &Options,
) -> Result<BoxStream<'static, View>, Failure> {
    let leaders = follow(address, &Component::RestServer)?;
    let endpoint = options.endpoints[0].clone();
    let views = stream::unfold((leaders, 0), move |(mut leaders, count)| {
        let endpoint = endpoint.clone();
        async move {
            let view = match leaders.next().await? {
                None => View::None,
                Some(leader) => View::Active(Leader {
                    epoch: Epoch::new(count + 1),
                    nonce: Nonce::new(leader.session.number()),
                    holder: "flink".parse().expect("it is a name"),
                    endpoints: BTreeMap::from([(endpoint, leader.address)]),
                    since: String::new(),
                }),
            };
            let count = count + u64::from(view.active().is_some());
            Some((view, (leaders, count)))
        }
    });
    Ok(views.boxed())
}
