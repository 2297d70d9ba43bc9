//! From a kubeconfig, or a pod's service account, to a client of the API server.
//!
//! ```text
//! environment.rs   what the process was started with
//! kubeconfig.rs    files -> one context: a cluster, a user, a namespace
//! server.rs        the cluster's address and the proxy
//! login.rs         the user -> a header, a certificate, and until when
//! plugin.rs        a program that prints them
//! keeper.rs        the newest login; a new one when it is over or was refused
//! refusal.rs       the library's errors, without secrets
//! ```
//!
//! What `kubectl` accepts is accepted here, and nothing in a user's file ends in a panic. No error
//! repeats a secret: see [`Unusable`]. The library `kube` does the rest: TLS, proxies, OpenID
//! Connect and connections.

mod environment;
mod keeper;
mod kubeconfig;
mod login;
mod plugin;
mod refusal;
mod secret;
mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, HeaderValue, USER_AGENT};
use http::{Request, Response, StatusCode};
use incumbent_backend::BoxError;
use kube::client::{AuthError, Body};
use kube::{Client, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tower_service::Service;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use crate::error::KubernetesError;
use environment::Environment;
use keeper::Keeper;
use kubeconfig::{Chosen, Cluster, Files, User};
use login::load;
use refusal::provider_refusal;
use secret::Unusable;
use server::Server;

/// In which a connection must be there, with TLS. It is shorter than a request may take, so that a
/// server that is not reached differs from one that does not answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// The client's name in the server's audit log.
const AGENT: &str = concat!("incumbent/", env!("CARGO_PKG_VERSION"));

/// What is chosen of a user's configuration. The default is what `kubectl` would use.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Path of the kubeconfig. `None`: the files of `KUBECONFIG`, else `~/.kube/config`; if there
    /// is none, the service account of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// Which context of it. `None`: the current one.
    pub context: Option<String>,
}

/// A way to an API server, with credentials that renew themselves.
///
/// A request is sent once: after a failure, the caller decides. If the server refuses the
/// credentials (401), a plugin, a token file or the kubeconfig's user is asked again, and the next
/// request has what it gives.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    server: String,
    namespace: String,
}

impl Connection {
    /// Reads the configuration, and asks no server. A credential plugin is looked up now and run
    /// for the first request.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// - [`KubernetesError::Config`]: no configuration, or one that cannot be used. The text names
    ///   the file and the place, and repeats nothing of it that may be secret.
    /// - [`KubernetesError::NoRuntime`]: not inside a Tokio runtime.
    pub fn open(access: &Access) -> Result<Self, KubernetesError> {
        Self::open_in(access, Environment::of_process())
    }

    fn open_in(access: &Access, environment: Environment) -> Result<Self, KubernetesError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(KubernetesError::NoRuntime);
        }
        let connection = Self::load(access, environment);
        connection.map_err(|unusable| KubernetesError::Config(Box::new(unusable)))
    }

    fn load(access: &Access, environment: Environment) -> Result<Self, Unusable> {
        let files = Files::find(access.kubeconfig.as_deref(), &environment);
        let (mut chosen, files) = match files.read()? {
            Some(kubeconfig) => {
                let chosen = kubeconfig.choose(access.context.as_deref())?;
                (chosen, Some(files))
            }
            None => (in_pod(access, &files, &environment)?, None),
        };
        let namespace = chosen.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| "default".to_owned());
        if !is_namespace(&namespace) {
            return Err(Unusable(
                "the namespace of the context in the kubeconfig is no name that a namespace can have"
                    .to_owned(),
            ));
        }
        let target = target(&mut chosen, &environment)?;
        let server = target.cluster_url.to_string();
        let keeper = Keeper::new(target, chosen, files, environment)?;
        Ok(Self {
            client: Client::new(Sender(keeper), &*namespace),
            server,
            namespace,
        })
    }

    /// Sends requests. Use [`quietly`] around it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The server's URL, for messages.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The namespace that the configuration names.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({}, {})", self.server, self.namespace)
    }
}

/// Runs calls of the library without the lines that it logs as errors, one for each failure. What a
/// failure means is for the caller to log. With `kube_client=debug` they appear.
pub async fn quietly<T>(call: impl Future<Output = T>) -> T {
    if tracing::enabled!(target: "kube_client", tracing::Level::DEBUG) {
        return call.await;
    }
    call.with_subscriber(Dispatch::none()).await
}

/// Whether a namespace can have this name. It becomes a part of paths.
pub(crate) fn is_namespace(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The server and service account that Kubernetes gives to each pod.
fn in_pod(access: &Access, files: &Files, environment: &Environment) -> Result<Chosen, Unusable> {
    let host = environment.text("KUBERNETES_SERVICE_HOST");
    let port = environment.text("KUBERNETES_SERVICE_PORT");
    let (Some(host), Some(port)) = (host, port) else {
        return Err(Unusable(format!(
            "there is no kubeconfig with a context (looked for {files}), and this is no pod with a service account \
             (KUBERNETES_SERVICE_HOST is not set)"
        )));
    };
    if let Some(context) = &access.context {
        return Err(Unusable(format!(
            "the address names context {context:?}, and there is no kubeconfig (looked for {files})"
        )));
    }
    let host = match host.parse::<std::net::Ipv6Addr>() {
        Ok(ip) => format!("[{ip}]"),
        Err(_) => host,
    };
    let account = &environment.service_account;
    let namespace = kubeconfig::read_file(&account.join("namespace")).ok();
    let namespace = namespace.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(Chosen {
        cluster_name: "of this pod".to_owned(),
        cluster: Cluster {
            server: format!("https://{host}:{port}"),
            certificate_authority: Some(account.join("ca.crt")),
            ..Cluster::default()
        },
        user_name: "service account".to_owned(),
        user: User {
            token_file: Some(account.join("token")),
            ..User::default()
        },
        namespace: namespace.map(|text| text.trim().to_owned()),
    })
}

/// The server, without a user.
fn target(chosen: &mut Chosen, environment: &Environment) -> Result<Config, Unusable> {
    let (cluster, name) = (&chosen.cluster, &chosen.cluster_name);
    let authority = cluster.certificate_authority_data.is_some()
        || cluster.certificate_authority.is_some()
        || cluster.insecure_skip_tls_verify;
    let user = &chosen.user;
    let has_tls =
        authority || user.client_certificate.is_some() || user.client_certificate_data.is_some();
    let server = Server::parse(&cluster.server, has_tls)
        .map_err(|why| Unusable(format!("the server of cluster {name:?} {why}")))?;
    let mut config = Config::new(server.url);
    config.proxy_url = server::proxy(cluster, &config.cluster_url, environment)?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify;
    let tls_server_name = cluster.tls_server_name.clone();
    config.tls_server_name = tls_server_name.filter(|name| !name.is_empty());
    // A second request would hide the outcome of the first.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_WITHIN);
    // Each call has its own limit. One for all of a connection would end watches, and connections
    // that rest.
    config.read_timeout = None;
    config.write_timeout = None;
    config.headers = vec![(USER_AGENT, HeaderValue::from_static(AGENT))];
    trust(&mut config, cluster, name)?;
    // A login in the address is for a user that has none.
    if let Some((login, password)) = server.login
        && chosen.user.username.is_none()
    {
        chosen.user.username = Some(login);
        chosen.user.password = Some(password);
    }
    Ok(config)
}

/// Which certificates the server may have.
fn trust(config: &mut Config, cluster: &Cluster, name: &str) -> Result<(), Unusable> {
    let through_tls_proxy =
        config.proxy_url.as_ref().and_then(http::Uri::scheme_str) == Some("https");
    let is_plain = config.cluster_url.scheme_str() == Some("http") && !through_tls_proxy;
    if cluster.insecure_skip_tls_verify || is_plain {
        // No certificate is checked, so the system's need not be loaded, nor exist.
        config.root_cert = Some(Vec::new());
    }
    if cluster.insecure_skip_tls_verify {
        return Ok(());
    }
    let (data, file) = (
        cluster.certificate_authority_data.as_ref(),
        cluster.certificate_authority.as_deref(),
    );
    let unusable = |why: &str| Unusable(format!("certificate-authority of cluster {name:?} {why}"));
    let Some(pem) = load(data, file).map_err(|why| unusable(&why))? else {
        return Ok(());
    };
    let certificates: Result<Vec<CertificateDer<'_>>, _> =
        CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|_| unusable("is not PEM"))?;
    if certificates.is_empty() {
        return Err(unusable("has no certificate in PEM"));
    }
    let certificates = certificates.iter().map(|it| it.to_vec()).collect();
    config.root_cert = Some(certificates);
    let inline = data.is_some_and(|data| !data.expose().trim().is_empty());
    // A file is read again, for authorities are replaced too.
    config.root_cert_file = file.filter(|_| !inline).map(PathBuf::from);
    Ok(())
}

/// Adds the login to each request, and notes what the server thinks of it.
#[derive(Clone)]
struct Sender(Arc<Keeper>);

impl Service<Request<Body>> for Sender {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let keeper = Arc::clone(&self.0);
        Box::pin(send(keeper, request))
    }
}

async fn send(keeper: Arc<Keeper>, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let login = keeper.login().await?;
    if let Some(header) = &login.header {
        request.headers_mut().insert(AUTHORIZATION, header.clone());
    }
    let response = login.client.send(request).await.map_err(safe)?;
    if response.status() == StatusCode::UNAUTHORIZED {
        keeper.refused(&login);
    } else {
        keeper.accepted(&login);
    }
    Ok(response)
}

/// The error, unless it is of an auth-provider, whose text may repeat a secret.
fn safe(error: kube::Error) -> BoxError {
    let provider = match &error {
        kube::Error::Auth(error) => Some(error),
        kube::Error::Service(error) => error.downcast_ref::<AuthError>(),
        _ => None,
    };
    match provider {
        Some(error) => Box::new(Unusable(provider_refusal(error))),
        None => Box::new(error),
    }
}

#[cfg(test)]
mod tests;
