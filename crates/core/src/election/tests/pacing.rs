//! How often a backend that fails is asked.

use super::*;

/// As with a role that lacks `list`: the root is read, and the seals are not.
#[test]
fn scans_that_fail_are_repeated_ever_more_slowly_although_reads_are_answered() {
    let mut bench = Bench::new("a");
    bench.at(Event::Campaign);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        assert_eq!(bench.read(None), [Action::ScanSeals]);
        assert_eq!(bench.at(Event::SealsUnread), []);
        let wakeup = bench.election.wakeup();
        pauses.push(wakeup.since(bench.now));
        bench.now = wakeup;
        assert_eq!(bench.at(Event::Tick), [Action::ReadRoot]);
    }
    assert!(pauses[0] <= SECOND / 10, "{pauses:?}");
    let last = pauses[9];
    assert!((SECOND..=2 * SECOND).contains(&last), "{pauses:?}");
}

#[test]
fn a_failing_backend_is_asked_ever_less_often_and_no_step_spins() {
    let mut bench = Bench::new("a");
    bench.at(Event::Campaign);
    let mut asked = 0;
    let end = bench.now + 60 * SECOND;
    while bench.now < end {
        asked += 1;
        assert_eq!(bench.at(Event::RootUnread), []);
        assert!(bench.election.wakeup() > bench.now);
        bench.now = bench.election.wakeup();
        assert_eq!(bench.at(Event::Tick), [Action::ReadRoot]);
    }
    assert!((30..=60).contains(&asked), "{asked}");
}

#[test]
fn a_backend_that_answers_reads_and_fails_writes_is_asked_ever_less_often() {
    let mut bench = Bench::new("a");
    bench.at(Event::Campaign);
    let mut claims = 0;
    let end = bench.now + 60 * SECOND;
    let mut actions = vec![Action::ReadRoot];
    while bench.now < end {
        actions = match actions.pop() {
            Some(Action::ReadRoot) => bench.read(None),
            Some(Action::ScanSeals) => bench.at(Event::SealsScanned {
                highest: Epoch::ZERO,
            }),
            Some(Action::SwapRoot { .. }) => {
                claims += 1;
                bench.at(Event::RootSwapped(SwapAnswer::NotApplied))
            }
            None => {
                assert!(bench.election.wakeup() > bench.now, "no step spins");
                bench.now = bench.election.wakeup();
                bench.at(Event::Tick)
            }
            Some(other) => panic!("{other:?}"),
        };
    }
    assert!((30..=60).contains(&claims), "{claims}");
}

/// Otherwise many standbys that lost a backend together would come back together, each time.
#[test]
fn standbys_that_lost_the_backend_together_do_not_ask_it_together() {
    let pauses = |nonces: u128| {
        let mut bench = Bench::new("a");
        bench.election = Election::new(config("a", nonces));
        bench.at(Event::Campaign);
        let pauses = (0..8).map(|_| {
            bench.at(Event::RootUnread);
            let wakeup = bench.election.wakeup();
            let pause = wakeup.since(bench.now);
            bench.now = wakeup;
            bench.at(Event::Tick);
            pause
        });
        pauses.collect::<Vec<_>>()
    };
    let (one, other) = (pauses(1), pauses(2));
    let differ = one.iter().zip(&other).all(|(one, other)| one != other);
    assert!(differ, "{one:?} {other:?}");
}
