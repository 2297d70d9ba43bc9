//! [`Misfits`]: what a checkpoint has that its job cannot read.

use std::collections::BTreeMap;

use serde_json::Value;

/// Keys and values of a checkpoint that the types of a job cannot read. They are counted, so that
/// one look shows all states that do not fit.
#[derive(Debug, Default)]
pub(crate) struct Misfits {
    states: BTreeMap<String, Misfit>,
}

#[derive(Debug)]
struct Misfit {
    count: u64,
    /// The first key, and why it does not fit.
    key: Value,
    reason: String,
}

impl Misfits {
    pub(super) fn add(&mut self, state: &str, key: Value, reason: impl FnOnce() -> String) {
        match self.states.get_mut(state) {
            Some(misfit) => misfit.count += 1,
            None => {
                let reason = reason();
                self.states.insert(
                    state.to_owned(),
                    Misfit {
                        count: 1,
                        key,
                        reason,
                    },
                );
            }
        }
    }

    /// A sentence for each state; empty if all fit.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let sentence = |(state, misfit): (&String, &Misfit)| {
            let Misfit { count, key, reason } = misfit;
            match count {
                1 => format!("state `{state}`: key {key} cannot be read: {reason}"),
                _ => format!(
                    "state `{state}`: {count} keys cannot be read, the first is {key}: {reason}"
                ),
            }
        };
        self.states.iter().map(sentence).collect()
    }
}
