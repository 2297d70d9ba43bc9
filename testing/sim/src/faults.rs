//! What a seed makes of a simulation: the nodes, their settings and what goes wrong, all in a
//! [`Plan`].

use std::time::Duration;

use clap::ValueEnum;
use incumbent_core::{Timing, TimingOptions};

use crate::clock::TRUE_RATE;
use crate::dice::Dice;

/// By how much the clock of a node may go wrong by its settings, in parts of a thousand.
pub const DRIFT_PERMILLE: u32 = 10;

/// Which kinds of faults there are. Within a mode each seed has some of them and lacks others: so
/// every combination comes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Mode {
    /// Requests take their time; nothing else happens.
    Calm,
    /// Requests and answers are lost, late and refused; nodes are cut off; watches lag and fall
    /// silent.
    Network,
    /// Nodes pause, are killed and restarted; their death is noticed.
    Processes,
    /// People delete the root, restore an old one, and ask for hand-overs.
    Hands,
    /// All of the above.
    Everything,
    /// All of it, and clocks go wrong by more than they may. Guards may overlap.
    Drift,
    /// All of it, and living leaders are taken for dead. Guards may overlap.
    Verdicts,
    /// As [`Verdicts`](Self::Verdicts), and every process creates records without leading.
    Creation,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 8] = [
        Self::Calm,
        Self::Network,
        Self::Processes,
        Self::Hands,
        Self::Everything,
        Self::Drift,
        Self::Verdicts,
        Self::Creation,
    ];

    /// Whether clocks keep to the drift they are allowed, and verdicts to the truth: then guards
    /// exclude each other.
    pub fn is_truthful(self) -> bool {
        !matches!(self, Self::Drift | Self::Verdicts | Self::Creation)
    }
}

/// A rule left out, so that a test sees its promise break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mutation {
    /// Nothing is left out.
    None,
    /// Records are opened by reading, without a seal.
    ReadWithoutSeal,
    /// A commit that was not answered is reported as not applied.
    UnknownIsNotApplied,
    /// A commit refused after a lost answer is reported as not applied.
    RefusalBelieved,
    /// The right to act counts from the answer to a renewal.
    LeaseFromAnswer,
    /// A record that was erased is opened without a look at the floor.
    VacantUnconfirmed,
    /// Observers hand out each root that they read, of any epoch.
    ForgetfulObserver,
    /// A leader is granted without a seal on the floor.
    NoFloor,
    /// A leader commits every now and then although there is nothing to do.
    RestlessLeader,
    /// A candidate that has lost a term never campaigns again.
    CampaignsOnce,
    /// A root below the highest epoch that a standby knows is claimed at once.
    LowRootIsFree,
    /// A record that was created without leading is opened without a look at the floor.
    UnledUnconfirmed,
    /// A leader that writes a record drops the number of its creation.
    CreationForgotten,
    /// A creation replaces a tombstone.
    TombstoneReplaced,
}

impl Mutation {
    /// Every rule left out in turn; without [`Mutation::None`].
    pub const ALL: [Self; 13] = [
        Self::ReadWithoutSeal,
        Self::UnknownIsNotApplied,
        Self::RefusalBelieved,
        Self::LeaseFromAnswer,
        Self::VacantUnconfirmed,
        Self::ForgetfulObserver,
        Self::NoFloor,
        Self::RestlessLeader,
        Self::CampaignsOnce,
        Self::LowRootIsFree,
        Self::UnledUnconfirmed,
        Self::CreationForgotten,
        Self::TombstoneReplaced,
    ];
}

/// Everything that is settled before the first event.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kinds of faults.
    pub mode: Mode,
    /// The rule left out.
    pub mutation: Mutation,
    /// The nodes.
    pub nodes: Vec<Settings>,
    /// How many records there are.
    pub records: u8,
    /// How many further records there are that nobody opens before they were created, and nobody
    /// erases.
    pub created: u8,
    /// How many handles of one leader compete for a record.
    pub handles: u8,
    /// How often what goes wrong.
    pub faults: Faults,
    /// How long it goes wrong, in nanoseconds.
    pub chaos: u64,
}

/// What does not change about a node, however often it is restarted.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether it wants to lead; otherwise it only observes.
    pub candidate: bool,
    /// Its lease.
    pub timing: Timing,
    /// What its clock shows at the beginning.
    pub clock_offset: u64,
    /// How its clock goes while things go wrong, in parts of a million.
    pub clock_rate: u64,
    /// How it goes afterwards: within its allowance.
    pub clock_rate_healed: u64,
}

/// Probabilities in parts of a thousand: of every request first, then of the events between them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// A request never arrives.
    pub lost_request: u32,
    /// It arrives, and its answer does not.
    pub lost_answer: u32,
    /// It arrives long after its sender gave up.
    pub late_request: u32,
    /// It is refused at once: nothing was written.
    pub refused: u32,
    /// It takes about as long as its sender waits.
    pub slow: u32,
    /// A hint of a watch is lost.
    pub lost_hint: u32,
    /// A hint of a watch lags by up to a lease.
    pub late_hint: u32,
    /// What happens between requests, each as likely as the others.
    pub upsets: Vec<Upset>,
    /// The leading application resigns, per thing it does.
    pub resign: u32,
    /// A candidate that waits gives up, per thing it does.
    pub abstain: u32,
}

/// Something that goes wrong for a while, or is done by a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upset {
    /// A node does nothing for a while.
    Pause,
    /// The leader does nothing for a while.
    PauseLeader,
    /// A node is killed, and restarted later.
    Kill,
    /// The leader is killed, and restarted later.
    KillLeader,
    /// No request of a node arrives.
    CutRequests,
    /// No answer arrives at a node.
    CutAnswers,
    /// Neither arrives.
    CutBoth,
    /// No request of any node arrives.
    Outage,
    /// The watch of a node is silent.
    Silence,
    /// A watch hints at nothing.
    IdleHint,
    /// A living leader is declared dead to a node.
    WrongVerdict,
    /// The root is deleted by hand.
    DeleteRoot,
    /// A root from a backup is put in place of the present one.
    RestoreRoot,
    /// Somebody asks the leader to hand over.
    AskHandover,
}

impl Plan {
    /// What this seed makes of a mode.
    pub fn new(mode: Mode, mutation: Mutation, dice: &mut Dice) -> Self {
        let lease = dice.range(500, 3000);
        let other = dice.pick(&[lease, lease, lease * 2, lease / 2 + 100]);
        let styles = [dice.index(3), dice.index(3)];
        let count = dice.range(2, 6);
        let nodes: Vec<_> = (0..count)
            .map(|n| {
                let version = dice.index(2);
                let timing = timing([lease, other][version], styles[version]);
                Settings {
                    candidate: n < 2 || dice.chance(800),
                    timing,
                    clock_offset: dice.range(0, 1 << 50),
                    clock_rate: match mode {
                        Mode::Drift => dice.range(TRUE_RATE / 2, TRUE_RATE * 9 / 5),
                        _ => bounded_rate(dice),
                    },
                    clock_rate_healed: bounded_rate(dice),
                }
            })
            .collect();
        let longest = nodes.iter().map(|node| node.timing.lease()).max();
        let longest = nanos(longest.expect("there are nodes"));
        let mut plan = Self {
            mode,
            mutation,
            records: u8::try_from(dice.range(1, 4)).expect("few"),
            created: 0,
            handles: u8::try_from(dice.range(1, 3)).expect("few"),
            faults: Faults::new(mode, dice),
            chaos: dice.range(6 * longest, 16 * longest),
            nodes,
        };
        // Other modes throw no dice for it, so that their seeds stay what they were.
        if mode == Mode::Creation {
            plan.created = u8::try_from(dice.range(1, 6)).expect("few");
        }
        plan
    }

    /// Whether processes create records without leading.
    pub fn creates(&self) -> bool {
        self.created > 0
    }

    /// Whether nobody is let in before the term of the last leader is over.
    pub fn is_orderly(&self) -> bool {
        let by_hand = [Upset::DeleteRoot, Upset::RestoreRoot];
        self.mode.is_truthful()
            && !self
                .faults
                .upsets
                .iter()
                .any(|upset| by_hand.contains(upset))
    }

    /// The longest of a duration over all nodes, in nanoseconds.
    pub fn longest(&self, of: fn(&Timing) -> Duration) -> u64 {
        let longest = self.nodes.iter().map(|node| of(&node.timing)).max();
        nanos(longest.expect("there are nodes"))
    }

    /// How long after the end of all faults a leader must be active and have committed on every
    /// record.
    ///
    /// A request that was lost is given up, and the node held off; the lease of a holder that is
    /// gone is waited out; the next one seals the floor, opens every record and commits. Twice
    /// that, for one that gives up half-way.
    pub fn recovery(&self) -> u64 {
        2 * self.longest(Timing::lease)
            + 2 * self.longest(Timing::request_timeout)
            + 8 * self.longest(Timing::retry)
    }
}

impl Faults {
    fn new(mode: Mode, dice: &mut Dice) -> Self {
        let mut faults = Self {
            resign: dice.pick(&[0, 5, 20]),
            abstain: dice.pick(&[0, 5]),
            ..Self::default()
        };
        let (network, processes, hands) = match mode {
            Mode::Calm => (false, false, false),
            Mode::Network => (true, false, false),
            Mode::Processes => (false, true, false),
            Mode::Hands => (dice.chance(500), false, true),
            Mode::Everything | Mode::Drift | Mode::Verdicts | Mode::Creation => {
                (true, true, dice.chance(500))
            }
        };
        if network {
            faults.lost_request = dice.pick(&[0, 20, 150]);
            faults.lost_answer = dice.pick(&[0, 20, 150]);
            faults.late_request = dice.pick(&[0, 20, 100]);
            faults.refused = dice.pick(&[0, 20, 150]);
            faults.slow = dice.pick(&[0, 20, 200]);
            faults.lost_hint = dice.pick(&[0, 100, 1000]);
            faults.late_hint = dice.pick(&[0, 100, 500]);
            faults.some(
                dice,
                &[
                    Upset::CutRequests,
                    Upset::CutAnswers,
                    Upset::CutBoth,
                    Upset::Outage,
                    Upset::Silence,
                    Upset::IdleHint,
                ],
            );
        }
        if processes {
            faults.some(
                dice,
                &[
                    Upset::Pause,
                    Upset::PauseLeader,
                    Upset::Kill,
                    Upset::KillLeader,
                ],
            );
        }
        if hands {
            faults.some(
                dice,
                &[Upset::DeleteRoot, Upset::RestoreRoot, Upset::AskHandover],
            );
        }
        if matches!(mode, Mode::Verdicts | Mode::Creation) {
            faults.upsets.push(Upset::WrongVerdict);
        }
        if mode == Mode::Creation {
            // Old leaders that do not know that they are, which is when creations are dangerous.
            faults.upsets.retain(|upset| *upset != Upset::Outage);
            faults.upsets.extend([Upset::WrongVerdict; 3]);
            faults.upsets.extend([Upset::PauseLeader, Upset::Silence]);
        }
        faults
    }

    fn some(&mut self, dice: &mut Dice, of: &[Upset]) {
        self.upsets
            .extend(of.iter().filter(|_| dice.chance(600)).copied());
    }
}

/// Nanoseconds of a duration.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("simulations are short")
}

fn bounded_rate(dice: &mut Dice) -> u64 {
    let drift = u64::from(DRIFT_PERMILLE) * (TRUE_RATE / 1000);
    // The bounds themselves are the most interesting rates.
    match dice.index(3) {
        0 => TRUE_RATE - drift,
        1 => TRUE_RATE + drift,
        _ => dice.range(TRUE_RATE - drift, TRUE_RATE + drift),
    }
}

/// Durations of three styles: the usual ones, ones that use the lease up to its end, and slow ones.
pub(crate) fn timing(lease_ms: u64, style: usize) -> Timing {
    let lease = Duration::from_millis(lease_ms);
    let usual = TimingOptions {
        drift_permille: DRIFT_PERMILLE,
        ..TimingOptions::for_lease(lease)
    };
    let options = match style {
        0 => usual,
        1 => TimingOptions {
            renew_deadline: lease * 19 / 20,
            hard_deadline: lease * 97 / 100,
            request_timeout: lease * 19 / 40,
            ..usual
        },
        _ => TimingOptions {
            renew_deadline: lease / 2,
            retry: lease / 4,
            request_timeout: lease / 5,
            ..usual
        },
    };
    Timing::new(options).expect("the proportions fit together")
}
