//! `incumbent job logs`.

use std::io::IsTerminal;
use std::process::ExitCode;

use serde::Deserialize;

use super::args::LogsArgs;
use super::find::{find, named, path};
use super::run::INTERRUPTED;
use super::wait::Outage;
use crate::cluster::client::{Ask, Client, ClientError, Event, Events};
use crate::diagnostics::say;
use crate::exit::{Code, Failure};
use crate::show::escape::printable;
use crate::show::{self, Reader};

const EVENTS: &str = "text/event-stream";

/// The kind of what the node has to say about the log.
const NOTE: &str = "note";

/// The kind of the last event.
const END: &str = "end";

/// Which lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    rank: Option<u32>,
    attempt: Option<u32>,
    tail: Option<u64>,
}

impl Choice {
    /// All lines of all tasks.
    pub(super) fn everything() -> Self {
        Self::default()
    }

    fn query(&self, follow: bool) -> String {
        let mut parts = Vec::new();
        if follow {
            parts.push("follow=true".to_owned());
        }
        parts.extend(self.rank.map(|rank| format!("rank={rank}")));
        parts.extend(self.attempt.map(|attempt| format!("attempt={attempt}")));
        parts.extend(self.tail.map(|tail| format!("tail={tail}")));
        match parts.is_empty() {
            true => String::new(),
            false => format!("?{}", parts.join("&")),
        }
    }
}

/// A line, as events carry it.
#[derive(Deserialize)]
struct LogLine {
    rank: u32,
    line: String,
}

/// Something about a log: that lines of it are gone, for example.
#[derive(Deserialize)]
struct LogNote {
    rank: u32,
    note: String,
}

pub(super) async fn logs(args: LogsArgs) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.cluster)?;
    let id = find(&client, &args.job.job).await?.id;
    let choice = Choice {
        rank: args.rank,
        attempt: args.attempt,
        tail: args.tail,
    };
    let printed = async {
        if args.follow {
            follow(&client, &id, &choice).await
        } else {
            whole(&client, &id, &choice).await
        }
    };
    tokio::select! {
        printed = printed => printed?,
        _ = tokio::signal::ctrl_c() => return Ok(ExitCode::from(INTERRUPTED)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what there is.
async fn whole(client: &Client, id: &str, choice: &Choice) -> Result<(), Failure> {
    let ask = Ask::get(at(id, choice, false)).header("accept", EVENTS);
    let answer = client.open(&ask).await.map_err(|error| named(error, id))?;
    let mut events = Events::of(answer);
    let mut printer = Printer::new(choice);
    while let Some(event) = events.next().await {
        if event.kind == END {
            return Ok(());
        }
        if printer.print(&event).await? == Reader::Left {
            return Ok(());
        }
    }
    Err(Failure::new("the log broke off; try again").code(Code::Unavailable))
}

/// Prints what there is, and what comes, until the job has ended. Goes on behind the last line that
/// it has, at any node, if an answer breaks off.
pub(super) async fn follow(client: &Client, id: &str, choice: &Choice) -> Result<(), Failure> {
    let mut outage = Outage::new();
    let mut printer = Printer::new(choice);
    let mut last: Option<String> = None;
    loop {
        let mut ask = Ask::get(at(id, choice, true)).header("accept", EVENTS);
        if let Some(last) = &last {
            ask = ask.header("last-event-id", last);
        }
        let mut events = match client.open(&ask).await {
            Ok(answer) => Events::of(answer),
            Err(error) => {
                outage.endure(error, |error| named(error, id)).await?;
                continue;
            }
        };
        while let Some(event) = events.next().await {
            outage.is_over();
            if event.kind == END {
                return Ok(());
            }
            if printer.print(&event).await? == Reader::Left {
                return Ok(());
            }
            last = event.id.or(last);
        }
        outage
            .endure(ClientError::BrokenOff, |error| named(error, id))
            .await?;
    }
}

fn at(id: &str, choice: &Choice, follow: bool) -> String {
    format!("{}/logs{}", path(id), choice.query(follow))
}

/// Prints lines: on a terminal with their rank, if there are several, and escaped; in a pipe as
/// they are.
struct Printer {
    has_ranks: bool,
    is_terminal: bool,
}

impl Printer {
    fn new(choice: &Choice) -> Self {
        Self {
            has_ranks: choice.rank.is_none(),
            is_terminal: std::io::stdout().is_terminal(),
        }
    }

    async fn print(&mut self, event: &Event) -> Result<Reader, Failure> {
        if event.kind == NOTE {
            if let Ok(LogNote { rank, note }) = serde_json::from_str(&event.data) {
                say(format!("rank {rank}: {note}"));
            }
            return Ok(Reader::Reads);
        }
        let Ok(line) = serde_json::from_str::<LogLine>(&event.data) else {
            // An event of a later version.
            return Ok(Reader::Reads);
        };
        let text = match (self.is_terminal, self.has_ranks) {
            (false, _) => format!("{}\n", line.line),
            (true, false) => format!("{}\n", shown(&line.line)),
            (true, true) => format!("{} | {}\n", line.rank, shown(&line.line)),
        };
        show::in_background(move || show::print(text.as_bytes())).await
    }
}

/// A line as a terminal may show it: with its tabs, and without what would control it.
fn shown(line: &str) -> String {
    let parts: Vec<_> = line.split('\t').map(printable).collect();
    parts.join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_tabs_and_controls_no_terminal() {
        assert_eq!(shown("a\tb\u{1b}[2J"), "a\tb\\u{1b}[2J");
    }

    #[test]
    fn a_query_has_what_was_chosen() {
        let choice = Choice {
            rank: Some(1),
            attempt: None,
            tail: Some(5),
        };
        assert_eq!(choice.query(true), "?follow=true&rank=1&tail=5");
        assert_eq!(Choice::everything().query(false), "");
    }
}
