//! What of a checkpoint does not fit a job: names are compared before anything is restored.

use std::collections::{BTreeMap, BTreeSet};

use crate::orders::Restored;

/// The names of a job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// All states, with what makes them, and their shape.
    pub(crate) states: BTreeMap<String, (&'static str, Option<String>)>,
    pub(crate) sources: BTreeSet<String>,
    pub(crate) sinks: BTreeSet<String>,
    /// What of a checkpoint may be lost.
    pub(crate) forgotten: BTreeSet<String>,
}

/// How alike two names have to be for one to be taken for the other.
const ALIKE: f64 = 0.75;

impl Names {
    /// Why a checkpoint does not fit, a sentence for each name; empty if it does.
    ///
    /// A state or a source that the job has not is refused whatever it holds, as that is chance. A
    /// sink is refused if it has promised something. A name that is forgotten is never refused; if
    /// the job has a state of that name that is made otherwise, it starts empty.
    pub(crate) fn unfit(&self, restored: &Restored) -> Vec<String> {
        let mut unfit = Vec::new();
        for (name, meta) in self.remembered(&restored.states) {
            let keys = counted(meta.keys, "key");
            match self.states.get(name) {
                Some((kind, shape)) if meta.is_of(kind, shape.as_deref()) => {}
                Some((kind, Some(shape))) if *kind == meta.kind => unfit.push(format!(
                    "{kind} `{name}` has {} in the checkpoint, and {shape} in this job: its {keys} \
                     would be lost; give the new one another name, or say job.forget(\"{name}\")",
                    meta.shape.as_deref().unwrap_or_default()
                )),
                Some((kind, _)) => unfit.push(format!(
                    "state `{name}` was made by {} when the checkpoint was, and is made by {kind} in \
                     this job: its {keys} would be lost; give the new one another name, or say \
                     job.forget(\"{name}\")",
                    meta.kind
                )),
                None => {
                    let new = self.states.iter();
                    let new = new.filter(|(new, (kind, _))| {
                        *kind == meta.kind && !restored.states.contains_key(*new)
                    });
                    unfit.push(format!(
                        "state `{name}` (made by {}) is in the checkpoint and not in this job: its \
                         {keys} would be lost{}",
                        meta.kind,
                        advice(name, "state", new.map(|(new, _)| new))
                    ));
                }
            }
        }
        for (name, meta) in self.remembered(&restored.sources) {
            if !self.sources.contains(name) {
                let new = self
                    .sources
                    .iter()
                    .filter(|new| !restored.sources.contains_key(*new));
                unfit.push(format!(
                    "source `{name}` is in the checkpoint and not in this job: how far it has read \
                     {} would be lost{}",
                    counted(meta.splits.len() as u64, "split"),
                    advice(name, "source", new)
                ));
            }
        }
        for (name, staged) in self.remembered(&restored.sinks) {
            if !self.sinks.contains(name) && !staged.is_empty() {
                let new = self
                    .sinks
                    .iter()
                    .filter(|new| !restored.sinks.contains_key(*new));
                unfit.push(format!(
                    "sink `{name}` is in the checkpoint and not in this job: {} that it has staged \
                     would never be published{}",
                    counted(staged.len() as u64, "output"),
                    advice(name, "sink", new)
                ));
            }
        }
        unfit
    }

    fn remembered<'a, T>(
        &self,
        all: &'a BTreeMap<String, T>,
    ) -> impl Iterator<Item = (&'a String, &'a T)> {
        all.iter()
            .filter(|(name, _)| !self.forgotten.contains(*name))
    }
}

/// What to do, with the new name that is most alike.
fn advice<'a>(name: &str, kind: &str, new: impl Iterator<Item = &'a String>) -> String {
    let alike = new
        .map(|new| (strsim::jaro_winkler(name, new), new))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match alike {
        Some((_, new)) => {
            format!("; call {kind} `{new}` so again, or say job.forget(\"{name}\")")
        }
        None => format!("; name it so, or say job.forget(\"{name}\")"),
    }
}

/// `51,203 keys`, `1 key`.
fn counted(count: u64, what: &str) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let plural = if count == 1 { "" } else { "s" };
    format!("{text} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::meta::{SourceMeta, SplitMeta, StateMeta};
    use crate::{Staged, Timestamp};

    fn checkpoint() -> Restored {
        let state = |kind: &str, keys| StateMeta {
            kind: kind.to_owned(),
            shape: (kind == "window").then(|| "windows of 10 ms".to_owned()),
            keys,
            watermark: Timestamp::MIN,
        };
        let split = SplitMeta {
            position: Value::Null,
            has_ended: false,
            latest: None,
        };
        let staged = Staged {
            name: "x".to_owned(),
            from: 1,
            note: Value::Null,
            bytes: None,
        };
        let mut restored = Restored::default();
        restored
            .states
            .insert("totals".to_owned(), state("state", 51_203));
        restored.states.insert("pairs".to_owned(), state("join", 0));
        restored.sources.insert(
            "orders".to_owned(),
            SourceMeta {
                splits: [("a".to_owned(), split)].into(),
            },
        );
        restored.sinks.insert("out".to_owned(), vec![staged; 1_000]);
        restored.sinks.insert("quiet".to_owned(), Vec::new());
        restored
    }

    fn job(states: &[(&str, &'static str)], others: &[&str]) -> Names {
        let others = || others.iter().map(|name| (*name).to_owned()).collect();
        Names {
            states: states
                .iter()
                .map(|(name, kind)| ((*name).to_owned(), (*kind, None)))
                .collect(),
            sources: others(),
            sinks: others(),
            forgotten: BTreeSet::new(),
        }
    }

    #[test]
    fn a_job_with_the_same_names_and_new_ones_fits() {
        let states = [("totals", "state"), ("pairs", "join"), ("new", "window")];
        let job = job(&states, &["orders", "out", "more"]);
        assert_eq!(job.unfit(&checkpoint()), Vec::<String>::new());
    }

    #[test]
    fn each_name_that_is_missing_is_listed() {
        let mut job = job(&[("total", "state"), ("pairs", "state")], &["other"]);
        let expected = [
            "state `pairs` was made by join when the checkpoint was, and is made by state in this \
             job: its 0 keys would be lost; give the new one another name, or say \
             job.forget(\"pairs\")",
            "state `totals` (made by state) is in the checkpoint and not in this job: its 51,203 keys \
             would be lost; call state `total` so again, or say job.forget(\"totals\")",
            "source `orders` is in the checkpoint and not in this job: how far it has read 1 split \
             would be lost; name it so, or say job.forget(\"orders\")",
            "sink `out` is in the checkpoint and not in this job: 1,000 outputs that it has staged \
             would never be published; name it so, or say job.forget(\"out\")",
        ];
        assert_eq!(job.unfit(&checkpoint()), expected);
        job.forgotten = ["pairs", "totals", "orders", "out"]
            .map(str::to_owned)
            .into();
        assert_eq!(job.unfit(&checkpoint()), Vec::<String>::new());
    }

    #[test]
    fn counts_are_written_for_people() {
        for (count, text) in [(1, "1 key"), (999, "999 keys"), (1_000, "1,000 keys")] {
            assert_eq!(counted(count, "key"), text);
        }
        assert_eq!(counted(u64::MAX, "key"), "18,446,744,073,709,551,615 keys");
    }
}
