//! The figures of both servers, and their targets.

use serde_json::{Value, json};

use crate::Failure;
use crate::report::{Section, number, spread};
use crate::stats::{Statistic, Summary};

/// One figure of both servers.
pub(super) struct Pair {
    what: String,
    unit: &'static str,
    ours: Summary,
    theirs: Summary,
    /// Ours over theirs, turn by turn.
    ratio: Summary,
    ask: Option<Ask>,
}

/// The target of a figure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    /// The median of the ratios.
    RatioAtLeast(f64),
    RatioAtMost(f64),
    /// Our median.
    AtMost(f64),
}

impl Pair {
    /// Of samples in the order of their turns, as many of each.
    pub(super) fn new(
        what: impl Into<String>,
        unit: &'static str,
        [ours, theirs]: [&[f64]; 2],
        ask: Option<Ask>,
    ) -> Result<Self, Failure> {
        let summary =
            |samples: &[f64]| Summary::of(samples.iter().copied()).ok_or("nothing was measured");
        let ratios: Vec<f64> = ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        Ok(Self {
            what: what.into(),
            unit,
            ours: summary(ours)?,
            theirs: summary(theirs)?,
            ratio: summary(&ratios)?,
            ask,
        })
    }

    pub(super) fn verdict(&self) -> Option<&'static str> {
        let ratio = self.ratio.get(Statistic::Median);
        let is_met = match self.ask? {
            Ask::RatioAtLeast(least) => ratio >= least,
            Ask::RatioAtMost(most) => ratio <= most,
            Ask::AtMost(most) => self.ours.get(Statistic::Median) <= most,
        };
        Some(if is_met { "PASS" } else { "MISS" })
    }

    /// Both figures, their ratio, and whether it meets the target.
    pub(super) fn cells(&self) -> [String; 4] {
        let verdict = self.verdict().unwrap_or_default().to_owned();
        [
            spread(&self.ours),
            spread(&self.theirs),
            spread(&self.ratio),
            verdict,
        ]
    }

    /// Both figures, without their spread.
    pub(super) fn medians(&self) -> [String; 2] {
        [&self.ours, &self.theirs].map(|summary| number(summary.get(Statistic::Median)))
    }

    pub(super) fn json(&self) -> Value {
        let values = |summary: &Summary| {
            let get = |statistic| summary.get(statistic);
            json!({
                "n": summary.count(), "median": get(Statistic::Median),
                "min": get(Statistic::Min), "max": get(Statistic::Max),
            })
        };
        json!({
            "what": self.what, "unit": self.unit, "verdict": self.verdict(),
            "incumbent": values(&self.ours), "zookeeper": values(&self.theirs), "ratio": values(&self.ratio),
        })
    }
}

impl Ask {
    fn text(self) -> String {
        match self {
            Self::RatioAtLeast(least) => format!("ratio ≥ {least}"),
            Self::RatioAtMost(most) => format!("ratio ≤ {most}"),
            Self::AtMost(most) => format!("≤ {most}"),
        }
    }
}

/// A table with one figure a row.
pub(super) fn section(name: &'static str, pairs: &[Pair], notes: Vec<String>) -> Section {
    let head = [
        "figure",
        "unit",
        "Incumbent",
        "ZooKeeper",
        "ratio",
        "asked",
        "",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    for pair in pairs {
        let [ours, theirs, ratio, verdict] = pair.cells();
        let asked = pair.ask.map(Ask::text).unwrap_or_default();
        rows.push(vec![
            pair.what.clone(),
            pair.unit.into(),
            ours,
            theirs,
            ratio,
            asked,
            verdict,
        ]);
    }
    Section {
        name,
        rows,
        notes,
        json: pairs.iter().map(Pair::json).collect(),
        has_miss: pairs.iter().any(|pair| pair.verdict() == Some("MISS")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_turns_and_their_median_is_judged() {
        let pair =
            |ask| Pair::new("it", "s", [&[2.0, 9.0, 4.0], &[1.0, 1.0, 4.0]], Some(ask)).unwrap();
        assert_eq!(pair(Ask::RatioAtLeast(2.0)).verdict(), Some("PASS"));
        assert_eq!(pair(Ask::RatioAtLeast(2.1)).verdict(), Some("MISS"));
        assert_eq!(pair(Ask::RatioAtMost(1.9)).verdict(), Some("MISS"));
        assert_eq!(pair(Ask::AtMost(4.0)).verdict(), Some("PASS"));
        assert_eq!(pair(Ask::AtMost(4.0)).cells()[2], "2.00 (1.00–9.00)");
    }
}
