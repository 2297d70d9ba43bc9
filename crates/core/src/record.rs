//! The body of every record but the root: the seal of the leader that wrote it last, and the data.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::root::{BadBody, FORMAT, parse};
use crate::{Epoch, Nonce, Seal};

/// Body of a record, as it is stored: JSON that a person can read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordBody {
    incumbent: RecordTag,
    format: u32,
    /// The leader that sealed or wrote it last.
    pub seal: Seal,
    /// Number of this write within that leader's term. A leader recognizes its own write by it when
    /// the answer was lost.
    pub seq: u64,
    /// A process that did not lead created these data, and no leader has written since. So they may
    /// be younger than an erasure, whatever the seal says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unled: bool,
    /// The number of the creation, if a process that did not lead created this record. Seals,
    /// commits and deletions keep it, so that this process recognizes its own creation, however
    /// late it looks. Only an erasure forgets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Nonce>,
    /// The data, byte for byte as it was written. `None` is a tombstone: deleted, or opened and
    /// never written.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub data: Option<Box<RawValue>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum RecordTag {
    #[serde(rename = "record")]
    Record,
}

/// `null` is data too: only a missing key is a tombstone.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

impl RecordBody {
    /// A body with this seal and data.
    pub fn new(seal: Seal, seq: u64, data: Option<Box<RawValue>>) -> Self {
        Self {
            incumbent: RecordTag::Record,
            format: FORMAT,
            seal,
            seq,
            unled: false,
            created: None,
            data,
        }
    }

    /// The body that a process which does not lead creates. No seal is lower.
    pub fn creation(number: Nonce, data: Box<RawValue>) -> Self {
        let nobody = Seal {
            epoch: Epoch::ZERO,
            nonce: number,
        };
        Self {
            unled: true,
            created: Some(number),
            ..Self::new(nobody, 1, Some(data))
        }
    }

    /// The same data under another seal.
    #[must_use]
    pub fn sealed(self, seal: Seal, seq: u64) -> Self {
        Self { seal, seq, ..self }
    }

    /// The data as JSON text; `None` for a tombstone.
    pub fn json(&self) -> Option<&str> {
        self.data.as_deref().map(RawValue::get)
    }

    /// Whether the write numbered `seq` under `seal` made this body.
    pub fn is_write(&self, seal: Seal, seq: u64) -> bool {
        self.seal == seal && self.seq == seq
    }

    /// Reads a stored body.
    ///
    /// # Errors
    ///
    /// [`BadBody`].
    pub fn from_bytes(body: &[u8]) -> Result<Self, BadBody> {
        parse("record", body)
    }

    /// The body as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record is always JSON")
    }
}

impl PartialEq for RecordBody {
    fn eq(&self, other: &Self) -> bool {
        self.is_write(other.seal, other.seq) && self.json() == other.json()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealing_keeps_the_data_byte_for_byte() {
        let seal = |n| Seal {
            epoch: Epoch::new(n),
            nonce: Nonce::new(n.into()),
        };
        let data = r#"{"n":1.50,"big":123456789012345678901234567890,"b":1,"a":2}"#;
        let first = RecordBody::new(
            seal(1),
            1,
            Some(RawValue::from_string(data.into()).unwrap()),
        );
        let stored = RecordBody::from_bytes(&first.to_bytes()).unwrap();
        let second = RecordBody::from_bytes(&stored.sealed(seal(2), 9).to_bytes()).unwrap();
        assert_eq!(second.json(), Some(data));
        assert!(second.is_write(seal(2), 9));
    }

    #[test]
    fn the_stored_form_of_a_creation_is_pinned() {
        let data = RawValue::from_string("[1]".into()).unwrap();
        let body = RecordBody::creation(Nonce::new(2), data);
        let text = r#"{"incumbent":"record","format":1,"seal":{"epoch":0,"nonce":"00000000000000000000000000000002"},"seq":1,"unled":true,"created":"00000000000000000000000000000002","data":[1]}"#;
        assert_eq!(String::from_utf8(body.to_bytes()).unwrap(), text);
        let seal = Seal {
            epoch: Epoch::new(1),
            nonce: Nonce::new(1),
        };
        let sealed = RecordBody::from_bytes(text.as_bytes())
            .unwrap()
            .sealed(seal, 9);
        assert_eq!((sealed.unled, sealed.created), (true, Some(Nonce::new(2))));
    }

    #[test]
    fn null_is_data_and_no_tombstone() {
        let seal = Seal {
            epoch: Epoch::new(1),
            nonce: Nonce::new(1),
        };
        let body = RecordBody::new(seal, 1, Some(RawValue::from_string("null".into()).unwrap()));
        assert_eq!(
            RecordBody::from_bytes(&body.to_bytes()).unwrap().json(),
            Some("null")
        );
    }

    #[test]
    fn the_stored_form_is_pinned() {
        let seal = Seal {
            epoch: Epoch::new(3),
            nonce: Nonce::new(1),
        };
        let body = RecordBody::new(seal, 5, Some(RawValue::from_string("[1]".into()).unwrap()));
        let text = r#"{"incumbent":"record","format":1,"seal":{"epoch":3,"nonce":"00000000000000000000000000000001"},"seq":5,"data":[1]}"#;
        assert_eq!(String::from_utf8(body.to_bytes()).unwrap(), text);
        assert_eq!(
            RecordBody::from_bytes(&RecordBody::new(seal, 5, None).to_bytes())
                .unwrap()
                .json(),
            None
        );
    }
}
