//! What lies over a page: help, and questions.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use super::strong;
use crate::cluster::top::snapshot::counted;
use crate::cluster::top::state::Dialog;
use crate::show::escape::printable;

/// Columns of a dialog, if the screen has so many.
const WIDTH: u16 = 72;

const HELP: &str = "\
1, 2, Tab     jobs, nodes
↑ ↓ k j       select; PgUp PgDn Home End g G
Enter         a job; on its page, the log of the selected task
l             logs of a job, all ranks
Esc           back; clears the filter of the jobs
/             filter jobs by words in name, state or id
o, O          order of the jobs: state, name, restarts, age; reversed
s             stop a job with a savepoint          u  resume it
c             cancel a job for good                r  restart it
n             another number of tasks              p  make a savepoint
d             drain a TaskManager (on the nodes' page)
q, Ctrl-C     quit; jobs go on                     Ctrl-Z  to the shell

Each action says what it will do, and asks. What is written down is
carried out by any leader, also if this program ends.";

pub(super) fn draw(dialog: &Dialog, frame: &mut Frame<'_>) {
    let (title, text) = match dialog {
        Dialog::Help => ("keys".to_owned(), HELP.to_owned()),
        Dialog::Ask(plan, checkpoints) => (
            plan.question(),
            format!("{}\n\ny: yes    n: no", plan.consequence(*checkpoints)),
        ),
        Dialog::Tasks { job, text } => (
            format!("Rescale {}", job.name),
            format!(
                "It has {}. How many from now on? {text}▏",
                counted(job.tasks, "task")
            ),
        ),
    };
    let text: Vec<_> = text
        .lines()
        .map(|line| Line::raw(printable(line).into_owned()))
        .collect();
    let title = format!(" {} ", printable(&title));
    let area = frame.area();
    let width = WIDTH.min(area.width);
    let height = rows(&text, width.saturating_sub(4))
        .saturating_add(2)
        .min(area.height);
    let area = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let block = Block::bordered().title(Line::styled(title, strong()));
    let text = Paragraph::new(Text::from(text))
        .wrap(Wrap { trim: false })
        .block(block);
    frame.render_widget(Clear, area);
    frame.render_widget(text, area);
}

/// About how many rows the lines take when they are wrapped.
fn rows(lines: &[Line<'_>], width: u16) -> u16 {
    let width = usize::from(width.max(1));
    // Words are not divided, so a line may need one row more than its length says.
    let rows = lines.iter().map(|line| match line.width() {
        0 => 1,
        length if length <= width => 1,
        length => length.div_ceil(width) + 1,
    });
    u16::try_from(rows.sum::<usize>()).unwrap_or(u16::MAX)
}
