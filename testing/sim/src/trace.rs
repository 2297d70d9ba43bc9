//! [`Trace`]: what happened, as lines for people.

use std::collections::VecDeque;

use crate::clock::Instant;

/// The last lines of a run, or none.
#[derive(Debug, Default)]
pub struct Trace {
    most: usize,
    lines: VecDeque<String>,
}

impl Trace {
    /// Keeps nothing, and costs nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Keeps so many of the last lines.
    pub fn last(most: usize) -> Self {
        let lines = VecDeque::new();
        Self { most, lines }
    }

    /// Another line.
    pub fn line(&mut self, at: Instant, text: impl FnOnce() -> String) {
        if self.most == 0 {
            return;
        }
        if self.lines.len() == self.most {
            self.lines.pop_front();
        }
        let (seconds, nanos) = (at / 1_000_000_000, at % 1_000_000_000);
        self.lines
            .push_back(format!("{seconds:>4}.{nanos:09} {}", shorten(&text())));
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

/// Nonces as `process.term`, seals as `epoch/process.term`.
fn shorten(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("Nonce(") {
        let (before, nonce) = rest.split_at(at);
        let Some((number, after)) = nonce["Nonce(".len()..].split_once(')') else {
            break;
        };
        short.push_str(before);
        match u128::from_str_radix(number, 16) {
            Ok(number) => short.push_str(&format!("{}.{}", number >> 64, number & 0xffff_ffff)),
            Err(_) => short.push_str(number),
        }
        rest = after;
    }
    short.push_str(rest);
    shorten_seals(&short)
}

fn shorten_seals(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let mut parts = text.split("Seal { epoch: Epoch(");
    short.push_str(parts.next().unwrap_or_default());
    for part in parts {
        // `4), nonce: 7.1 }` and whatever comes after it.
        let seal = part.replacen("), nonce: ", "/", 1);
        short.push_str(&seal.replacen(" }", "", 1));
    }
    short
}

#[cfg(test)]
mod tests {
    use incumbent_core::{Epoch, Seal};

    use super::*;
    use crate::history::first_nonce;

    #[test]
    fn only_the_last_lines_are_kept_and_nonces_are_short() {
        let mut trace = Trace::last(1);
        let seal = Seal {
            epoch: Epoch::new(4),
            nonce: first_nonce(7, 99),
        };
        trace.line(1, || "first".to_owned());
        trace.line(1_500_000_000, || format!("{seal:?}"));
        assert_eq!(trace.lines().collect::<Vec<_>>(), ["   1.500000000 4/7.0"]);
        Trace::off().line(0, || panic!("costs nothing"));
    }
}
