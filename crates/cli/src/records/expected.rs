//! What a record must be before it is written: [`Expected`].

use incumbent::RecordName;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::exit::{Code, Failure};

pub(super) enum Expected {
    Anything,
    Absent,
    Data(Value),
}

impl Expected {
    pub(super) fn data(json: &RawValue) -> Result<Self, Failure> {
        value(json).map(Self::Data).map_err(|error| {
            Failure::new("the JSON cannot be compared")
                .because(error)
                .code(Code::Usage)
        })
    }

    pub(super) fn is_met_by(&self, found: Option<&RawValue>) -> bool {
        match (self, found) {
            (Self::Anything, _) | (Self::Absent, None) => true,
            // Data that cannot be parsed equals nothing.
            (Self::Data(expected), Some(found)) => {
                value(found).is_ok_and(|found| found == *expected)
            }
            (Self::Absent, Some(_)) | (Self::Data(_), None) => false,
        }
    }
}

/// The failure of a write whose expectation is not met.
pub(super) fn unexpected(name: &RecordName) -> Failure {
    Failure::new(format!(
        "{name} is not what was expected; nothing was written"
    ))
    .code(Code::Refused)
}

fn value(raw: &RawValue) -> serde_json::Result<Value> {
    serde_json::from_str(raw.get())
}
