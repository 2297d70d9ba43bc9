//! [`Snapshots`]: the parts of this rank's snapshots, until they are whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Sender;

use incumbent_state::Block;

use crate::meta::{SourceMeta, StateMeta};
use crate::orders::{Report, Snapshot, Whole};
use crate::room::Room;
use crate::{Staged, Timestamp};

/// One of the parts that a snapshot is put together of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Source(String),
    State(String),
    Sink(String),
}

/// Snapshots that are not whole yet. Usually there is one.
pub(crate) struct Snapshots {
    reports: Sender<Report>,
    /// For blocks.
    room: Room,
    parts: BTreeSet<Part>,
    open: BTreeMap<Snapshot, Open>,
    encoding: BTreeMap<String, (Snapshot, Timestamp)>,
}

struct Open {
    missing: BTreeSet<Part>,
    whole: Whole,
}

impl Snapshots {
    pub(crate) fn new(reports: Sender<Report>, room: Room) -> Self {
        Self {
            reports,
            room,
            parts: BTreeSet::new(),
            open: BTreeMap::new(),
            encoding: BTreeMap::new(),
        }
    }

    /// From now on each snapshot has this part.
    pub(crate) fn expect(&mut self, part: Part) {
        self.parts.insert(part);
    }

    /// A snapshot begins.
    pub(crate) fn begin(&mut self, snapshot: Snapshot) {
        let open = Open {
            missing: self.parts.clone(),
            whole: Whole::default(),
        };
        self.open.insert(snapshot, open);
        self.report(Report::Begun(snapshot));
        self.look(snapshot);
    }

    pub(crate) fn source(&mut self, snapshot: Snapshot, name: &str, meta: SourceMeta) {
        self.add(snapshot, Part::Source(name.to_owned()), |whole| {
            whole.sources.insert(name.to_owned(), meta);
        });
    }

    /// The table of this state has begun its part: its shards are encoded in turns. Returns whether
    /// the snapshot is wanted.
    pub(crate) fn encode(&mut self, snapshot: Snapshot, name: &str, watermark: Timestamp) -> bool {
        let is_wanted = self.open.contains_key(&snapshot);
        if is_wanted {
            self.encoding.insert(name.to_owned(), (snapshot, watermark));
        }
        is_wanted
    }

    /// The states that are being encoded.
    pub(crate) fn encoding(&self) -> Vec<(String, Snapshot, Timestamp)> {
        let each = |(name, (snapshot, watermark)): (&String, &(Snapshot, Timestamp))| {
            (name.clone(), *snapshot, *watermark)
        };
        self.encoding.iter().map(each).collect()
    }

    pub(crate) fn is_encoding(&self) -> bool {
        !self.encoding.is_empty()
    }

    /// Whether one is not whole yet.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.open.is_empty()
    }

    pub(crate) fn block(&self, snapshot: Snapshot, block: Block) {
        if self.open.contains_key(&snapshot) {
            let held = self.room.hold(block.bytes.len());
            self.report(Report::Block(snapshot, block, held));
        }
    }

    pub(crate) fn state(&mut self, snapshot: Snapshot, name: &str, meta: StateMeta) {
        self.encoding.remove(name);
        self.add(snapshot, Part::State(name.to_owned()), |whole| {
            whole.states.insert(name.to_owned(), meta);
        });
    }

    pub(crate) fn sink(&mut self, snapshot: Snapshot, name: &str, staged: Vec<Staged>) {
        self.add(snapshot, Part::Sink(name.to_owned()), |whole| {
            whole.sinks.insert(name.to_owned(), staged);
        });
    }

    /// Gives up what is not whole of these.
    pub(crate) fn give_up(&mut self, which: impl Fn(Snapshot) -> bool) {
        let given_up: Vec<_> = self
            .open
            .keys()
            .copied()
            .filter(|each| which(*each))
            .collect();
        for snapshot in given_up {
            self.open.remove(&snapshot);
            self.encoding.retain(|_, (of, _)| *of != snapshot);
            self.report(Report::GivenUp(snapshot));
        }
    }

    pub(crate) fn report(&self, report: Report) {
        // If the runtime is gone, so is the process in a moment.
        let _ = self.reports.send(report);
    }

    fn add(&mut self, snapshot: Snapshot, part: Part, add: impl FnOnce(&mut Whole)) {
        if let Some(open) = self.open.get_mut(&snapshot)
            && open.missing.remove(&part)
        {
            add(&mut open.whole);
            self.look(snapshot);
        }
    }

    fn look(&mut self, snapshot: Snapshot) {
        if (self.open.get(&snapshot)).is_some_and(|open| open.missing.is_empty())
            && let Some(open) = self.open.remove(&snapshot)
        {
            self.report(Report::Whole(snapshot, open.whole));
        }
    }
}
