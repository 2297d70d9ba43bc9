//! Figures as a table for people, or as JSON.

use serde_json::{Map, Value, json};

use crate::machine::Machine;
use crate::stats::{Statistic, Summary};

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) figures: Vec<Figure>,
    pub(crate) sections: Vec<Section>,
}

/// Figures with columns of their own.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    /// The head, then all others.
    pub(crate) rows: Vec<Vec<String>>,
    /// Printed below the table.
    pub(crate) notes: Vec<String>,
    pub(crate) json: Value,
    pub(crate) has_miss: bool,
}

/// One figure.
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) summary: Summary,
    /// What it should be. Parts of another figure have none.
    pub(crate) targets: Vec<Target>,
}

/// The most that a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) statistic: Statistic,
    pub(crate) at_most: f64,
}

impl Figure {
    pub(crate) fn new(
        what: impl Into<String>,
        unit: &'static str,
        summary: Summary,
        targets: impl IntoIterator<Item = (Statistic, f64)>,
    ) -> Self {
        let target = |(statistic, at_most)| Target { statistic, at_most };
        Self {
            what: what.into(),
            unit,
            summary,
            targets: targets.into_iter().map(target).collect(),
        }
    }

    /// `None` without a target.
    fn verdict(&self) -> Option<&'static str> {
        let met = |target: &Target| self.summary.get(target.statistic) <= target.at_most;
        if self.targets.is_empty() {
            None
        } else if self.targets.iter().all(met) {
            Some("PASS")
        } else {
            Some("MISS")
        }
    }

    fn row(&self) -> Vec<String> {
        let mut row = vec![
            self.what.clone(),
            self.unit.into(),
            self.summary.count().to_string(),
        ];
        row.extend(Statistic::ALL.map(|statistic| number(self.summary.get(statistic))));
        let targets = self.targets.iter().map(|target| {
            format!(
                "{} ≤ {}",
                target.statistic.name(),
                brief(number(target.at_most))
            )
        });
        row.push(targets.collect::<Vec<_>>().join(", "));
        row.push(self.verdict().unwrap_or_default().into());
        row
    }

    fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("what".into(), self.what.clone().into());
        object.insert("unit".into(), self.unit.into());
        object.insert("count".into(), self.summary.count().into());
        for statistic in Statistic::ALL {
            object.insert(statistic.name().into(), self.summary.get(statistic).into());
        }
        let targets = self.targets.iter().map(
            |target| json!({ "statistic": target.statistic.name(), "at_most": target.at_most }),
        );
        object.insert("targets".into(), targets.collect());
        object.insert("verdict".into(), self.verdict().into());
        object.into()
    }
}

impl Report {
    pub(crate) fn has_miss(&self) -> bool {
        self.figures
            .iter()
            .any(|figure| figure.verdict() == Some("MISS"))
            || self.sections.iter().any(|section| section.has_miss)
    }

    pub(crate) fn render(&self, json: bool) -> String {
        if !json {
            let sections: String = self.sections.iter().map(Section::table).collect();
            return format!("{}{sections}{}", self.table(), self.machine);
        }
        let figures: Value = self.figures.iter().map(Figure::json).collect();
        let mut report = json!({ "machine": self.machine.json(), "figures": figures });
        for section in &self.sections {
            report[section.name] = json!({ "rows": section.json, "notes": section.notes });
        }
        format!("{report:#}")
    }

    fn table(&self) -> String {
        if self.figures.is_empty() {
            return String::new();
        }
        let mut head = vec!["figure", "unit", "n"];
        head.extend(Statistic::ALL.map(Statistic::name));
        head.extend(["target", ""]);
        let mut rows: Vec<Vec<String>> = vec![head.into_iter().map(Into::into).collect()];
        rows.extend(self.figures.iter().map(Figure::row));
        grid(&rows, is_number) + "\n"
    }
}

impl Section {
    fn table(&self) -> String {
        let notes: String = self.notes.iter().map(|note| format!("{note}\n")).collect();
        let table = grid(&self.rows, |column| column > 0);
        format!("{}:\n\n{table}\n{notes}\n", self.name)
    }
}

/// Markdown that is also easy to read as it is.
fn grid(rows: &[Vec<String>], to_the_right: impl Fn(usize) -> bool) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            text += &if to_the_right(column) {
                format!("| {cell:>width$} ")
            } else {
                format!("| {cell:<width$} ")
            };
        }
        text += "|\n";
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let colon = if to_the_right(column) { ":" } else { "-" };
                text += &format!("|{}{colon}", "-".repeat(width + 1));
            }
            text += "|\n";
        }
    }
    text
}

/// Columns between the unit and the target.
fn is_number(column: usize) -> bool {
    (2..Statistic::ALL.len() + 3).contains(&column)
}

/// Three significant digits, or all before the point.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The median, the least and the greatest.
pub(crate) fn spread(summary: &Summary) -> String {
    let of = |statistic| number(summary.get(statistic));
    match summary.count() {
        1 => of(Statistic::Median),
        _ => format!(
            "{} ({}–{})",
            of(Statistic::Median),
            of(Statistic::Min),
            of(Statistic::Max)
        ),
    }
}

fn brief(number: String) -> String {
    if !number.contains('.') {
        return number;
    }
    let number = number.trim_end_matches('0');
    number.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(samples: &[f64], at_most: f64) -> Figure {
        let summary = Summary::of(samples.iter().copied()).unwrap();
        Figure::new("it", "ms", summary, [(Statistic::Max, at_most)])
    }

    #[test]
    fn a_target_is_met_or_missed_and_its_limit_is_met() {
        assert_eq!(figure(&[1.0, 2.0], 2.0).verdict(), Some("PASS"));
        assert_eq!(figure(&[1.0, 2.1], 2.0).verdict(), Some("MISS"));
        let without = Figure {
            targets: Vec::new(),
            ..figure(&[1.0], 0.0)
        };
        assert_eq!(without.verdict(), None);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 1.2345, -45.678, 123.4, 45_678.9].map(number),
            ["0.00", "1.23", "-45.7", "123", "45679"]
        );
        assert_eq!(brief(number(10.0)), "10");
        assert_eq!(brief(number(200.0)), "200");
    }
}
