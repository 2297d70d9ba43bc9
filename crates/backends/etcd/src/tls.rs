//! The certificates that an address names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use incumbent_backend::{Address, BoxError};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::error::EtcdError;

/// What gRPC speaks. Servers refuse whoever does not offer it.
const HTTP_2: &[u8] = b"h2";

/// Files, as far as the address names them.
#[derive(Default)]
pub(crate) struct TlsFiles {
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl TlsFiles {
    /// Reads them. `None` if connections are not by TLS.
    pub(crate) fn read(&self, address: &Address) -> Result<Option<Arc<ClientConfig>>, EtcdError> {
        let Some(ca) = &self.ca else {
            if self.cert.is_some() || self.key.is_some() {
                return Err(address.unusable("cert and key need ca").into());
            }
            return Ok(None);
        };
        let identity = match (&self.cert, &self.key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((pem(cert)?, pem(key)?)),
            _ => return Err(address.unusable("cert and key go together").into()),
        };
        let config = config(&pem(ca)?, identity).map_err(EtcdError::Tls)?;
        Ok(Some(Arc::new(config)))
    }
}

fn config(ca: &[u8], identity: Option<(Vec<u8>, Vec<u8>)>) -> Result<ClientConfig, BoxError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err("there is no certificate in the file of the authority".into());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = CertificateDer::pem_slice_iter(&cert).collect::<Result<_, _>>()?;
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&key)?)?
        }
    };
    config.alpn_protocols = vec![HTTP_2.to_vec()];
    Ok(config)
}

fn pem(path: &Path) -> Result<Vec<u8>, EtcdError> {
    std::fs::read(path).map_err(|source| EtcdError::File {
        path: path.to_owned(),
        source,
    })
}
