//! A list of steps as lines that a person can follow.

use std::fmt;

use super::state::{Body, Commits, ModelState, Phase, Role, Seal, Term};
use super::step::{FLOOR, Protocol, Step};

/// One line per step: who did what, then what changed.
pub(super) fn lines(protocol: &Protocol, steps: &[Step]) -> Vec<String> {
    let mut state = ModelState::start(&protocol.bounds);
    let mut events = Vec::new();
    let mut lines = Vec::new();
    for step in steps {
        let after = protocol.take(&state, *step, &mut events);
        let teller = Teller {
            protocol,
            before: &state,
            after: &after,
        };
        lines.push(format!("{}{}", teller.what(*step), teller.changes()));
        state = after;
    }
    lines
}

struct Teller<'a> {
    protocol: &'a Protocol,
    before: &'a ModelState,
    after: &'a ModelState,
}

impl Teller<'_> {
    fn what(&self, step: Step) -> String {
        match step {
            Step::Campaign { leader, restarted } => {
                let how = if restarted { " after a restart" } else { "" };
                format!("{} campaigns{how}: reads the root", name(leader))
            }
            Step::Scan { leader } => match self.before.leaders[usize::from(leader)].role {
                Role::Scanning { next, .. } => {
                    format!("{} looks at the seal of {}", name(leader), self.named(next))
                }
                _ => unreachable!("only a scanning candidate scans"),
            },
            Step::ClaimAnswered { leader } => {
                format!("{} hears about its claim of the root", name(leader))
            }
            Step::ClaimLost { leader } => {
                format!(
                    "{} has no answer about the root and asks again",
                    name(leader)
                )
            }
            Step::ClaimGivenUp { leader } => {
                format!("{} has no answer about the root and gives up", name(leader))
            }
            Step::ClaimChecked { leader } => format!("{} reads who won the root", name(leader)),
            Step::Renew { leader } => format!("{} asks to renew", name(leader)),
            Step::RenewalAnswered { leader } => {
                format!("{} hears about its renewal", name(leader))
            }
            Step::RenewalLost { leader } => {
                format!(
                    "{} has no answer about its renewal and asks again",
                    name(leader)
                )
            }
            Step::Stop { leader } => format!("{} stops, for no reason", name(leader)),
            Step::Open { leader, handle } => {
                format!("{} opens {}: reads it", name(leader), self.record(handle))
            }
            Step::Commit { leader, handle } => {
                format!("{} commits to {}", name(leader), self.record(handle))
            }
            Step::Delete { leader, handle } => {
                format!("{} deletes {}", name(leader), self.record(handle))
            }
            Step::Answered { leader, handle } => {
                format!(
                    "{} hears about {}",
                    name(leader),
                    self.write(leader, handle)
                )
            }
            Step::Lost { leader, handle } => format!(
                "{} has no answer about {} and asks again",
                name(leader),
                self.write(leader, handle)
            ),
            Step::GivenUp { leader, handle } => format!(
                "{} has no answer about {} and gives up",
                name(leader),
                self.write(leader, handle)
            ),
            Step::Checked { leader, handle } => format!(
                "{} reads what is there instead of {}",
                name(leader),
                self.write(leader, handle)
            ),
            Step::Confirmed { leader, handle } => format!(
                "{} has sealed {} vacant and looks at the floor",
                name(leader),
                self.record(handle)
            ),
            Step::Arrive { index } => {
                let write = self.before.network[usize::from(index)];
                let what = Show(&write.body);
                format!("a late write to {} lands: {what}", self.named(write.record))
            }
            Step::ArriveRoot { index } => {
                let write = self.before.root_network[usize::from(index)];
                format!("a late write to the root lands: {}", Show(&write.seal))
            }
            Step::Create { creator } => {
                format!("{} asks for record 1 to be created", creator_name(creator))
            }
            Step::CreationAnswered { creator } => {
                format!("{} hears about its creation", creator_name(creator))
            }
            Step::CreationLost { creator } => format!(
                "{} has no answer about its creation and asks again",
                creator_name(creator)
            ),
            Step::CreationGivenUp { creator } => format!(
                "{} has no answer about its creation and gives up",
                creator_name(creator)
            ),
            Step::CreationChecked { creator } => format!(
                "{} reads what is there instead of its creation",
                creator_name(creator)
            ),
            Step::DeleteRoot => "an operator deletes the root".to_owned(),
            Step::RestoreRoot => "an operator puts back the root before".to_owned(),
        }
    }

    /// What a handle is waiting for.
    fn write(&self, leader: u8, handle: u8) -> String {
        let handles = &self.before.leaders[usize::from(leader)].handles;
        match handles[usize::from(handle)].phase {
            Phase::Writing(attempt) | Phase::Refused(attempt) => {
                let body = attempt.write.body;
                format!("its write {} to {}", Show(&body), self.record(handle))
            }
            Phase::Closed | Phase::Open(_) | Phase::Confirming(..) => "nothing".to_owned(),
        }
    }

    fn changes(&self) -> String {
        let mut changes = String::new();
        let mut add = |change: String| {
            changes.push_str("; ");
            changes.push_str(&change);
        };
        if self.before.root.seal != self.after.root.seal {
            let seal = self.after.root.seal;
            add(format!(
                "root = {}",
                seal.map_or("absent".to_owned(), |seal| Show(&seal).to_string())
            ));
        }
        let records = self.before.records.iter().zip(&self.after.records);
        for (index, (before, after)) in records.enumerate() {
            let index = index as u8;
            if before.body != after.body {
                let body = after.body;
                let body = body.map_or("absent".to_owned(), |body| Show(&body).to_string());
                add(format!("{} = {body}", self.named(index)));
            }
            if before.relied_on != after.relied_on {
                let new = after.relied_on.without(before.relied_on);
                add(format!("acknowledged or read: {}", Show(&new)));
            }
        }
        let refused = self
            .after
            .promised
            .refused
            .without(self.before.promised.refused);
        if !refused.is_empty() {
            add(format!("reported as not applied: {}", Show(&refused)));
        }
        let leaders = self.before.leaders.iter().zip(&self.after.leaders);
        for (index, (before, after)) in leaders.enumerate() {
            let role = role(after.role);
            if role != self::role(before.role) {
                let name = name(index as u8);
                let named = after.seal != Seal::NOBODY;
                let seal = if named {
                    format!(" {}", Show(&after.seal))
                } else {
                    String::new()
                };
                add(format!("{name} {role}{seal}"));
            }
            for (was, is) in before.handles.iter().zip(&after.handles) {
                match (was.phase, is.phase) {
                    (Phase::Writing(was), Phase::Writing(is)) if was.write == is.write => {}
                    (_, Phase::Writing(is)) => add(format!("asks for {}", Show(&is.write.body))),
                    (Phase::Writing(_), Phase::Refused(_)) => add("refused".to_owned()),
                    (
                        _,
                        Phase::Closed | Phase::Refused(_) | Phase::Open(_) | Phase::Confirming(..),
                    ) => {}
                }
            }
        }
        changes
    }

    fn record(&self, handle: u8) -> String {
        let record = self.named(self.protocol.bounds.record_of(handle));
        if handle == FLOOR || handle < self.protocol.bounds.records {
            return record;
        }
        format!("{record} (second handle)")
    }

    fn named(&self, record: u8) -> String {
        if record == self.protocol.bounds.floor() {
            return "the floor".to_owned();
        }
        format!("record {}", record + 1)
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Idle => "stops",
        Role::Scanning { .. } => "finds no root",
        Role::Claiming { .. } => "claims",
        Role::Refused => "is refused",
        Role::Sealing => "wins the root as",
        Role::Leading { .. } => "leads as",
    }
}

fn name(leader: u8) -> char {
    char::from(b'A' + leader)
}

fn creator_name(creator: u8) -> char {
    char::from(b'X' + creator)
}

/// Shows parts of a state: a term as `A1`, a seal as epoch and term, a body as seal, sequence
/// number and commits.
struct Show<'a, T>(&'a T);

impl fmt::Display for Show<'_, Term> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (leader, nth) = self.0.parts();
        match nth {
            0 => f.write_str("nobody"),
            _ => write!(f, "{}{nth}", name(leader as u8)),
        }
    }
}

impl fmt::Display for Show<'_, Seal> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.epoch, Show(&self.0.term))
    }
}

impl fmt::Display for Show<'_, Body> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Body {
            seal,
            sequence,
            content,
            created,
            ..
        } = self.0;
        write!(f, "{}#{sequence}{}", Show(seal), Show(content))?;
        match created {
            0 => Ok(()),
            number => write!(f, "+{}", creator_name(number - 1)),
        }
    }
}

impl fmt::Display for Show<'_, Commits> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commits: Vec<String> = (0..u16::BITS)
            .filter(|bit| self.0.0 & (1 << bit) != 0)
            .map(|bit| format!("c{bit}"))
            .collect();
        write!(f, "{{{}}}", commits.join(" "))
    }
}
