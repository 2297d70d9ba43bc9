//! The lines above every page: who leads, what there is, and what is wrong.

use incumbent_cluster_node::api::words;
use ratatui::text::{Line, Span};

use super::{Colours, faint, strong};
use crate::cluster::top::state::{Moment, Page, State};
use crate::show::escape::printable;

pub(super) fn lines(state: &State, now: Moment, colours: Colours) -> Vec<Line<'static>> {
    let link = state.link.in_words(now.since_start);
    let mut lines = Vec::new();
    match &state.snapshot {
        None => lines.push(Line::styled("incumbent top", strong())),
        Some(snapshot) => {
            let (cluster, leader) = (&snapshot.cluster, &snapshot.cluster.leader);
            let since = words::age(&leader.since, now.wall).unwrap_or_else(|| leader.since.clone());
            // While nobody leads, this is who did.
            let word = if state.link.is_good() {
                "leader "
            } else {
                "last leader "
            };
            lines.push(Line::from(vec![
                Span::raw(word),
                Span::styled(printable(&leader.name).into_owned(), strong()),
                Span::raw(format!(
                    " (pid {}) at {}, epoch {}, began {since}",
                    leader.pid, leader.address, cluster.epoch
                )),
            ]));
            lines.push(Line::raw(format!(
                "{}; {}",
                snapshot.nodes(),
                snapshot.jobs_by_state()
            )));
        }
    }
    lines.push(match state.link.is_good() {
        true => Line::styled(printable(&link).into_owned(), faint()),
        false => Line::styled(
            format!("! {}{}", printable(&link), old(state, now)),
            colours.bad(),
        ),
    });
    let faults = state.snapshot.iter().flat_map(|snapshot| snapshot.faults());
    lines.extend(
        faults.map(|fault| Line::styled(format!("! {}", printable(&fault)), colours.doubtful())),
    );
    lines.push(tabs(state));
    lines
}

/// How old what is shown is.
fn old(state: &State, now: Moment) -> String {
    match &state.snapshot {
        None => String::new(),
        Some(_) => {
            let seconds = now.since_start.saturating_sub(state.looked_at).as_secs();
            format!("; this is how it was {seconds} s ago")
        }
    }
}

fn tabs(state: &State) -> Line<'static> {
    let tab = |name: &'static str, is_here: bool| {
        let style = if is_here { strong() } else { faint() };
        Span::styled(
            if is_here {
                format!("[{name}] ")
            } else {
                format!(" {name}  ")
            },
            style,
        )
    };
    let is_of_jobs = state.page != Page::Nodes;
    let mut spans = vec![tab("1 jobs", is_of_jobs), tab("2 nodes", !is_of_jobs)];
    if state.page == Page::Jobs {
        spans.push(Span::styled(state.sort.in_words(), faint()));
        if !state.filter.is_empty() {
            spans.push(Span::raw(format!("  filter: {}", printable(&state.filter))));
        }
    }
    Line::from(spans)
}
