//! What `up` answers itself: a node without a part, which passes on.

use std::io;
use std::net::SocketAddr;

use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_node::{NodeOptions, run_front};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use super::args::UpArgs;
use crate::cluster::parts::{complete, may_listen, node_failure};
use crate::cluster::places::Places;
use crate::exit::{Code, Failure};
use crate::settings::Common;
use crate::status_server;

/// The front, which listens and does not answer yet.
pub(super) struct Front {
    url: String,
    listener: TcpListener,
    options: NodeOptions,
    metrics: PrometheusHandle,
}

impl Front {
    /// # Errors
    ///
    /// Nothing can listen there; or a flag cannot be used.
    pub(super) async fn bind(
        common: &Common,
        args: &UpArgs,
        places: &Places,
    ) -> Result<Self, Failure> {
        let blobs = places.blobs(args.blobs.as_deref())?;
        let mut options = NodeOptions::new(places.ha(common)?, blobs, args.listen);
        complete(&mut options, common, &args.token, &args.tls)?;
        may_listen(&options)?;
        can_be_opened(&options).await?;
        let bound = TcpListener::bind(args.listen).await;
        let listener = bound.map_err(|cause| cannot_listen(args.listen, cause))?;
        let address = listener
            .local_addr()
            .map_err(|cause| cannot_listen(args.listen, cause))?;
        let scheme = if options.tls.is_some() {
            "https"
        } else {
            "http"
        };
        Ok(Self {
            url: format!("{scheme}://{address}"),
            listener,
            options,
            metrics: status_server::recorder()?,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Answers until this is dropped; returns why it cannot.
    pub(super) async fn serve(self) -> Failure {
        let never = std::future::pending();
        let Self {
            listener,
            options,
            metrics,
            ..
        } = self;
        match run_front(listener, options, metrics, never).await {
            Ok(()) => Failure::new("the page of the cluster has ended"),
            Err(error) => node_failure(error),
        }
    }
}

/// Refuses what no child could use, before any of them says so. A store or a place for blobs that
/// does not answer at the moment is waited for.
async fn can_be_opened(options: &NodeOptions) -> Result<(), Failure> {
    // A process that opens such a store may serve it from then on.
    if !options.ha.starts_with("embedded:") {
        match incumbent::open(&options.ha).await.map_err(Failure::from) {
            Err(failure) if failure.is_usage() => return Err(failure),
            Ok(_) | Err(_) => {}
        }
    }
    let opened = Blobs::open(&options.blobs).await;
    opened.map(drop).map_err(|cause| {
        let what = format!(
            "cannot use the blobs at {}; name another place with --blobs",
            options.blobs
        );
        Failure::new(what).because(cause).code(Code::Usage)
    })
}

fn cannot_listen(listen: SocketAddr, cause: io::Error) -> Failure {
    let what = format!("cannot listen on {listen}");
    if cause.kind() != io::ErrorKind::AddrInUse {
        return Failure::new(what).because(cause).code(Code::Usage);
    }
    let port = listen.port();
    Failure::new(format!(
        "{what}: another program listens there (`ss -ltnp sport = :{port}` shows which); if that is a cluster, use it as \
         it is, otherwise choose another address, as with --listen 127.0.0.1:0"
    ))
    .code(Code::Refused)
}
