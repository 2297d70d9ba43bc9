//! A whole job on files, without a cluster.

use std::process::ExitCode;

use incumbent_stream::Job;
use incumbent_stream_files::Files;
use serde::{Deserialize, Serialize};

use crate::{Row, ndjson, read_all, rows, write};

/// How many rows there were with a length of their name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Count {
    length: u64,
    rows: u64,
}

#[test]
fn a_job_from_files_to_files_runs_without_a_cluster() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("in")).unwrap();
    for file in 0..4 {
        let some = rows(file * 1000..(file + 1) * 1000);
        write(
            &dir.path().join("in"),
            &format!("{file}.ndjson"),
            ndjson(&some),
        );
    }
    let url = |name: &str| format!("file://{}/{name}", dir.path().display());
    let (from, to) = (url("in/*.ndjson"), url("out"));
    let job = move |job: &Job<'_>| {
        job.source("rows", Files::ndjson::<Row>(&from))
            .key_by(|row| row.name.len() as u64)
            .state("counts", |&length, _, rows: &mut u64, out| {
                *rows += 1;
                out.give(Count {
                    length,
                    rows: *rows,
                });
            })
            .sink("out", Files::csv(&to));
    };
    let ended = incumbent_stream::run(job);
    assert_eq!(format!("{ended:?}"), format!("{:?}", ExitCode::SUCCESS));

    let mut counts: Vec<Count> = read_all(&Files::csv(url("out"))).unwrap();
    counts.sort();
    let mut expected = std::collections::BTreeMap::<u64, u64>::new();
    for row in rows(0..4000) {
        *expected.entry(row.name.len() as u64).or_default() += 1;
    }
    let all = expected
        .iter()
        .flat_map(|(&length, &rows)| (1..=rows).map(move |rows| Count { length, rows }));
    assert_eq!(counts, all.collect::<Vec<_>>());
}
