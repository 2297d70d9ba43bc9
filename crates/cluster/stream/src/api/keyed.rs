//! [`KeyedStream`]: records by what they are about.

use incumbent_state::hash_key;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator as _;
use timely::dataflow::operators::vec::Map as _;

use super::state::{Out, StateLogic};
use super::stream::both;
use super::{Job, Stream};
use crate::engine::{Flow, stateful};
use crate::logic::{Data, Key, Keyed, Logic};
use crate::state::Table;

use super::job::Above;

/// Records by key: all of one key meet on one task, in the order in which they come.
pub struct KeyedStream<'s, K, T> {
    pub(crate) job: Job<'s>,
    pub(crate) flow: Flow<'s, Keyed<K, T>>,
    pub(crate) above: Above<'s>,
    pub(crate) has_time: bool,
}

impl<K: Key, T: Data> Clone for KeyedStream<'_, K, T> {
    fn clone(&self) -> Self {
        Self {
            job: self.job.clone(),
            flow: self.flow.clone(),
            above: self.above.clone(),
            has_time: self.has_time,
        }
    }
}

impl<K, T> std::fmt::Debug for KeyedStream<'_, K, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedStream").finish_non_exhaustive()
    }
}

impl<'s, K: Key, T: Data> KeyedStream<'s, K, T> {
    pub(crate) fn new(stream: &Stream<'s, T>, mut key: impl FnMut(&T) -> K + 'static) -> Self {
        let control = stream.job.control();
        let busy = control.map(|control| control.busy("key_by()"));
        let mut out = Vec::new();
        let flow = stream.flow.clone().unary(Pipeline, "key_by", move |_, _| {
            move |input, output| {
                input.for_each(|capability, batch| {
                    let _working = busy.as_ref().map(|busy| {
                        busy.took(batch.len());
                        busy.gave(batch.len());
                        busy.begin()
                    });
                    out.extend(batch.drain(..).map(|(time, value)| {
                        let key = key(&value);
                        Keyed {
                            hash: hash_key(&key),
                            time,
                            key,
                            value,
                        }
                    }));
                    output.session(&capability).give_container(&mut out);
                    out.clear();
                });
            }
        });
        Self {
            job: stream.job.clone(),
            flow,
            above: stream.above.clone(),
            has_time: stream.has_time,
        }
    }

    /// Keeps something for each key. `each` is called with the key, a record, what is kept for the
    /// key, which is `S::default()` at first, and where results go.
    ///
    /// The name must be the job's own for it: checkpoints and queries know it by that.
    pub fn state<S, O>(
        &self,
        name: &str,
        each: impl FnMut(&K, T, &mut S, &mut Out<'_, O>) + 'static,
    ) -> Stream<'s, O>
    where
        S: Data + Default,
        O: Data,
    {
        let table = Table::new(name, "state");
        self.with_logic(name, StateLogic::<K, T, S, O, _>::new(table, each))
    }

    /// Runs a logic of its own over this stream.
    pub(crate) fn with_logic<L>(&self, name: &str, logic: L) -> Stream<'s, L::Out>
    where
        L: Logic<Key = K, Value = T>,
    {
        let flow = match self.job.control() {
            None => {
                self.job.plan_state(name, logic);
                // Nothing runs in this pass.
                self.flow.clone().flat_map(|_| None)
            }
            Some(control) => {
                let told = self.above.iter().map(|(_, told)| told.clone()).collect();
                stateful::<L>(control, name, self.flow.clone(), told)
            }
        };
        Stream::new(self.job.clone(), flow, self.above.clone(), self.has_time)
    }

    /// Makes something else of each record, whose key stays.
    pub(crate) fn map_values<U: Data>(
        &self,
        mut each: impl FnMut(T) -> U + 'static,
    ) -> KeyedStream<'s, K, U> {
        let mut out = Vec::new();
        let flow = self.flow.clone().unary(Pipeline, "map", move |_, _| {
            move |input, output| {
                input.for_each(|capability, batch| {
                    out.extend(batch.drain(..).map(|record: Keyed<K, T>| Keyed {
                        hash: record.hash,
                        time: record.time,
                        key: record.key,
                        value: each(record.value),
                    }));
                    output.session(&capability).give_container(&mut out);
                    out.clear();
                });
            }
        });
        KeyedStream {
            job: self.job.clone(),
            flow,
            above: self.above.clone(),
            has_time: self.has_time,
        }
    }

    /// The records of this stream and of another one with the same keys.
    pub(crate) fn merge(&self, other: &Self) -> Self {
        use timely::dataflow::operators::Concatenate as _;
        let flow = self
            .flow
            .scope()
            .concatenate([self.flow.clone(), other.flow.clone()]);
        Self {
            job: self.job.clone(),
            flow,
            above: both(&self.above, &other.above),
            has_time: self.has_time && other.has_time,
        }
    }
}
