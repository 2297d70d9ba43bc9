//! `incumbent ui`: pages that show any group, without a cluster.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::Args;
use incumbent_cluster_node::run_group_pages;
use incumbent_cluster_node::security::{Access, NeedsToken, Token};
use tokio::net::TcpListener;

use crate::exit::{Code, Failure};
use crate::listening::cannot_listen;
use crate::settings::{ClientToken, Common, socket};
use crate::signals::Signals;
use crate::{show, store};

/// Beside the address of `incumbent up`, so that both can run.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8082);

const HELP: &str = "\
Try it, with what `incumbent run` keeps in a directory of your own:
  incumbent ui
and open the address that it prints. For another group or store:
  incumbent ui --ha zookeeper://zk1,zk2:2181/app --group web

It shows who leads, since when, under which endpoints, how that changes, and the records as JSON. It never leads,
and writes nothing. Values that look like secrets are left out. The nodes of a cluster (`incumbent up`) serve the
same pages themselves, and more.";

/// Show in a browser who leads any group, and its records.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct UiArgs {
    /// Where to answer. Port 0 takes a free port. The address is printed.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_UI_LISTEN", default_value_t = DEFAULT_LISTEN, value_parser = socket)]
    listen: SocketAddr,

    #[command(flatten)]
    token: ClientToken,
}

pub(crate) async fn ui(common: &Common, args: UiArgs) -> Result<ExitCode, Failure> {
    let mut signals =
        Signals::new().map_err(|cause| Failure::new("cannot listen for signals").because(cause))?;
    let token = args.token.read()?;
    let bad = |why: String| Failure::new(why).code(Code::Usage);
    let checked = token.clone().map(Token::new).transpose();
    let checked = checked.map_err(|error| bad(error.to_string()))?;
    Access::new(args.listen, checked).map_err(|NeedsToken(listen)| {
        bad(format!(
            "{listen} can be reached from other machines, and anyone who reaches these pages may \
             read the records of the group: give them a token, by a file (--token-file FILE, or \
             INCUMBENT_TOKEN_FILE), or listen on 127.0.0.1"
        ))
    })?;
    let group = store::existing_group(common).await?;
    let cannot = |cause| cannot_listen(args.listen, cause);
    let listener = TcpListener::bind(args.listen).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    show::announce(format!("http://{address}")).await?;
    let run = run_group_pages(listener, group, token, async { signals.end().await });
    run.await
        .map_err(|error| bad(incumbent::backend::causes(&error)))?;
    Ok(ExitCode::SUCCESS)
}
