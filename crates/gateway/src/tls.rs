//! TLS: in front and towards the leader, both read again when their files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};
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

/// The TLS towards leaders, as it is now. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Back {
    now: Arc<RwLock<Configs>>,
    name: Option<ServerName<'static>>,
}

/// One for each HTTP.
struct Configs {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
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

    /// Reads the files again whenever they have changed. What cannot be used is told, and what was
    /// there stays.
    pub(crate) async fn follow(&self) {
        let ServerTls {
            certificate, key, ..
        } = &self.files;
        let mut files = vec![certificate.clone(), key.clone()];
        files.extend(self.files.client_ca.clone());
        let mut seen = contents(&files).await;
        loop {
            changed(&files, &mut seen).await;
            let options = self.files.clone();
            if let Some(config) = again(move || server(&options), certificate).await {
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = config;
            }
        }
    }
}

/// Waits until the files are not what was seen of them.
async fn changed(files: &[PathBuf], seen: &mut Vec<Option<Vec<u8>>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let found = contents(files).await;
        if found != *seen {
            *seen = found;
            return;
        }
    }
}

/// What was read again, unless it cannot be used.
async fn again<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, TlsError> + Send + 'static,
    file: &Path,
) -> Option<T> {
    let read = tokio::task::spawn_blocking(read).await;
    match read.expect("reading files does not panic, and is not aborted") {
        Ok(config) => {
            tracing::info!(certificate = %file.display(), "read the certificate again");
            Some(config)
        }
        // Certificate and key are rarely replaced in one moment: the other one follows.
        Err(error) => {
            tracing::warn!(
                certificate = %file.display(),
                error = &error as &dyn std::error::Error,
                "the new certificate cannot be used; the old one stays"
            );
            None
        }
    }
}

/// The contents, and not the times: a file may be replaced within the resolution of a clock, or be
/// a link to another.
async fn contents(files: &[PathBuf]) -> Vec<Option<Vec<u8>>> {
    let files = files.to_vec();
    let read = move || files.iter().map(|file| std::fs::read(file).ok()).collect();
    let read = tokio::task::spawn_blocking(read).await;
    read.expect("reading files does not panic, and is not aborted")
}

impl Back {
    /// Reads the files, and follows them until the last clone is dropped.
    ///
    /// Must be called inside a Tokio runtime.
    pub(crate) fn new(options: &UpstreamTls) -> Result<Self, TlsError> {
        let name = match &options.name {
            Some(name) => {
                Some(ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name.clone()))?)
            }
            None => None,
        };
        let now = Arc::new(RwLock::new(client(options)?));
        let identity = options.identity.clone();
        let mut files = Vec::from_iter(identity.into_iter().flat_map(|(one, two)| [one, two]));
        files.extend(options.ca.clone());
        if !files.is_empty() {
            tokio::spawn(follow(Arc::downgrade(&now), files, options.clone()));
        }
        Ok(Self { now, name })
    }

    /// The configuration for this HTTP, and the name that the leader at `host` must have.
    pub(crate) fn with(
        &self,
        http2: bool,
        host: &str,
    ) -> Option<(Arc<ClientConfig>, ServerName<'static>)> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        let config = if http2 { &now.http2 } else { &now.http1 };
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).ok()?,
        };
        Some((Arc::clone(config), name))
    }
}

/// Reads the files towards leaders again whenever they have changed. Connections that are there
/// stay.
async fn follow(now: Weak<RwLock<Configs>>, files: Vec<PathBuf>, options: UpstreamTls) {
    let mut seen = contents(&files).await;
    loop {
        tokio::select! {
            () = changed(&files, &mut seen) => {}
            () = gone(&now) => return,
        }
        let options = options.clone();
        let read = again(move || client(&options), &files[0]).await;
        let Some(now) = now.upgrade() else { return };
        if let Some(configs) = read {
            *now.write().unwrap_or_else(PoisonError::into_inner) = configs;
        }
    }
}

async fn gone<T>(thing: &Weak<T>) {
    while thing.strong_count() > 0 {
        tokio::time::sleep(LOOK).await;
    }
}

fn client(options: &UpstreamTls) -> Result<Configs, TlsError> {
    let mut roots = RootCertStore::empty();
    match &options.ca {
        Some(file) => {
            for certificate in certificates(file)? {
                roots.add(certificate)?;
            }
        }
        // Whichever of the system's can be used; if there is none, no leader is believed, and the
        // log says so.
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
    Ok(Configs {
        http1: Arc::new(http1),
        http2: Arc::new(http2),
    })
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
