//! What is asked of the state of a job while it runs, and what a rank answers: as it goes from the
//! node that is asked to a TaskManager, and from there to the task.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Question {
    /// The value of one key.
    Key {
        /// The name of the state.
        state: String,
        /// The key: any JSON.
        #[schema(value_type = Object)]
        key: Value,
    },
    /// Keys in their order.
    Range {
        /// The name of the state.
        state: String,
        /// Which keys.
        range: KeyRange,
    },
    /// The names of all states.
    List {
        /// Always true.
        list: bool,
    },
}

/// Some keys in the order of their JSON: null, booleans, numbers, strings, arrays, objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct KeyRange {
    /// The first key; without it, from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) from: Option<Value>,
    /// The key before which it ends; without it, to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) to: Option<Value>,
    /// At most so many entries: the lowest keys.
    pub(crate) limit: usize,
}

/// What a rank answers: `entries` of a key or a range, `states` of a list, or `refused`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RankAnswer {
    /// Keys and their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) entries: Vec<Entry>,
    /// Whether the key that was asked for belongs to this rank, whether it is there or not. If a
    /// rank says so, no other is waited for.
    #[serde(default)]
    pub(crate) is_owner: bool,
    /// Whether the range has more than the limit let through.
    #[serde(default)]
    pub(crate) more: bool,
    /// The names of all states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) states: Vec<String>,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Refusal>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The key: any JSON.
    #[schema(value_type = Object)]
    pub(crate) key: Value,
    /// The value: any JSON.
    #[schema(value_type = Object)]
    pub(crate) value: Value,
}

/// Why a task does not answer a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Refusal {
    /// There is no state of this name; `states` has those that there are.
    UnknownState,
    /// No key of this state can be so; `detail` says why.
    BadKey,
    /// It cannot be answered now; `detail` says why.
    NotNow,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_what_it_was_after_the_way() {
        for json in [
            r#"{"state":"totals","key":"alice"}"#,
            r#"{"state":"totals","key":null}"#,
            r#"{"state":"totals","range":{"from":[1,"a"],"limit":7}}"#,
            r#"{"list":true}"#,
        ] {
            let question: Question = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&question).unwrap(), json);
        }
        assert!(serde_json::from_str::<Question>(r#"{"state":"totals"}"#).is_err());
    }
}
