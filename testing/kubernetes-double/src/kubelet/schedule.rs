//! A node for each pod. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

/// A node, as the scheduler sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) pods: usize,
    pub(super) most: usize,
    pub(super) has_vanished: bool,
}

/// The node with the fewest pods that takes this one, or why none does, in the scheduler's words.
pub(super) fn place(pod: &Value, nodes: &BTreeMap<String, Room>) -> Result<String, String> {
    let wanted = pod["spec"]["nodeSelector"].as_object();
    let suits = |room: &Room| {
        wanted
            .into_iter()
            .flatten()
            .all(|(key, value)| room.labels.get(key).map(String::as_str) == value.as_str())
    };
    let (mut gone, mut other, mut full) = (0, 0, 0);
    let mut best: Option<(&String, usize)> = None;
    for (name, room) in nodes {
        if room.has_vanished {
            gone += 1;
        } else if !suits(room) {
            other += 1;
        } else if room.pods >= room.most {
            full += 1;
        } else if best.is_none_or(|(_, fewest)| room.pods < fewest) {
            best = Some((name, room.pods));
        }
    }
    if let Some((name, _)) = best {
        return Ok(name.clone());
    }
    let reasons = [
        (gone, "node(s) had untolerated taint(s)"),
        (other, "node(s) didn't match Pod's node affinity/selector"),
        (full, "Too many pods"),
    ];
    let told: Vec<String> = (reasons.iter())
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} {why}"))
        .collect();
    Err(format!(
        "0/{} nodes are available: {}.",
        nodes.len(),
        told.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_gets_the_emptiest_node_that_takes_it() {
        let room = |pods| Room {
            pods,
            most: 3,
            ..Room::default()
        };
        let nodes = BTreeMap::from([("a".to_owned(), room(2)), ("b".to_owned(), room(1))]);
        assert_eq!(place(&json!({}), &nodes), Ok("b".to_owned()));
        let picky = json!({"spec": {"nodeSelector": {"disk": "ssd"}}});
        let why = place(&picky, &nodes).unwrap_err();
        assert_eq!(
            why,
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
        );
        let full = BTreeMap::from([("a".to_owned(), room(3))]);
        assert_eq!(
            place(&json!({}), &full).unwrap_err(),
            "0/1 nodes are available: 1 Too many pods."
        );
    }
}
