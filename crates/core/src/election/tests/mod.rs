//! Events in, actions out. What needs many nodes and bad luck is in the simulation.

mod by_hand;
mod pacing;
mod standby;
mod term;

use std::time::{Duration, SystemTime};

use super::*;
use crate::root::TermState;

/// One process under test, and the time it is told.
struct Bench {
    election: Election,
    now: Time,
}

const SECOND: Duration = Duration::from_secs(1);

fn config(holder: &str, nonces: u128) -> Config {
    Config {
        holder: holder.parse().unwrap(),
        timing: Timing::default(),
        liveness: None,
        nonces: Nonce::new(nonces),
    }
}

fn version(number: u32) -> Version {
    Version::new(number.to_string())
}

impl Bench {
    fn new(holder: &str) -> Self {
        Self {
            election: Election::new(config(holder, 1000)),
            now: Time::from_origin(100 * SECOND),
        }
    }

    fn at(&mut self, event: Event) -> Vec<Action> {
        self.election.step(
            Now {
                time: self.now,
                wall: SystemTime::UNIX_EPOCH,
            },
            event,
        )
    }

    fn after(&mut self, duration: Duration) -> Vec<Action> {
        self.now = self.now + duration;
        self.at(Event::Tick)
    }

    fn read(&mut self, root: Option<(u32, &Root)>) -> Vec<Action> {
        self.at(Event::RootRead {
            root: root.map(|(v, root)| (version(v), Box::new(root.clone()))),
        })
    }

    fn committed(&mut self, v: u32) -> Vec<Action> {
        self.at(Event::RootSwapped(SwapAnswer::Committed(version(v))))
    }

    /// A candidate whose claim at epoch 1 is on its way.
    fn claiming() -> (Self, Root) {
        let mut bench = Self::new("a");
        bench.at(Event::Campaign);
        assert_eq!(bench.read(None), [Action::ScanSeals]);
        let highest = Epoch::ZERO;
        let root = swapped(&bench.at(Event::SealsScanned { highest }));
        (bench, root)
    }

    /// A leader at epoch 1 whose root has version 1.
    fn leading() -> (Self, Root) {
        let (mut bench, root) = Self::claiming();
        let seal = root.seal();
        assert_eq!(bench.committed(1), [Action::SealFloor { seal }]);
        assert_eq!(
            bench.at(Event::Floor {
                seal,
                answer: FloorAnswer::Sealed
            }),
            [Action::Granted {
                seal,
                vacancy: Vacancy::Absent
            }]
        );
        (bench, root)
    }

    /// A candidate that sees the root of somebody else.
    fn standing_by(root: &Root) -> Self {
        let mut bench = Self::new("b");
        bench.election.config.nonces = Nonce::new(5_000_000);
        bench.at(Event::Campaign);
        assert_eq!(bench.read(Some((1, root))), []);
        bench
    }
}

fn swapped(actions: &[Action]) -> Root {
    match actions {
        [Action::SwapRoot { root, .. }] => (**root).clone(),
        other => panic!("no swap but {other:?}"),
    }
}
