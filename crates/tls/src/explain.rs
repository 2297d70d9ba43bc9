//! Explains why a handshake failed, with advice.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

/// Why a TLS connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// One word for metrics: `expired`, `not_yet_valid`, `name`, `authority`, `purpose`, `revoked`,
    /// `version_1`, `certificate`, `refused`, `not_tls` or `incompatible`.
    pub reason: &'static str,
    /// What is wrong and what to do about it, as part of a log line.
    pub advice: String,
}

/// Explains the error of a connection, if the error or one of its causes is a TLS error.
///
/// "The other side" in the advice is the peer, whether it is the client or the server.
pub fn explain(error: &(dyn Error + 'static)) -> Option<Explanation> {
    let error = tls_error(error)?;
    Some(match error {
        rustls::Error::InvalidCertificate(why) => of_certificate(why),
        rustls::Error::AlertReceived(alert) => of_alert(*alert),
        rustls::Error::NoCertificatesPresented => of(
            "refused",
            "the other side shows no certificate, and one is required here",
        ),
        rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. } => of(
            "not_tls",
            "the other side does not speak TLS; compare scheme and port of the address",
        ),
        rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => of(
            "incompatible",
            format!("the two sides have no version, cipher or protocol in common ({error})"),
        ),
        _ => of("certificate", error.to_string()),
    })
}

fn of(reason: &'static str, advice: impl Into<String>) -> Explanation {
    Explanation {
        reason,
        advice: advice.into(),
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the list of reasons is open"
)]
fn of_certificate(why: &CertificateError) -> Explanation {
    use CertificateError as E;
    match why {
        E::Expired | E::ExpiredContext { .. } => of(
            "expired",
            format!("the certificate of the other side has expired ({why}); renew it"),
        ),
        E::NotValidYet | E::NotValidYetContext { .. } => of(
            "not_yet_valid",
            format!(
                "the certificate of the other side is not valid yet ({why}); compare the clocks"
            ),
        ),
        E::UnknownIssuer | E::BadSignature => of(
            "authority",
            "the certificate of the other side is not signed by an authority that is trusted here; \
             name the authority's certificate as ca",
        ),
        E::NotValidForName => of(
            "name",
            "the certificate of the other side is for other names than the one in the address",
        ),
        E::NotValidForNameContext {
            expected,
            presented,
        } => of(
            "name",
            format!(
                "the certificate of the other side is for {}, and not for {}; use one of its names \
                 in the address, or issue it with this one as subjectAltName",
                presented_names(presented),
                expected.to_str()
            ),
        ),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => of(
            "purpose",
            "the certificate of the other side is not meant for this side of a connection (extended \
             key usage: serverAuth, clientAuth)",
        ),
        E::Revoked => of("revoked", "the certificate of the other side was revoked"),
        other if other.to_string().contains("UnsupportedCertVersion") => of(
            "version_1",
            "the certificate of the other side is X.509 version 1, which is refused; issue it again \
             with extensions, for example `openssl x509 -req … -extfile FILE`",
        ),
        other => of(
            "certificate",
            format!("the certificate of the other side cannot be used ({other})"),
        ),
    }
}

/// Shows the names as they are in the certificate. There may be many.
fn presented_names(presented: &[String]) -> String {
    const SHOWN: usize = 5;
    if presented.is_empty() {
        return "no name at all".into();
    }
    let mut names = presented[..presented.len().min(SHOWN)].join(", ");
    if presented.len() > SHOWN {
        names += ", …";
    }
    names.escape_debug().to_string()
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the list of alerts is open")]
fn of_alert(alert: AlertDescription) -> Explanation {
    use AlertDescription as A;
    match alert {
        A::UnknownCA => of(
            "refused",
            "the other side does not trust the authority of our certificate",
        ),
        A::CertificateExpired => of("refused", "our certificate has expired; renew it"),
        A::CertificateRequired => of(
            "refused",
            "the other side requires a certificate of ours; name cert and key",
        ),
        A::BadCertificate | A::UnsupportedCertificate | A::CertificateUnknown => of(
            "refused",
            format!("the other side refuses our certificate ({alert:?}); its log may say why"),
        ),
        A::HandshakeFailure | A::ProtocolVersion | A::NoApplicationProtocol => of(
            "incompatible",
            format!("the two sides have no version, cipher or protocol in common ({alert:?})"),
        ),
        other => of("refused", format!("the other side ended TLS ({other:?})")),
    }
}

/// Finds the TLS error in an error and its causes. An [`io::Error`] does not return its inner error
/// as its cause, so this looks inside it.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| tls_error(inner)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_tls_is_found_in_what_wraps_it() {
        let tls = || rustls::Error::from(CertificateError::UnknownIssuer);
        let plain = explain(&tls()).unwrap();
        assert_eq!(plain.reason, "authority");
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls()));
        assert_eq!(explain(&wrapped), Some(plain));
        assert_eq!(explain(&io::Error::from(io::ErrorKind::NotFound)), None);
    }

    #[test]
    fn each_alert_says_whose_certificate_it_is_about() {
        let alert = |alert| explain(&rustls::Error::AlertReceived(alert)).unwrap();
        let required = alert(AlertDescription::CertificateRequired);
        assert_eq!(required.reason, "refused");
        assert!(required.advice.contains("cert and key"), "{required:?}");
        assert_eq!(
            alert(AlertDescription::ProtocolVersion).reason,
            "incompatible"
        );
    }
}
