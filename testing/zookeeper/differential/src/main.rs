//! Runs scripts on two servers and prints the differences.

use std::ops::Range;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use incumbent_differential::{Campaign, OURS, Ours, Servers, reference};
use incumbent_servers::zookeeper::ZooKeeper;

/// Run random scripts on a real ZooKeeper and on another server, and print the differences.
#[derive(Parser)]
struct Arguments {
    /// Scripts to run: one seed, or a range such as 0..5000.
    #[arg(long, default_value = "0..300", value_parser = seeds)]
    seeds: Range<u64>,
    /// Address of the reference; without it, a ZooKeeper is started.
    #[arg(long)]
    reference: Option<String>,
    /// Address of the server under test; without it, one is started.
    #[arg(long, env = OURS)]
    ours: Option<String>,
    /// Server to start and to test.
    #[arg(long, value_enum, default_value_t = Against::Incumbent)]
    against: Against,
    /// Number of scripts to run at once.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Stop after so many kinds of differences.
    #[arg(long, default_value_t = 20)]
    kinds: usize,
    /// Print the scripts and run nothing.
    #[arg(long)]
    print: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Against {
    /// The project's server.
    Incumbent,
    /// Another ZooKeeper: there must be no difference, or the comparison is wrong.
    Zookeeper,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    match text.split_once("..") {
        Some((from, to)) => Ok(number(from)?..number(to)?),
        None => number(text).map(|seed| seed..seed.saturating_add(1)),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.print {
        for seed in arguments.seeds {
            print!("{}", incumbent_differential::script(seed));
        }
        return ExitCode::SUCCESS;
    }
    // The servers end when these are dropped.
    let mut started: Vec<ZooKeeper> = Vec::new();
    let mut start = || {
        started.extend(reference());
        started.last().map(ZooKeeper::address)
    };
    let reference = arguments.reference.clone().or_else(&mut start);
    let mut own: Option<Ours> = None;
    let ours = match (&arguments.ours, arguments.against) {
        (Some(address), _) => Some(address.clone()),
        (None, Against::Zookeeper) => start(),
        (None, Against::Incumbent) => {
            let server = own.insert(incumbent_differential::ours());
            Some(server.address().to_owned())
        }
    };
    let (Some(reference), Some(ours)) = (reference, ours) else {
        eprintln!("there are no two servers to compare: see --help");
        return ExitCode::FAILURE;
    };
    let campaign = Campaign {
        seeds: arguments.seeds,
        jobs: arguments.jobs,
        most_kinds: arguments.kinds,
    };
    let report = match campaign.run(&Servers { reference, ours }).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}: {}", error.source);
            return ExitCode::FAILURE;
        }
    };
    for (count, mismatch) in report.differences.values() {
        println!("=== {count} scripts: {mismatch}");
    }
    println!(
        "{} scripts, {} steps without a difference, {} kinds of differences",
        report.scripts,
        report.steps,
        report.differences.len()
    );
    if report.differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
