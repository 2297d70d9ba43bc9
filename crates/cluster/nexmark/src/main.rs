//! Runs a query of Nexmark: alone, or as a task of a cluster.
//!
//! ```sh
//! nexmark q5 --input events --output hot
//! incumbent job run --tasks 2 -- nexmark q5 --input file:///data/events --output file:///data/hot
//! ```

use std::process::ExitCode;

use incumbent_nexmark::queries::{Counts, QUERIES, counts};

const USAGE: &str = "\
usage: nexmark QUERY --input URL --output URL
       nexmark counts --keys N --rate N --output DIR
  QUERY is one of count, q0, q1, q2, q3, q4, q5, q7, q8; URL as in file:///data/events";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some(flags) = Flags::parse(arguments) else {
        return usage();
    };
    if let Some((_, query)) = QUERIES.iter().find(|(known, _)| *known == name) {
        return match (flags.input, flags.output) {
            (Some(input), Some(output)) => {
                incumbent_stream::run(move |job| query(job, &input, &output))
            }
            (Some(input), None) if name == "count" => {
                incumbent_stream::run(move |job| query(job, &input, ""))
            }
            _ => usage(),
        };
    }
    match (name.as_str(), flags.keys, flags.rate, flags.output) {
        ("counts", Some(keys), Some(rate), Some(output)) => {
            let of = Counts { keys, rate, output };
            incumbent_stream::run(move |job| counts(job, &of))
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

#[derive(Default)]
struct Flags {
    input: Option<String>,
    output: Option<String>,
    keys: Option<u64>,
    rate: Option<f64>,
}

impl Flags {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut flags = Self::default();
        while let Some(flag) = arguments.next() {
            let value = arguments.next()?;
            match flag.as_str() {
                "--input" => flags.input = Some(value),
                "--output" => flags.output = Some(value),
                "--keys" => flags.keys = Some(value.parse().ok().filter(|keys| *keys > 0)?),
                "--rate" => flags.rate = Some(value.parse().ok().filter(|rate| *rate > 0.0)?),
                _ => return None,
            }
        }
        Some(flags)
    }
}
