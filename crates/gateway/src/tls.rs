//! TLS for clients, [`Front`], and towards leaders, [`Back`]. Their files are read again when they
//! change.

use std::sync::Arc;

use incumbent_tls::{ClientFiles, Identity, Reloading, ServerFiles, TlsError, Trust, server_name};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};

use crate::options::{ServerTls, UpstreamTls};

/// What is offered to clients: HTTP/2 first.
const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];

/// The TLS of listeners.
pub(crate) struct Front {
    config: Reloading<ServerConfig>,
    pass_certificate: bool,
}

/// The TLS towards leaders. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Back {
    configs: Reloading<Configs>,
    name: Option<ServerName<'static>>,
}

/// One configuration for each version of HTTP.
struct Configs {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl Front {
    pub(crate) fn new(options: &ServerTls) -> Result<Self, TlsError> {
        let files = ServerFiles {
            identity: Identity {
                certificate: options.certificate.clone(),
                key: options.key.clone(),
            },
            client_ca: options.client_ca.clone(),
        };
        Ok(Self {
            config: files.reloading(BOTH)?,
            pass_certificate: options.pass_certificate,
        })
    }

    /// The configuration for the next connection.
    pub(crate) fn now(&self) -> Arc<ServerConfig> {
        self.config.now()
    }

    pub(crate) fn pass_certificate(&self) -> bool {
        self.pass_certificate
    }

    /// Follows the files until the future is dropped.
    pub(crate) async fn follow(&self) {
        self.config.follow().await;
    }
}

impl Back {
    /// Reads the files, and follows them until the last clone is dropped.
    ///
    /// Must be called inside a Tokio runtime.
    pub(crate) fn new(options: &UpstreamTls) -> Result<Self, TlsError> {
        let identity = options.identity.clone();
        let files = ClientFiles {
            trust: options.ca.clone().map_or(Trust::System, Trust::File),
            identity: identity.map(|(certificate, key)| Identity { certificate, key }),
        };
        let configs = Reloading::new(files.paths(), move || Configs::read(&files))?;
        configs.follow_in_background();
        Ok(Self {
            configs,
            name: options.name.as_deref().map(server_name).transpose()?,
        })
    }

    /// The configuration for this version of HTTP, and the name that the certificate of the leader
    /// at `host` must have.
    pub(crate) fn with(
        &self,
        http2: bool,
        host: &str,
    ) -> Option<(Arc<ClientConfig>, ServerName<'static>)> {
        let now = self.configs.now();
        let config = if http2 { &now.http2 } else { &now.http1 };
        let name = match &self.name {
            Some(name) => name.clone(),
            None => server_name(host).ok()?,
        };
        Some((Arc::clone(config), name))
    }
}

impl Configs {
    fn read(files: &ClientFiles) -> Result<Self, TlsError> {
        let http1 = files.read(&[b"http/1.1"])?;
        let mut http2 = http1.clone();
        http2.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            http1: Arc::new(http1),
            http2: Arc::new(http2),
        })
    }
}
