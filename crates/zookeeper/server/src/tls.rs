//! TLS: how the server proves who it is, and who a client is by its certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use incumbent_zk_proto::Id;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

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
}

/// TLS with a certificate and its key, both PEM; clients need a certificate of `client_ca` if that
/// is given.
///
/// # Errors
///
/// [`TlsError`].
pub fn tls(
    cert: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_file(key).map_err(|cause| TlsError::File {
        what: "a private key",
        file: key.to_owned(),
        cause,
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match client_ca {
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
    Ok(Arc::new(
        builder.with_single_cert(certificates(cert)?, key)?,
    ))
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

/// Why a handshake with a client failed, for the log.
pub(crate) fn handshake_error(error: &std::io::Error) -> String {
    let tls = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)))
            if other.to_string().contains("UnsupportedCertVersion") =>
        {
            "the client's certificate is X.509 version 1, and only version 3 is accepted; issue it \
             with extensions (openssl x509 -req makes version 1 unless it gets -extfile)"
                .into()
        }
        _ => error.to_string(),
    }
}

/// The subject of a client's certificate, as scheme `x509` has it.
pub(crate) fn identity(connection: &rustls::ServerConnection) -> Option<Id> {
    let certificate = connection.peer_certificates()?.first()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(Id {
        scheme: "x509".into(),
        id: rfc2253(parsed.subject()),
    })
}

/// A name as Java prints it (`X500Principal.getName`, RFC 2253): the most specific part first, with
/// commas only.
fn rfc2253(name: &x509_parser::x509::X509Name<'_>) -> String {
    let part = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
        let kind = x509_parser::objects::oid2abbrev(
            attribute.attr_type(),
            x509_parser::objects::oid_registry(),
        )
        .map_or_else(|_| attribute.attr_type().to_id_string(), str::to_owned);
        match attribute.as_str() {
            Ok(text) => format!("{kind}={}", escaped(text)),
            // As Java shows what it does not know as text: two of them are not the same.
            Err(_) => format!("{kind}=#{}", hex(attribute.attr_value().data)),
        }
    };
    let all: Vec<_> = name.iter_rdn().collect();
    let parts = all.iter().rev().map(|together| {
        let parts: Vec<_> = together.iter().map(part).collect();
        parts.join("+")
    });
    parts.collect::<Vec<_>>().join(",")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (index, c) in value.char_indices() {
        let at_edge = index == 0 || index + c.len_utf8() == value.len();
        if ",+\"\\<>;".contains(c) || (at_edge && c == ' ') || (index == 0 && c == '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
