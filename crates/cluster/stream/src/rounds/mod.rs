//! When things happen in a job: pure decisions, which the engine carries out.
//!
//! Start with [`Time`], then [`Gate`], which every operator with state has.

mod ending;
mod gate;
mod marks;
mod time;

pub(crate) use ending::{Ending, Saying};
pub(crate) use gate::{Gate, Step};
pub(crate) use marks::{Mark, Marks};
pub(crate) use time::Time;
