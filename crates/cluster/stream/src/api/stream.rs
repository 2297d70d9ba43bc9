//! [`Stream`]: records on their way, and what can be done with each by itself.

use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Concatenate as _;
use timely::dataflow::operators::generic::operator::Operator as _;

use super::job::Above;
use super::{Job, KeyedStream};
use crate::engine::{Extract, Flow, attach_sink};
use crate::logic::{Data, Key, Timed};
use crate::{Sink, Timestamp};

/// Records on their way. Each has a time, if its sources have event time.
///
/// A stream may be used several times: each use gets all records.
pub struct Stream<'s, T> {
    pub(crate) job: Job<'s>,
    pub(crate) flow: Flow<'s, Timed<T>>,
    pub(crate) above: Above<'s>,
    pub(crate) has_time: bool,
}

impl<T: Data> Clone for Stream<'_, T> {
    fn clone(&self) -> Self {
        Self {
            job: self.job.clone(),
            flow: self.flow.clone(),
            above: Rc::clone(&self.above),
            has_time: self.has_time,
        }
    }
}

impl<T> fmt::Debug for Stream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl<'s, T: Data> Stream<'s, T> {
    pub(crate) fn new(
        job: Job<'s>,
        flow: Flow<'s, Timed<T>>,
        above: Above<'s>,
        has_time: bool,
    ) -> Self {
        Self {
            job,
            flow,
            above,
            has_time,
        }
    }

    /// Makes one record of each.
    pub fn map<U: Data>(&self, mut each: impl FnMut(T) -> U + 'static) -> Stream<'s, U> {
        self.counted("map()", move |time, record, out| {
            out.push((time, each(record)))
        })
    }

    /// Keeps the records for which this is true.
    pub fn filter(&self, mut keeps: impl FnMut(&T) -> bool + 'static) -> Stream<'s, T> {
        self.counted("filter()", move |time, record, out| {
            if keeps(&record) {
                out.push((time, record));
            }
        })
    }

    /// Makes any number of records of each, with its time.
    pub fn flat_map<I>(&self, mut each: impl FnMut(T) -> I + 'static) -> Stream<'s, I::Item>
    where
        I: IntoIterator,
        I::Item: Data,
    {
        self.counted("flat_map()", move |time, record, out| {
            out.extend(each(record).into_iter().map(|record| (time, record)));
        })
    }

    /// The records of this stream and of another.
    pub fn union(&self, other: &Stream<'s, T>) -> Stream<'s, T> {
        let scope = self.flow.scope();
        let flow = scope.concatenate([self.flow.clone(), other.flow.clone()]);
        let above = both(&self.above, &other.above);
        let has_time = self.has_time && other.has_time;
        Stream::new(self.job.clone(), flow, above, has_time)
    }

    /// Says what records are about: all with the same key meet on one task.
    pub fn key_by<K: Key>(&self, key: impl FnMut(&T) -> K + 'static) -> KeyedStream<'s, K, T> {
        KeyedStream::new(self, key)
    }

    /// Sends records to a sink. The name must be the job's own for it.
    pub fn sink<S: Sink<T>>(&self, name: &str, sink: S) {
        match self.job.ends() {
            None => self.write(name, sink),
            Some(ends) => self.write(name, ends.sink::<T>(name)),
        }
    }

    fn write<S: Sink<T>>(&self, name: &str, sink: S) {
        match self.job.control() {
            None => self.job.plan_sink(name, sink),
            Some(control) => {
                let writer: S::Writer = control.take_sink(name);
                attach_sink(control, name, self.flow.clone(), writer);
            }
        }
    }

    /// The records with their times, for what follows.
    pub(crate) fn batches<U: Data>(
        &self,
        name: &str,
        each: impl FnMut(Timestamp, T, &mut Vec<Timed<U>>) + 'static,
    ) -> Stream<'s, U> {
        self.run(name, false, each)
    }

    /// The same with a closure of the author's, who is told how long it takes: of all of a kind
    /// together, as they have no names. No name of the author's has brackets.
    pub(crate) fn counted<U: Data>(
        &self,
        kind: &str,
        each: impl FnMut(Timestamp, T, &mut Vec<Timed<U>>) + 'static,
    ) -> Stream<'s, U> {
        self.run(kind, true, each)
    }

    fn run<U: Data>(
        &self,
        name: &str,
        is_counted: bool,
        mut each: impl FnMut(Timestamp, T, &mut Vec<Timed<U>>) + 'static,
    ) -> Stream<'s, U> {
        let control = self.job.control().filter(|_| is_counted);
        let busy = control.map(|control| control.busy(name));
        let mut out = Vec::new();
        let flow = self.flow.clone().unary(Pipeline, name, move |_, _| {
            move |input, output| {
                input.for_each(|capability, batch| {
                    let _working = busy.as_ref().map(|busy| {
                        busy.took(batch.len());
                        busy.begin()
                    });
                    // What is given is gone with its memory: without this, it would grow anew.
                    out.reserve(batch.len());
                    for (time, record) in batch.drain(..) {
                        each(time, record, &mut out);
                    }
                    if let Some(busy) = &busy {
                        busy.gave(out.len());
                    }
                    if !out.is_empty() {
                        output.session(&capability).give_container(&mut out);
                        out.clear();
                    }
                });
            }
        });
        Stream::new(
            self.job.clone(),
            flow,
            Rc::clone(&self.above),
            self.has_time,
        )
    }
}

/// The sources of two streams.
pub(crate) fn both<'s>(one: &Above<'s>, other: &Above<'s>) -> Above<'s> {
    let mut all = Vec::clone(one);
    for (index, told) in other.iter() {
        if all.iter().all(|(known, _)| known != index) {
            all.push((*index, told.clone()));
        }
    }
    Rc::new(all)
}

/// The stream of a source, which may be told where the time of its records is.
pub struct SourceStream<'s, T> {
    stream: Stream<'s, T>,
    extract: Extract<T>,
}

impl<'s, T: Data> SourceStream<'s, T> {
    pub(crate) fn new(stream: Stream<'s, T>, extract: Extract<T>) -> Self {
        Self { stream, extract }
    }

    /// Says what the time of a record is, and by how much records of one split may be out of order.
    /// What comes later than that is late: windows that have passed do not count it.
    pub fn event_time(
        self,
        time: impl Fn(&T) -> Timestamp + 'static,
        disorder: Duration,
    ) -> Stream<'s, T> {
        *self.extract.borrow_mut() = Some((Box::new(time), disorder));
        Stream {
            has_time: true,
            ..self.stream
        }
    }
}

impl<'s, T> Deref for SourceStream<'s, T> {
    type Target = Stream<'s, T>;

    fn deref(&self) -> &Self::Target {
        &self.stream
    }
}
