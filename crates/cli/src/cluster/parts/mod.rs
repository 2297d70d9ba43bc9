//! `incumbent job-manager` and `incumbent task-manager`: one process of a cluster each.

mod args;
mod pods;
mod supervised;

use std::path::PathBuf;
use std::process::ExitCode;

use incumbent::backend::causes;
use incumbent_cluster_node::security::{Access, Token};
use incumbent_cluster_node::task_manager::TaskManagerOptions;
use incumbent_cluster_node::{NodeError, NodeOptions, run_job_manager_with, run_task_manager};
use incumbent_gateway::{ServerTls, UpstreamTls};
use rustix::process::{Resource, getrlimit};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::places::{Places, named_ha};
use crate::descriptors;
use crate::exit::{Code, Failure};
use crate::listening::cannot_listen;
use crate::settings::{ClientToken, Common};
use crate::signals::Signals;
use crate::{show, status_server, store};
use args::PartArgs;
pub(crate) use args::{DEFAULT_SLOTS, JobManagerArgs, MOST_SLOTS, NodeTlsArgs, TaskManagerArgs};

pub(crate) async fn job_manager(
    common: &Common,
    args: JobManagerArgs,
) -> Result<ExitCode, Failure> {
    supervised::end_with(args.part.supervisor)?;
    let _ = descriptors::raise(1);
    let mut signals = signals()?;
    let options = options(common, &args.part)?;
    let metrics = status_server::recorder()?;
    let maker = tokio::select! {
        maker = pods::maker(common, &args.part, args.maker, &options) => maker?,
        () = signals.end() => return Ok(ExitCode::SUCCESS),
    };
    let listener = listen(&options).await?;
    let shutdown = async { signals.end().await };
    let run = run_job_manager_with(listener, options, metrics, maker, shutdown);
    run.await.map_err(node_failure)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn task_manager(
    common: &Common,
    args: TaskManagerArgs,
) -> Result<ExitCode, Failure> {
    supervised::end_with(args.part.supervisor)?;
    let mut signals = signals()?;
    let mut options = options(common, &args.part)?;
    if let Some(name) = args.name {
        options.name = Some(name);
    }
    options.dir = Some(tasks_dir(args.dir)?);
    let metrics = status_server::recorder()?;
    let listener = listen(&options).await?;
    let mut numbers = TaskManagerOptions::new(args.slots);
    // Tasks keep the limit that this program was started with.
    numbers.open_files = getrlimit(Resource::Nofile).current;
    let _ = descriptors::raise(1);
    numbers.drain = args.drain_timeout;
    let (asked, is_asked) = oneshot::channel();
    let shutdown = async {
        // The sender is dropped only when this ends.
        let _ = is_asked.await;
    };
    let run = run_task_manager(listener, options, numbers, metrics, shutdown);
    let impatient = async {
        signals.end().await;
        let _ = asked.send(());
        signals.end().await;
        tracing::warn!("a second signal: ending the tasks at once");
    };
    tokio::select! {
        ended = run => ended.map_err(node_failure)?,
        () = impatient => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Listens, and says where: on standard output, too.
async fn listen(options: &NodeOptions) -> Result<TcpListener, Failure> {
    let listener = options.bind().await.map_err(node_failure)?;
    let failed = |cause| Failure::new("cannot listen").because(cause);
    let address = listener.local_addr().map_err(failed)?;
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    show::announce(format!("{scheme}://{address}")).await?;
    Ok(listener)
}

fn signals() -> Result<Signals, Failure> {
    Signals::new().map_err(|cause| Failure::new("cannot listen for signals").because(cause))
}

fn tasks_dir(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    match named {
        Some(dir) => Ok(dir),
        None => Ok(Places::new(None)?.tasks()),
    }
}

/// What the node crate needs to know of a part.
fn options(common: &Common, part: &PartArgs) -> Result<NodeOptions, Failure> {
    let places = || Places::new(None);
    let ha = match named_ha(common)? {
        Some(address) => address,
        None => places()?.ha(common)?,
    };
    let blobs = match &part.blobs {
        Some(url) => url.clone(),
        None => places()?.blobs(None)?,
    };
    let mut options = NodeOptions::new(ha, blobs, part.listen);
    options.advertise.clone_from(&part.advertise);
    complete(&mut options, common, &part.token, &part.tls)?;
    may_listen(&options)?;
    Ok(options)
}

/// Adds what all nodes have in common, the front of `up` included.
pub(super) fn complete(
    options: &mut NodeOptions,
    common: &Common,
    token: &ClientToken,
    tls: &NodeTlsArgs,
) -> Result<(), Failure> {
    options.group.clone_from(&common.group);
    options.name = common.holder.as_ref().map(ToString::to_string);
    options.timing = store::options(common)?.timing;
    options.token = token.read()?;
    options.tls = server_tls(tls)?;
    options.upstream_tls = UpstreamTls {
        by_default: options.tls.is_some(),
        ca: tls.ca.clone(),
        // A node whose clients need a certificate shows its own to the other nodes.
        identity: tls.files.cert.clone().zip(tls.files.key.clone()),
        name: None,
    };
    Ok(())
}

/// Refuses to listen where others could run programs without a token. The node would do that too,
/// once it has opened the store.
pub(super) fn may_listen(options: &NodeOptions) -> Result<(), Failure> {
    let token = options.token.clone().map(Token::new).transpose();
    let token = token.map_err(|error| bad(&error.to_string()))?;
    match Access::new(options.listen, token) {
        Ok(_) => Ok(()),
        Err(error) => Err(bad(&error.to_string())),
    }
}

/// Why a node does not run, with the code of what a person does next.
pub(super) fn node_failure(error: NodeError) -> Failure {
    match error {
        NodeError::Store(error) => error.into(),
        NodeError::Listen { address, cause } => cannot_listen(address, cause),
        error @ NodeError::Cluster(_) => Failure::new(causes(&error)),
        error => bad(&causes(&error)),
    }
}

fn server_tls(tls: &NodeTlsArgs) -> Result<Option<ServerTls>, Failure> {
    let files = &tls.files;
    match (&files.cert, &files.key) {
        (Some(certificate), Some(key)) => Ok(Some(ServerTls {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: files.client_ca.clone(),
            pass_certificate: false,
        })),
        (None, None) if files.client_ca.is_none() => Ok(None),
        (None, None) => Err(bad(
            "--client-ca is for connections with TLS; add --cert FILE and --key FILE",
        )),
        _ => Err(bad("--cert and --key go together; add the missing one")),
    }
}

fn bad(why: &str) -> Failure {
    Failure::new(why).code(Code::Usage)
}
