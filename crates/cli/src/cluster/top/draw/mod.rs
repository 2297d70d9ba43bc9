//! The screen. Pure: a state and a time go in, cells of a frame come out.

mod dialog;
mod header;
mod job;
mod logs;
mod tables;
#[cfg(test)]
mod tests;

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::{NodeViewState, TaskViewState};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::state::{Dialog, Moment, Page, State};

/// Whether colours are used. Nothing is said by a colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colours(pub(super) bool);

impl Colours {
    fn of(self, colour: Color) -> Style {
        match self.0 {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    fn good(self) -> Style {
        self.of(Color::Green)
    }

    fn doubtful(self) -> Style {
        self.of(Color::Yellow)
    }

    fn bad(self) -> Style {
        self.of(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn job(self, state: JobState) -> Style {
        match state {
            JobState::Running | JobState::Finished => self.good(),
            JobState::Waiting | JobState::Restarting | JobState::Stopping => self.doubtful(),
            JobState::Failed => self.bad(),
            JobState::Suspended | JobState::Canceled => Style::new(),
        }
    }

    fn node(self, state: NodeViewState) -> Style {
        match state {
            NodeViewState::Live => self.good(),
            NodeViewState::Draining => self.doubtful(),
            NodeViewState::Silent => self.bad(),
            NodeViewState::Dead => faint(),
        }
    }

    fn task(self, state: TaskViewState) -> Style {
        match state {
            TaskViewState::Running => self.good(),
            TaskViewState::Placed | TaskViewState::Starting | TaskViewState::Ending => {
                self.doubtful()
            }
            TaskViewState::Unknown => self.bad(),
            TaskViewState::Ended => faint(),
        }
    }
}

fn faint() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

fn strong() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

/// Draws everything. What the windows of lists are is noted in the state.
pub(super) fn draw(state: &mut State, now: Moment, colours: Colours, frame: &mut Frame<'_>) {
    let header = header::lines(state, now, colours);
    let height = u16::try_from(header.len()).unwrap_or(u16::MAX);
    let areas = Layout::vertical([
        Constraint::Length(height),
        Constraint::Min(3),
        Constraint::Length(1),
    ]);
    let [top, middle, bottom] = areas.areas(frame.area());
    frame.render_widget(Paragraph::new(header), top);
    match state.page {
        Page::Jobs => tables::jobs(state, now, colours, frame, middle),
        Page::Nodes => tables::nodes(state, colours, frame, middle),
        Page::Job => job::draw(state, now, colours, frame, middle),
        Page::Log => logs::draw(state, frame, middle),
    }
    frame.render_widget(Paragraph::new(footer(state, colours)), bottom);
    match state.dialog.clone() {
        // What was not known when the question was asked may be by now.
        Some(Dialog::Ask(plan, known)) => {
            let known = known.or_else(|| state.checkpoints_of(&plan.id));
            dialog::draw(&Dialog::Ask(plan, known), frame);
        }
        Some(dialog) => dialog::draw(&dialog, frame),
        None => {}
    }
}

/// What was done last, or the keys of this page.
fn footer(state: &State, colours: Colours) -> Line<'static> {
    if state.is_typing {
        let text = format!("filter: {}▏ (Enter keeps it, Esc clears it)", state.filter);
        return Line::styled(text, strong());
    }
    if state.under_way > 0 {
        return Line::styled("waiting for the answer of the leader…", colours.doubtful());
    }
    if let Some(told) = &state.told {
        let style = if told.is_bad { colours.bad() } else { strong() };
        return Line::styled(
            crate::show::escape::printable(&told.text).into_owned(),
            style,
        );
    }
    let keys: &[(&str, &str)] = match (&state.dialog, state.page) {
        (Some(Dialog::Help), _) => &[("any key", "back")],
        (Some(Dialog::Ask(..)), _) => &[("y", "yes"), ("n", "no")],
        (Some(Dialog::Tasks { .. }), _) => &[("Enter", "go on"), ("Esc", "no")],
        (None, Page::Jobs) => &[
            ("?", "help"),
            ("Enter", "job"),
            ("l", "logs"),
            ("s", "stop"),
            ("c", "cancel"),
            ("r", "restart"),
            ("n", "rescale"),
            ("p", "savepoint"),
            ("/", "filter"),
            ("o", "order"),
            ("q", "quit"),
        ],
        (None, Page::Nodes) => &[
            ("?", "help"),
            ("Tab", "jobs"),
            ("d", "drain"),
            ("q", "quit"),
        ],
        (None, Page::Job) => &[
            ("?", "help"),
            ("Esc", "jobs"),
            ("Enter", "log of the task"),
            ("l", "logs"),
            ("s", "stop"),
            ("c", "cancel"),
            ("r", "restart"),
            ("n", "rescale"),
            ("p", "savepoint"),
            ("q", "quit"),
        ],
        (None, Page::Log) => &[
            ("Esc", "back"),
            ("↑↓", "scroll"),
            ("End", "follow"),
            ("q", "quit"),
        ],
    };
    let spans = keys.iter().flat_map(|(key, what)| {
        [
            Span::styled((*key).to_owned(), strong()),
            Span::raw(format!(" {what}  ")),
        ]
    });
    Line::from_iter(spans)
}
