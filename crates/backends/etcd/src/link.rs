//! One connection to one server, with its login token and the cluster it leads to.

use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;
use http::Uri;
use incumbent_backend::BoxError;
use incumbent_backend::hosts::{Host, Login};
use prost::bytes::Bytes;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::{Code, Status};

use crate::error::EtcdError;
use crate::message::{
    AUTHENTICATE, AuthenticateRequest, AuthenticateResponse, RANGE, RangeRequest, RangeResponse,
};
use crate::names::Cluster;
use crate::outcome::{self, Known};
use crate::settings::Settings;
use crate::wire::{Token, Wire};

/// A connection to one server.
///
/// A connection leads to one server process, and that process serves one cluster as long as it
/// lives. So a revision that was read on this connection can be compared with a revision that is
/// written on it: see [`Cluster`].
pub(crate) struct Link {
    pub(crate) wire: Wire,
    pub(crate) host: Host,
    pub(crate) cluster: Cluster,
    /// Counts the connections.
    pub(crate) number: u64,
    token: Mutex<Option<Token>>,
    /// Held while a new token is fetched, so that only one call does it.
    renewing: tokio::sync::Mutex<()>,
}

/// The future that drives a connection. It ends when the connection ends.
pub(crate) type Work = BoxFuture<'static, hyper::Result<()>>;

/// Why there is no connection to a server.
pub(crate) enum Trouble {
    /// Another server may work.
    Unreachable(BoxError),
    /// The server answered and refused this client. Other servers would refuse it too.
    Refused(EtcdError),
}

impl Link {
    /// Connects to a server, logs in, and asks for the cluster ID.
    ///
    /// It asks with a linearizable read, which fails on a server that is cut off from the others:
    /// such a server must not be used.
    ///
    /// As soon as the connection exists, the future that drives it is passed to `begin`.
    pub(crate) async fn open(
        settings: &Settings,
        host: &Host,
        number: u64,
        begin: impl FnOnce(Work),
    ) -> Result<Self, Trouble> {
        let (wire, work) = connect(settings, host)
            .await
            .map_err(Trouble::Unreachable)?;
        begin(work);
        let token = match settings.hosts.login() {
            Some(login) => log_in(&wire, login).await?,
            None => None,
        };
        // None of our keys has this name, but an account that may read our keys may read this one
        // too.
        let key = Bytes::from(format!("{}/", settings.base));
        let request = RangeRequest {
            key,
            keys_only: true,
            ..RangeRequest::default()
        };
        let answer: Result<RangeResponse, _> = wire.ask(RANGE, token.clone(), request).await;
        let answer = answer.map_err(|status| trouble(&format!("{}/", settings.base), &status))?;
        let Some(header) = answer.header else {
            let why = "it does not say which etcd it is";
            return Err(Trouble::Unreachable(why.into()));
        };
        Ok(Self {
            wire,
            host: host.clone(),
            cluster: Cluster(header.cluster_id),
            number,
            token: Mutex::new(token),
            renewing: tokio::sync::Mutex::default(),
        })
    }

    /// The token that identifies this client to the servers.
    pub(crate) fn token(&self) -> Option<Token> {
        let token = self.token.lock();
        token.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gets a new token to replace this one, which the servers no longer accept, unless another
    /// call has just done so.
    pub(crate) async fn log_in_again(
        &self,
        login: &Login,
        old: Option<&Token>,
    ) -> Result<(), Trouble> {
        let _turn = self.renewing.lock().await;
        if self.token().as_ref() == old {
            let fresh = log_in(&self.wire, login).await?;
            let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
            *token = fresh;
        }
        Ok(())
    }
}

async fn connect(settings: &Settings, host: &Host) -> Result<(Wire, Work), BoxError> {
    let tcp = TcpStream::connect((host.name(), host.port())).await?;
    tcp.set_nodelay(true)?;
    let scheme = settings.tls.as_ref().map_or("http", |_| "https");
    let origin = Uri::builder()
        .scheme(scheme)
        .authority(host.to_string())
        .path_and_query("/")
        .build()?;
    match &settings.tls {
        None => Ok(Wire::begin(tcp, origin).await?),
        Some(config) => {
            let name = ServerName::try_from(host.name().to_owned())?;
            let connector = TlsConnector::from(config.clone());
            let tls = connector.connect(name, tcp).await?;
            Ok(Wire::begin(tls, origin).await?)
        }
    }
}

/// Returns a token, or `None` if the servers do not require a login.
async fn log_in(wire: &Wire, login: &Login) -> Result<Option<Token>, Trouble> {
    let request = AuthenticateRequest {
        name: login.user.clone(),
        password: login.password.clone(),
    };
    let answer: Result<AuthenticateResponse, _> = wire.ask(AUTHENTICATE, None, request).await;
    match answer {
        Ok(answer) => {
            let token = Token::try_from(answer.token);
            // The cause is left out, because it could reveal the token.
            let mut token =
                token.map_err(|_| Trouble::Unreachable("the token is no text".into()))?;
            token.set_sensitive(true);
            Ok(Some(token))
        }
        Err(status) if wants_no_login(&status) => Ok(None),
        Err(status) => Err(trouble(&format!("the login of {}", login.user), &status)),
    }
}

/// An address may name a login before the servers require one. etcd's own client allows this too.
fn wants_no_login(status: &Status) -> bool {
    status.code() == Code::FailedPrecondition
        && status.message().contains("authentication is not enabled")
}

/// Classifies an error answer to one of the first requests on a connection.
fn trouble(what: &str, status: &Status) -> Trouble {
    let judged = outcome::judge(status);
    let source = Box::new(judged.why);
    match judged.known {
        // A new token that is already too old is a passing fault.
        Known::Refused
            if judged.then == outcome::Then::GoOn || status.code() == Code::InvalidArgument =>
        {
            Trouble::Refused(EtcdError::Refused {
                what: what.to_owned(),
                source,
            })
        }
        Known::Refused | Known::Unsent | Known::Unsure => Trouble::Unreachable(source),
    }
}
