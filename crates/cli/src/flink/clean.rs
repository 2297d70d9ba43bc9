//! `incumbent flink clean`.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use clap::Args;
use incumbent_flink_ha::{CleanRequest, Cleaner, FlinkAddress};

use super::{clean_report, patiently};
use crate::diagnostics::{ask, say, say_text};
use crate::exit::{Code, Failure};
use crate::settings::Output;
use crate::show;

pub(super) const HELP: &str = "\
Without --apply nothing is removed: the command lists what it would remove, and why. With --apply it
lists, asks, and removes what has not changed since it was listed.

It finds entries of leaders that are gone, what is left of ended jobs, counters that are behind or
gone, and pointers that Flink passes over or fails on; with --files also those whose files are gone.
What makes a job go back to an older checkpoint, or forget its state, goes only by name: --remove
KEY. That brings back a JobManager that ends with \"Could not retrieve checkpoint 33 ... Try cleaning
the state handle store\". Files always stay; the list names them.

While a JobManager leads, only that goes which it does not notice.

Exit codes:
  0  it was listed; with --apply: it is done
  2  --remove or --set-counter names what is not there, or may not be
  4  refused: somebody leads, or another process has changed something
  5  a write was sent and not answered: look again
  6  there is no such cluster
  7  the store does not answer";

#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// Where Flink keeps its data: kubernetes://namespace/cluster-id or
    /// zookeeper://h1:2181,h2:2181/flink/cluster-id
    #[arg(value_name = "ADDRESS", env = "INCUMBENT_FLINK")]
    address: FlinkAddress,
    /// Remove what is listed, after asking. Without it, the command only lists.
    #[arg(long)]
    apply: bool,
    /// Do not ask.
    #[arg(long, requires = "apply")]
    yes: bool,
    /// Also look for handles whose files are gone. Only files of the scheme `file` are looked at,
    /// on this machine: run it where Flink's high-availability.storageDir is mounted.
    #[arg(long)]
    files: bool,
    /// Also remove checkpoints older than the newest NUMBER of each job
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    retain: Option<u16>,
    /// Remove this entry, and nothing that is not named. `inspect` shows the keys. May be repeated.
    #[arg(long, value_name = "KEY")]
    remove: Vec<String>,
    /// Set the id of a job's next checkpoint, and nothing that is not named. May be repeated.
    #[arg(long, value_name = "JOB=NUMBER", value_parser = counter)]
    set_counter: Vec<(String, u64)>,
    #[command(flatten)]
    output: Output,
}

fn counter(text: &str) -> Result<(String, u64), String> {
    let (job, number) = text.split_once('=').ok_or("write JOB=NUMBER")?;
    let number = number.parse().map_err(|_| "NUMBER is not a number")?;
    Ok((job.to_owned(), number))
}

pub(super) async fn run(args: CleanArgs) -> Result<ExitCode, Failure> {
    let request = CleanRequest {
        files: args.files,
        wait: true,
        retain: args.retain.map(usize::from),
        remove: args.remove,
        counters: args.set_counter,
    };
    let cleaner = patiently(Box::pin(Cleaner::look(&args.address, &request))).await?;
    let cleaning = cleaner.cleaning();
    let chosen = cleaning.chosen().count();
    let named = !request.remove.is_empty() || !request.counters.is_empty();
    if named && chosen < cleaning.findings.len() {
        let why = cleaning.in_use.clone().unwrap_or_default();
        let why = format!("nothing was removed: {why}");
        return Err(Failure::new(why).code(Code::Refused));
    }
    let list = || clean_report::cleaning(cleaning);
    if args.apply && chosen > 0 {
        if !args.yes {
            confirm(&list(), chosen, &args.address)?;
        }
        cleaner.apply().await?;
        say(format!("{chosen} of {chosen} done in {}", args.address));
    }
    if args.output.is_json() {
        show::json_line(cleaning)?;
    } else if !args.apply || args.yes || chosen == 0 {
        let end = match (chosen, args.apply) {
            (0, _) => "Nothing is to be removed.",
            (_, true) => "Removed or set, but for what is kept.",
            (_, false) => "Nothing was removed. The same command with --apply does it.",
        };
        show::line(format!("{}\n\n{end}", list()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn confirm(list: &str, chosen: usize, address: &FlinkAddress) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        let why = "nothing was removed: standard input is not a terminal, so add --yes to confirm";
        return Err(Failure::new(why).code(Code::Usage));
    }
    say_text(&format!("{list}\n\n"));
    ask(format!(
        "Remove or set these {chosen} in {address}, for good? Type yes: "
    ));
    let mut answer = String::new();
    match std::io::stdin().lock().read_line(&mut answer) {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        _ => Err(Failure::new("nothing was removed").code(Code::Refused)),
    }
}
