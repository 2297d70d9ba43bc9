//! TLS: in front, read again when its files change, and towards the leader.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::options::{ServerTls, UpstreamTls};

/// How often the files are looked at. A certificate is renewed days before it has to be.
const LOOK: Duration = Duration::from_secs(5);

/// Why there is no TLS with these files.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or has no such thing in PEM.
    #[error("cannot read {what} from {}", .file.display())]
    File {
        /// What was looked for.
        what: &'static str,
        /// Where.
        file: PathBuf,
        /// Why not.
        #[source]
        cause: rustls::pki_types::pem::Error,
    },
    /// The file has no certificate.
    #[error("there is no certificate in {}", .0.display())]
    Empty(PathBuf),
    /// Certificate and key do not go together, or cannot be used.
    #[error("certificate and key cannot be used")]
    Unusable(#[from] rustls::Error),
    /// The authorities of the clients cannot be used.
    #[error("the authorities of clients cannot be used")]
    Authorities(#[from] rustls::server::VerifierBuilderError),
    /// The name is none that a certificate could have.
    #[error("{0:?} is no name of a server")]
    Name(String),
}

/// The TLS in front, as it is now.
pub(crate) struct Front {
    files: ServerTls,
    now: RwLock<Arc<ServerConfig>>,
}

/// The TLS towards leaders.
#[derive(Clone)]
pub(crate) struct Back {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl Front {
    pub(crate) fn new(files: &ServerTls) -> Result<Self, TlsError> {
        Ok(Self {
            files: files.clone(),
            now: RwLock::new(server(files)?),
        })
    }

    /// For the next connection.
    pub(crate) fn now(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn pass_certificate(&self) -> bool {
        self.files.pass_certificate
    }

    /// Reads the files again whenever they have changed. What cannot be used is told, and what was there stays.
    pub(crate) async fn follow(&self) {
        let mut seen = contents(&self.files).await;
        loop {
            tokio::time::sleep(LOOK).await;
            let found = contents(&self.files).await;
            if found == seen {
                continue;
            }
            let files = self.files.clone();
            let built = tokio::task::spawn_blocking(move || server(&files)).await;
            match built.expect("reading files does not panic, and is not aborted") {
                Ok(config) => {
                    *self.now.write().unwrap_or_else(PoisonError::into_inner) = config;
                    tracing::info!(certificate = %self.files.certificate.display(), "read the certificate again");
                }
                // Certificate and key are rarely replaced in one moment: the other one follows.
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the new certificate cannot be used; the old one stays"
                    );
                }
            }
            seen = found;
        }
    }
}

/// The contents, and not the times: a file may be replaced within the resolution of a clock, or be a link to another.
async fn contents(files: &ServerTls) -> Vec<Option<Vec<u8>>> {
    let all = [
        Some(files.certificate.clone()),
        Some(files.key.clone()),
        files.client_ca.clone(),
    ];
    let read = move || {
        let read = |file: Option<PathBuf>| file.and_then(|file| std::fs::read(file).ok());
        all.into_iter().map(read).collect()
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.expect("reading files does not panic, and is not aborted")
}

impl Back {
    pub(crate) fn new(options: &UpstreamTls) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        match &options.ca {
            Some(file) => {
                for certificate in certificates(file)? {
                    roots.add(certificate)?;
                }
            }
            // Whichever of the system's can be used; if there is none, no leader is believed, and the log says so.
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut http1 = match &options.identity {
            Some((certificate, file)) => {
                builder.with_client_auth_cert(certificates(certificate)?, key(file)?)?
            }
            None => builder.with_no_client_auth(),
        };
        let mut http2 = http1.clone();
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        http2.alpn_protocols = vec![b"h2".to_vec()];
        let name = match &options.name {
            Some(name) => {
                Some(ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name.clone()))?)
            }
            None => None,
        };
        Ok(Self {
            http1: Arc::new(http1),
            http2: Arc::new(http2),
            name,
        })
    }

    /// The configuration for this HTTP, and the name that the leader at `host` must have.
    pub(crate) fn with(
        &self,
        http2: bool,
        host: &str,
    ) -> Option<(Arc<ClientConfig>, ServerName<'static>)> {
        let config = if http2 { &self.http2 } else { &self.http1 };
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).ok()?,
        };
        Some((Arc::clone(config), name))
    }
}

fn server(files: &ServerTls) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate)?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config =
        builder.with_single_cert(certificates(&files.certificate)?, key(&files.key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|cause| TlsError::File {
        what: "a private key",
        file: file.to_owned(),
        cause,
    })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |cause| TlsError::File {
        what: "certificates",
        file: file.to_owned(),
        cause,
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file)
        .map_err(failed)?
        .collect();
    let found = found.map_err(failed)?;
    match found.is_empty() {
        true => Err(TlsError::Empty(file.to_owned())),
        false => Ok(found),
    }
}
