//! What the job of these tests puts out, by plain loops over its input. Nothing of the library is
//! used: where the library is wrong, this is not.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;

use super::input::{self, Record};

/// What windows, sessions and pairs are by, in milliseconds.
pub(super) const SLIDE: i64 = 5_000;
pub(super) const SLIDING: i64 = 2 * SLIDE;
pub(super) const GAP: i64 = 3_000;
pub(super) const DISTANCE: i64 = 2_000;
pub(super) const MEETING: i64 = 3_000;

/// How many keys the operators in a row and the sessions have.
pub(super) const SEVEN: u64 = 7;
pub(super) const FIVE: u64 = 5;
pub(super) const SESSIONS: u64 = 11;

/// A window of a key: key, start, end, and how many records there are in it.
pub(super) type Counted = (u64, i64, i64, u64);

/// What comes out.
pub(super) struct Reference {
    /// How many records each user has.
    pub(super) users: BTreeMap<u64, u64>,
    /// Key and number, for each record at the end of the chain.
    pub(super) chain: Vec<(u64, u64)>,
    pub(super) sliding: Vec<Counted>,
    pub(super) sessions: Vec<Counted>,
    /// User, record and the other record, of those that are near each other, and of those in one
    /// window.
    pub(super) pairs: Vec<(u64, u64, u64)>,
    pub(super) met: Vec<(u64, u64, u64)>,
}

impl Reference {
    /// Of the input below a directory.
    pub(super) fn of(dir: &Path) -> Self {
        let records = input::read(&dir.join("records"));
        let others = input::read(&dir.join("others"));
        let mut users = BTreeMap::new();
        for record in &records {
            *users.entry(record.user).or_insert(0) += 1;
        }
        Self {
            chain: chain(&users),
            users,
            sliding: sliding(&records),
            sessions: sessions(&records),
            pairs: pairs(&records, &others, |time| time - DISTANCE..=time + DISTANCE),
            met: pairs(&records, &others, |time| {
                let start = time.div_euclid(MEETING) * MEETING;
                start..=start + MEETING - 1
            }),
        }
    }

    /// The lines of a sink of files, sorted.
    pub(super) fn lines(&self, sink: &str) -> Vec<String> {
        let counted = |all: &[Counted]| {
            let line = |(key, start, end, n): &Counted| {
                format!(
                    "{{\"key\":{key},\"window\":{{\"start\":{start},\"end\":{end}}},\"value\":{n}}}"
                )
            };
            all.iter().map(line).collect()
        };
        let paired = |all: &[(u64, u64, u64)]| {
            let line = |(user, record, other): &(u64, u64, u64)| {
                format!("{{\"user\":{user},\"record\":{record},\"other\":{other}}}")
            };
            all.iter().map(line).collect()
        };
        let mut lines: Vec<_> = match sink {
            "chain" => {
                let line = |(key, n): &(u64, u64)| format!("{{\"key\":{key},\"n\":{n}}}");
                self.chain.iter().map(line).collect()
            }
            "sliding" => counted(&self.sliding),
            "sessions" => counted(&self.sessions),
            "pairs" => paired(&self.pairs),
            "met" => paired(&self.met),
            other => panic!("no sink {other}"),
        };
        lines.sort();
        lines
    }
}

/// The `n`th record of a user goes to key `n % 7`, and the `n`th of such a key to `n % 5`: which
/// numbers come is known, whatever the order in which users meet.
fn chain(users: &BTreeMap<u64, u64>) -> Vec<(u64, u64)> {
    let counted = |totals: &mut dyn Iterator<Item = u64>, keys: u64| {
        let mut counts = BTreeMap::new();
        for total in totals {
            for n in 1..=total {
                *counts.entry(n % keys).or_insert(0) += 1;
            }
        }
        counts
    };
    let sevenths = counted(&mut users.values().copied(), SEVEN);
    let fifths = counted(&mut sevenths.into_values(), FIVE);
    let numbers = |(key, total): (u64, u64)| (1..=total).map(move |n| (key, n));
    fifths.into_iter().flat_map(numbers).collect()
}

fn sliding(records: &[Record]) -> Vec<Counted> {
    let mut counts = BTreeMap::new();
    for record in records {
        let last = record.time.div_euclid(SLIDE) * SLIDE;
        let mut start = last;
        while record.time < start + SLIDING {
            *counts.entry((record.user, start)).or_insert(0) += 1;
            start -= SLIDE;
        }
    }
    let counted = |((user, start), n)| (user, start, start + SLIDING, n);
    counts.into_iter().map(counted).collect()
}

fn sessions(records: &[Record]) -> Vec<Counted> {
    let mut times: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    for record in records {
        times
            .entry(record.user % SESSIONS)
            .or_default()
            .push(record.time);
    }
    let mut sessions = Vec::new();
    for (key, mut times) in times {
        times.sort_unstable();
        for part in times.chunk_by(|one, next| next - one <= GAP) {
            let [first, .., last] = *part else {
                sessions.push((key, part[0], part[0] + GAP, 1));
                continue;
            };
            sessions.push((key, first, last + GAP, part.len() as u64));
        }
    }
    sessions
}

/// All pairs of a user whose other one has such a time.
fn pairs(
    records: &[Record],
    others: &[Record],
    times: impl Fn(i64) -> RangeInclusive<i64>,
) -> Vec<(u64, u64, u64)> {
    let mut by_user: BTreeMap<u64, BTreeSet<(i64, u64)>> = BTreeMap::new();
    for other in others {
        by_user
            .entry(other.user)
            .or_default()
            .insert((other.time, other.id));
    }
    let mut pairs = Vec::new();
    for record in records {
        let times = times(record.time);
        let near = (*times.start(), 0)..=(*times.end(), u64::MAX);
        let others = by_user.get(&record.user);
        for (_, other) in others
            .into_iter()
            .flat_map(|others| others.range(near.clone()))
        {
            pairs.push((record.user, record.id, *other));
        }
    }
    pairs
}
