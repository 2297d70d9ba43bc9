//! Which files there are, and what they make.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::{Reloading, TlsError, pem};

/// A certificate and its private key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and behind it those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key, without a passphrase.
    pub key: PathBuf,
}

/// Whose word a client takes for a server's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The authorities of the system.
    #[default]
    System,
    /// The authorities in this file, and no others.
    File(PathBuf),
}

/// What a client needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFiles {
    /// Which servers are believed.
    pub trust: Trust,
    /// What servers know this client by; nothing if they do not ask.
    pub identity: Option<Identity>,
}

/// What a server needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFiles {
    /// What it shows, whatever name a client asks for.
    pub identity: Identity,
    /// The authorities of clients. If there are any, every client needs a certificate.
    pub client_ca: Option<PathBuf>,
}

/// The texts of [`ClientFiles`], checked, for a library that reads PEM itself.
///
/// It has no `Debug`, since it holds a private key.
#[derive(Clone)]
pub struct ClientPem {
    /// The authorities.
    pub ca: String,
    /// Certificate and key.
    pub identity: Option<(String, String)>,
}

impl ClientFiles {
    /// As the options `ca`, `cert` and `key` of an address say; `None` if TLS is not spoken.
    ///
    /// # Errors
    ///
    /// The options do not go together; the text says why, and names them so.
    pub fn of_options(
        ca: Option<PathBuf>,
        cert: Option<PathBuf>,
        key: Option<PathBuf>,
    ) -> Result<Option<Self>, &'static str> {
        let Some(ca) = ca else {
            if cert.is_some() || key.is_some() {
                return Err("cert and key need ca");
            }
            return Ok(None);
        };
        let identity = match (cert, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            _ => return Err("cert and key go together"),
        };
        Ok(Some(Self {
            trust: Trust::File(ca),
            identity,
        }))
    }

    /// Reads the files. `alpn` is what is offered, best first; nothing if it is empty.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn read(&self, alpn: &[&[u8]]) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_root_certificates(self.trust.roots()?);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.read()?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| identity.unusable(error))?
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }

    /// The texts of the files, after a check that they can be used.
    ///
    /// # Errors
    ///
    /// [`TlsError`]; [`TlsError::Missing`] for [`Trust::System`], which has no file.
    pub fn read_pem(&self) -> Result<ClientPem, TlsError> {
        self.read(&[])?;
        let Trust::File(ca) = &self.trust else {
            return Err(TlsError::Missing {
                what: "authority",
                label: "CERTIFICATE",
                file: PathBuf::new(),
            });
        };
        let identity = self.identity.as_ref().map(|identity| {
            let certificate = pem::text(&identity.certificate, "certificate")?;
            Ok((certificate, pem::text(&identity.key, "private key")?))
        });
        Ok(ClientPem {
            ca: pem::text(ca, "certificate")?,
            identity: identity.transpose()?,
        })
    }

    /// All that is read.
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        if let Trust::File(ca) = &self.trust {
            paths.push(ca.clone());
        }
        if let Some(Identity { certificate, key }) = &self.identity {
            paths.extend([certificate.clone(), key.clone()]);
        }
        paths
    }

    /// Reads the files, and reads them again when they change; see [`Reloading`].
    ///
    /// # Errors
    ///
    /// [`TlsError`], if they cannot be used now.
    pub fn reloading(
        self,
        alpn: &'static [&'static [u8]],
    ) -> Result<Reloading<ClientConfig>, TlsError> {
        Reloading::new(self.paths(), move || self.read(alpn))
    }
}

impl ServerFiles {
    /// Reads the files. `alpn` is what is accepted, best first; anything if it is empty.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn read(&self, alpn: &[&[u8]]) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let roots = Arc::new(roots(file)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                let verifier = verifier.build().map_err(|source| TlsError::Authorities {
                    file: file.clone(),
                    source,
                })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let (chain, key) = self.identity.read()?;
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| self.identity.unusable(error))?;
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }

    /// All that is read.
    pub fn paths(&self) -> Vec<PathBuf> {
        let Identity { certificate, key } = &self.identity;
        let mut paths = vec![certificate.clone(), key.clone()];
        paths.extend(self.client_ca.clone());
        paths
    }

    /// Reads the files, and reads them again when they change; see [`Reloading`].
    ///
    /// # Errors
    ///
    /// [`TlsError`], if they cannot be used now.
    pub fn reloading(
        self,
        alpn: &'static [&'static [u8]],
    ) -> Result<Reloading<ServerConfig>, TlsError> {
        Reloading::new(self.paths(), move || self.read(alpn))
    }
}

impl Identity {
    fn read(&self) -> Result<Pair, TlsError> {
        Ok((pem::chain(&self.certificate)?, pem::key(&self.key)?))
    }

    /// What it means that the TLS library does not take this identity.
    fn unusable(&self, error: rustls::Error) -> TlsError {
        match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
            },
            rustls::Error::InvalidCertificate(_) => TlsError::Certificate {
                file: self.certificate.clone(),
                source: error,
            },
            // Its words may be about what is in the file.
            _ => TlsError::Key(self.key.clone()),
        }
    }
}

type Pair = (
    Vec<rustls::pki_types::CertificateDer<'static>>,
    rustls::pki_types::PrivateKeyDer<'static>,
);

impl Trust {
    fn roots(&self) -> Result<RootCertStore, TlsError> {
        match self {
            Self::File(file) => roots(file),
            Self::System => {
                let mut roots = RootCertStore::empty();
                let found = rustls_native_certs::load_native_certs();
                // Systems have some that are odd; the others are still good.
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    tracing::warn!(
                        "the system has no certificate authorities, so no server is believed; \
                         install them (ca-certificates), or name a file of authorities"
                    );
                }
                Ok(roots)
            }
        }
    }
}

/// The name to look for in the certificate of a server.
///
/// # Errors
///
/// [`TlsError::Name`].
pub fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    let parsed = ServerName::try_from(name.to_owned());
    parsed.map_err(|_| TlsError::Name(name.to_owned()))
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(file)? {
        let added = roots.add(certificate);
        added.map_err(|source| TlsError::Certificate {
            file: file.to_owned(),
            source,
        })?;
    }
    Ok(roots)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
