//! One job: how it stands, its tasks, and what became of its attempts.

use incumbent_cluster_core::view::JobView;
use incumbent_cluster_node::api::words;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::tables::{Shown, table, visible};
use super::{Colours, strong};
use crate::cluster::job::describe::{cause_lines, standing, task_state};
use crate::cluster::top::snapshot::counted;
use crate::cluster::top::state::{Moment, State};
use crate::show::escape::printable;

/// Most lines about a job above its tasks.
const MOST_FACTS: usize = 10;

/// Ended attempts that are told.
const MOST_ATTEMPTS: usize = 3;

const COLUMNS: [&str; 6] = ["RANK", "STATE", "NODE", "PID", "SINCE", "PROGRESS"];

pub(super) fn draw(
    state: &mut State,
    now: Moment,
    colours: Colours,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let Some(job) = state.opened_job().cloned() else {
        frame.render_widget(Paragraph::new("This job is gone. Esc leads back."), area);
        return;
    };
    let mut lines = vec![Line::styled(
        printable(&standing(&job)).into_owned(),
        colours.job(job.state).patch(strong()),
    )];
    let facts = facts(&job, now);
    lines.extend(
        facts
            .iter()
            .take(MOST_FACTS)
            .map(|fact| Line::raw(printable(fact).into_owned())),
    );
    lines.push(Line::raw(""));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let [above, below] =
        Layout::vertical([Constraint::Length(height), Constraint::Min(2)]).areas(area);
    frame.render_widget(Paragraph::new(lines), above);
    let window = state.tasks.window(job.tasks.len(), visible(below));
    let dash = || "-".to_owned();
    let rows = job.tasks[window.clone()].iter().map(|task| Shown {
        cells: vec![
            task.rank.to_string(),
            task_state(task).into(),
            task.node.clone().unwrap_or_else(dash),
            task.pid.map_or_else(dash, |pid| pid.to_string()),
            since(task.since.as_deref(), now),
            task.progress.clone().unwrap_or_else(dash),
        ],
        state: (1, colours.task(task.state)),
    });
    let selected = state.tasks.selected - window.start;
    table(&COLUMNS, rows.collect(), selected, frame, below);
}

fn since(at: Option<&str>, now: Moment) -> String {
    let Some(at) = at else { return "-".into() };
    words::age(at, now.wall).unwrap_or_else(|| at.to_owned())
}

/// What there is to say of it, the most urgent first.
fn facts(job: &JobView, now: Moment) -> Vec<String> {
    let mut facts: Vec<String> = job.why.iter().map(|why| format!("why: {why}")).collect();
    if let Some(checkpoints) = &job.checkpoints {
        facts.extend(checkpoints.pending.as_ref().map(words::pending));
        facts.extend(checkpoints.last_aborted.as_ref().map(words::aborted));
    }
    facts.extend(words::about_checkpoints(job, now.wall));
    if let Some(cause) = &job.cause {
        let lines = cause_lines(cause);
        facts.push(format!("the attempt before ended: {}", lines.join("; ")));
    }
    let before = job
        .attempts
        .iter()
        .rev()
        .skip(usize::from(job.cause.is_some()));
    facts.extend(before.take(MOST_ATTEMPTS).map(|ended| {
        let age = words::age(&ended.ended_at, now.wall).unwrap_or_else(|| ended.ended_at.clone());
        format!(
            "attempt {} ended {age}: {}",
            ended.attempt, ended.cause.message
        )
    }));
    if let Some(spec) = &job.spec {
        facts.push(format!("command: {}", spec.command.join(" ")));
    }
    facts.push(format!(
        "id {}, {}",
        job.id,
        counted(job.restarts as usize, "restart")
    ));
    facts
}
