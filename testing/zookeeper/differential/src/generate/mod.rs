//! Makes a script from a seed.

mod asks;
mod pools;
mod raw;
mod shared;

use incumbent_zk_proto::{AddMode, CreateKind};

use crate::dice::Dice;
use crate::script::{Act, Ask, Attach, NodePath, Script, Since, Step};

/// The script of a seed: always the same.
pub fn script(seed: u64) -> Script {
    let mut dice = Dice::new(seed);
    let sessions = dice.between(2, 4);
    let length = dice.between(60, 200);
    let mut maker = Maker {
        seed,
        dice,
        online: vec![true; sessions],
        session: 0,
    };
    let mut steps = Vec::with_capacity(length);
    while steps.len() < length {
        maker.session = maker.dice.between(0, sessions - 1);
        steps.extend(maker.acts().into_iter().map(|act| Step {
            session: maker.session,
            act,
        }));
    }
    Script {
        seed,
        sessions,
        steps,
    }
}

/// The kind of watch that a session may set on a path. Never two kinds on one path:
/// `known::MODES_PER_WATCHER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WatchClass {
    /// None: another session asks whether it watches this path.
    None,
    Standard,
    Added(AddMode),
}

/// With so many bytes of data, a request may be longer than servers accept.
const LARGE: usize = 100_000;

struct Maker {
    seed: u64,
    dice: Dice,
    /// The sessions that have a connection, as far as that is known without a server.
    online: Vec<bool>,
    /// The session whose step is being made.
    session: usize,
}

impl Maker {
    /// The next acts of the session: mostly one.
    fn acts(&mut self) -> Vec<Act> {
        if !self.online[self.session] && self.dice.percent(50) {
            return self.attach();
        }
        match self.dice.between(0, 999) {
            0..15 => {
                self.online[self.session] = false;
                vec![Act::Drop]
            }
            15..27 => self.attach(),
            27..37 => {
                self.online[self.session] = false;
                vec![Act::Ask(vec![Ask::CloseSession])]
            }
            37..62 => vec![self.auth()],
            62..66 => vec![Act::Negotiate {
                timeout_ms: *self.dice.pick(pools::TIMEOUTS),
                read_only: *self.dice.pick(&[None, Some(false), Some(true)]),
            }],
            66..76 => vec![self.raw()],
            76..86 => vec![Act::AskAs(*self.dice.pick(pools::XIDS), self.ask())],
            86..220 => {
                let count = self.dice.between(2, 7);
                let mut asks: Vec<Ask> = (0..count).map(|_| self.ask()).collect();
                // `known::TOO_LONG`.
                if let Some(large) = asks.iter().position(|ask| ask.data_bytes() >= LARGE) {
                    asks = vec![asks.swap_remove(large)];
                }
                // `known::PREPARED_TOO_EARLY`.
                if let Some(last) = asks.iter().position(prepared_otherwise) {
                    asks.truncate(last + 1);
                }
                vec![Act::Ask(asks)]
            }
            _ => vec![Act::Ask(vec![self.ask()])],
        }
    }

    fn attach(&mut self) -> Vec<Act> {
        let how = self.dice.weighted(&[
            (60, Attach::Again),
            (5, Attach::AgainOld),
            (25, Attach::New),
            (3, Attach::WrongPassword),
            (3, Attach::NeverWas),
            (3, Attach::FromTheFuture),
        ]);
        self.online[self.session] = match how {
            Attach::Again | Attach::AgainOld | Attach::New => true,
            Attach::WrongPassword | Attach::NeverWas | Attach::FromTheFuture => false,
        };
        let mut acts = vec![Act::Attach(how)];
        if how == Attach::WrongPassword {
            // `known::WRONG_PASSWORD`.
            acts.insert(0, Act::Drop);
        }
        // As every client does that had watches.
        if self.dice.percent(70) {
            acts.push(Act::Ask(vec![self.set_watches()]));
        }
        acts
    }

    fn auth(&mut self) -> Act {
        let (scheme, auth, ends) = *self.dice.pick(pools::AUTHS);
        if ends {
            self.online[self.session] = false;
        }
        Act::Ask(vec![Ask::Auth {
            scheme: scheme.to_owned(),
            auth: auth.to_vec(),
        }])
    }

    fn set_watches(&mut self) -> Ask {
        let since = if self.dice.percent(10) {
            Since::Zero
        } else {
            Since::Reply(self.dice.between(0, 8))
        };
        let [data, exist, child] = [(); 3].map(|()| self.watched(WatchClass::Standard));
        let persistent = self.dice.percent(60).then(|| {
            let one = self.watched(WatchClass::Added(AddMode::Persistent));
            (one, self.watched(WatchClass::Added(AddMode::Recursive)))
        });
        Ask::SetWatches {
            since,
            data,
            exist,
            child,
            persistent,
        }
    }

    fn watched(&mut self, class: WatchClass) -> Vec<NodePath> {
        let count = self.dice.between(0, 3);
        let places: Vec<NodePath> = (0..count).map(|_| self.node()).collect();
        places
            .into_iter()
            .filter(|place| self.class(place) == class)
            .collect()
    }

    /// The node that only this session watches: `known::CHECKS_OF_OTHERS`.
    fn own(&self) -> NodePath {
        NodePath::Below(format!("{}{}", pools::WATCHED_BY, self.session))
    }

    /// It is the same for a session and a path in the whole script.
    fn class(&self, place: &NodePath) -> WatchClass {
        const PRIME: u64 = 0x0100_0000_01b3;
        let path = place.path("");
        if path.starts_with(pools::WATCHED_BY) && *place != self.own() {
            return WatchClass::None;
        }
        let start = self.seed ^ (self.session as u64 + 1).wrapping_mul(0xcbf2_9ce4_8422_2325);
        let hash = path.bytes().fold(start, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        });
        match (hash >> 32) % 4 {
            0 => WatchClass::Added(AddMode::Persistent),
            1 => WatchClass::Added(AddMode::Recursive),
            _ => WatchClass::Standard,
        }
    }
}

/// Whether ZooKeeper checks later requests against something else than the outcome of this one.
fn prepared_otherwise(ask: &Ask) -> bool {
    match ask {
        Ask::SetAcl { .. } => true,
        Ask::Create { flags, kind, .. } => match kind {
            CreateKind::Plain | CreateKind::WithStat => !(0..=3).contains(flags),
            CreateKind::Container => *flags != 4,
            CreateKind::Ttl(_) => !(5..=6).contains(flags),
        },
        Ask::Multi(parts) => parts.iter().any(prepared_otherwise),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::script;

    #[test]
    fn a_seed_always_gives_the_same_script() {
        assert_eq!(script(7), script(7));
        assert_ne!(script(7).steps, script(8).steps);
    }
}
