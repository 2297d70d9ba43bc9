//! Two observations of one step.

use std::fmt::Write;

use crate::normal::{Normal, Token};
use crate::relation::Relation;
use crate::script::{Act, Ask, Step};
use crate::side::{Observation, Seen};

/// How the numbers of the two servers correspond, as far as the steps so far show.
#[derive(Debug)]
pub(crate) struct Comparison {
    relation: Relation,
    normal: [Normal; 2],
}

/// The first difference between two servers.
#[derive(Clone, Debug)]
pub struct Difference {
    /// A short form without numbers, so that similar differences have the same one.
    pub kind: String,
    /// The full description.
    pub detail: String,
}

impl Comparison {
    pub(crate) fn new(own_root: &str) -> Self {
        Self {
            relation: Relation::default(),
            normal: [Normal::new(own_root), Normal::new(own_root)],
        }
    }

    /// Compares what came in a step on both sides. The ids are the sessions granted so far.
    pub(crate) fn step(
        &mut self,
        step: Option<&Step>,
        seen: [&Observation; 2],
        ids: [&[i64]; 2],
    ) -> Result<(), Difference> {
        let unordered = step.is_some_and(closes);
        for (session, (left, right)) in seen[0].iter().zip(seen[1]).enumerate() {
            let sides = [(left, ids[0]), (right, ids[1])];
            let [left, right] = sides.map(|(seen, _)| in_order(seen, unordered));
            if let Err((answers, what)) = self.frames([&left, &right], ids) {
                let name = step.map_or("the handshake".to_owned(), |step| name(step, answers));
                let mut detail = format!("session {session}: {what}\n");
                for (side, frames) in [("reference", &left), ("ours", &right)] {
                    let _ = writeln!(detail, "  {side}:");
                    for frame in frames {
                        // Some frames hold the names of all scripts' roots.
                        let _ = writeln!(detail, "    {:.800}", format!("{frame:?}"));
                    }
                }
                return Err(Difference {
                    kind: format!("{name}: {}", without_numbers(&what)),
                    detail,
                });
            }
        }
        Ok(())
    }

    /// Returns what differs, and how many answers before it were the same.
    fn frames(&mut self, seen: [&[Seen]; 2], ids: [&[i64]; 2]) -> Result<(), (usize, String)> {
        let [left, right] = seen;
        let mut answers = 0;
        for (frame, right) in left.iter().zip(right) {
            let left = frame;
            let left = self.normal[0].tokens(left, ids[0]);
            let right = self.normal[1].tokens(right, ids[1]);
            for (left, right) in left.iter().zip(&right) {
                if !self.same(left, right) {
                    return Err((answers, format!("{left:?} <> {right:?}")));
                }
            }
            if left.len() != right.len() {
                return Err((answers, format!("{left:?} <> {right:?}")));
            }
            answers += usize::from(matches!(frame, Seen::Reply(_)));
        }
        if left.len() == right.len() {
            Ok(())
        } else {
            let what = format!("{} frames <> {} frames", left.len(), right.len());
            Err((answers, what))
        }
    }

    fn same(&mut self, left: &Token, right: &Token) -> bool {
        match (left, right) {
            (Token::Text(left), Token::Text(right)) => left == right,
            (Token::Zxid(left), Token::Zxid(right)) => self.relation.same(*left, *right),
            (Token::Floor(left), Token::Floor(right)) => self.relation.same_floor(*left, *right),
            (Token::EventZxid(-1), Token::EventZxid(_))
            | (Token::EventZxid(_), Token::EventZxid(-1)) => true,
            (Token::EventZxid(left), Token::EventZxid(right)) => self.relation.same(*left, *right),
            (Token::OptionalStat(left), Token::OptionalStat(right)) => {
                let both = !left.is_empty() && !right.is_empty();
                !both
                    || left.len() == right.len()
                        && left
                            .iter()
                            .zip(right)
                            .all(|(left, right)| self.same(left, right))
            }
            _ => false,
        }
    }
}

fn closes(step: &Step) -> bool {
    matches!(&step.act, Act::Ask(asks) if asks.contains(&Ask::CloseSession))
}

/// The ephemeral nodes of a session are deleted at once, in no particular order:
/// `known::ORDER_OF_EPHEMERALS`.
fn in_order(seen: &[Seen], unordered: bool) -> Vec<Seen> {
    let mut seen = seen.to_vec();
    if unordered {
        let both_events =
            |one: &Seen, other: &Seen| matches!((one, other), (Seen::Event(_), Seen::Event(_)));
        for run in seen.chunk_by_mut(both_events) {
            run.sort_by_key(|seen| match seen {
                Seen::Event(event) => Some(event.event.clone()),
                _ => None,
            });
        }
    }
    seen
}

/// The step in one word: that of the request whose answer differs.
fn name(step: &Step, answers: usize) -> String {
    let ask = |ask: &Ask| {
        let debug = format!("{ask:?}");
        debug
            .split([' ', '('])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    match &step.act {
        Act::Ask(asks) => asks.get(answers).map_or("the barrier".to_owned(), ask),
        Act::AskAs(_, one) => format!("as another xid, {}", ask(one)),
        Act::Raw(op, _) => format!("raw {op}"),
        Act::Drop => "drop".to_owned(),
        Act::Attach(how) => format!("attach {how:?}"),
        Act::Negotiate { .. } => "negotiate".to_owned(),
    }
}

/// Removes numbers and paths, which differ from script to script. Numbers of errors and marks of
/// owners stay.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
        let number = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let digits = number.chars().any(|c| c.is_ascii_digit());
        let telling = out.ends_with("refused ") || number.starts_with("0x");
        if out.ends_with('/') || digits && !telling {
            out.push('#');
            out.push_str(&part[number.len()..]);
        } else {
            out.push_str(part)
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::without_numbers;

    #[test]
    fn kinds_of_differences_do_not_depend_on_the_run() {
        let kind = without_numbers(r#"Floor(284377) <> Text("refused -121")"#);
        assert_eq!(kind, r##"Floor(#) <> Text("refused -121")"##);
        let kind = without_numbers(r#"Text("Deleted \"/x-7/a\"") <> Text("xid 3")"#);
        assert_eq!(kind, r##"Text("Deleted \"/#/#\"") <> Text("xid #")"##);
    }
}
