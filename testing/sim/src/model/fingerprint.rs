//! A 64-bit fingerprint of a [`ModelState`], the same for states that differ in names only.
//!
//! Names are: which leader is which, and the numbers of versions where only "is it the present one"
//! matters. Two different states may share a fingerprint by chance, and then one is not looked at:
//! for ten million states the chance that this happens anywhere is about three in a million.

use super::Bounds;
use super::creator::CreatorPhase;
use super::state::{
    Attempt, Body, Commits, Expected, Handle, Known, Leader, MAX_EPOCHS, MAX_LEADERS, ModelState,
    Phase, Role, Root, RootWrite, Seal, Term, Write,
};
use super::step::FLOOR;

/// The fingerprint, the least over all ways to name the leaders.
pub(super) fn fingerprint(state: &ModelState, bounds: &Bounds) -> u64 {
    let orders: &[[u8; MAX_LEADERS]] = match bounds.leaders {
        1 => &[[0, 1, 2]],
        2 => &[[0, 1, 2], [1, 0, 2]],
        _ => &[
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ],
    };
    let prints = orders.iter().map(|order| {
        let naming = Naming {
            state,
            bounds,
            order: *order,
        };
        naming.print()
    });
    prints.min().expect("there is at least one order")
}

/// One way to name the leaders: `order[i]` is the one that is called `i`.
struct Naming<'a> {
    state: &'a ModelState,
    bounds: &'a Bounds,
    order: [u8; MAX_LEADERS],
}

/// Mixes words into one.
struct Mixer(u64);

impl Mixer {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15)
            * u128::from(0xd6e8_feb8_6659_fd93_u64 ^ word.rotate_left(32));
        self.0 =
            (product as u64) ^ ((product >> 64) as u64).rotate_left(23) ^ self.0.rotate_left(5);
    }

    fn bytes<const N: usize>(&mut self, bytes: [u8; N]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }
}

/// Who created a record without leading, and whether a leader has written it since.
fn creation(created: u8, unled: bool) -> u8 {
    created | u8::from(unled) << 7
}

impl Naming<'_> {
    fn print(&self) -> u64 {
        let mut mixer = Mixer(0x1bad_5eed);
        let ModelState {
            root,
            records,
            leaders: _,
            creators,
            network,
            root_network,
            budget,
            promised,
        } = self.state;
        let root_version = if self.bounds.versions_restart {
            root.version
        } else {
            0
        };
        let [epoch, term] = root.seal.map_or([0, 0], |seal| self.seal(seal));
        mixer.bytes([
            epoch,
            term,
            root_version,
            budget.lost_answers,
            budget.root_deletions,
            budget.root_restores,
            budget.renewals,
        ]);
        mixer.bytes(root.backup.map_or([0, 0], |seal| self.seal(seal)));
        for record in &records[..=usize::from(self.bounds.floor())] {
            mixer.bytes(record.body.map_or([0xff; 8], |body| self.body(body)));
            let [relied, relied_] = self.commits(record.relied_on);
            let [deleted, deleted_] = self.commits(record.deleted);
            let [buried, buried_] = self.commits(record.buried);
            let [epoch, term] = self.seal(record.opener);
            mixer.bytes([
                relied, relied_, deleted, deleted_, buried, buried_, epoch, term,
            ]);
            let [epoch, term] = self.seal(record.top);
            mixer.bytes([epoch, term]);
        }
        for leader in &self.order[..usize::from(self.bounds.leaders)] {
            self.leader(&self.state.leaders[usize::from(*leader)], &mut mixer);
        }
        for creator in &creators[..usize::from(self.bounds.creators)] {
            let phase = match creator.phase {
                CreatorPhase::Idle => 0,
                CreatorPhase::Writing { lost } => 1 + u8::from(lost),
                CreatorPhase::Refused { lost } => 3 + u8::from(lost),
                CreatorPhase::Done => 5,
            };
            mixer.bytes([phase, creator.tries]);
        }
        let mut writes: Vec<[u8; 13]> = network.iter().map(|write| self.write(*write)).collect();
        writes.sort_unstable();
        writes.into_iter().for_each(|write| mixer.bytes(write));
        mixer.add(u64::MAX);
        let mut writes: Vec<[u8; 3]> = root_network
            .iter()
            .map(|write| self.root_write(*write, root))
            .collect();
        writes.sort_unstable();
        writes.into_iter().for_each(|write| mixer.bytes(write));
        mixer.add(u64::MAX);
        let mut led = [0; MAX_EPOCHS];
        for (name, term) in led.iter_mut().zip(promised.led) {
            *name = self.term(term);
        }
        mixer.bytes(led);
        // Of fates only those matter that can still come out wrong.
        let (held, open) = self.in_doubt();
        let refused = Commits(promised.refused.0 & held.0);
        let landed = Commits(promised.landed.0 & open.0);
        let [refused, refused_] = self.commits(refused);
        let [landed, landed_] = self.commits(landed);
        mixer.bytes([refused, refused_, landed, landed_]);
        mixer.0
    }

    /// Commits that some write or some leader's knowledge still contains, and commits whose fate is
    /// still to be reported.
    fn in_doubt(&self) -> (Commits, Commits) {
        let mut held = Commits::default();
        let mut open = Commits::default();
        for number in 0..self.bounds.creators {
            let creator = self.state.creators[usize::from(number)];
            if creator.is_in_doubt() {
                held = held.with(self.bounds.creation_of(number));
                open = open.with(self.bounds.creation_of(number));
            }
        }
        for write in &self.state.network {
            held = held.with(write.body.history);
        }
        for handle in self.state.leaders.iter().flat_map(|leader| &leader.handles) {
            open = open.with(handle.unknown);
            match handle.phase {
                Phase::Closed => {}
                Phase::Open(known) | Phase::Confirming(known, _) => held = held.with(known.history),
                Phase::Writing(attempt) | Phase::Refused(attempt) => {
                    held = held.with(attempt.write.body.history);
                    open = open.with(attempt.write.commit);
                }
            }
        }
        (held, open)
    }

    fn leader(&self, leader: &Leader, mixer: &mut Mixer) {
        let root = &self.state.root;
        let (role, detail) = match leader.role {
            Role::Idle => (0, [0; 3]),
            Role::Scanning { next, highest } => (1, [next, highest, 0]),
            Role::Claiming { write } => (2, self.root_write(write, root)),
            Role::Refused => (3, [0; 3]),
            Role::Sealing => (4, [0; 3]),
            Role::Leading { renewal: None } => (5, [0; 3]),
            Role::Leading {
                renewal: Some(write),
            } => (6, self.root_write(write, root)),
        };
        let more_terms = leader.terms < self.bounds.terms;
        let seen = if more_terms { leader.seen } else { 0 };
        let held = if self.state.budget.renewals > 0 && matches!(leader.role, Role::Leading { .. })
        {
            self.at(Expected::Version(leader.root_version), root.at(), true)
        } else {
            0
        };
        mixer.bytes([
            role,
            detail[0],
            detail[1],
            detail[2],
            held,
            seen,
            leader.terms,
            leader.sequence,
        ]);
        let [epoch, term] = self.seal(leader.seal);
        mixer.bytes([epoch, term, leader.commits, leader.deletes]);
        let handles = (0..self.bounds.handles()).chain([FLOOR]);
        for handle in handles {
            self.handle(handle, &leader.handles[usize::from(handle)], mixer);
        }
    }

    fn handle(&self, number: u8, handle: &Handle, mixer: &mut Mixer) {
        let [unknown, unknown_] = self.commits(handle.unknown);
        match handle.phase {
            Phase::Closed => mixer.bytes([0, unknown, unknown_]),
            Phase::Writing(attempt) => {
                mixer.bytes([1, unknown, unknown_]);
                self.attempt(&attempt, mixer);
            }
            Phase::Refused(attempt) => {
                mixer.bytes([2, unknown, unknown_]);
                self.attempt(&attempt, mixer);
            }
            Phase::Open(known) => {
                mixer.bytes([3, unknown, unknown_]);
                mixer.bytes(self.known(self.bounds.record_of(number), known));
            }
            Phase::Confirming(known, relied_on) => {
                let [relied, relied_] = self.commits(relied_on);
                mixer.bytes([4, unknown, unknown_, relied, relied_]);
                mixer.bytes(self.known(self.bounds.record_of(number), known));
            }
        }
    }

    fn attempt(&self, attempt: &Attempt, mixer: &mut Mixer) {
        mixer.bytes([attempt.lost.into()]);
        mixer.bytes(self.write(attempt.write));
        mixer.bytes(self.known(attempt.write.record, attempt.base));
    }

    fn known(&self, record: u8, known: Known) -> [u8; 6] {
        let at = self.at(
            known.at,
            self.state.records[usize::from(record)].at(),
            false,
        );
        let [content, content_] = self.commits(known.content);
        let [history, history_] = self.commits(known.history);
        let created = creation(known.created, known.unled);
        [at, created, content, content_, history, history_]
    }

    fn write(&self, write: Write) -> [u8; 13] {
        let at = self.at(
            write.expected,
            self.state.records[usize::from(write.record)].at(),
            false,
        );
        let [a, b, c, d, e, f, g, h] = self.body(write.body);
        let [commit, commit_] = self.commits(write.commit);
        let kind = write.kind as u8;
        [
            write.record,
            kind,
            at,
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            commit,
            commit_,
        ]
    }

    fn root_write(&self, write: RootWrite, root: &Root) -> [u8; 3] {
        let at = self.at(write.expected, root.at(), true);
        let [epoch, term] = self.seal(write.seal);
        [at, epoch, term]
    }

    /// What a write expects. A version other than the present one will not come again, unless
    /// versions restart.
    fn at(&self, expected: Expected, present: Expected, root: bool) -> u8 {
        match expected {
            Expected::Absent => 1,
            Expected::Anything => 2,
            Expected::Version(version) if root && self.bounds.versions_restart => 4 + version,
            Expected::Version(_) if expected == present => 3,
            Expected::Version(_) => 0,
        }
    }

    fn body(&self, body: Body) -> [u8; 8] {
        let [epoch, term] = self.seal(body.seal);
        let [content, content_] = self.commits(body.content);
        let [history, history_] = self.commits(body.history);
        [
            epoch,
            term,
            body.sequence,
            creation(body.created, body.unled),
            content,
            content_,
            history,
            history_,
        ]
    }

    fn seal(&self, seal: Seal) -> [u8; 2] {
        [seal.epoch, self.term(seal.term)]
    }

    fn term(&self, term: Term) -> u8 {
        let (leader, nth) = term.parts();
        if nth == 0 {
            return 0;
        }
        Term::new(self.name(leader as u8).into(), nth).0
    }

    fn commits(&self, commits: Commits) -> [u8; 2] {
        let width = self.bounds.commits + self.bounds.deletes;
        let mask = (1 << width) - 1;
        // Creators have one name only.
        let of_leaders = u32::from(width) * u32::from(self.bounds.leaders);
        let mut named = commits.0.checked_shr(of_leaders).unwrap_or(0);
        named = named.checked_shl(of_leaders).unwrap_or(0);
        for (name, leader) in self.order[..usize::from(self.bounds.leaders)]
            .iter()
            .enumerate()
        {
            named |= ((commits.0 >> (leader * width)) & mask) << (name as u8 * width);
        }
        named.to_le_bytes()
    }

    fn name(&self, leader: u8) -> u8 {
        let place = self.order.iter().position(|other| *other == leader);
        place.expect("every leader has a name") as u8
    }
}
