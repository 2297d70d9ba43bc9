//! [`Nothing`]: a source that has nothing, and a sink that drops everything.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde_json::Value;

use crate::{At, Batch, BoxError, Found, Read, Reader, Sink, Source, Staged, Writer};

/// A source that has nothing, and a sink that drops everything: for jobs of tests, which replaces
/// both.
pub struct Nothing<T> {
    of: PhantomData<fn() -> T>,
}

impl<T> Nothing<T> {
    /// Nothing of this type.
    pub fn new() -> Self {
        Self { of: PhantomData }
    }
}

impl<T> Default for Nothing<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Nothing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nothing")
    }
}

impl<T: 'static> Source for Nothing<T> {
    type Record = T;
    type Reader = Self;

    fn open(&self, _: &At, _: BTreeMap<String, Value>) -> Result<Self, BoxError> {
        Ok(Self::new())
    }
}

impl<T> Reader for Nothing<T> {
    type Record = T;

    fn discover(&mut self) -> Result<Found, BoxError> {
        Ok(Found {
            splits: Vec::new(),
            is_complete: true,
        })
    }

    fn read(&mut self, _: &str, _: &mut Batch<T>) -> Result<Read, BoxError> {
        Ok(Read::Ended)
    }

    fn position(&self, _: &str) -> Value {
        Value::Null
    }
}

impl<T: 'static> Sink<T> for Nothing<T> {
    type Writer = Self;

    fn open(&self, _: &At, _: Vec<Staged>) -> Result<Self, BoxError> {
        Ok(Self::new())
    }
}

impl<T> Writer<T> for Nothing<T> {
    fn write(&mut self, _: Vec<T>) -> Result<(), BoxError> {
        Ok(())
    }

    fn stage(&mut self, _: u64) -> Result<Vec<Staged>, BoxError> {
        Ok(Vec::new())
    }

    fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: u64) -> Result<(), BoxError> {
        Ok(())
    }
}
