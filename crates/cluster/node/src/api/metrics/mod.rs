//! The metrics of all nodes, from any node.

mod merge;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use incumbent_cluster_core::view::{ClusterView, NodeView};
use tokio::time::{Instant, timeout_at};

use super::Api;
use super::locate::Asker;
use crate::server::METRICS_TEXT;
use crate::wire::METRICS;
pub(crate) use merge::Merged;

/// How long one node may take for its metrics. Slower ones are left out, because a
/// scraper does not wait for ever either.
pub const SCRAPE_TIME: Duration = Duration::from_secs(2);

/// How long all of them may take: less than the 10 s after which a Prometheus gives up.
pub const WHOLE_SCRAPE: Duration = Duration::from_secs(8);

/// The largest metrics of one node, in bytes.
pub const LARGEST_METRICS: usize = 4 * 1024 * 1024;

/// How long to wait for the leader, which knows the nodes. Without it, the nodes that it named last
/// are asked.
const LEADER: Duration = Duration::from_secs(1);

/// Nodes that are asked at a time.
const SIDE_BY_SIDE: usize = 32;

/// The nodes that the leader named last.
#[derive(Default)]
pub(super) struct LastNodes(Mutex<Vec<NodeView>>);

pub(super) async fn all(State(api): State<Arc<Api>>, request: Request) -> Response {
    let asker = Asker::of(&request);
    let cluster: Result<ClusterView, _> = api.ask_leader("/v1/cluster", asker, LEADER).await;
    let mut merged = Merged::default();
    let nodes = match cluster {
        Ok(cluster) => {
            api.nodes.set(&cluster.nodes);
            cluster.nodes
        }
        Err(problem) => {
            merged.comment(&format!(
                "No leader says which nodes there are ({}); these are the last that are known.",
                problem.title
            ));
            api.nodes.get()
        }
    };
    let mut left: BTreeMap<String, String> = nodes
        .into_iter()
        .map(|node| (node.address, node.name))
        .collect();
    // Those without a part are in no list.
    let own = api.node.address().to_owned();
    left.entry(own)
        .or_insert_with(|| api.node.name().to_owned());
    tell_apart(&mut left);
    let asked = left.clone().into_iter().map(|(address, name)| {
        let api = Arc::clone(&api);
        async move { (scrape(&api, &address).await, address, name) }
    });
    let mut answers = futures::stream::iter(asked).buffer_unordered(SIDE_BY_SIDE);
    let end = Instant::now() + WHOLE_SCRAPE;
    while let Ok(Some((scraped, address, name))) = timeout_at(end, answers.next()).await {
        left.remove(&address);
        merged.answered(&name, scraped.is_ok());
        match scraped {
            Ok(text) => merged.add(&name, &text),
            Err(why) => merged.comment(&format!("{name} at {address} is left out: {why}")),
        }
    }
    for (address, name) in left {
        merged.answered(&name, false);
        merged.comment(&format!(
            "{name} at {address} is left out: the time was over"
        ));
    }
    ([(CONTENT_TYPE, METRICS_TEXT)], merged.to_text()).into_response()
}

/// Nodes of one name (one of them may be dead) get their address as well: no series comes twice.
fn tell_apart(nodes: &mut BTreeMap<String, String>) {
    let mut names: Vec<String> = nodes.values().cloned().collect();
    names.sort_unstable();
    for (address, name) in nodes {
        let first = names.partition_point(|other| other < name);
        if names.get(first + 1) == Some(name) {
            *name = format!("{name}@{address}");
        }
    }
}

/// The metrics of the node at this address.
pub(super) async fn scrape(api: &Api, address: &str) -> Result<String, String> {
    let client = api.node.client();
    let asked = client.whole(Method::GET, address, METRICS, Bytes::new(), SCRAPE_TIME);
    match asked.await {
        Ok(text) if text.len() > LARGEST_METRICS => Err(format!(
            "its metrics have more than {LARGEST_METRICS} bytes"
        )),
        Ok(text) => {
            String::from_utf8(text.into()).map_err(|_| "its metrics are no text".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

impl LastNodes {
    fn set(&self, nodes: &[NodeView]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = nodes.to_vec();
    }

    fn get(&self) -> Vec<NodeView> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_one_name_are_told_apart() {
        let of = |nodes: &[(&str, &str)]| -> BTreeMap<String, String> {
            let own = |(address, name): &(&str, &str)| (address.to_string(), name.to_string());
            nodes.iter().map(own).collect()
        };
        let mut nodes = of(&[("h:1", "a"), ("h:2", "b"), ("h:3", "a")]);
        tell_apart(&mut nodes);
        assert_eq!(
            nodes,
            of(&[("h:1", "a@h:1"), ("h:2", "b"), ("h:3", "a@h:3")])
        );
    }
}
