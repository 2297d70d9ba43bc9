//! [`Nodes`]: which nodes a client asks, and in which order. Pure.

use super::url::NodeUrl;

/// Most nodes that are learnt besides those that were named. They do not all end together; and
/// while none is reached, each is waited for in turn.
const MOST_LEARNT: usize = 4;

/// The nodes of one cluster.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    named: Vec<NodeUrl>,
    /// What the cluster said of itself last.
    learnt: Vec<NodeUrl>,
    /// The one that answered last.
    current: Option<NodeUrl>,
}

impl Nodes {
    pub(super) fn named(named: Vec<NodeUrl>) -> Self {
        Self {
            named,
            learnt: Vec::new(),
            current: None,
        }
    }

    /// All of them: the one that answered last comes first, and those that follow it are next.
    pub(super) fn in_turn(&self) -> Vec<NodeUrl> {
        let mut all = self.named.clone();
        let learnt = self.learnt.iter();
        all.extend(learnt.filter(|node| !self.named.contains(node)).cloned());
        if let Some(current) = &self.current {
            match all.iter().position(|node| node == current) {
                Some(at) => all.rotate_left(at),
                // The cluster names it no more, but it has answered.
                None => all.insert(0, current.clone()),
            }
        }
        all
    }

    /// This one has answered: it is the first from now on.
    pub(super) fn answered(&mut self, node: &NodeUrl) {
        if self.current.as_ref() != Some(node) {
            self.current = Some(node.clone());
        }
    }

    /// Takes the addresses of nodes that the cluster has named, the most useful first, in place of
    /// those that it named before. They are spoken to as those that a person named, so with TLS if
    /// these are.
    pub(super) fn learn<'a>(&mut self, addresses: impl IntoIterator<Item = &'a str>) {
        let is_tls = self.named.iter().any(|node| node.is_tls);
        let scheme = if is_tls { "https" } else { "http" };
        let urls = addresses.into_iter().filter_map(|address| {
            let url: Option<NodeUrl> = format!("{scheme}://{address}").parse().ok();
            url.filter(|url| !self.named.contains(url))
        });
        self.learnt = urls.take(MOST_LEARNT).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(named: &[&str]) -> Nodes {
        Nodes::named(named.iter().map(|url| url.parse().unwrap()).collect())
    }

    fn in_turn(nodes: &Nodes) -> Vec<String> {
        nodes.in_turn().iter().map(NodeUrl::to_string).collect()
    }

    #[test]
    fn the_one_that_answered_comes_first_and_learnt_ones_come_behind_those_that_were_named() {
        let mut nodes = nodes(&["http://a:1", "http://b:1"]);
        assert_eq!(in_turn(&nodes), ["http://a:1", "http://b:1"]);
        nodes.learn(["b:1", "c:1", "not an address", "d:1"]);
        let all = ["http://a:1", "http://b:1", "http://c:1", "http://d:1"];
        assert_eq!(in_turn(&nodes), all);
        nodes.answered(&"http://c:1".parse().unwrap());
        let from_c = ["http://c:1", "http://d:1", "http://a:1", "http://b:1"];
        assert_eq!(in_turn(&nodes), from_c);
    }

    #[test]
    fn what_answers_stays_though_the_cluster_names_others_and_old_ones_are_given_up() {
        let mut nodes = nodes(&["http://a:1"]);
        nodes.learn(["b:1", "c:1"]);
        nodes.answered(&"http://c:1".parse().unwrap());
        nodes.learn(["d:1"]);
        assert_eq!(in_turn(&nodes), ["http://c:1", "http://a:1", "http://d:1"]);
        let many: Vec<String> = (0..100).map(|n| format!("n{n}:1")).collect();
        nodes.learn(many.iter().map(String::as_str));
        assert_eq!(in_turn(&nodes).len(), 2 + MOST_LEARNT);
    }

    #[test]
    fn nodes_are_not_asked_without_tls_if_those_that_were_named_have_it() {
        let mut nodes = nodes(&["https://a:1"]);
        nodes.learn(["b:1"]);
        assert_eq!(in_turn(&nodes), ["https://a:1", "https://b:1"]);
    }
}
