//! A log that is followed.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::strong;
use crate::cluster::top::state::State;
use crate::show::escape::printable;

pub(super) fn draw(state: &mut State, frame: &mut Frame<'_>, area: Rect) {
    let [above, below] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let log = &state.log;
    let of = log
        .of
        .as_ref()
        .map_or_else(String::new, |of| match of.rank {
            Some(rank) => format!("log of {}, rank {rank}", of.name),
            None => format!("log of {}, all ranks", of.name),
        });
    let where_it_is = match log.back {
        0 => String::new(),
        back => format!(" ({back} lines below; End follows)"),
    };
    let title = format!("{of}{where_it_is}");
    frame.render_widget(
        Line::styled(printable(&title).into_owned(), strong()),
        above,
    );
    let height = usize::from(below.height);
    state.tasks.height = height;
    let end = log.lines.len().saturating_sub(log.back);
    let lines = log.lines.range(end.saturating_sub(height)..end);
    let lines: Vec<_> = lines
        .map(|line| Line::raw(printable(&line.replace('\t', "    ")).into_owned()))
        .collect();
    frame.render_widget(Paragraph::new(lines), below);
}
