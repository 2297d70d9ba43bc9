//! Where something stands in a job file.

use std::collections::BTreeMap;
use std::ops::Range;

/// Where the value of each key stands.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, Range<usize>>);

impl Places {
    pub(super) fn insert(&mut self, key: String, span: Range<usize>) {
        self.0.insert(key, span);
    }

    /// Where in the text a value stands, or the character after so many of it: exactly, if the
    /// value is written without escapes. What the file does not mention is wrong where its table
    /// begins.
    pub(super) fn of(&self, text: &str, key: &str, offset: Option<usize>) -> usize {
        let table = key.split('.').next().unwrap_or_default();
        let Some(span) = self.0.get(key).or_else(|| self.0.get(table)) else {
            return 0;
        };
        let raw = text.get(span.clone()).unwrap_or_default();
        let inside = offset.and_then(|offset| exact(raw, offset));
        span.start + inside.unwrap_or(0)
    }
}

/// The same within the text of one value, with its quotes.
fn exact(raw: &str, offset: usize) -> Option<usize> {
    let quotes = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quotes| raw.starts_with(quotes))?;
    if quotes.starts_with('"') && raw.contains('\\') {
        return None;
    }
    let mut inside = quotes.len();
    if quotes.len() == 3 {
        // A line break after three quotes does not belong to the value.
        let rest = &raw[inside..];
        let line_break = ["\r\n", "\n"]
            .into_iter()
            .find(|line_break| rest.starts_with(line_break));
        inside += line_break.map_or(0, str::len);
    }
    let (before, _) = raw.get(inside..)?.char_indices().nth(offset)?;
    Some(inside + before)
}

/// From 1, in characters.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}
