//! Parses PEM files.

use std::path::Path;

use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::X509Version;

use crate::TlsError;

/// All certificates of a file, in order; at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    const WHAT: &str = "certificate";
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file, WHAT)?).collect();
    let found = found.map_err(|_| TlsError::Damaged {
        what: WHAT,
        file: file.to_owned(),
    })?;
    if found.is_empty() {
        return Err(TlsError::Missing {
            what: WHAT,
            label: "CERTIFICATE",
            file: file.to_owned(),
        });
    }
    Ok(found)
}

/// The certificate chain of an identity. The first certificate is its own, and must be of version
/// 3.
pub(crate) fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = certificates(file)?;
    let own = x509_parser::parse_x509_certificate(&found[0]);
    if own.is_ok_and(|(_, own)| own.version() != X509Version::V3) {
        return Err(TlsError::VersionOne(file.to_owned()));
    }
    Ok(found)
}

/// The first private key of a file.
pub(crate) fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    const WHAT: &str = "private key";
    let text = read(file, WHAT)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        // An encrypted key is of a kind that the parser skips.
        Error::NoItemsFound if contains(&text, b"ENCRYPTED PRIVATE KEY") => {
            TlsError::Key(file.to_owned())
        }
        Error::NoItemsFound => TlsError::Missing {
            what: WHAT,
            label: "PRIVATE KEY",
            file: file.to_owned(),
        },
        _ => TlsError::Damaged {
            what: WHAT,
            file: file.to_owned(),
        },
    })
}

/// The whole text of a file.
pub(crate) fn text(file: &Path, what: &'static str) -> Result<String, TlsError> {
    String::from_utf8(read(file, what)?).map_err(|_| TlsError::Damaged {
        what,
        file: file.to_owned(),
    })
}

fn read(file: &Path, what: &'static str) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|source| TlsError::Unreadable {
        what,
        file: file.to_owned(),
        source,
    })
}

fn contains(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len()).any(|window| window == words)
}
