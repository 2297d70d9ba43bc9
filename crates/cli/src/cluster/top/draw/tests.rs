use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::snapshot::tests::{job, snapshot};
use super::super::state::{Event, Key, Probe};
use super::*;

fn now(seconds: u64) -> Moment {
    Moment {
        since_start: Duration::from_secs(seconds),
        wall: humantime::parse_rfc3339("2026-01-01T00:05:00Z").unwrap(),
    }
}

/// What a screen of this size shows, line by line.
fn shown(state: &mut State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw(state, now(5), Colours(true), frame))
        .unwrap();
    let buffer = terminal.backend().buffer().clone();
    let rows = buffer.content.chunks(usize::from(width));
    let rows = rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
    rows.map(|row| row.trim_end().to_owned() + "\n").collect()
}

fn with(jobs: Vec<serde_json::Value>) -> State {
    let mut state = State::new();
    state.step(now(4), Event::Looked(snapshot(jobs)));
    let ready = Probe::Answered {
        node: "http://a:1".into(),
        leader: "ready".into(),
    };
    state.step(now(4), Event::Probed(ready));
    state
}

fn line(state: &mut State, text: &str) {
    let of = state.log.of.clone().unwrap();
    state.step(now(4), Event::Line(of, text.to_owned()));
}

fn press(state: &mut State, key: Key) {
    state.step(now(4), Event::Key(key));
}

#[test]
fn one_screen_says_who_leads_what_is_wrong_and_which_jobs_there_are() {
    let mut waiting = job("more", "waiting", 0);
    waiting["why"] = serde_json::json!(["it needs 9 slots, 2 are free"]);
    let mut failed = job("burnt", "failed", 0);
    failed["cause"] =
        serde_json::json!({ "kind": "task_failed", "message": "rank 0 exited with 3" });
    let mut state = with(vec![job("hello", "running", 2), waiting, failed]);
    let screen = shown(&mut state, 110, 24);
    for words in [
        "leader jm-a (pid 101) at 127.0.0.1:9001, epoch 7, began 5 min ago",
        "2 JobManagers, 2 TaskManagers, 2 of 4 slots taken; jobs: 1 waiting, 1 running, 1 failed",
        "http://a:1 answers",
        "! task-manager-4 is silent since 12 s",
        "NAME   STATE    TASKS",
        "hello  running  2/2",
        "it needs 9 slots",
        "rank 0 exited with 3",
        "? help",
    ] {
        assert!(screen.contains(words), "{words:?} in\n{screen}");
    }
}

#[test]
fn while_nobody_leads_it_says_so_and_shows_what_was() {
    let mut state = with(vec![job("hello", "running", 2)]);
    let none = Probe::Answered {
        node: "http://a:1".into(),
        leader: "no leader".into(),
    };
    state.step(now(5), Event::Probed(none));
    let screen = shown(&mut state, 150, 24);
    for words in [
        "last leader jm-a",
        "! nobody leads since 0 s: tasks go on",
        "how it was 1 s ago",
        "hello  running",
    ] {
        assert!(screen.contains(words), "{words:?} in\n{screen}");
    }
}

#[test]
fn a_question_lies_over_the_page_and_says_what_will_happen() {
    let mut state = with(vec![job("hello", "running", 2)]);
    press(&mut state, Key::Char('c'));
    let screen = shown(&mut state, 80, 24);
    for words in ["Cancel hello?", "cannot be resumed", "y: yes    n: no"] {
        assert!(screen.contains(words), "{words:?} in\n{screen}");
    }
    press(&mut state, Key::Escape);
    press(&mut state, Key::Char('?'));
    let help = shown(&mut state, 80, 24);
    for words in [
        "stop a job with a savepoint",
        "Ctrl-C",
        "carried out by any leader",
    ] {
        assert!(help.contains(words), "{words:?} in\n{help}");
    }
}

#[test]
fn a_job_shows_its_tasks_and_its_log() {
    let mut state = with(vec![job("hello", "running", 2)]);
    press(&mut state, Key::Enter);
    let screen = shown(&mut state, 90, 24);
    for words in [
        "hello runs: attempt 2, 2/2 tasks",
        "RANK",
        "task-manager-3",
        "line 7",
    ] {
        assert!(screen.contains(words), "{words:?} in\n{screen}");
    }
    press(&mut state, Key::Char('l'));
    for n in 1..=40 {
        line(&mut state, &format!("0 | line {n}"));
    }
    let screen = shown(&mut state, 80, 24);
    assert!(screen.contains("log of hello, all ranks"), "{screen}");
    assert!(
        screen.contains("0 | line 40") && !screen.contains("line 1\n"),
        "{screen}"
    );
    press(&mut state, Key::Home);
    assert!(shown(&mut state, 80, 24).contains("39 lines below"));
}

#[test]
fn names_and_lines_control_no_terminal() {
    let mut evil = job("a", "running", 1);
    evil["name"] = "a\u{1b}[2Jb\u{202e}c".into();
    let mut state = with(vec![evil]);
    let screen = shown(&mut state, 100, 20);
    assert!(screen.contains(r"a\u{1b}[2Jb\u{202e}c"), "{screen}");
    press(&mut state, Key::Char('l'));
    line(&mut state, "x\u{7}\ty");
    assert!(shown(&mut state, 100, 20).contains(r"x\u{7}    y"));
}

#[test]
fn no_screen_is_too_small_and_none_too_large() {
    let jobs: Vec<_> = (0..300)
        .map(|n| job(&format!("job-{n}"), "running", 3))
        .collect();
    let mut state = with(jobs);
    for key in [
        Key::Tab,
        Key::Tab,
        Key::Enter,
        Key::Char('l'),
        Key::Escape,
        Key::Escape,
        Key::End,
        Key::Char('?'),
    ] {
        press(&mut state, key);
        for (width, height) in [(1, 1), (3, 2), (20, 5), (80, 24), (400, 100)] {
            shown(&mut state, width, height);
        }
    }
}

#[test]
fn the_selected_row_is_on_the_screen() {
    let jobs: Vec<_> = (100..300)
        .map(|n| job(&format!("job-{n}"), "running", 1))
        .collect();
    let mut state = with(jobs);
    shown(&mut state, 80, 24);
    press(&mut state, Key::End);
    assert!(shown(&mut state, 80, 24).contains("job-299"));
    press(&mut state, Key::PageUp);
    let screen = shown(&mut state, 80, 24);
    assert!(
        screen.contains("job-2") && !screen.contains("job-100"),
        "{screen}"
    );
}

#[test]
fn nothing_is_said_by_a_colour_alone() {
    let mut state = with(vec![job("hello", "failed", 1)]);
    let mut terminal = Terminal::new(TestBackend::new(100, 20)).unwrap();
    terminal
        .draw(|frame| draw(&mut state, now(5), Colours(false), frame))
        .unwrap();
    let cells = &terminal.backend().buffer().content;
    assert!(
        cells
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
    );
}
