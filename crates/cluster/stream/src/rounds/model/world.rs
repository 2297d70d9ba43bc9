//! [`World`]: ranks, a dataflow between them and a leader, with everything that may happen next.

use std::collections::{BTreeMap, VecDeque};

use super::{Mutation, Shape};
use crate::Timestamp;
use crate::rounds::{Ending, Gate, Mark, Marks, Saying, Step, Time};

/// The operators of a rank: the records of the first go to the second.
pub(super) const KINDS: usize = 2;

/// One thing that may happen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// A source reads its next record.
    Read { source: usize },
    /// The first message of a channel arrives.
    Deliver {
        from: usize,
        to: usize,
        is_mark: bool,
    },
    /// An operator learns where the frontier is, and takes all steps up to there.
    Learn { op: usize },
    /// The leader begins a checkpoint.
    Trigger,
    /// A rank is asked for it.
    Ask { rank: usize },
    /// The leader gives it up.
    Abort,
    /// A rank is told so.
    TellAborted { rank: usize },
    /// The files of a rank are stored.
    Acknowledge { rank: usize },
    /// The sources of a rank have ended.
    Exhaust { rank: usize },
    /// A rank hears what another has said.
    Hear { rank: usize, from: usize },
    /// A rank hands its last files over.
    Finish { rank: usize },
}

/// Sets of records, a bit each.
pub(super) type Records = u32;

#[derive(Clone, Hash)]
pub(super) struct World {
    sources: Vec<SourceAt>,
    /// By kind, then by rank.
    ops: Vec<Operator>,
    channels: BTreeMap<(usize, usize, bool), VecDeque<Message>>,
    ranks: Vec<RankAt>,
    leader: Leader,
}

#[derive(Clone, Hash)]
struct SourceAt {
    read: usize,
    /// Its capability.
    at: Option<Time>,
    /// Where it will go after its next record (a mutation).
    moves_to: Option<Time>,
}

#[derive(Clone, Hash)]
struct Operator {
    gate: Gate<(Time, u8)>,
    /// The frontier that it knows.
    knows: Option<Time>,
    /// Its capability.
    held: Option<Time>,
    applied: Records,
    /// What a watermark has put out.
    fired: Records,
}

#[derive(Clone, Copy, Hash)]
enum Message {
    Record(Time, u8),
    Mark(Time, u32, Mark),
}

#[derive(Clone, Hash)]
struct RankAt {
    ending: Ending,
    heard: Vec<VecDeque<Saying>>,
    is_exhausted: bool,
    /// The highest number that can still be made, when all have said it.
    closed: Option<u64>,
    snapshots: BTreeMap<u64, Part>,
    /// What its TaskManager has been asked for and not been told the end of.
    pending: Option<u64>,
    has_acked: bool,
    /// The highest number that it was asked for, or that it was told is aborted.
    seen: u64,
    last: Option<Part>,
}

/// What a rank gives for a checkpoint.
#[derive(Clone, Default, Hash)]
struct Part {
    /// What its sources have read.
    read: Records,
    /// What its operators have applied, and fired.
    states: [Option<(Records, Records)>; KINDS],
}

impl RankAt {
    /// Whether it does not know that this number is aborted, and has not finished.
    fn has_not_heard(&self, aborted: u64) -> bool {
        self.seen < aborted && self.last.is_none()
    }
}

#[derive(Clone, Hash)]
struct Leader {
    highest: u64,
    pending: Option<Pending>,
    aborted: u64,
    triggers_left: usize,
    aborts_left: usize,
}

#[derive(Clone, Hash)]
struct Pending {
    asked: Vec<bool>,
    /// With what the sources of the rank had read when it was asked.
    read: Vec<Records>,
    acked: Vec<Option<(Part, bool)>>,
}

impl World {
    pub(super) fn new(shape: &Shape) -> Self {
        let ranks = shape.ranks;
        let marks = |kind: usize| {
            let above = shape.sources.iter().filter(|source| source.to <= kind);
            let expected = if shape.has_windows { above.count() } else { 0 };
            Marks::new(expected, Timestamp::MIN)
        };
        let start = Some(Time::begin(0));
        let op = |at: usize| Operator {
            gate: Gate::new(0, marks(at / ranks)),
            knows: start,
            held: start,
            applied: 0,
            fired: 0,
        };
        let as_rank = |rank| u32::try_from(rank).unwrap();
        let rank = |rank| RankAt {
            ending: Ending::new(as_rank(rank), as_rank(ranks), 0),
            heard: vec![VecDeque::new(); ranks],
            is_exhausted: false,
            closed: None,
            snapshots: BTreeMap::new(),
            pending: None,
            has_acked: false,
            seen: 0,
            last: None,
        };
        let source = SourceAt {
            read: 0,
            at: start,
            moves_to: None,
        };
        let mut world = Self {
            sources: vec![source; shape.sources.len()],
            ops: (0..KINDS * ranks).map(op).collect(),
            channels: BTreeMap::new(),
            ranks: (0..ranks).map(rank).collect(),
            leader: Leader {
                highest: 0,
                pending: None,
                aborted: 0,
                triggers_left: shape.triggers,
                aborts_left: shape.aborts,
            },
        };
        for at in 0..shape.sources.len() {
            if shape.sources[at].records.is_empty() {
                world.mark(shape, at);
            }
        }
        world
    }

    /// Everything that may happen now.
    pub(super) fn actions(&self, shape: &Shape) -> Vec<Action> {
        let mut actions = Vec::new();
        for source in 0..self.sources.len() {
            if self.may_read(shape, source) {
                actions.push(Action::Read { source });
            }
        }
        for &(from, to, is_mark) in self.channels.keys() {
            actions.push(Action::Deliver { from, to, is_mark });
        }
        for op in 0..self.ops.len() {
            if self.ops[op].knows != self.frontier(shape, op / shape.ranks) {
                actions.push(Action::Learn { op });
            }
        }
        let leader = &self.leader;
        match &leader.pending {
            None if leader.triggers_left > 0 => actions.push(Action::Trigger),
            // Another one always comes.
            Some(_) if leader.aborts_left > 0 && leader.triggers_left > 0 => {
                actions.push(Action::Abort);
            }
            None | Some(_) => {}
        }
        for rank in 0..shape.ranks {
            self.actions_of(shape, rank, &mut actions);
        }
        actions
    }

    fn actions_of(&self, shape: &Shape, rank: usize, actions: &mut Vec<Action>) {
        let leader = &self.leader;
        if (leader.pending.as_ref()).is_some_and(|pending| !pending.asked[rank]) {
            actions.push(Action::Ask { rank });
        }
        let at = &self.ranks[rank];
        let unanswered = at.pending.filter(|_| !at.has_acked);
        let is_own = unanswered.is_some_and(|number| number <= leader.aborted);
        if is_own || at.has_not_heard(leader.aborted) {
            actions.push(Action::TellAborted { rank });
        }
        let part = unanswered.and_then(|number| at.snapshots.get(&number));
        let is_whole = part.is_some_and(|part| part.states.iter().all(Option::is_some));
        if is_whole && at.last.is_none() {
            actions.push(Action::Acknowledge { rank });
        }
        let has_read_all = self
            .sources_of(shape, rank)
            .all(|source| self.sources[source].read == shape.sources[source].records.len());
        if has_read_all && !at.is_exhausted {
            actions.push(Action::Exhaust { rank });
        }
        for from in 0..shape.ranks {
            if !at.heard[from].is_empty() {
                actions.push(Action::Hear { rank, from });
            }
        }
        let has_ended = |kind: usize| self.ops[kind * shape.ranks + rank].held.is_none();
        let owes = part.is_some() && shape.mutation != Mutation::FinishesBeforeItAcknowledges;
        if at.last.is_none() && at.closed.is_some() && (0..KINDS).all(has_ended) && !owes {
            actions.push(Action::Finish { rank });
        }
    }

    /// One that may be done before all others, as it makes no difference to them when it is done:
    /// whatever sees it can still see it late.
    pub(super) fn first(&self, shape: &Shape, actions: &[Action]) -> Option<Action> {
        let is_unseen = |action: &Action| match *action {
            Action::Exhaust { .. } | Action::Finish { .. } => true,
            // Its operator, and all below, learn later that it is no more on its way.
            Action::Deliver { .. } => shape.mutation == Mutation::None,
            Action::Hear { rank, from } => {
                let at = &self.ranks[rank];
                let mut ending = at.ending.clone();
                let answer = at.heard[from].front().and_then(|said| ending.heard(*said));
                answer.is_none() && ending.closed() == at.ending.closed() && !ending.is_over()
            }
            _ => false,
        };
        actions.iter().copied().find(is_unseen)
    }

    /// Does it. An error is what is broken by it.
    pub(super) fn act(&mut self, shape: &Shape, action: Action) -> Result<(), String> {
        match action {
            Action::Read { source } => self.read(shape, source),
            Action::Deliver { from, to, is_mark } => return self.deliver(shape, from, to, is_mark),
            Action::Learn { op } => return self.learn(shape, op),
            Action::Trigger => {
                self.leader.triggers_left -= 1;
                self.leader.highest += 1;
                self.leader.pending = Some(Pending {
                    asked: vec![false; shape.ranks],
                    read: vec![0; shape.ranks],
                    acked: vec![None; shape.ranks],
                });
            }
            Action::Ask { rank } => return self.ask(shape, rank),
            Action::Abort => {
                self.leader.aborts_left -= 1;
                self.leader.aborted = self.leader.highest;
                self.leader.pending = None;
            }
            Action::TellAborted { rank } => {
                let number = self.leader.aborted;
                let at = &mut self.ranks[rank];
                let is_news = at.has_not_heard(number);
                at.seen = at.seen.max(number);
                if let Some(own) = at.pending.take_if(|own| *own <= number) {
                    self.aborted(shape, rank, own);
                }
                // Others may be there, though it was never asked for it.
                if is_news && self.ranks[rank].ending.may_enter(number) {
                    self.move_sources(shape, rank, number);
                }
            }
            Action::Acknowledge { rank } => {
                let at = &self.ranks[rank];
                let number = at.pending.expect("it was asked");
                let part = at.snapshots[&number].clone();
                return self.acknowledged(shape, rank, number, part, false);
            }
            Action::Exhaust { rank } => {
                self.ranks[rank].is_exhausted = true;
                if shape.mutation == Mutation::DropsItsSourceAtOnce {
                    self.drop_sources(shape, rank);
                }
                let saying = self.ranks[rank].ending.exhausted();
                self.say(rank, saying);
            }
            Action::Hear { rank, from } => self.hear(shape, rank, from),
            Action::Finish { rank } => {
                let mut last = Part {
                    read: self.read_of(shape, rank),
                    ..Part::default()
                };
                for kind in 0..KINDS {
                    let op = &self.ops[kind * shape.ranks + rank];
                    last.states[kind] = Some((op.applied, op.fired));
                }
                let at = &mut self.ranks[rank];
                at.last = Some(last.clone());
                if let Some(number) = at.pending.filter(|_| !at.has_acked) {
                    return self.acknowledged(shape, rank, number, last, true);
                }
            }
        }
        Ok(())
    }

    /// Nothing more can happen: everything must have.
    pub(super) fn check_end(&self, shape: &Shape) -> Result<(), String> {
        for (rank, at) in self.ranks.iter().enumerate() {
            if at.last.is_none() {
                return Err(format!("rank {rank} never finishes"));
            }
        }
        if self.leader.pending.is_some() {
            return Err(format!("checkpoint {} is never whole", self.leader.highest));
        }
        let last = self
            .ranks
            .iter()
            .map(|at| at.last.clone().expect("checked"));
        let reads = whole(shape, &last.collect::<Vec<_>>())?;
        let all = shape.sources.iter().flat_map(|source| &source.records);
        let all = all.fold(0, |all, id| all | 1 << id);
        (reads == all)
            .then_some(())
            .ok_or("a record was never read".to_owned())
    }

    fn may_read(&self, shape: &Shape, source: usize) -> bool {
        let records = &shape.sources[source].records;
        let at = &self.sources[source];
        if at.read == records.len() || at.at.is_none() {
            return false;
        }
        // At most so many are on their way: the probe is behind the last operator.
        let Some(window) = shape.window else {
            return true;
        };
        let on_the_way = |id: &u8| {
            let owner = shape.owner(KINDS - 1, *id);
            let last = &self.ops[(KINDS - 1) * shape.ranks + owner];
            last.applied & 1 << id == 0
        };
        records[..at.read]
            .iter()
            .filter(|id| on_the_way(id))
            .count()
            < window
    }

    fn read(&mut self, shape: &Shape, source: usize) {
        let from = &shape.sources[source];
        let at = &mut self.sources[source];
        let id = from.records[at.read];
        at.read += 1;
        let time = at.at.expect("a source that reads has a capability");
        let to = from.to * shape.ranks + shape.owner(from.to, id);
        self.send(source, to, Message::Record(time, id));
        self.mark(shape, source);
        let at = &mut self.sources[source];
        at.at = at.moves_to.take().or(at.at);
    }

    /// The source says where it is in event time, and goes on to its next tick.
    fn mark(&mut self, shape: &Shape, source: usize) {
        let at = &mut self.sources[source];
        let time = at.at.expect("a source that marks has a capability");
        at.at = time.next();
        if !shape.has_windows {
            return;
        }
        let mark = match at.read == shape.sources[source].records.len() {
            true => Mark::At(Timestamp::MAX),
            false => Mark::At(Timestamp(i64::try_from(at.read).unwrap())),
        };
        let number = u32::try_from(source).unwrap();
        for to in shape.sources[source].to * shape.ranks..KINDS * shape.ranks {
            self.send(source, to, Message::Mark(time, number, mark));
        }
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        let is_mark = matches!(message, Message::Mark(..));
        let channel = self.channels.entry((from, to, is_mark)).or_default();
        channel.push_back(message);
    }

    fn deliver(
        &mut self,
        shape: &Shape,
        from: usize,
        to: usize,
        is_mark: bool,
    ) -> Result<(), String> {
        let key = (from, to, is_mark);
        let channel = self.channels.get_mut(&key).expect("it has a message");
        let message = channel.pop_front().expect("it has a message");
        if channel.is_empty() {
            self.channels.remove(&key);
        }
        match message {
            Message::Mark(time, source, mark) => {
                self.ops[to].gate.marks().say(time, source, 0, mark);
            }
            Message::Record(time, id) => {
                let applied = match shape.mutation {
                    Mutation::AppliesLaterRoundsAtOnce => Some((time, id)),
                    _ => self.ops[to].gate.batch(time, (time, id)),
                };
                if let Some((time, id)) = applied {
                    return self.apply(shape, to, time, id);
                }
            }
        }
        Ok(())
    }

    /// The least time that can still come to operators of this kind.
    fn frontier(&self, shape: &Shape, kind: usize) -> Option<Time> {
        let is_above = |source: &usize| shape.sources[*source].to <= kind;
        let ignores = kind == 1 && shape.mutation == Mutation::IgnoresAnInput;
        let sources = (0..self.sources.len()).filter(is_above);
        let sources = sources.filter(|source| !ignores || shape.sources[*source].to == kind);
        let capabilities = sources.filter_map(|source| self.sources[source].at);
        let above = &self.ops[..kind * shape.ranks];
        let held = above.iter().filter_map(|op| op.held);
        let is_kept = shape.mutation != Mutation::HoldsNothing;
        let held = held.filter(|_| is_kept && !ignores);
        let on_the_way = self.channels.iter().filter(|((from, to, _), _)| {
            *to < (kind + 1) * shape.ranks && (!ignores || *from < self.sources.len())
        });
        let on_the_way = on_the_way.flat_map(|(_, messages)| messages.iter());
        let on_the_way = on_the_way.map(|message| match message {
            Message::Record(time, _) | Message::Mark(time, ..) => *time,
        });
        capabilities.chain(held).chain(on_the_way).min()
    }

    fn learn(&mut self, shape: &Shape, op: usize) -> Result<(), String> {
        let (kind, rank) = (op / shape.ranks, op % shape.ranks);
        let frontier = self.frontier(shape, kind);
        self.ops[op].knows = frontier;
        self.ops[op].gate.frontier(frontier);
        let mut postponed = None;
        while let Some(step) = self.ops[op].gate.next() {
            match step {
                Step::Watermark(time, to) => {
                    let time = match (shape.mutation, frontier) {
                        (Mutation::FiresAtTheLastMark, Some(frontier)) => Time(frontier.0 - 1),
                        _ => time,
                    };
                    self.fire(shape, op, time, to)?;
                }
                Step::Apply((time, id)) => self.apply(shape, op, time, id)?,
                Step::Snapshot(number) => match shape.mutation {
                    Mutation::SnapshotsAfterWhatWasKept => postponed = Some(number),
                    _ => self.snapshot(rank, kind, op, number),
                },
            }
        }
        if let Some(number) = postponed {
            self.snapshot(rank, kind, op, number);
        }
        self.ops[op].held = frontier;
        Ok(())
    }

    fn snapshot(&mut self, rank: usize, kind: usize, op: usize, number: u64) {
        let state = (self.ops[op].applied, self.ops[op].fired);
        if let Some(part) = self.ranks[rank].snapshots.get_mut(&number) {
            part.states[kind] = Some(state);
        }
    }

    fn apply(&mut self, shape: &Shape, op: usize, time: Time, id: u8) -> Result<(), String> {
        let at = &mut self.ops[op];
        if at.applied & 1 << id != 0 {
            return Err(format!("record {id} is applied twice"));
        }
        at.applied |= 1 << id;
        if shape.happened(id) < at.gate.marks().watermark() {
            return Err(format!("record {id} comes late to operator {op}"));
        }
        if op < shape.ranks && !shape.has_windows {
            self.put_out(shape, op, time, id)?;
        }
        Ok(())
    }

    /// The windows up to this watermark end.
    fn fire(&mut self, shape: &Shape, op: usize, time: Time, to: Timestamp) -> Result<(), String> {
        for id in 0..8 {
            let at = &mut self.ops[op];
            let waits = at.applied & !at.fired & 1 << id != 0;
            if op < shape.ranks && waits && shape.happened(id) < to {
                at.fired |= 1 << id;
                self.put_out(shape, op, time, id)?;
            }
        }
        Ok(())
    }

    fn put_out(&mut self, shape: &Shape, op: usize, time: Time, id: u8) -> Result<(), String> {
        if self.ops[op].held.is_none_or(|held| held > time) {
            return Err(format!("operator {op} has no capability for {time:?}"));
        }
        let to = shape.ranks + shape.owner(1, id);
        self.send(shape.sources.len() + op, to, Message::Record(time, id));
        Ok(())
    }

    fn ask(&mut self, shape: &Shape, rank: usize) -> Result<(), String> {
        let number = self.leader.highest;
        let read = self.read_of(shape, rank);
        let pending = self.leader.pending.as_mut().expect("it is pending");
        pending.asked[rank] = true;
        pending.read[rank] = read;
        let at = &mut self.ranks[rank];
        at.seen = number;
        let before = at.pending.replace(number);
        let was_acked = std::mem::take(&mut at.has_acked);
        if let Some(last) = at.last.clone() {
            return self.acknowledged(shape, rank, number, last, true);
        }
        if let Some(before) = before.filter(|_| !was_acked) {
            self.aborted(shape, rank, before);
        }
        let may = self.ranks[rank].ending.may_enter(number);
        if !may && shape.mutation != Mutation::EntersAfterItHasClosed {
            return Ok(());
        }
        let part = Part {
            read,
            ..Part::default()
        };
        self.ranks[rank].snapshots.insert(number, part);
        for kind in 0..KINDS {
            self.ops[kind * shape.ranks + rank].gate.asked(number);
        }
        self.move_sources(shape, rank, number);
        Ok(())
    }

    fn move_sources(&mut self, shape: &Shape, rank: usize, number: u64) {
        for source in self.sources_of(shape, rank) {
            let has_more = self.sources[source].read < shape.sources[source].records.len();
            let at = &mut self.sources[source];
            let moved = at.at.map(|at| at.max(Time::begin(number)));
            match shape.mutation {
                Mutation::MovesAfterTheNextRecord if has_more => at.moves_to = moved,
                _ => at.at = moved,
            }
        }
    }

    fn aborted(&mut self, shape: &Shape, rank: usize, number: u64) {
        self.ranks[rank].snapshots.remove(&number);
        for kind in 0..KINDS {
            self.ops[kind * shape.ranks + rank].gate.aborted(number);
        }
    }

    fn say(&mut self, rank: usize, saying: Option<Saying>) {
        if let Some(saying) = saying {
            for at in &mut self.ranks {
                at.heard[rank].push_back(saying);
            }
        }
    }

    fn hear(&mut self, shape: &Shape, rank: usize, from: usize) {
        let at = &mut self.ranks[rank];
        let saying = at.heard[from].pop_front().expect("something was said");
        let answer = at.ending.heard(saying);
        let closed = match shape.mutation {
            Mutation::ClosesWithoutAsking => answer.map(|_| u64::MAX),
            Mutation::AcknowledgesAboveTheLeast => at.ending.closed().map(|_| u64::MAX),
            _ => at.ending.closed(),
        };
        let is_over = match shape.mutation {
            Mutation::ClosesWithoutAsking | Mutation::ClosesBeforeAllKnow => closed.is_some(),
            _ => at.ending.is_over(),
        };
        if let (Some(highest), None) = (closed, at.closed) {
            at.closed = Some(highest);
            let given_up: Vec<u64> = at.snapshots.keys().copied().collect();
            for number in given_up.into_iter().filter(|number| *number > highest) {
                self.aborted(shape, rank, number);
            }
        }
        if is_over {
            self.drop_sources(shape, rank);
        }
        self.say(rank, answer);
    }

    fn drop_sources(&mut self, shape: &Shape, rank: usize) {
        for source in self.sources_of(shape, rank) {
            self.sources[source].at = None;
        }
    }

    fn acknowledged(
        &mut self,
        shape: &Shape,
        rank: usize,
        number: u64,
        part: Part,
        is_last: bool,
    ) -> Result<(), String> {
        self.ranks[rank].has_acked = true;
        if number != self.leader.highest {
            return Ok(());
        }
        let Some(pending) = &mut self.leader.pending else {
            return Ok(());
        };
        if !is_last && part.read != pending.read[rank] {
            return Err(format!(
                "checkpoint {number}: rank {rank} read more before it was asked"
            ));
        }
        pending.acked[rank] = Some((part, is_last));
        let acked: Option<Vec<_>> = pending.acked.iter().cloned().collect();
        let Some(acked) = acked else {
            return Ok(());
        };
        self.leader.pending = None;
        let last = acked.iter().filter(|(_, is_last)| *is_last).count();
        if last != 0 && last != acked.len() {
            return Err(format!("checkpoint {number} mixes last files and others"));
        }
        let parts: Vec<Part> = acked.into_iter().map(|(part, _)| part).collect();
        whole(shape, &parts).map_err(|why| format!("checkpoint {number}: {why}"))?;
        Ok(())
    }

    fn sources_of(&self, shape: &Shape, rank: usize) -> impl Iterator<Item = usize> + use<> {
        let of_rank = |source: &usize| shape.sources[*source].rank == rank;
        let sources: Vec<usize> = (0..self.sources.len()).filter(of_rank).collect();
        sources.into_iter()
    }

    fn read_of(&self, shape: &Shape, rank: usize) -> Records {
        let read = self.sources_of(shape, rank).flat_map(|source| {
            let records = &shape.sources[source].records;
            &records[..self.sources[source].read]
        });
        read.fold(0, |read, id| read | 1 << id)
    }
}

/// Whether these parts together have each record that was read once in each state, and no other.
/// Then what starts from them, and reads on, applies each record once. Returns what was read.
fn whole(shape: &Shape, parts: &[Part]) -> Result<Records, String> {
    let reads = parts.iter().fold(0, |reads, part| reads | part.read);
    let first = shape.sources.iter().filter(|source| source.to == 0);
    let first = first.flat_map(|source| &source.records);
    let first = reads & first.fold(0, |first, id| first | 1 << id);
    let state = |part: &Part, kind: usize| part.states[kind].expect("a part is whole");
    let mut all = [(0, 0); KINDS];
    for part in parts {
        for (kind, (applied, fired)) in all.iter_mut().enumerate() {
            let (more, more_fired) = state(part, kind);
            if *applied & more != 0 || *fired & more_fired != 0 {
                return Err("a record is in it twice".to_owned());
            }
            *applied |= more;
            *fired |= more_fired;
        }
    }
    let through = if shape.has_windows { all[0].1 } else { first };
    let expected = [first, through | reads & !first];
    for (kind, expected) in expected.into_iter().enumerate() {
        let (applied, _) = all[kind];
        if applied != expected {
            return Err(format!(
                "operators {kind} have {applied:08b} of {expected:08b}"
            ));
        }
    }
    Ok(reads)
}
