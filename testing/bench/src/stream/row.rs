//! Turns of one system with one query, and what is printed of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::Turn;
use crate::report;
use crate::stats::{Statistic, Summary};

pub(super) struct Row {
    pub(super) query: String,
    pub(super) system: String,
    pub(super) turns: Vec<Turn>,
}

impl Row {
    pub(super) fn new(query: &str, system: impl Into<String>) -> Self {
        Self {
            query: query.to_owned(),
            system: system.into(),
            turns: Vec::new(),
        }
    }

    /// Thousands of records for each second of a processor.
    pub(super) fn per_cpu_second(&self) -> Option<Summary> {
        self.per(|turn| turn.cpu)
    }

    fn per(&self, of: fn(&Turn) -> Duration) -> Option<Summary> {
        let thousands = |turn: &Turn| turn.records as f64 / of(turn).as_secs_f64().max(0.01) / 1e3;
        Summary::of(self.turns.iter().map(thousands))
    }

    pub(super) fn memory(&self) -> Option<Summary> {
        Summary::of(self.turns.iter().map(|turn| turn.memory))
    }

    /// Query, system, and three figures.
    pub(super) fn cells(&self) -> Vec<String> {
        let spread = |summary: Option<Summary>| summary.as_ref().map(report::spread);
        vec![
            self.query.clone(),
            self.system.clone(),
            spread(self.per_cpu_second()).unwrap_or_default(),
            spread(self.per(|turn| turn.took)).unwrap_or_default(),
            spread(self.memory()).unwrap_or_default(),
        ]
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "query": self.query,
            "system": self.system,
            "thousand_records_a_cpu_second": median(self.per_cpu_second()),
            "thousand_records_a_second": median(self.per(|turn| turn.took)),
            "memory_mib": median(self.memory()),
        })
    }
}

pub(super) fn median(summary: Option<Summary>) -> Option<f64> {
    summary.map(|summary| summary.get(Statistic::Median))
}

/// Whether a figure is at least what it should be.
pub(super) fn verdict(is_met: bool) -> String {
    if is_met { "PASS" } else { "MISS" }.into()
}
