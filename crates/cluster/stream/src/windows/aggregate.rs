//! [`Aggregate`]: what a window makes of its records, and the usual ones.

use std::marker::PhantomData;
use std::ops::AddAssign;

use crate::logic::Data;

/// What a window makes of its records: Flink's `AggregateFunction`.
///
/// Parts of a window are aggregated by themselves and merged: slices of sliding windows, sessions
/// that a record joins. So the order of records must not matter, nor where the parts begin.
pub trait Aggregate<T>: 'static {
    /// What is kept for a window, or for a part of one. It is the state that checkpoints have.
    type Acc: Data;
    /// The result of a window.
    type Result: Data;

    /// A part without records.
    fn create(&self) -> Self::Acc;

    /// Adds a record.
    fn add(&self, acc: &mut Self::Acc, record: T);

    /// Adds what another part has.
    fn merge(&self, acc: &mut Self::Acc, other: &Self::Acc);

    /// The result, of at least one record.
    fn result(&self, acc: Self::Acc) -> Self::Result;
}

/// How many records there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count;

impl<T> Aggregate<T> for Count {
    type Acc = u64;
    type Result = u64;

    fn create(&self) -> u64 {
        0
    }

    fn add(&self, acc: &mut u64, _: T) {
        *acc += 1;
    }

    fn merge(&self, acc: &mut u64, other: &u64) {
        *acc += other;
    }

    fn result(&self, acc: u64) -> u64 {
        acc
    }
}

/// The sum of something.
pub(crate) struct Sum<F, N> {
    of: F,
    number: PhantomData<fn() -> N>,
}

impl<F, N> Sum<F, N> {
    pub(crate) fn new(of: F) -> Self {
        Self {
            of,
            number: PhantomData,
        }
    }
}

impl<T, N, F> Aggregate<T> for Sum<F, N>
where
    N: Data + Default + AddAssign,
    F: Fn(&T) -> N + 'static,
{
    type Acc = N;
    type Result = N;

    fn create(&self) -> N {
        N::default()
    }

    fn add(&self, acc: &mut N, record: T) {
        *acc += (self.of)(&record);
    }

    fn merge(&self, acc: &mut N, other: &N) {
        *acc += other.clone();
    }

    fn result(&self, acc: N) -> N {
        acc
    }
}

/// One record made of two, again and again.
pub(crate) struct Reduce<F>(pub(crate) F);

impl<T: Data, F: Fn(T, T) -> T + 'static> Aggregate<T> for Reduce<F> {
    type Acc = Option<T>;
    type Result = T;

    fn create(&self) -> Option<T> {
        None
    }

    fn add(&self, acc: &mut Option<T>, record: T) {
        *acc = Some(match acc.take() {
            None => record,
            Some(before) => (self.0)(before, record),
        });
    }

    fn merge(&self, acc: &mut Option<T>, other: &Option<T>) {
        if let Some(other) = other {
            self.add(acc, other.clone());
        }
    }

    fn result(&self, acc: Option<T>) -> T {
        acc.expect("a window that fires has a record")
    }
}

/// All records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Collect;

impl<T: Data> Aggregate<T> for Collect {
    type Acc = Vec<T>;
    type Result = Vec<T>;

    fn create(&self) -> Vec<T> {
        Vec::new()
    }

    fn add(&self, acc: &mut Vec<T>, record: T) {
        acc.push(record);
    }

    fn merge(&self, acc: &mut Vec<T>, other: &Vec<T>) {
        acc.extend_from_slice(other);
    }

    fn result(&self, acc: Vec<T>) -> Vec<T> {
        acc
    }
}

/// A value that each record changes. It cannot be merged: each window has one of its own.
pub(crate) struct Fold<I, F> {
    pub(crate) init: I,
    pub(crate) add: F,
}

impl<T, S, I, F> Aggregate<T> for Fold<I, F>
where
    S: Data,
    I: Fn() -> S + 'static,
    F: Fn(&mut S, T) + 'static,
{
    type Acc = S;
    type Result = S;

    fn create(&self) -> S {
        (self.init)()
    }

    fn add(&self, acc: &mut S, record: T) {
        (self.add)(acc, record);
    }

    fn merge(&self, _: &mut S, _: &S) {
        unreachable!("only whole windows are folded");
    }

    fn result(&self, acc: S) -> S {
        acc
    }
}
