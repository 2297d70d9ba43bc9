//! The lists of jobs and of nodes.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Text;
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState};

use super::{Colours, faint, strong};
use crate::cluster::job::describe::why_line;
use crate::cluster::node::list;
use crate::cluster::top::plain::{JOB_COLUMNS, job_row};
use crate::cluster::top::state::{Moment, State};
use crate::show::escape::printable;

/// A row of a table: its cells, and the style of the one that tells a state.
pub(super) struct Shown {
    pub(super) cells: Vec<String>,
    pub(super) state: (usize, Style),
}

pub(super) fn jobs(
    state: &mut State,
    now: Moment,
    colours: Colours,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let shown = state.shown_jobs();
    let length = shown.len();
    if length == 0 {
        let text = match (&state.snapshot, state.filter.is_empty()) {
            (None, _) => "",
            (Some(_), true) => {
                "There are no jobs. Submit one: incumbent job run --name hello -- date"
            }
            (Some(_), false) => "No job has these words in its name, state or id. Esc shows all.",
        };
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let window = {
        let mut rows = state.jobs.clone();
        let window = rows.window(length, visible(area));
        state.jobs = rows;
        window
    };
    let shown = state.shown_jobs();
    let rows = shown[window.clone()].iter().map(|job| {
        let mut cells = job_row(job, now.wall);
        cells.push(why_line(job).unwrap_or_default().to_owned());
        Shown {
            cells,
            state: (1, colours.job(job.state)),
        }
    });
    let mut columns = JOB_COLUMNS.to_vec();
    columns.push("WHY");
    table(
        &columns,
        rows.collect(),
        state.jobs.selected - window.start,
        frame,
        area,
    );
}

pub(super) fn nodes(state: &mut State, colours: Colours, frame: &mut Frame<'_>, area: Rect) {
    let Some(snapshot) = &state.snapshot else {
        return;
    };
    let nodes = &snapshot.cluster.nodes;
    let window = state.nodes.window(nodes.len(), visible(area));
    let rows = nodes[window.clone()].iter().map(|node| Shown {
        cells: list::row(node, &snapshot.cluster),
        state: (2, colours.node(node.state)),
    });
    let selected = state.nodes.selected - window.start;
    table(&list::COLUMNS, rows.collect(), selected, frame, area);
}

/// How many rows fit below the names of the columns.
pub(super) fn visible(area: Rect) -> usize {
    usize::from(area.height.saturating_sub(1))
}

/// Draws a table with columns as wide as they must be; the last one gets what is left.
pub(super) fn table(
    columns: &[&str],
    rows: Vec<Shown>,
    selected: usize,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let rows: Vec<Shown> = rows
        .into_iter()
        .map(|row| Shown {
            cells: row
                .cells
                .iter()
                .map(|cell| printable(cell).into_owned())
                .collect(),
            ..row
        })
        .collect();
    let widths = (0..columns.len()).map(|at| {
        let cells = rows.iter().filter_map(|row| row.cells.get(at));
        let widest = cells
            .map(|cell| Text::raw(cell.as_str()).width())
            .max()
            .unwrap_or(0);
        let width = u16::try_from(widest.max(columns[at].len())).unwrap_or(u16::MAX);
        match at + 1 == columns.len() {
            true => Constraint::Min(width.min(10)),
            false => Constraint::Length(width),
        }
    });
    let widths: Vec<_> = widths.collect();
    let drawn = rows.into_iter().map(|row| {
        let (at, style) = row.state;
        let cells = row.cells.into_iter().enumerate();
        Row::new(cells.map(|(n, text)| match n == at {
            true => Cell::new(text).style(style),
            false => Cell::new(text),
        }))
    });
    let drawn = Table::new(drawn.collect::<Vec<_>>(), widths)
        .header(
            Row::new(columns.iter().map(|name| Cell::new(*name))).style(strong().patch(faint())),
        )
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut selection = TableState::new().with_selected(Some(selected));
    frame.render_stateful_widget(drawn, area, &mut selection);
}
