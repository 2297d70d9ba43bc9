//! Entries of leaders that are gone.

use super::finding::{Change, Finding, FindingKind};
use crate::component::Component;
use crate::data::Contents;

const ENDED: &str = "no plan is stored of this job: it has ended";

pub(super) fn findings(contents: &Contents, led: bool) -> Vec<Finding> {
    let of_entries = contents.cluster.leaders.iter().filter_map(|(name, entry)| {
        // An ephemeral node goes with its session.
        if entry.owner.is_some() {
            return None;
        }
        let component: Component = name.parse().unwrap_or_else(|never| match never {});
        let is_stored = match &component {
            Component::Job(id) => contents.cluster.jobs.contains_key(id),
            _ => true,
        };
        let (why, needs_stop) = match (is_stored, led) {
            (false, _) => (ENDED, false),
            // The present leader may have written it.
            (true, true) => return None,
            (true, false) => ("its leader is gone", true),
        };
        Some(finding(&entry.key, why, needs_stop))
    });
    let empty = contents.empty_leaders.iter();
    let empty = empty.filter(|(_, component)| contents.has_no_plan(component));
    let empty = empty.map(|(key, _)| finding(key, ENDED, false));
    of_entries.chain(empty).collect()
}

fn finding(key: &str, why: &str, needs_stop: bool) -> Finding {
    Finding {
        kind: FindingKind::Leader,
        keys: vec![key.to_owned()],
        files: Vec::new(),
        why: why.to_owned(),
        follows: "Nothing changes: the next leader writes its own entry.".into(),
        kept: None,
        needs_stop,
        changes: vec![Change::Entry(key.to_owned())],
    }
}
