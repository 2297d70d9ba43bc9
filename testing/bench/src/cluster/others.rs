//! What a killed coordinator costs a running job elsewhere.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use super::client;
use super::nodes::{Nodes, pids};
use crate::args::ClusterArgs;
use crate::progress::Progress;
use crate::report::Section;
use crate::{Failure, program};

/// For how long tasks are watched after the kill: longer than any of them goes on.
const WATCHED: Duration = Duration::from_secs(100);

/// When the coordinator is started again after it was killed.
const RESTARTED: Duration = Duration::from_secs(2);

const TASKS: u32 = 2;

pub(super) async fn measure(
    above: &Path,
    program: &Path,
    args: &ClusterArgs,
) -> Result<Section, Failure> {
    let mut rows = vec![
        ["", "tasks end", "the client can wait for them"]
            .map(String::from)
            .to_vec(),
    ];
    let mut found = Vec::new();
    for other in [
        ours(above, program).await?,
        by_script("ray", args).await,
        by_script("dask", args).await,
    ] {
        rows.push(row(&other));
        found.push(other);
    }
    if args.flink {
        let flink = flink(program).await;
        rows.push(row(&flink));
        found.push(flink);
    }
    Ok(Section {
        name: "kill -9 of the coordinator",
        rows,
        notes: vec![
            format!(
                "Two tasks each, default settings; the coordinator is started again {RESTARTED:?} after it was killed."
            ),
            format!("Tasks are watched for {WATCHED:?}."),
        ],
        json: json!(found),
        has_miss: false,
    })
}

/// The same of Incumbent, with one JobManager, as the others have one coordinator.
async fn ours(above: &Path, program: &Path) -> Result<Value, Failure> {
    let progress = Progress::new("kill -9 of the coordinator: Incumbent");
    let mut nodes = Nodes::start_with(program, above, 1, 1, TASKS).await?;
    let (job, _) = nodes.submit(TASKS, false).await?;
    let path = format!("/v1/jobs/{job}");
    let tasks = nodes.arrivals(TASKS).await?;
    let before = client::until(nodes.any(), &path, |job| job["state"] == "running").await?;
    nodes.kill_leader().await?;
    tokio::time::sleep(RESTARTED).await;
    nodes.start_job_manager()?;
    tokio::time::sleep(WATCHED - RESTARTED).await;
    let after = client::until(nodes.any(), &path, |job| job["state"] == "running").await?;
    let ended = pids(&after)? != pids(&before)? || nodes.has_arrival().await;
    drop((tasks, progress));
    Ok(
        json!({ "system": "Incumbent", "version": "", "ended": ended, "client_has_its_tasks": !ended }),
    )
}

/// Ray or Dask.
async fn by_script(system: &str, args: &ClusterArgs) -> Value {
    let _progress = Progress::new(format!("kill -9 of the coordinator: {system}"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("others/coordinator.py");
    let mut command = Command::new(&args.python);
    command.arg(script).arg(system);
    command.args([
        "--tasks",
        &TASKS.to_string(),
        "--watch",
        &WATCHED.as_secs().to_string(),
    ]);
    command.args(["--restart", &RESTARTED.as_secs().to_string()]);
    let printed = match output(&mut command).await {
        Ok(printed) => printed,
        Err(failure) => return not_measured(system, &failure),
    };
    match serde_json::from_str(printed.trim()) {
        Ok(found) => found,
        Err(_) => not_measured(
            system,
            &"the script printed no result; is the package installed?".into(),
        ),
    }
}

/// The median of how long the job did not run.
async fn flink(program: &Path) -> Value {
    let _progress = Progress::new("kill -9 of the coordinator: Flink");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zookeeper/foreign/flink/run");
    let mut command = Command::new(script);
    command.args(["--rounds", "3", "--binary"]).arg(program);
    if let Ok(target) = program::target() {
        command.env("CARGO_TARGET_DIR", target);
    }
    match output(&mut command).await {
        Ok(printed) => {
            json!({ "system": "Flink", "version": "", "ended": true, "runs_again_s": job_runs(&printed) })
        }
        Err(failure) => not_measured("Flink", &failure),
    }
}

async fn output(command: &mut Command) -> Result<String, Failure> {
    let done = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    if !done.status.success() {
        return Err(format!("it ended with {}", done.status).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

fn not_measured(system: &str, why: &Failure) -> Value {
    json!({ "system": system, "not_measured": why.to_string() })
}

/// The second number of the line of medians.
fn job_runs(table: &str) -> Option<f64> {
    let medians = table
        .lines()
        .rev()
        .find(|line| line.starts_with("median"))?;
    let mut numbers = medians
        .split_whitespace()
        .filter_map(|word| word.parse().ok());
    numbers.nth(1)
}

fn row(found: &Value) -> Vec<String> {
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    let name = format!("{} {}", text("system"), text("version"));
    let name = name.trim().to_owned();
    if let Some(why) = found["not_measured"].as_str() {
        return vec![name, format!("not measured: {why}"), String::new()];
    }
    let seconds = found["went_on_s"].as_array().map(|all| {
        let all = all.iter().filter_map(Value::as_f64);
        all.fold(0.0, f64::max)
    });
    let end = match (
        found["ended"].as_bool(),
        seconds,
        found["runs_again_s"].as_f64(),
    ) {
        (Some(false), _, _) => "no: the same processes".into(),
        (_, Some(seconds), _) => format!("after {seconds:.0} s"),
        (_, _, Some(seconds)) => format!("yes; the job runs again after {seconds:.0} s"),
        (_, None, None) => "yes".into(),
    };
    let client = match found["client_has_its_tasks"].as_bool() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "yes, of the restarted job",
    };
    vec![name, end, client.into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_running_job_is_read() {
        let table = "Flink\n round  other leads\n     1  1.00 s  2.00 s\nmedian       1.50 s      13.25 s      14.00 s\n";
        assert_eq!(job_runs(table), Some(13.25));
        assert_eq!(job_runs("nothing"), None);
    }

    #[test]
    fn a_row_says_what_became_of_the_tasks() {
        let dask = json!({ "system": "dask", "version": "1", "ended": true, "went_on_s": [31.9, 32.3], "client_has_its_tasks": false });
        assert_eq!(row(&dask), ["dask 1", "after 32 s", "no"]);
        let ours = json!({ "system": "Incumbent", "version": "", "ended": false, "client_has_its_tasks": true });
        assert_eq!(row(&ours), ["Incumbent", "no: the same processes", "yes"]);
    }
}
