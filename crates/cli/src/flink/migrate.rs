//! `incumbent flink migrate` and `incumbent flink reopen`.

use std::process::ExitCode;

use clap::Args;
use incumbent_flink_ha::{
    DeleteMarker, FlinkAddress, FlinkError, Migration, MigrationOptions, MigrationState,
    MigrationStep, migrate, plan_migration, reopen,
};
use serde_json::json;

use super::{patiently, plan_report};
use crate::diagnostics::say;
use crate::exit::{Code, Failure};
use crate::settings::Output;
use crate::show;

pub(super) const HELP: &str = "\
Stop Flink first: all JobManagers and TaskManagers. Without --apply nothing is written: the command
shows what it would copy, and why it would refuse. With --apply it then

  1. closes the gate of TO: no Flink elects a leader there before the copy is complete
  2. closes the gate of FROM: no Flink elects a leader there any more
  3. copies, reads everything back, and opens the gate of TO

If it is interrupted, the same command goes on. FROM keeps all of its data. Start Flink with TO in
its configuration, and with the same high-availability.storageDir and high-availability.cluster-id
as before: files are not copied. `incumbent flink reopen FROM` undoes 2, as long as no Flink has run
on the copy.

It refuses if a JobManager leads or may lead on either side, if TO has data, if a handle of FROM is
damaged or a counter behind (`incumbent flink clean` mends both), and if rights are missing. On
Kubernetes it watches the lock of a dead leader for its lease, which is 15 s, to be sure.

Exit codes:
  0  it may be done; with --apply: it is done
  2  FROM and TO are the same
  4  refused: nothing was written, or another process has changed something meanwhile
  5  a write was sent and not answered: the same command goes on
  6  there is no such cluster
  7  the store does not answer";

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Where the data are: kubernetes://namespace/cluster-id or
    /// zookeeper://h1:2181,h2:2181/flink/cluster-id
    #[arg(value_name = "FROM")]
    from: FlinkAddress,
    /// Where they go. Nothing may be there.
    #[arg(value_name = "TO")]
    to: FlinkAddress,
    /// Do it. Without it, the command only says what it would do.
    #[arg(long)]
    apply: bool,
    /// Refuse if a file of a handle is missing. Only files of the scheme `file` are looked at, on
    /// this machine: run it where Flink's high-availability.storageDir is mounted.
    #[arg(long)]
    files: bool,
    /// The version of the Flink that starts at TO, if it is older than 1.19, as in 1.18: in its
    /// ConfigMaps, what is around a handle is of another version. ZooKeeper minds none.
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "1.19",
        hide_default_value = true
    )]
    flink: DeleteMarker,
    /// Do not watch locks on Kubernetes. Only without --apply.
    #[arg(long, conflicts_with = "apply")]
    no_wait: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(args: MigrateArgs) -> Result<ExitCode, Failure> {
    let options = MigrationOptions {
        wait: !args.no_wait,
        files: args.files,
        marker: args.flink,
    };
    let planned = if args.apply {
        apply(&args, options).await?
    } else {
        patiently(Box::pin(plan_migration(&args.from, &args.to, options))).await?
    };
    if args.output.is_json() {
        show::json_line(&planned)?;
    } else {
        show::line(plan_report::migration(&planned, args.apply))?;
    }
    Ok(match planned.state {
        MigrationState::Refused => ExitCode::from(Code::Refused as u8),
        _ => ExitCode::SUCCESS,
    })
}

async fn apply(args: &MigrateArgs, options: MigrationOptions) -> Result<Migration, Failure> {
    let begun = std::sync::atomic::AtomicBool::new(false);
    let step = |step: MigrationStep| {
        begun.store(true, std::sync::atomic::Ordering::Relaxed);
        match step {
            MigrationStep::TargetClosed => {
                say(format!(
                    "closed {}: no Flink starts on a part of the data",
                    args.to
                ));
            }
            MigrationStep::SourceClosed => {
                say(format!(
                    "closed {}: no Flink goes on with what is copied",
                    args.from
                ));
            }
            MigrationStep::Verified => say("read back: the copy is whole"),
            MigrationStep::TargetOpened => say(format!("opened {}", args.to)),
            MigrationStep::Copied(_) => {}
        }
    };
    let done = patiently(Box::pin(migrate(&args.from, &args.to, options, &step))).await;
    done.map_err(|error| {
        let goes_on = begun.into_inner() || matches!(error, FlinkError::Unknown { .. });
        let failure = Failure::from(error);
        if goes_on {
            failure.then(format!(
                "{} is not complete, and no Flink starts there; the same command goes on",
                args.to
            ))
        } else {
            failure
        }
    })
}

pub(super) async fn run_reopen(
    address: &FlinkAddress,
    output: Output,
) -> Result<ExitCode, Failure> {
    let moved = reopen(address).await?;
    if output.is_json() {
        show::json_line(&json!({ "address": address.to_string(), "moved_to": moved }))?;
    } else {
        show::line(match moved {
            Some(to) => {
                format!("{address} is open again. It was moved to {to}: let no Flink run on both.")
            }
            None => format!("{address} was open"),
        })?;
    }
    Ok(ExitCode::SUCCESS)
}
