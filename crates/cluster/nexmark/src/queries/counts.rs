use incumbent_stream::{Generator, Job};

use crate::Shown;
use crate::random::Random;

/// What [`counts`] counts.
#[derive(Clone, Debug)]
pub struct Counts {
    /// How many keys there are.
    pub keys: u64,
    /// How many records there are in a second.
    pub rate: f64,
    /// The directory in which counts are shown.
    pub output: String,
}

/// How often each of some keys was met, without an end. Each count is shown at once, and may be
/// shown again after a failure: it is for measuring how long nothing comes.
pub fn counts(job: &Job<'_>, of: &Counts) {
    let keys = of.keys;
    let numbers = Generator::new(move |n| Random::of_event(n).below(keys)).rate(of.rate);
    job.source("numbers", numbers)
        .key_by(|key| *key)
        .state("counts", |key, _, count: &mut u64, out| {
            *count += 1;
            out.give((*key, *count));
        })
        .sink("shown", Shown::new(&of.output));
}
