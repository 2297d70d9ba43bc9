//! When things happen in a job: pure decisions, which the engine carries out.
//!
//! Start with [`Time`], then [`Gate`], which every operator with state has.

mod ending;
mod gate;
#[cfg(test)]
mod gate_tests;
mod marks;
#[cfg(test)]
mod model;
mod time;

#[allow(unused_imports, reason = "the engine is on its way")]
pub(crate) use self::{
    ending::{Ending, Saying},
    gate::{Gate, Step},
    marks::{Mark, Marks},
    time::Time,
};
