use super::super::plan::What;
use super::super::snapshot::tests::{job, snapshot};
use super::*;

fn at(seconds: u64) -> Moment {
    Moment {
        since_start: Duration::from_secs(seconds),
        wall: humantime::parse_rfc3339("2026-01-01T00:05:00Z").unwrap(),
    }
}

fn looked(jobs: &[(&str, &str)]) -> State {
    let mut state = State::new();
    let jobs = jobs.iter().map(|(name, word)| job(name, word, 2)).collect();
    assert_eq!(state.step(at(0), Event::Looked(snapshot(jobs))), []);
    state
}

fn press(state: &mut State, keys: &str) -> Vec<Action> {
    let mut all = Vec::new();
    for key in keys.chars() {
        let key = match key {
            '\n' => Key::Enter,
            '\u{1b}' => Key::Escape,
            key => Key::Char(key),
        };
        all.extend(state.step(at(1), Event::Key(key)));
    }
    all
}

/// A line of the log that is shown.
fn line(state: &State, text: &str) -> Event {
    Event::Line(state.log.of.clone().unwrap(), text.to_owned())
}

fn names(state: &State) -> Vec<&str> {
    state
        .shown_jobs()
        .iter()
        .map(|job| job.name.as_str())
        .collect()
}

#[test]
fn nothing_is_done_before_a_yes() {
    let mut state = looked(&[("hello", "running")]);
    for key in ["s", "c", "r", "p"] {
        assert_eq!(press(&mut state, key), []);
        assert!(matches!(state.dialog, Some(Dialog::Ask(..))), "{key}");
        // Enter is no answer.
        assert_eq!(press(&mut state, "\n"), []);
        assert!(state.dialog.is_some());
        assert_eq!(press(&mut state, "n"), []);
        assert_eq!(state.dialog, None);
        assert_eq!(state.told.as_ref().unwrap().text, "nothing was done");
    }
    assert_eq!(press(&mut state, "s"), []);
    let done = press(&mut state, "y");
    assert!(
        matches!(&done[..], [Action::Do(plan)] if plan.what == What::Stop && plan.name == "hello")
    );
    assert_eq!((state.dialog.clone(), state.under_way), (None, 1));
    let outcome = Event::Done(Ok("hello is being stopped".into()));
    assert_eq!(state.step(at(2), outcome), [Action::Look]);
    assert_eq!(state.under_way, 0);
}

#[test]
fn rescaling_asks_for_a_number_and_then_asks() {
    let mut state = looked(&[("hello", "running")]);
    assert_eq!(press(&mut state, "n0\n"), []);
    assert!(state.told.as_ref().unwrap().is_bad);
    state.step(at(1), Event::Key(Key::Backspace));
    assert_eq!(press(&mut state, "1x2\n"), []);
    let done = press(&mut state, "y");
    assert!(matches!(&done[..], [Action::Do(plan)] if plan.what == What::Rescale { tasks: 12 }));
}

#[test]
fn what_cannot_be_done_is_not_asked_for() {
    let mut state = looked(&[("old", "finished")]);
    for key in ["s", "c", "r", "n", "p", "u"] {
        assert_eq!(press(&mut state, key), []);
        assert_eq!(state.dialog, None, "{key}");
        assert!(state.told.as_ref().unwrap().is_bad);
    }
}

#[test]
fn jobs_are_filtered_by_words_and_ordered_as_asked() {
    let mut state = looked(&[("b", "running"), ("a", "running"), ("c", "waiting")]);
    assert_eq!(names(&state), ["c", "a", "b"]);
    press(&mut state, "o");
    assert_eq!(names(&state), ["a", "b", "c"]);
    press(&mut state, "O");
    assert_eq!(names(&state), ["c", "b", "a"]);
    press(&mut state, "/run\n");
    assert_eq!(names(&state), ["b", "a"]);
    press(&mut state, "/ b");
    assert_eq!(names(&state), ["b"]);
    // Keys are text while a filter is typed.
    assert_eq!(press(&mut state, "q"), []);
    assert_eq!(names(&state), Vec::<&str>::new());
    press(&mut state, "\u{1b}");
    assert_eq!(names(&state).len(), 3);
}

#[test]
fn the_selected_job_stays_selected_when_others_come() {
    let mut state = looked(&[("a", "running"), ("b", "running")]);
    press(&mut state, "j");
    assert_eq!(state.selected_job().unwrap().name, "b");
    let jobs = ["0", "1", "a", "b"].map(|name| job(name, "running", 1));
    state.step(at(2), Event::Looked(snapshot(jobs.into())));
    assert_eq!(state.selected_job().unwrap().name, "b");
}

#[test]
fn logs_are_followed_while_they_are_shown() {
    let mut state = looked(&[("hello", "running")]);
    let followed = press(&mut state, "l");
    assert!(
        matches!(&followed[..], [Action::Follow(of)] if of.name == "hello" && of.rank.is_none())
    );
    for n in 0..MOST_LINES + 10 {
        let line = line(&state, &n.to_string());
        state.step(at(2), line);
    }
    assert_eq!((state.log.lines.len(), state.log.back), (MOST_LINES, 0));
    // Scrolled back, what is read stays where it is.
    state.step(at(2), Event::Key(Key::PageUp));
    let back = state.log.back;
    let new = line(&state, "new");
    state.step(at(2), new);
    assert_eq!(state.log.back, back + 1);
    press(&mut state, "G");
    assert_eq!(state.log.back, 0);
    assert_eq!(press(&mut state, "\u{1b}"), [Action::Unfollow]);
    // Of one task.
    press(&mut state, "\nj");
    let followed = press(&mut state, "\n");
    assert!(
        matches!(&followed[..], [Action::Follow(of)] if of.rank == Some(1)),
        "{followed:?}"
    );
}

#[test]
fn it_says_since_when_nobody_leads_or_answers() {
    let mut state = looked(&[]);
    let answered = |leader: &str| {
        Event::Probed(Probe::Answered {
            node: "http://a".into(),
            leader: leader.into(),
        })
    };
    let words = |state: &State, seconds| state.link.in_words(Duration::from_secs(seconds));
    state.step(at(1), answered("ready"));
    assert!(state.link.is_good());
    state.step(at(2), answered("no leader"));
    state.step(at(4), answered("no leader"));
    assert!(!state.link.is_good());
    assert!(
        words(&state, 5).contains("nobody leads since 3 s"),
        "{}",
        words(&state, 5)
    );
    state.step(
        at(6),
        Event::Probed(Probe::Nobody("http://a (refused)".into())),
    );
    assert!(words(&state, 8).contains("no node answers since 2 s: http://a (refused)"));
    // What was known is still there.
    assert!(state.snapshot.is_some());
}

#[test]
fn an_outcome_is_told_for_a_while() {
    let mut state = looked(&[]);
    state.step(at(1), Event::Done(Err("refused".into())));
    state.step(at(2), Event::Tick);
    assert!(state.told.is_some());
    state.step(at(30), Event::Tick);
    assert!(state.told.is_none());
}

#[test]
fn control_keys_work_everywhere() {
    let mut state = looked(&[("hello", "running")]);
    for before in ["", "?", "s", "/", "\u{1b}n"] {
        press(&mut state, before);
        assert_eq!(
            state.step(at(1), Event::Key(Key::Ctrl('c'))),
            [Action::Quit],
            "{before}"
        );
        assert_eq!(
            state.step(at(1), Event::Key(Key::Ctrl('z'))),
            [Action::Suspend]
        );
    }
}

#[test]
fn a_detail_of_another_job_is_not_taken_for_this_one() {
    let mut state = looked(&[("a", "running"), ("b", "running")]);
    let view = |name: &str| serde_json::from_value::<JobView>(job(name, "running", 2)).unwrap();
    state.step(at(1), Event::Detail(Box::new(view("b"))));
    assert!(state.detail.is_none());
    state.step(at(1), Event::Detail(Box::new(view("a"))));
    assert!(state.detail.is_some());
}
