//! [`Merged`]: the metrics of many nodes as one text. Pure.
//!
//! The format wants each family once, with all its series in a row, so the texts cannot just be
//! joined. Each series gets the label `node`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Says whether a node has answered.
const ANSWERED: &str = "incumbent_cluster_node_answered";

/// Metrics of several nodes.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    families: BTreeMap<String, Family>,
    answered: String,
    comments: String,
}

/// All series of one name, and what is said of it.
#[derive(Debug, Default)]
struct Family {
    help: Option<String>,
    kind: Option<String>,
    series: String,
}

impl Merged {
    /// Says something to people.
    pub(crate) fn comment(&mut self, text: &str) {
        let text = text.replace(['\n', '\r'], " ");
        let _ = writeln!(self.comments, "# {text}");
    }

    /// Whether this node has answered.
    pub(crate) fn answered(&mut self, node: &str, has: bool) {
        let (node, has) = (escaped(node), u8::from(has));
        let _ = writeln!(self.answered, "{ANSWERED}{{node=\"{node}\"}} {has}");
    }

    /// Adds what a node has said. Lines that are no metrics are left out.
    pub(crate) fn add(&mut self, node: &str, text: &str) {
        self.add_with(&format!("node=\"{}\"", escaped(node)), text);
    }

    /// Adds metrics as they are, or with this label.
    pub(crate) fn add_with(&mut self, label: &str, text: &str) {
        let mut family = String::new();
        for line in text.lines() {
            let (name, is_about) = match line.strip_prefix("# ") {
                Some(about) => (about.split(' ').nth(1), true),
                None => (line.split(['{', ' ']).next(), false),
            };
            let Some(name) = name.filter(|name| !name.is_empty() && !name.starts_with('#')) else {
                continue;
            };
            if is_about {
                let about = line[2..].splitn(3, ' ').nth(2).map(str::to_owned);
                family = name.to_owned();
                let found = self.families.entry(family.clone()).or_default();
                match line.as_bytes().get(2) {
                    Some(b'H') => found.help = found.help.take().or(about),
                    Some(b'T') => found.kind = found.kind.take().or(about),
                    _ => {}
                }
                continue;
            }
            // Of a histogram, the parts belong to the family that was named last.
            if !is_of(name, &family) {
                family = name.to_owned();
            }
            let series = &mut self.families.entry(family.clone()).or_default().series;
            let rest = &line[name.len()..];
            let _ = match rest.strip_prefix('{') {
                _ if label.is_empty() => writeln!(series, "{line}"),
                Some(labels) if labels.starts_with('}') => {
                    writeln!(series, "{name}{{{label}{labels}")
                }
                Some(labels) => writeln!(series, "{name}{{{label},{labels}"),
                None => writeln!(series, "{name}{{{label}}}{rest}"),
            };
        }
    }

    /// All of it.
    pub(crate) fn to_text(&self) -> String {
        let mut text = self.comments.clone();
        for (name, Family { help, kind, series }) in &self.families {
            if series.is_empty() {
                continue;
            }
            if let Some(help) = help {
                let _ = writeln!(text, "# HELP {name} {help}");
            }
            if let Some(kind) = kind {
                let _ = writeln!(text, "# TYPE {name} {kind}");
            }
            text.push_str(series);
        }
        if self.answered.is_empty() {
            return text;
        }
        let _ = writeln!(
            text,
            "# HELP {ANSWERED} Whether a node has said its metrics in time."
        );
        let _ = writeln!(text, "# TYPE {ANSWERED} gauge");
        text.push_str(&self.answered);
        text
    }
}

fn is_of(name: &str, family: &str) -> bool {
    let part = name.strip_prefix(family);
    !family.is_empty()
        && part.is_some_and(|part| matches!(part, "" | "_bucket" | "_sum" | "_count"))
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_comes_once_and_each_series_says_its_node() {
        let mut merged = Merged::default();
        let one = "# HELP a Things.\n# TYPE a counter\na 1\n\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_sum 3\nh_count 2\n";
        let two = "# TYPE a counter\na{x=\"y {z}\"} 5\nlone{} 1\n# EOF\n";
        merged.add("n1", one);
        merged.add("n\"2", two);
        merged.answered("n1", true);
        merged.answered("n3", false);
        merged.comment("n3 is left out:\nslow");
        let expected = "# n3 is left out: slow\n\
            # HELP a Things.\n# TYPE a counter\na{node=\"n1\"} 1\na{node=\"n\\\"2\",x=\"y {z}\"} 5\n\
            # TYPE h histogram\nh_bucket{node=\"n1\",le=\"1\"} 2\nh_sum{node=\"n1\"} 3\nh_count{node=\"n1\"} 2\n\
            lone{node=\"n\\\"2\"} 1\n\
            # HELP incumbent_cluster_node_answered Whether a node has said its metrics in time.\n\
            # TYPE incumbent_cluster_node_answered gauge\n\
            incumbent_cluster_node_answered{node=\"n1\"} 1\nincumbent_cluster_node_answered{node=\"n3\"} 0\n";
        assert_eq!(merged.to_text(), expected);
    }
}
