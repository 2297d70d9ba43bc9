use super::{Action, Because, Event, Machine, Policy, Tell, Which};
use crate::run::args::Restart;
use incumbent::Epoch;
use std::time::Duration;

const POLICY: Policy = Policy {
    restart: Restart::Never,
    stop_timeout: Duration::from_secs(10),
    ready_timeout: Duration::from_secs(60),
    halt_timeout: Duration::from_secs(2),
    has_lead_hook: false,
    has_standby_hook: false,
    signals_lead: false,
    signals_standby: false,
    is_warm_at_once: false,
    is_beside: false,
};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn lost(hard_in: u64) -> Event {
    Event::Lost {
        why: "lost".into(),
        hard_in: at(hard_in),
    }
}

fn exited(code: u8, by_itself: bool) -> Event {
    Event::Exited {
        code,
        by_itself,
        pause: at(1),
    }
}

/// One whose command runs, is warm, and campaigns.
fn standing_by(policy: Policy) -> Machine {
    let mut machine = Machine::new(policy);
    assert_eq!(machine.next(), Some(Duration::ZERO));
    assert_eq!(machine.step(at(0), Event::Time), [Action::Start]);
    assert_eq!(machine.step(at(0), Event::Started), []);
    assert_eq!(machine.step(at(0), Event::Warm), [Action::Campaign]);
    machine
}

fn leading(policy: Policy) -> Machine {
    let mut machine = standing_by(policy);
    let actions = machine.step(at(0), Event::Granted(Epoch::new(7)));
    assert_eq!(
        actions[..2],
        [Action::Bind(2), Action::Tell(Tell::Leader(2))]
    );
    machine
}

fn stepping_down(actions: &[Action]) -> (u64, Duration) {
    match &actions[0] {
        Action::Tell(Tell::SteppingDown { number, until, .. }) => (*number, *until),
        other => panic!("{other:?}"),
    }
}

/// What follows when the command stands by: the guard is released first, and then the term.
fn stood_by(number: u64) -> Vec<Action> {
    vec![
        Action::Free(number),
        Action::Resign(None),
        Action::Tell(Tell::Standby(number)),
        Action::Campaign,
    ]
}

#[test]
fn a_command_is_bound_before_it_is_told_that_it_leads() {
    let mut machine = standing_by(Policy {
        signals_lead: true,
        ..POLICY
    });
    let actions = machine.step(at(5), Event::Granted(Epoch::new(7)));
    let expected = [
        Action::Bind(2),
        Action::Tell(Tell::Leader(2)),
        Action::Signal(Which::Lead),
        Action::Publish,
    ];
    assert_eq!(actions, expected);
}

#[test]
fn it_does_not_campaign_before_it_is_warm() {
    let mut machine = Machine::new(POLICY);
    machine.step(at(0), Event::Time);
    assert_eq!(machine.step(at(0), Event::Started), []);
    assert_eq!(machine.next(), None);
    let mut at_once = Machine::new(Policy {
        is_warm_at_once: true,
        ..POLICY
    });
    at_once.step(at(0), Event::Time);
    assert_eq!(at_once.step(at(0), Event::Started), [Action::Campaign]);
}

#[test]
fn deposed_and_acknowledged_in_time_it_stands_by_and_lives() {
    let mut machine = leading(POLICY);
    let (number, until) = stepping_down(&machine.step(at(10), lost(3)));
    assert_eq!((number, until), (3, at(13)));
    assert_eq!(machine.next(), Some(at(13)));
    assert!(machine.waits_for(3) && !machine.waits_for(2));
    assert_eq!(machine.step(at(12), Event::Acknowledged(3)), stood_by(4));
    assert_eq!(machine.next(), None);
    assert_eq!(machine.epoch(), None);
}

#[test]
fn deposed_and_never_acknowledged_it_is_killed_and_then_the_term_is_given_up() {
    let mut machine = leading(POLICY);
    machine.step(at(10), lost(3));
    assert_eq!(machine.step(at(12), Event::Time), []);
    assert_eq!(
        machine.step(at(13), Event::Time),
        [Action::Kill(Because::Unacknowledged)]
    );
    assert_eq!(machine.step(at(14), Event::Time), []);
    let given_up = [Action::Resign(None), Action::Tell(Tell::Standby(4))];
    assert_eq!(machine.step(at(14), exited(137, false)), given_up);
    // It is started again, and campaigns when it is warm.
    assert_eq!(machine.next(), Some(at(15)));
    assert_eq!(machine.step(at(15), Event::Time), [Action::Start]);
}

#[test]
fn a_late_acknowledgement_changes_nothing() {
    let mut machine = leading(POLICY);
    machine.step(at(10), lost(3));
    machine.step(at(13), Event::Time);
    assert!(!machine.waits_for(3));
    assert_eq!(machine.step(at(13), Event::Acknowledged(3)), []);
    assert!(machine.epoch().is_some());
}

#[test]
fn an_old_acknowledgement_does_not_end_a_later_term() {
    let mut machine = leading(POLICY);
    machine.step(at(10), lost(3));
    machine.step(at(11), Event::Acknowledged(3));
    // Lost, and regained.
    let actions = machine.step(at(12), Event::Granted(Epoch::new(9)));
    assert_eq!(actions[0], Action::Bind(5));
    assert_eq!(machine.step(at(12), Event::Acknowledged(3)), []);
    let (number, _) = stepping_down(&machine.step(at(20), lost(3)));
    assert_eq!(machine.step(at(20), Event::Acknowledged(3)), []);
    assert_eq!(
        machine.step(at(20), Event::Acknowledged(number)),
        stood_by(number + 1)
    );
}

#[test]
fn it_does_not_campaign_while_it_steps_down() {
    let mut machine = leading(POLICY);
    let actions = machine.step(at(10), lost(3));
    assert!(!actions.contains(&Action::Campaign));
    for event in [
        Event::Warm,
        Event::Continued,
        Event::Published,
        Event::NotReady,
        lost(1),
    ] {
        assert_eq!(machine.step(at(10), event), []);
    }
    // The second loss has left less time.
    assert_eq!(machine.next(), Some(at(11)));
}

#[test]
fn asked_to_hand_over_it_withdraws_tells_and_resigns_to_who_was_named() {
    let mut machine = leading(POLICY);
    let to: incumbent::HolderName = "b".parse().unwrap();
    assert_eq!(
        machine.step(at(5), Event::Asked(Some(to.clone()))),
        [Action::Withdraw]
    );
    let (number, until) = stepping_down(&machine.step(at(6), Event::Withdrawn));
    assert_eq!(until, at(16));
    let actions = machine.step(at(7), Event::Acknowledged(number));
    assert_eq!(actions[1], Action::Resign(Some(to)));
}

#[test]
fn a_term_that_is_lost_while_it_is_handed_over_leaves_less_time() {
    let mut machine = leading(POLICY);
    machine.step(at(5), Event::Asked(None));
    let (_, until) = stepping_down(&machine.step(at(5), lost(2)));
    assert_eq!(until, at(7));
    // The withdrawal that was under way says nothing any more.
    assert_eq!(machine.step(at(6), Event::Withdrawn), []);
}

#[test]
fn a_hook_to_lead_comes_before_the_endpoints_and_its_failure_gives_the_term_up() {
    let policy = Policy {
        has_lead_hook: true,
        ..POLICY
    };
    let mut machine = standing_by(policy);
    let actions = machine.step(at(0), Event::Granted(Epoch::new(7)));
    assert_eq!(actions[2..], [Action::Hook(Which::Lead)]);
    let ended = |is_good| Event::HookEnded { is_good };
    assert_eq!(machine.step(at(1), ended(true)), [Action::Publish]);

    let mut failed = leading(policy);
    let (number, _) = stepping_down(&failed.step(at(1), ended(false)));
    assert_eq!(failed.step(at(2), Event::Acknowledged(number)), stood_by(4));
}

#[test]
fn a_hook_that_hangs_is_ended_and_the_term_is_held_until_it_has() {
    let policy = Policy {
        has_lead_hook: true,
        ..POLICY
    };
    let mut machine = leading(policy);
    assert_eq!(machine.next(), Some(at(60)));
    let actions = machine.step(at(60), Event::Time);
    let (number, _) = stepping_down(&actions);
    assert_eq!(actions[1], Action::EndHook);
    // The command stands by, but the hook still runs.
    assert_eq!(machine.step(at(61), Event::Acknowledged(number)), []);
    assert_eq!(
        machine.step(at(62), Event::HookEnded { is_good: false }),
        stood_by(4)
    );
}

#[test]
fn a_hook_to_stand_by_acknowledges_by_its_success() {
    let policy = Policy {
        has_standby_hook: true,
        ..POLICY
    };
    let mut machine = leading(policy);
    let actions = machine.step(at(10), lost(3));
    assert_eq!(actions[1..], [Action::Hook(Which::Standby)]);
    assert_eq!(
        machine.step(at(11), Event::HookEnded { is_good: true }),
        stood_by(4)
    );

    // Its failure does not; the command has until the deadline.
    let mut machine = leading(policy);
    machine.step(at(10), lost(3));
    assert_eq!(
        machine.step(at(11), Event::HookEnded { is_good: false }),
        []
    );
    assert_eq!(
        machine.step(at(13), Event::Time),
        [Action::Kill(Because::Unacknowledged)]
    );

    // It hangs: both are ended, and the term is held until both have.
    let mut machine = leading(policy);
    machine.step(at(10), lost(3));
    assert_eq!(
        machine.step(at(13), Event::Time),
        [Action::EndHook, Action::Kill(Because::Unacknowledged)]
    );
    assert_eq!(machine.step(at(13), exited(137, false)), [Action::EndHook]);
    let given_up = [Action::Resign(None), Action::Tell(Tell::Standby(4))];
    assert_eq!(
        machine.step(at(14), Event::HookEnded { is_good: false }),
        given_up
    );
}

#[test]
fn the_hook_to_stand_by_waits_for_the_end_of_the_hook_to_lead() {
    let policy = Policy {
        has_lead_hook: true,
        has_standby_hook: true,
        ..POLICY
    };
    let mut machine = leading(policy);
    let actions = machine.step(at(1), lost(3));
    assert_eq!(actions[1..], [Action::EndHook]);
    let next = machine.step(at(2), Event::HookEnded { is_good: false });
    assert_eq!(next, [Action::Hook(Which::Standby)]);
}

#[test]
fn a_command_that_dies_standing_by_is_started_again_after_a_pause() {
    for code in [0, 1] {
        let mut machine = standing_by(POLICY);
        assert_eq!(
            machine.step(at(5), exited(code, true)),
            [Action::EndCampaign]
        );
        assert_eq!(machine.next(), Some(at(6)));
        assert_eq!(machine.step(at(6), Event::Time), [Action::Start]);
        machine.step(at(6), Event::Started);
        assert_eq!(machine.step(at(7), Event::Warm), [Action::Campaign]);
    }
}

#[test]
fn a_command_that_dies_leading_frees_the_term_and_its_restart_is_as_asked() {
    for (restart, code, ends) in [
        (Restart::Never, 0, true),
        (Restart::Never, 3, true),
        (Restart::OnFailure, 0, true),
        (Restart::OnFailure, 3, false),
        (Restart::Always, 0, false),
    ] {
        let mut machine = leading(Policy { restart, ..POLICY });
        let actions = machine.step(at(5), exited(code, true));
        assert_eq!(
            actions[..2],
            [Action::Resign(None), Action::Tell(Tell::Standby(3))]
        );
        let exit = ends.then_some(Action::Exit(code));
        assert_eq!(actions.get(2), exit.as_ref(), "{restart:?} {code}");
        assert_eq!(machine.next(), (!ends).then_some(at(6)));
    }
    // Ended by its guard at a deadline: it did nothing wrong by itself.
    let mut machine = leading(POLICY);
    let actions = machine.step(at(5), exited(137, false));
    assert_eq!(actions.len(), 2);
    assert_eq!(machine.next(), Some(at(6)));
}

#[test]
fn one_that_exits_instead_of_acknowledging_has_stopped_too() {
    let mut machine = leading(POLICY);
    machine.step(at(10), lost(3));
    let actions = machine.step(at(11), exited(0, true));
    assert_eq!(
        actions,
        [Action::Resign(None), Action::Tell(Tell::Standby(4))]
    );
    assert_eq!(machine.next(), Some(at(12)));
}

#[test]
fn a_stopped_command_does_not_campaign_and_does_not_lead_for_long() {
    let mut machine = standing_by(POLICY);
    assert_eq!(
        machine.step(at(1), Event::Halted(19)),
        [Action::EndCampaign]
    );
    assert_eq!(machine.step(at(9), Event::Continued), [Action::Campaign]);

    let mut machine = leading(POLICY);
    assert_eq!(machine.step(at(1), Event::Halted(19)), []);
    assert_eq!(machine.next(), Some(at(3)));
    // This process was stopped as well: the command gets the time anew.
    assert_eq!(machine.step(at(100), Event::Time), []);
    assert_eq!(machine.next(), Some(at(102)));
    stepping_down(&machine.step(at(102), Event::Time));
    // Acknowledged or not, it does not campaign while it is stopped.
    let actions = machine.step(at(103), Event::Acknowledged(3));
    assert!(!actions.contains(&Action::Campaign));
    assert_eq!(machine.step(at(104), Event::Continued), [Action::Campaign]);
}

#[test]
fn to_end_a_leader_withdraws_stops_resigns_and_exits_with_its_code() {
    let mut machine = leading(POLICY);
    assert_eq!(machine.step(at(1), Event::Terminate), [Action::Withdraw]);
    assert_eq!(machine.step(at(2), Event::Withdrawn), [Action::Stop]);
    assert_eq!(
        machine.step(at(2), Event::Terminate),
        [Action::Kill(Because::AskedAgain)]
    );
    let actions = machine.step(at(3), exited(5, false));
    let expected = [
        Action::Resign(None),
        Action::Tell(Tell::Standby(3)),
        Action::Exit(5),
    ];
    assert_eq!(actions, expected);
}

#[test]
fn to_end_a_standby_stops_its_command_and_exits_with_0() {
    let mut machine = standing_by(POLICY);
    assert_eq!(
        machine.step(at(1), Event::Terminate),
        [Action::EndCampaign, Action::Stop]
    );
    assert_eq!(
        machine.step(at(2), exited(143, false)),
        [Action::EndCampaign, Action::Exit(0)]
    );
    // While it waits to be started again.
    let mut machine = standing_by(POLICY);
    machine.step(at(1), exited(1, true));
    assert_eq!(machine.step(at(1), Event::Terminate), [Action::Exit(0)]);
}

#[test]
fn an_application_beside_is_told_and_waited_for_at_the_end_too() {
    let policy = Policy {
        is_beside: true,
        is_warm_at_once: true,
        ..POLICY
    };
    let leads = || {
        let mut machine = Machine::new(policy);
        machine.step(at(0), Event::Time);
        assert_eq!(machine.step(at(0), Event::Started), [Action::Campaign]);
        machine.step(at(0), Event::Granted(Epoch::new(7)));
        machine
    };
    let mut machine = leads();
    assert_eq!(machine.step(at(1), Event::Terminate), [Action::Withdraw]);
    let (number, until) = stepping_down(&machine.step(at(1), Event::Withdrawn));
    assert_eq!(until, at(11));
    let actions = machine.step(at(2), Event::Acknowledged(number));
    assert_eq!(actions[1], Action::Resign(None));
    assert_eq!(actions.last(), Some(&Action::Exit(0)));

    // It never says so: its time is over, and it cannot be ended.
    let mut machine = leads();
    machine.step(at(1), lost(3));
    assert_eq!(
        machine.step(at(4), Event::Time),
        [Action::Kill(Because::Unacknowledged)]
    );
    let actions = machine.step(
        at(4),
        Event::Exited {
            code: 0,
            by_itself: false,
            pause: at(0),
        },
    );
    assert_eq!(
        actions,
        [Action::Resign(None), Action::Tell(Tell::Standby(4))]
    );
    assert_eq!(machine.next(), Some(at(4)));
}

/// Every order of a few events, a thousand times: a term is given up only when nothing of it runs,
/// and nobody is told to lead before the guard is bound.
#[test]
fn in_any_order_a_term_is_given_up_only_when_nothing_of_it_runs() {
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = |sides: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % sides
    };
    for round in 0..2000_u64 {
        let policy = Policy {
            has_lead_hook: round & 1 == 1,
            has_standby_hook: round & 2 == 2,
            restart: Restart::Always,
            ..POLICY
        };
        let mut machine = Machine::new(policy);
        let (mut runs, mut campaigns, mut leads) = (false, false, false);
        let mut hook = None;
        let (mut acknowledged, mut asked_for, mut ended) = (false, 0, false);
        let mut now = Duration::ZERO;
        for _ in 0..60 {
            now += Duration::from_millis(100 * roll(40));
            let event = match roll(10) {
                0 if campaigns => Event::Granted(Epoch::new(7)),
                1 if leads => lost(roll(4)),
                2 if leads => Event::Asked(None),
                3 if leads => Event::Withdrawn,
                4 if leads && asked_for > 0 => {
                    let number = asked_for - roll(2);
                    acknowledged |= machine.waits_for(number);
                    Event::Acknowledged(number)
                }
                5 if hook.is_some() => {
                    let is_good = roll(2) == 0;
                    if hook.take() == Some(Which::Standby) && is_good {
                        acknowledged = true;
                    }
                    Event::HookEnded { is_good }
                }
                6 if runs && roll(3) == 0 => {
                    runs = false;
                    exited(1, roll(2) == 0)
                }
                7 if runs => Event::Warm,
                _ => Event::Time,
            };
            for action in machine.step(now, event) {
                match action {
                    Action::Start => {
                        assert!(!runs);
                        runs = true;
                        machine.step(now, Event::Started);
                    }
                    Action::Campaign => campaigns = true,
                    Action::EndCampaign => campaigns = false,
                    Action::Bind(_) => {
                        (campaigns, leads, acknowledged, asked_for) = (false, true, false, 0)
                    }
                    Action::Tell(Tell::Leader(_)) => assert!(leads),
                    Action::Tell(Tell::SteppingDown { number, .. }) => asked_for = number,
                    Action::Hook(which) => {
                        assert!(hook.is_none() && leads);
                        hook = Some(which);
                    }
                    Action::Free(_) => assert!(acknowledged && runs && hook.is_none()),
                    Action::Resign(_) => {
                        assert!(hook.is_none() && (acknowledged || !runs), "round {round}");
                        (leads, asked_for) = (false, 0);
                    }
                    Action::Exit(_) => ended = true,
                    _ => {}
                }
            }
        }
        assert!(!ended);
    }
}
