//! Lists: what is shown of them, in which order, and what is selected.

use std::cmp::Reverse;
use std::ops::Range;

use incumbent_cluster_core::view::JobView;

use super::super::snapshot::rank_of;
use crate::cluster::job::describe::short_state;

/// The selection in a list, and its window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Rows {
    pub(in super::super) selected: usize,
    /// What was selected: it stays so when the order changes.
    key: Option<String>,
    first: usize,
    /// How many rows the window had when it was drawn last.
    pub(in super::super) height: usize,
}

impl Rows {
    /// After a change of the list, with the keys of what it has now.
    pub(super) fn keep(&mut self, keys: &[String]) {
        let at = self
            .key
            .as_ref()
            .and_then(|key| keys.iter().position(|other| other == key));
        self.selected = at
            .unwrap_or(self.selected)
            .min(keys.len().saturating_sub(1));
        self.key = keys.get(self.selected).cloned();
    }

    /// Selects another row of `keys`.
    pub(super) fn go(&mut self, to: usize, keys: &[String]) {
        self.selected = to.min(keys.len().saturating_sub(1));
        self.key = keys.get(self.selected).cloned();
    }

    /// Which rows of `length` are in a window of this height: the selected one is.
    pub(in super::super) fn window(&mut self, length: usize, height: usize) -> Range<usize> {
        self.height = height;
        self.selected = self.selected.min(length.saturating_sub(1));
        // In a window without rows, the selected one would be the first.
        let rows = height.max(1);
        let lowest = (self.selected + 1).saturating_sub(rows);
        self.first = self.first.clamp(lowest, self.selected);
        self.first = self.first.min(length.saturating_sub(rows));
        self.first..length.min(self.first + height)
    }
}

/// The order of jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Sort {
    pub(in super::super) by: By,
    pub(in super::super) is_reversed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum By {
    /// What needs a person first.
    #[default]
    State,
    Name,
    /// Most first.
    Restarts,
    /// Newest first.
    Submitted,
}

impl Sort {
    pub(super) fn next(self) -> Self {
        let by = match self.by {
            By::State => By::Name,
            By::Name => By::Restarts,
            By::Restarts => By::Submitted,
            By::Submitted => By::State,
        };
        Self {
            by,
            is_reversed: false,
        }
    }

    pub(in super::super) fn in_words(self) -> String {
        let by = match self.by {
            By::State => "state",
            By::Name => "name",
            By::Restarts => "restarts",
            By::Submitted => "age",
        };
        format!(
            "by {by}{}",
            if self.is_reversed { ", reversed" } else { "" }
        )
    }
}

/// The jobs that have the filter in name, state or id, in this order. All words must be there.
pub(super) fn shown<'a>(jobs: &'a [JobView], filter: &str, sort: Sort) -> Vec<&'a JobView> {
    let filter = filter.to_lowercase();
    let has = |job: &&JobView| {
        let text = format!(
            "{} {} {}",
            job.name.to_lowercase(),
            short_state(job),
            job.id
        );
        filter.split_whitespace().all(|word| text.contains(word))
    };
    let mut shown: Vec<_> = jobs.iter().filter(has).collect();
    match sort.by {
        By::State => shown.sort_by_key(|job| (rank_of(job.state), &job.name)),
        By::Name => shown.sort_by_key(|job| &job.name),
        By::Restarts => shown.sort_by_key(|job| (Reverse(job.restarts), &job.name)),
        By::Submitted => shown.sort_by_key(|job| Reverse(&job.submitted_at)),
    }
    if sort.is_reversed {
        shown.reverse();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    #[test]
    fn the_selection_stays_with_what_was_selected() {
        let mut rows = Rows::default();
        rows.keep(&keys("abc"));
        rows.go(1, &keys("abc"));
        rows.keep(&keys("xyabc"));
        assert_eq!(rows.selected, 3);
        // It is gone: the same place.
        rows.keep(&keys("xyac"));
        assert_eq!(rows.selected, 3);
        rows.keep(&[]);
        assert_eq!(rows.selected, 0);
    }

    #[test]
    fn the_window_moves_only_as_far_as_it_must() {
        let mut rows = Rows::default();
        let all: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(rows.window(100, 10), 0..10);
        rows.go(12, &all);
        assert_eq!(rows.window(100, 10), 3..13);
        rows.go(5, &all);
        assert_eq!(rows.window(100, 10), 3..13);
        rows.go(2, &all);
        assert_eq!(rows.window(100, 10), 2..12);
        rows.go(99, &all);
        assert_eq!(rows.window(100, 10), 90..100);
        assert_eq!(rows.window(4, 10), 0..4);
        assert_eq!(rows.window(0, 0), 0..0);
        rows.go(50, &all);
        assert_eq!(rows.window(100, 0), 50..50);
    }
}
