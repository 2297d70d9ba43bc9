//! Why a configuration could not be made.

use std::io;
use std::path::PathBuf;

/// Why files cannot be used for TLS. Each variant names the file and what to do.
///
/// No variant holds a library's message about the contents of a file, because such a message can
/// repeat part of a private key.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read: correct its path or its permissions.
    #[error("cannot read {what} from {}", .file.display())]
    Unreadable {
        /// The item that was looked for.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file is not PEM, or contains no such item.
    #[error("there is no {what} in {}: it must be PEM, with lines like -----BEGIN {label}-----", .file.display())]
    Missing {
        /// The item that was looked for.
        what: &'static str,
        /// The item's label in PEM.
        label: &'static str,
        /// The file.
        file: PathBuf,
    },
    /// The file contains the item, but it cannot be decoded: it was cut off or changed.
    #[error("{} is damaged: {what} in it cannot be decoded; copy the file again", .file.display())]
    Damaged {
        /// The item that was looked for.
        what: &'static str,
        /// The file.
        file: PathBuf,
    },
    /// The certificate has no extensions. Browsers and the TLS library in use refuse such
    /// certificates.
    #[error(
        "the certificate in {} is X.509 version 1, which is refused; issue it again with extensions, \
         for example `openssl x509 -req … -extfile FILE` with subjectAltName=DNS:NAME in FILE", .0.display()
    )]
    VersionOne(PathBuf),
    /// The key is encrypted, or of an unsupported kind.
    #[error("the private key in {} cannot be used: RSA, ECDSA (P-256, P-384, P-521) and Ed25519 can, without a passphrase", .0.display())]
    Key(PathBuf),
    /// The certificate and the key do not match. This happens for a moment while both are replaced.
    #[error("the private key in {} does not belong to the certificate in {}", .key.display(), .certificate.display())]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The TLS library does not understand the certificate.
    #[error("the certificate in {} cannot be used", .file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// The TLS library's error.
        source: rustls::Error,
    },
    /// The CA certificates in the file cannot be used.
    #[error("the authorities in {} cannot be used", .file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// The TLS library's error.
        source: rustls::server::VerifierBuilderError,
    },
    /// The text is neither a DNS name nor an IP address, so no certificate could contain it.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    Name(String),
    /// The TLS library itself cannot be set up.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}
