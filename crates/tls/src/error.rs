//! Why there is no configuration.

use std::io;
use std::path::PathBuf;

/// Why files cannot be used for TLS. Each variant names the file and what to do.
///
/// No variant holds a library's message about the contents of a file: such messages can repeat a
/// part of a private key.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read: correct its path or its permissions.
    #[error("cannot read {what} from {}", .file.display())]
    Unreadable {
        /// What was looked for.
        what: &'static str,
        /// Where.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no PEM, or has nothing of this kind.
    #[error("there is no {what} in {}: it must be PEM, with lines like -----BEGIN {label}-----", .file.display())]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// As PEM calls it.
        label: &'static str,
        /// Where.
        file: PathBuf,
    },
    /// The file has such a thing in PEM, which cannot be decoded: it was cut off or changed.
    #[error("{} is damaged: {what} in it cannot be decoded; copy the file again", .file.display())]
    Damaged {
        /// What was looked for.
        what: &'static str,
        /// Where.
        file: PathBuf,
    },
    /// The certificate has no extensions. Browsers and the TLS library in use here refuse those.
    #[error(
        "the certificate in {} is X.509 version 1, which is refused; issue it again with extensions, \
         for example `openssl x509 -req … -extfile FILE` with subjectAltName=DNS:NAME in FILE", .0.display()
    )]
    VersionOne(PathBuf),
    /// The key is of a kind that cannot be used, or is encrypted.
    #[error("the private key in {} cannot be used: RSA, ECDSA (P-256, P-384, P-521) and Ed25519 can, without a passphrase", .0.display())]
    Key(PathBuf),
    /// Certificate and key are of different pairs. For a moment that is so while both are replaced.
    #[error("the private key in {} does not belong to the certificate in {}", .key.display(), .certificate.display())]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The certificate is one that the TLS library does not understand.
    #[error("the certificate in {} cannot be used", .file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What the TLS library says.
        source: rustls::Error,
    },
    /// The authorities in the file cannot be used.
    #[error("the authorities in {} cannot be used", .file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// What the TLS library says.
        source: rustls::server::VerifierBuilderError,
    },
    /// The text is no name that a certificate could have.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    Name(String),
    /// The TLS library itself cannot be set up.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}
