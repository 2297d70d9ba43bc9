//! The test kit, and jobs with windows and joins in it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Nothing, Test, check};
use crate::{Job, Session, Sliding, Timestamp, Tumbling, Window, Windowed};

type Click = (String, i64);
type Count = Windowed<String, u64>;

fn click(page: &str, time: i64) -> Click {
    (page.to_owned(), time)
}

fn count(page: &str, start: i64, end: i64, value: u64) -> Count {
    Windowed {
        key: page.to_owned(),
        window: Window {
            start: Timestamp(start),
            end: Timestamp(end),
        },
        value,
    }
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all
}

fn clicks(job: &Job<'_>) {
    let clicks = job
        .source("clicks", Nothing::<Click>::new())
        .event_time(|click| Timestamp(click.1), Duration::ZERO)
        .key_by(|click| click.0.clone());
    let late = |late: crate::Stream<'_, Click>| late.sink("late", Nothing::new());
    let counts = clicks.window("per-ten", Tumbling::of(Duration::from_millis(10)));
    counts.late(late).count().sink("counts", Nothing::new());
    let total = clicks.state("total", |_, _, total: &mut u64, out| {
        *total += 1;
        out.give(*total);
    });
    total.sink("totals", Nothing::new());
}

#[test]
fn a_test_gives_records_and_looks_at_output_and_state() {
    for tasks in [1, 3] {
        let mut test = Test::with_tasks(tasks, clicks);
        test.give_all(
            "clicks",
            [click("home", 1), click("help", 9), click("home", 9)],
        );
        test.run();
        assert_eq!(test.taken::<Count>("counts"), []);
        assert_eq!(sorted(test.taken::<u64>("totals")), [1, 1, 2]);
        assert_eq!(test.state::<u64>("total", &"home"), Some(2));
        assert_eq!(test.state::<u64>("total", &"nowhere"), None);

        test.give("clicks", click("home", 10));
        test.run();
        let wanted = [count("help", 0, 10, 1), count("home", 0, 10, 2)];
        assert_eq!(sorted(test.taken::<Count>("counts")), wanted);
        test.give("clicks", click("help", 9));
        test.run();
        assert_eq!(test.taken::<Click>("late"), [click("help", 9)]);

        test.advance("clicks", Timestamp(20));
        test.run();
        assert_eq!(test.taken::<Count>("counts"), [count("home", 10, 20, 1)]);
        test.end();
        assert_eq!(test.taken::<Count>("counts"), []);
        assert_eq!(sorted(test.taken::<u64>("totals")), [2, 3]);
    }
}

#[test]
fn a_job_goes_on_from_its_last_checkpoint_with_another_number_of_tasks() {
    let mut test = Test::with_tasks(2, clicks);
    test.give_all(
        "clicks",
        (0..500).map(|time| click(&format!("page {}", time % 7), time)),
    );
    test.run();
    for tasks in [1, 3, 2] {
        // Not run: it is read again after the restart.
        test.give("clicks", click("page 1", 500));
        test.restart(tasks);
        test.run();
    }
    test.end();
    let counts = test.taken::<Count>("counts");
    assert_eq!(counts.iter().map(|count| count.value).sum::<u64>(), 503);
    assert_eq!(test.taken::<u64>("totals").len(), 503);
    assert_eq!(test.taken::<Click>("late"), []);
}

/// Chains of windows, of sessions and of a join, of which all meet again.
fn chain(job: &Job<'_>) {
    let clicks = job
        .source("clicks", Nothing::<Click>::new())
        .event_time(|click| Timestamp(click.1), Duration::from_millis(20));
    let by_page = clicks.key_by(|click| click.0.clone());
    let counts = by_page
        .window(
            "sliding",
            Sliding::of(Duration::from_millis(40), Duration::from_millis(10)),
        )
        .count();
    let most = counts
        .key_by(|_| ())
        .window("most", Tumbling::of(Duration::from_millis(10)))
        .max_by(|count| (count.value, count.key.clone()));
    most.map(|most| most.value).sink("most-out", Nothing::new());
    let sessions = by_page
        .window("sessions", Session::gap(Duration::from_millis(15)))
        .collect();
    sessions.sink("sessions-out", Nothing::new());
    let long = sessions.filter(|session| session.value.len() > 3);
    let joined = by_page
        .join(
            "clicks-of-long",
            &long.key_by(|session| session.key.clone()),
        )
        .within(Duration::from_millis(30))
        .apply(|page, click, session| (page.clone(), click.1, session.window));
    joined.sink("joined", Nothing::new());
}

type Output = (
    Vec<Count>,
    Vec<Windowed<String, Vec<Click>>>,
    Vec<(String, i64, Window)>,
);

fn output(test: &mut Test) -> Output {
    let mut sessions = test.taken::<Windowed<String, Vec<Click>>>("sessions-out");
    sessions.iter_mut().for_each(|session| session.value.sort());
    (
        sorted(test.taken("most-out")),
        sorted(sessions),
        sorted(test.taken("joined")),
    )
}

#[test]
fn restarts_change_nothing_about_chains_of_windows_and_joins() {
    let give = |test: &mut Test, part: i64| {
        let time = |at: i64| part * 100 + at - at * 7 % 19;
        let page = |at: i64| format!("page {}", at * at % 5);
        test.give_all("clicks", (0..100).map(|at| click(&page(at), time(at))));
    };
    let mut whole = Test::new(chain);
    (0..6).for_each(|part| give(&mut whole, part));
    whole.end();
    let wanted = output(&mut whole);
    assert!(!wanted.0.is_empty() && !wanted.1.is_empty() && !wanted.2.is_empty());

    let mut test = Test::with_tasks(2, chain);
    let mut given = Output::default();
    for (part, tasks) in (0..6).zip([3, 1, 2, 4, 1, 2]) {
        give(&mut test, part);
        test.run();
        let (most, sessions, joined) = output(&mut test);
        given.0.extend(most);
        given.1.extend(sessions);
        given.2.extend(joined);
        test.restart(tasks);
    }
    test.end();
    let (most, sessions, joined) = output(&mut test);
    given.0.extend(most);
    given.1.extend(sessions);
    given.2.extend(joined);
    let given = (sorted(given.0), sorted(given.1), sorted(given.2));
    assert_eq!(given, wanted);
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Before {
    clicks: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct After {
    clicks: u64,
    #[serde(default)]
    last: i64,
}

fn before(job: &Job<'_>) {
    let clicks = job.source("clicks", Nothing::<Click>::new());
    let pages = clicks.key_by(|click| click.0.clone());
    let pages = pages.state("pages", |_, _, page: &mut Before, out| {
        page.clicks += 1;
        out.give(page.clicks);
    });
    pages.sink("out", Nothing::new());
}

fn after(job: &Job<'_>) {
    let clicks = job.source("clicks", Nothing::<Click>::new());
    let pages = clicks
        .filter(|click| click.1 > 0)
        .key_by(|click| click.0.clone());
    let pages = pages.state("pages", |_, click, page: &mut After, out| {
        page.clicks += 1;
        page.last = click.1;
        out.give(page.clicks);
    });
    pages.sink("out", Nothing::new());
}

#[test]
fn another_build_goes_on_from_the_checkpoint_if_it_fits() {
    let mut test = Test::new(before);
    test.give("clicks", click("home", 1));
    test.run();
    test.upgrade(after).unwrap();
    test.give("clicks", click("home", 7));
    test.run();
    let page = test.state::<After>("pages", &"home");
    assert_eq!(page, Some(After { clicks: 2, last: 7 }));
    let refused = test.upgrade(clicks).unwrap_err().to_string();
    assert!(refused.contains("`pages`"), "{refused}");
}

fn windows_of(size: u64) -> impl Fn(&Job<'_>) + Send + Sync + 'static {
    move |job| {
        let clicks = job
            .source("clicks", Nothing::<Click>::new())
            .event_time(|click| Timestamp(click.1), Duration::ZERO)
            .key_by(|click| click.0.clone());
        let windows = Tumbling::of(Duration::from_millis(size));
        let counts = clicks.window("per-size", windows).count();
        counts.sink("counts", Nothing::new());
    }
}

#[test]
fn windows_of_another_length_are_refused_and_not_mixed() {
    let mut test = Test::new(windows_of(10));
    test.give("clicks", click("home", 3));
    test.run();
    let refused = test.upgrade(windows_of(20)).unwrap_err().to_string();
    assert!(
        refused.contains("window `per-size` has windows of 10 ms")
            && refused.contains("windows of 20 ms in this job"),
        "{refused}"
    );
    test.upgrade(windows_of(10)).unwrap();
    test.end();
    assert_eq!(test.taken::<Count>("counts"), [count("home", 0, 10, 1)]);
}

fn sliding_of(size: u64, forgets: bool) -> impl Fn(&Job<'_>) + Send + Sync + 'static {
    move |job| {
        if forgets {
            job.forget("sliding");
        }
        let clicks = job
            .source("clicks", Nothing::<Click>::new())
            .event_time(|click| Timestamp(click.1), Duration::ZERO)
            .key_by(|click| click.0.clone());
        let (size, every) = (Duration::from_millis(size), Duration::from_millis(10));
        let counts = clicks.window("sliding", Sliding::of(size, every)).count();
        counts.sink("counts", Nothing::new());
    }
}

#[test]
fn sliding_windows_of_another_length_are_refused_although_their_slices_are_the_same() {
    let mut test = Test::new(sliding_of(20, false));
    test.give("clicks", click("home", 3));
    test.run();
    let refused = test.upgrade(sliding_of(30, false)).unwrap_err().to_string();
    assert!(
        refused.contains("windows of 20 ms, one each 10 ms in the checkpoint"),
        "{refused}"
    );
    // If it is meant, the new ones begin with nothing.
    test.upgrade(sliding_of(30, true)).unwrap();
    test.give("clicks", click("home", 7));
    test.end();
    let counts = sorted(test.taken::<Count>("counts"));
    let one = |start| count("home", start, start + 30, 1);
    assert_eq!(counts, [one(-20), one(-10), one(0)]);
}

fn sessions_of(gap: u64) -> impl Fn(&Job<'_>) + Send + Sync + 'static {
    move |job| {
        let clicks = job
            .source("clicks", Nothing::<Click>::new())
            .event_time(|click| Timestamp(click.1), Duration::ZERO)
            .key_by(|click| click.0.clone());
        let gap = Session::gap(Duration::from_millis(gap));
        clicks
            .window("visits", gap)
            .count()
            .sink("counts", Nothing::new());
    }
}

#[test]
fn sessions_go_on_with_another_gap_from_their_next_record_on() {
    let mut test = Test::new(sessions_of(10));
    test.give_all("clicks", ["home", "shop"].map(|page| click(page, 3)));
    test.run();
    test.upgrade(sessions_of(4)).unwrap();
    // The first one is open until 13, as it was. The record lies in it, and is the last for the new
    // gap.
    test.give_all("clicks", [12, 17].map(|time| click("home", time)));
    test.run();
    test.upgrade(sessions_of(20)).unwrap();
    test.give("clicks", click("home", 40));
    test.end();
    let counts = sorted(test.taken::<Count>("counts"));
    let expected = [
        count("home", 3, 16, 2),
        count("home", 17, 21, 1),
        count("home", 40, 60, 1),
        count("shop", 3, 13, 1),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn a_job_that_makes_no_sense_is_refused_with_the_names() {
    let error = check(|job| {
        let clicks = job.source("clicks", Nothing::<Click>::new());
        let pages = clicks.key_by(|click| click.0.clone());
        let long = Duration::from_secs(1);
        let _ = pages.window("odd", Sliding::of(long, 2 * long)).count();
        let pair = |_: &String, _: &Click, _: &Click| ();
        let _ = pages.join("near", &pages).within(long).apply(pair);
        let _ = pages.join("all", &pages).forever().apply(pair);
    });
    let faults = error.unwrap_err().to_string();
    for wanted in [
        "window `odd`: `every`",
        "window `odd`: its stream",
        "join `near`: its stream",
    ] {
        assert!(faults.contains(wanted), "{faults}");
    }
    assert!(!faults.contains("`all`"), "{faults}");
}

#[test]
#[should_panic(expected = "the records of source `clicks` are no ")]
fn a_record_of_another_type_is_refused() {
    Test::new(clicks).give("clicks", 7_u8);
}

#[test]
#[should_panic(expected = "there is no sink `cuonts`; there are counts, late, totals")]
fn a_name_that_the_job_does_not_have_is_refused() {
    Test::new(clicks).taken::<Count>("cuonts");
}

#[test]
#[should_panic(expected = "has panicked")]
fn a_job_that_panics_fails_its_test() {
    let mut test = Test::new(|job| {
        let clicks = job.source("clicks", Nothing::<u8>::new());
        clicks.map(|click| 1 / click).sink("out", Nothing::new());
    });
    test.give("clicks", 0_u8);
    test.run();
}
