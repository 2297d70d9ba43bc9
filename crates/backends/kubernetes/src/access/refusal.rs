//! The library's errors in words that repeat no secret.

use kube::client::{AuthError, RustlsTlsError, oidc_errors};

/// Why the library does not take a configuration. Its own text may repeat lines of a file, or a
/// password.
pub(crate) fn refusal(error: &kube::Error, user: &str, names_authority: bool) -> String {
    match error {
        kube::Error::RustlsTls(RustlsTlsError::AddRootCertificate(_)) if names_authority => {
            "certificate-authority in the kubeconfig is no certificate in PEM that can be used"
                .into()
        }
        kube::Error::RustlsTls(
            RustlsTlsError::AddRootCertificate(_) | RustlsTlsError::NoValidNativeRootCA(_),
        ) => {
            "the kubeconfig names no certificate-authority, and this system has no usable certificates".into()
        }
        kube::Error::RustlsTls(RustlsTlsError::InvalidServerName(_)) => {
            "tls-server-name in the kubeconfig is neither a DNS name nor an IP address".into()
        }
        kube::Error::RustlsTls(RustlsTlsError::MissingPrivateKey) => {
            format!("client-key of user {user:?} has no private key in PEM")
        }
        kube::Error::RustlsTls(RustlsTlsError::MissingCertificate) => {
            format!("client-certificate of user {user:?} has no certificate in PEM")
        }
        kube::Error::RustlsTls(_) => {
            format!(
                "client-certificate and client-key of user {user:?} cannot be used together, or are no PEM"
            )
        }
        kube::Error::HttpError(_) => {
            format!(
                "as, as-uid, as-groups or as-user-extra of user {user:?} has a character that no HTTP header may have"
            )
        }
        kube::Error::ProxyProtocolUnsupported { .. }
        | kube::Error::ProxyProtocolDisabled { .. } => {
            "the proxy's URL has a scheme other than http, https and socks5".into()
        }
        kube::Error::Auth(error) => provider_refusal(error),
        _ => "the kubeconfig cannot be used".into(),
    }
}

/// Why an auth-provider gives no token.
pub(crate) fn provider_refusal(error: &AuthError) -> String {
    use oidc_errors::{Error, RefreshError, RefreshInitError};

    let why = match error {
        AuthError::Oidc(Error::IdTokenMissing) => "its config has no id-token".to_owned(),
        AuthError::Oidc(Error::IdToken(_)) => "its id-token is no token of OpenID Connect".into(),
        AuthError::Oidc(Error::RefreshInit(RefreshInitError::MissingField(field))) => {
            format!("its id-token has expired, and its config has no {field} to renew it")
        }
        AuthError::Oidc(Error::Refresh(RefreshError::RequestFailed(status))) => {
            format!("its id-token has expired, and the issuer answered {status}")
        }
        AuthError::Oidc(Error::Refresh(RefreshError::AuthorizationFailure)) => {
            "its id-token has expired, and the issuer does not accept client-id and client-secret"
                .into()
        }
        AuthError::Oidc(Error::Refresh(RefreshError::InvalidURI(_))) => {
            "its id-token has expired, and idp-issuer-url is no URL".into()
        }
        AuthError::Oidc(Error::Refresh(
            RefreshError::HyperError(_) | RefreshError::HyperUtilError(_),
        )) => "its id-token has expired, and the issuer is not reached".into(),
        AuthError::Oidc(_) => "its id-token has expired, and the issuer gives no new one".into(),
        AuthError::InvalidBearerToken(_) => {
            "its id-token has a character that no HTTP header may have".into()
        }
        _ => "it gives no token".into(),
    };
    format!("auth-provider oidc of the kubeconfig: {why}")
}
