//! The files, and the configurations made from them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::{Reloading, TlsError, pem};

/// A certificate and its private key, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, followed by the intermediate certificates up to its CA.
    pub certificate: PathBuf,
    /// The certificate's private key, without a passphrase.
    pub key: PathBuf,
}

/// The CAs whose signature on a server's certificate a client trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The operating system's CAs.
    #[default]
    System,
    /// The CAs in this file, and no others.
    File(PathBuf),
}

/// The TLS files of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFiles {
    /// The CAs that must have signed the servers' certificates.
    pub trust: Trust,
    /// Identifies this client to the servers; `None` if they do not ask for a certificate.
    pub identity: Option<Identity>,
}

/// The TLS files of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFiles {
    /// The certificate that the server presents, whatever name a client asks for.
    pub identity: Identity,
    /// The CAs of client certificates. If set, every client needs a certificate.
    pub client_ca: Option<PathBuf>,
}

/// The contents of [`ClientFiles`], checked, for a library that parses PEM itself.
///
/// It has no `Debug`, because it holds a private key.
#[derive(Clone)]
pub struct ClientPem {
    /// The CA certificates.
    pub ca: String,
    /// The certificate and the key.
    pub identity: Option<(String, String)>,
}

impl ClientFiles {
    /// Makes the files from the options `ca`, `cert` and `key` of an address. Returns `None` if the
    /// address does not enable TLS.
    ///
    /// # Errors
    ///
    /// The options are not a valid combination. The text says why, and uses these names.
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

    /// Reads the files. `alpn` lists the protocols to offer, best first; if it is empty, none is
    /// offered.
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

    /// Reads the files as text, and checks that they can be used.
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

    /// All files to read.
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
    /// Reads the files. `alpn` lists the protocols to accept, best first; if it is empty, any is
    /// accepted.
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

    /// All files to read.
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

    /// Converts the TLS library's error about this identity.
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
            // The library's message is left out, because it may quote the file.
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
                // Some systems have CAs that cannot be parsed; the others still work.
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

/// Parses the name that a server's certificate must contain.
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
