//! [`Nexmark`]: the sequence as a source.

use std::collections::BTreeMap;

use incumbent_stream::{At, BoxError, Generator, GeneratorReader, Source};
use serde_json::Value;

use crate::{Event, Sequence};

/// About what an event takes in memory.
const EVENT_BYTES: usize = 320;

/// A source of a [`Sequence`], in shares. A restart goes on with the next number of each.
#[derive(Clone, Debug)]
pub struct Nexmark {
    generator: Generator<Event>,
}

impl Nexmark {
    /// Without an end, and as fast as the job takes them.
    pub fn new(sequence: Sequence) -> Self {
        let generator = Generator::new(move |number| sequence.event(number));
        Self {
            generator: generator.record_bytes(EVENT_BYTES),
        }
    }

    /// Ends after so many events.
    #[must_use]
    pub fn events(self, events: u64) -> Self {
        Self {
            generator: self.generator.records(events),
        }
    }

    /// Gives so many events a second, of all tasks together.
    #[must_use]
    pub fn rate(self, events_per_second: f64) -> Self {
        Self {
            generator: self.generator.rate(events_per_second),
        }
    }

    /// Makes so many shares, each of which is read by one task.
    #[must_use]
    pub fn splits(self, splits: u32) -> Self {
        Self {
            generator: self.generator.splits(splits),
        }
    }
}

impl Source for Nexmark {
    type Record = Event;
    type Reader = GeneratorReader<Event>;

    fn open(&self, at: &At, positions: BTreeMap<String, Value>) -> Result<Self::Reader, BoxError> {
        self.generator.open(at, positions)
    }
}
