//! One connection to one server, with who we are and which etcd it is.

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
/// A connection leads to one process, and that serves one etcd as long as it lives. So what was
/// read here can be compared with what is written here: see [`Cluster`].
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

/// Does a connection's work, and ends with it.
pub(crate) type Work = BoxFuture<'static, hyper::Result<()>>;

/// Why there is no connection to a server.
pub(crate) enum Trouble {
    /// Another one may do better.
    Unreachable(BoxError),
    /// It is there and does not want us, and others will not either.
    Refused(EtcdError),
}

impl Link {
    /// Connects to a server, logs in there, and asks which etcd it is.
    ///
    /// It asks by a linearizable read: a server that is cut off from the others is none to rely on.
    ///
    /// What does the connection's work is handed to `begin` as soon as there is one.
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
        // No key of ours has this name, but an account that may read our keys may read it.
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

    /// What shows the servers who asks.
    pub(crate) fn token(&self) -> Option<Token> {
        let token = self.token.lock();
        token.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gets another token than this one, which the servers do not take any more, unless somebody
    /// else just did.
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

/// A token, or none if the servers want none.
async fn log_in(wire: &Wire, login: &Login) -> Result<Option<Token>, Trouble> {
    let request = AuthenticateRequest {
        name: login.user.clone(),
        password: login.password.clone(),
    };
    let answer: Result<AuthenticateResponse, _> = wire.ask(AUTHENTICATE, None, request).await;
    match answer {
        Ok(answer) => {
            let token = Token::try_from(answer.token);
            // Without the cause, which could show it.
            let mut token =
                token.map_err(|_| Trouble::Unreachable("the token is no text".into()))?;
            token.set_sensitive(true);
            Ok(Some(token))
        }
        Err(status) if wants_no_login(&status) => Ok(None),
        Err(status) => Err(trouble(&format!("the login of {}", login.user), &status)),
    }
}

/// A login may be prepared before the servers require one, as with etcd's own client.
fn wants_no_login(status: &Status) -> bool {
    status.code() == Code::FailedPrecondition
        && status.message().contains("authentication is not enabled")
}

/// What an answer to one of the first questions means.
fn trouble(what: &str, status: &Status) -> Trouble {
    let judged = outcome::judge(status);
    let source = Box::new(judged.why);
    match judged.known {
        // A token that is too old already is only bad luck.
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
