//! A TaskManager for the tests: `task-manager-probe HA BLOBS DIR [OPTION=VALUE…]`.
//!
//! It is a process of its own, so that tests can kill and stop it, and its executable is that of
//! guards. It logs to standard error.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use incumbent_cluster_node::{NodeOptions, TaskManagerOptions, run_task_manager};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    if let Some(code) = incumbent_guard::intercept() {
        return code;
    }
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
    match runtime.block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("task-manager-probe: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [ha, blobs, dir, rest @ ..] = &args[..] else {
        return Err("HA BLOBS DIR [OPTION=VALUE…]".into());
    };
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut options = NodeOptions::new(ha, blobs, listen);
    options.dir = Some(dir.into());
    let mut numbers = TaskManagerOptions::new(4);
    numbers.heartbeat = Duration::from_millis(50);
    for option in rest {
        let (name, value) = option.split_once('=').ok_or("OPTION=VALUE")?;
        match name {
            "name" => options.name = Some(value.to_owned()),
            "slots" => numbers.slots = value.parse()?,
            "drain" => numbers.drain = Duration::from_millis(value.parse()?),
            "files" => numbers.open_files = Some(value.parse()?),
            "kept" => numbers.kept.logs = value.parse()?,
            "log" => numbers.log.file = value.parse()?,
            _ => return Err(format!("what is {name}?").into()),
        }
    }
    let listener = options.bind().await?;
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let mut term = signal(SignalKind::terminate())?;
    let shutdown = async move {
        term.recv().await;
    };
    run_task_manager(listener, options, numbers, metrics, shutdown).await?;
    Ok(())
}
