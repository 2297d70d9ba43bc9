//! [`Out`], and the logic of [`KeyedStream::state`](super::KeyedStream::state).

use std::marker::PhantomData;

use crate::Timestamp;
use crate::logic::{Data, Key, Keyed, Logic, Timed};
use crate::state::{AnyTable, Table};

/// Where the results of a record go.
#[derive(Debug)]
pub struct Out<'o, O> {
    time: Timestamp,
    watermark: Timestamp,
    out: &'o mut Vec<Timed<O>>,
    forgets: bool,
}

impl<O> Out<'_, O> {
    /// Gives a result, with the time of the record.
    pub fn give(&mut self, result: O) {
        self.out.push((self.time, result));
    }

    /// Forgets what is kept for this key, after this record.
    pub fn forget(&mut self) {
        self.forgets = true;
    }

    /// The time of the record; [`Timestamp::MIN`] if its stream has no event time.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// How far event time is: nothing earlier comes, but what is late.
    pub fn watermark(&self) -> Timestamp {
        self.watermark
    }
}

pub(super) struct StateLogic<K, T, S, O, F> {
    table: Table<K, S>,
    each: F,
    watermark: Timestamp,
    types: PhantomData<fn(T) -> O>,
}

impl<K, T, S, O, F> StateLogic<K, T, S, O, F> {
    pub(super) fn new(table: Table<K, S>, each: F) -> Self {
        Self {
            table,
            each,
            watermark: Timestamp::MIN,
            types: PhantomData,
        }
    }
}

impl<K, T, S, O, F> Logic for StateLogic<K, T, S, O, F>
where
    K: Key,
    T: Data,
    S: Data + Default,
    O: Data,
    F: FnMut(&K, T, &mut S, &mut Out<'_, O>) + 'static,
{
    type Key = K;
    type Value = T;
    type Out = O;

    fn record(&mut self, record: Keyed<K, T>, out: &mut Vec<Timed<O>>) {
        let mut out = Out {
            time: record.time,
            watermark: self.watermark,
            out,
            forgets: false,
        };
        let kept = self.table.entry(record.hash, &record.key, S::default);
        (self.each)(&record.key, record.value, kept, &mut out);
        if out.forgets {
            self.table.remove(record.hash, &record.key);
        }
    }

    fn watermark(&mut self, to: Timestamp, _: &mut Vec<Timed<O>>) -> bool {
        self.watermark = to;
        true
    }

    fn table(&mut self) -> &mut dyn AnyTable {
        &mut self.table
    }

    fn restored(&mut self) -> Result<(), String> {
        Ok(())
    }
}
