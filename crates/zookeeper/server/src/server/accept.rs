//! Accepts connections, within the limits, and sets up TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use incumbent_tls::Reloading;
use incumbent_zk_proto::Id;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::admission::{Admission, Permit};
use super::connection::{self, Caller};
use super::hub::Hub;
use super::once::Once;

/// The pause after a connection could not be accepted. It is mostly for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until it is dropped, and gives each its task.
pub(super) async fn accept(
    hub: Arc<Hub>,
    admission: Arc<Admission>,
    listener: TcpListener,
    tls: Option<Reloading<rustls::ServerConfig>>,
) {
    let mut connections = JoinSet::new();
    // Both are logged once, and again after they were over: refused clients retry all the time.
    let full: Once<IpAddr> = Once::default();
    let mut is_failing = false;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    if std::mem::take(&mut is_failing) {
                        info!("connections are accepted again");
                    }
                    match admission.enter(address.ip(), &hub.options) {
                        Ok(permit) => {
                            full.forget(&address.ip());
                            hub.meters.connections.add(1);
                            let (hub, tls) = (Arc::clone(&hub), tls.clone());
                            connections.spawn(async move {
                                serve(&hub, stream, address, tls, &permit).await;
                            });
                        }
                        Err(why) => {
                            hub.meters.rejected.add(1);
                            if full.note(address.ip()) {
                                info!(%address, why, "refused a connection; more from this address are logged at debug");
                            } else {
                                debug!(%address, why, "refused a connection");
                            }
                        }
                    }
                }
                Err(error) => {
                    // Mostly for want of descriptors: the next may be accepted when others have
                    // left.
                    if !std::mem::replace(&mut is_failing, true) {
                        warn!(%error, "cannot accept connections; retrying every 50 ms");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    warn!(%error, "a connection panicked; this is a bug, please report it");
                }
            }
        }
    }
}

async fn serve(
    hub: &Hub,
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Reloading<rustls::ServerConfig>>,
    permit: &Permit,
) {
    // Replies are small and must not wait for more.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%address, %error, "cannot set up a connection");
        return;
    }
    let caller = Caller {
        address,
        ids: vec![Id {
            scheme: "ip".into(),
            id: address.ip().to_canonical().to_string(),
        }],
        secure: tls.is_some(),
        full: permit.full,
    };
    match tls {
        None => connection::serve(hub, stream, caller).await,
        // Boxed: TLS needs some kilobytes, and a connection without it would take them too.
        Some(config) => Box::pin(serve_with_tls(hub, stream, caller, config)).await,
    }
}

async fn serve_with_tls(
    hub: &Hub,
    stream: TcpStream,
    mut caller: Caller,
    config: Reloading<rustls::ServerConfig>,
) {
    let address = caller.address;
    let acceptor = tokio_rustls::TlsAcceptor::from(config.now());
    match tokio::time::timeout(hub.options.greeting_timeout, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            caller.ids.extend(crate::tls::identity(stream.get_ref().1));
            connection::serve(hub, stream, caller).await;
        }
        Ok(Err(error)) => {
            hub.meters.bad_handshakes.add(1);
            let explained = incumbent_tls::explain(&error);
            let why = explained.map_or_else(|| error.to_string(), |why| why.advice);
            info!(%address, why, "TLS handshake failed; closed the connection");
        }
        Err(_) => {
            hub.meters.bad_handshakes.add(1);
            info!(%address, "TLS handshake did not end in time; closed the connection");
        }
    }
}
