//! The credentials of a user as requests use them: a header, a certificate, and until when.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::config::{AuthInfo, AuthProviderConfig};
use kube::{Client, Config};
use tokio::time::Instant;

use super::kubeconfig::{AuthProvider, User, read_file};
use super::plugin::Plugin;
use super::refusal::refusal;
use super::secret::{Secret, Unusable};

/// After which a token file is read again. Kubernetes replaces the tokens of pods in time for this.
const FILE_LASTS: Duration = Duration::from_secs(60);

/// How long before their end credentials are renewed: a request under way needs them valid.
const BEFORE_END: SignedDuration = SignedDuration::from_secs(10);

/// What requests use to be known to the server.
#[derive(Clone)]
pub(crate) struct Login {
    /// Which one, counted from the start of the process.
    pub(crate) number: u64,
    /// The value of `Authorization`.
    pub(crate) header: Option<HeaderValue>,
    /// Connections of this identity.
    pub(crate) client: Client,
    pub(crate) identity: Identity,
    pub(crate) lasts: Lasts,
}

/// Until when a login is used, unless it is refused before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lasts {
    UntilRefused,
    Until(Timestamp),
    UntilRead { again: Instant },
}

/// What belongs to a connection, not to a request: another identity needs other connections.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Identity {
    certificate: Option<(Secret, Secret)>,
    provider: Option<AuthProvider>,
    user: User,
}

/// Where the header comes from. A user has one of them, or none.
pub(crate) enum Method {
    Nothing,
    Basic {
        name: String,
        password: Secret,
    },
    Token(Secret),
    TokenFile {
        path: PathBuf,
        before: Option<Secret>,
    },
    Plugin,
    Oidc(AuthProvider),
}

impl Lasts {
    pub(crate) fn is_over(self) -> bool {
        match self {
            Self::UntilRefused => false,
            // The end is given as a time of day, by the issuer of the credentials.
            Self::Until(end) => Timestamp::now() + BEFORE_END >= end,
            Self::UntilRead { again } => Instant::now() >= again,
        }
    }

    fn as_file() -> Self {
        Self::UntilRead {
            again: Instant::now() + FILE_LASTS,
        }
    }
}

impl Method {
    /// The method of a user. As for `kubectl`, a token takes precedence over a name with a
    /// password, and both over a plugin.
    pub(crate) fn of(user: &User, name: &str) -> Result<Self, Unusable> {
        let token = given(user.token.as_ref());
        if let Some(path) = &user.token_file {
            return Ok(Self::TokenFile {
                path: path.clone(),
                before: token,
            });
        }
        if let Some(token) = token {
            return Ok(Self::Token(token));
        }
        if let Some(name) = user.username.as_ref().filter(|name| !name.is_empty()) {
            return Ok(Self::Basic {
                name: name.clone(),
                password: user.password.clone().unwrap_or_default(),
            });
        }
        match (&user.exec, &user.auth_provider) {
            (Some(_), Some(_)) => Err(Unusable(format!(
                "user {name:?} in the kubeconfig has both exec and auth-provider: remove one of them"
            ))),
            (Some(_), None) => Ok(Self::Plugin),
            (None, Some(provider)) if provider.name == "oidc" => Ok(Self::Oidc(provider.clone())),
            (None, Some(provider)) => Err(Unusable(format!(
                "auth-provider {:?} of user {name:?} is not supported; use a credential plugin (exec) instead, as \
                 kubectl needs one too",
                provider.name
            ))),
            (None, None) => Ok(Self::Nothing),
        }
    }

    /// The present header of this method, its certificate if it has one, and how long they last.
    pub(crate) async fn header(
        &self,
        user: &str,
        plugin: Option<&Plugin>,
    ) -> Result<Header, Unusable> {
        let header = |value: Option<HeaderValue>, lasts| Header {
            value,
            certificate: None,
            lasts,
        };
        match self {
            Self::Nothing | Self::Oidc(_) => Ok(header(None, Lasts::UntilRefused)),
            Self::Basic { name, password } => {
                let login = STANDARD.encode(format!("{name}:{}", password.expose()));
                let value = sensitive(&format!("Basic {login}"));
                Ok(header(value, Lasts::UntilRefused))
            }
            Self::Token(token) => {
                let place = format!("the token of user {user:?} in the kubeconfig");
                Ok(header(Some(bearer(token, &place)?), Lasts::UntilRefused))
            }
            Self::TokenFile { path, before } => {
                let place = format!("the token file {} of user {user:?}", path.display());
                let token = match (read_token(path), before) {
                    (Ok(token), _) => token,
                    // It can have been removed on purpose after the start.
                    (Err(_), Some(before)) => before.clone(),
                    (Err(error), None) => {
                        return Err(Unusable(format!("{place} cannot be read: {error}")));
                    }
                };
                Ok(header(Some(bearer(&token, &place)?), Lasts::as_file()))
            }
            Self::Plugin => {
                let plugin = plugin.expect("a user with this method has a plugin");
                let printed = plugin.run().await?;
                let place =
                    format!("the token that the credential plugin of user {user:?} printed");
                let token = printed.token.as_ref();
                Ok(Header {
                    value: token.map(|token| bearer(token, &place)).transpose()?,
                    certificate: printed.certificate,
                    lasts: printed.expires.map_or(Lasts::UntilRefused, Lasts::Until),
                })
            }
        }
    }
}

/// The result of a [`Method`].
pub(crate) struct Header {
    pub(crate) value: Option<HeaderValue>,
    /// Certificate chain and key.
    pub(crate) certificate: Option<(Secret, Secret)>,
    pub(crate) lasts: Lasts,
}

impl Identity {
    /// The certificate of a user, or the one that a plugin has given instead.
    pub(crate) fn new(
        user: &User,
        name: &str,
        method: &Method,
        from_plugin: Option<(Secret, Secret)>,
    ) -> Result<Self, Unusable> {
        let certificate = match from_plugin {
            Some(certificate) => Some(certificate),
            None => certificate_of(user, name)?,
        };
        let provider = match method {
            Method::Oidc(provider) => Some(provider.clone()),
            _ => None,
        };
        // Of the user itself only what is sent with each request.
        let user = User {
            impersonate: user.impersonate.clone(),
            impersonate_uid: user.impersonate_uid.clone(),
            impersonate_groups: user.impersonate_groups.clone(),
            impersonate_extra: user.impersonate_extra.clone(),
            ..User::default()
        };
        Ok(Self {
            certificate,
            provider,
            user,
        })
    }

    /// Connections of this identity.
    pub(crate) fn client(&self, target: &Config, user: &str) -> Result<Client, Unusable> {
        let encoded = |text: &Secret| STANDARD.encode(text.expose());
        let certificate = self.certificate.as_ref();
        let certificate = certificate.map(|(chain, key)| (encoded(chain), encoded(key)));
        let (certificate, key) = certificate.unzip();
        let mut config = target.clone();
        config.auth_info = AuthInfo {
            client_certificate_data: certificate,
            client_key_data: key.map(Into::into),
            impersonate: self.user.impersonate.clone(),
            impersonate_uid: self.user.impersonate_uid.clone(),
            impersonate_groups: self.user.impersonate_groups.clone(),
            impersonate_user_extra: self.user.impersonate_extra.clone(),
            auth_provider: self.provider.as_ref().map(provider_config),
            ..AuthInfo::default()
        };
        let names_authority = config.root_cert.is_some();
        let client = Client::try_from(config);
        client.map_err(|error| Unusable(refusal(&error, user, names_authority)))
    }
}

fn provider_config(provider: &AuthProvider) -> AuthProviderConfig {
    let config = provider.config.iter();
    AuthProviderConfig {
        name: provider.name.clone(),
        config: config
            .map(|(name, value)| (name.clone(), value.expose().trim().to_owned()))
            .collect(),
        ..AuthProviderConfig::default()
    }
}

/// The certificate chain and the key of a user, in PEM.
fn certificate_of(user: &User, name: &str) -> Result<Option<(Secret, Secret)>, Unusable> {
    let part = |what: &str, data: Option<&Secret>, file: Option<&PathBuf>| {
        let pem = load(data, file.map(PathBuf::as_path));
        let pem = pem.map_err(|why| Unusable(format!("{what} of user {name:?} {why}")))?;
        let text = pem.map(String::from_utf8).transpose();
        let text = text.map_err(|_| Unusable(format!("{what} of user {name:?} is not PEM")))?;
        Ok(text.map(Secret::new))
    };
    let certificate = part(
        "client-certificate",
        user.client_certificate_data.as_ref(),
        user.client_certificate.as_ref(),
    )?;
    let key = part(
        "client-key",
        user.client_key_data.as_ref(),
        user.client_key.as_ref(),
    )?;
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Unusable(format!(
            "user {name:?} in the kubeconfig has a client-certificate and no client-key"
        ))),
        (None, Some(_)) => Err(Unusable(format!(
            "user {name:?} in the kubeconfig has a client-key and no client-certificate"
        ))),
    }
}

/// What is inline, in base64, or else what is in the file; otherwise why it cannot be had.
pub(crate) fn load(data: Option<&Secret>, file: Option<&Path>) -> Result<Option<Vec<u8>>, String> {
    if let Some(data) = given(data) {
        let plain: String = data.expose().split_ascii_whitespace().collect();
        let bytes = STANDARD.decode(plain);
        return bytes.map(Some).map_err(|_| "is not base64".to_owned());
    }
    let bytes = file.map(|path| {
        read_file(path).map_err(|error| format!("cannot be read from {}: {error}", path.display()))
    });
    bytes.transpose()
}

/// What is there and not only space.
fn given(text: Option<&Secret>) -> Option<Secret> {
    text.filter(|text| !text.expose().trim().is_empty())
        .cloned()
}

fn read_token(path: &Path) -> std::io::Result<Secret> {
    let text = String::from_utf8(read_file(path)?);
    let text = text.map_err(|_| std::io::Error::other("it is not text"))?;
    Ok(Secret::new(text))
}

/// `Bearer …`, of a token as it is in a file, with the line end that editors add.
fn bearer(token: &Secret, place: &str) -> Result<HeaderValue, Unusable> {
    let token = token.expose().trim();
    if token.is_empty() {
        return Err(Unusable(format!("{place} is empty")));
    }
    let value = sensitive(&format!("Bearer {token}"));
    value.ok_or_else(|| {
        Unusable(format!(
            "{place} has a character that no HTTP header may have"
        ))
    })
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
