//! [`Session`]: a connection to PostgreSQL, driven by the thread that asks.

use std::path::PathBuf;
use std::time::Duration;

use incumbent_tls::{ClientFiles, Trust};
use tokio::runtime::Runtime;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Row};

use crate::password;
use crate::tls::Tls;
use crate::trouble::Trouble;

/// How long a connection may take, with its handshakes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long bytes may wait for the acknowledgement of the other machine.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server waits for a lock. The lock that counts is that of a progress row, which
/// another attempt holds while it writes.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server waits for more of a transaction. No transaction of ours is more than one
/// message, so this is for proxies that cut messages.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the server has, beyond its own time limit for a statement, to say that it is over.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// How to connect.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) config: String,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) statement_timeout: Duration,
}

/// A connection. It makes progress only while something is asked.
pub(crate) struct Session {
    client: Client,
    limit: Duration,
    runtime: Runtime,
}

impl Server {
    /// The parsed configuration, without a password.
    ///
    /// # Errors
    ///
    /// It is not well-formed, or has a password. The text does not repeat it.
    pub(crate) fn parsed(&self) -> Result<Config, String> {
        let config = self.config.parse::<Config>();
        let config = config.map_err(|error| crate::trouble::chain(&error))?;
        match config.get_password() {
            None => Ok(config),
            Some(_) => Err(
                "the connection string has a password, and is shown to people: put \
                            it into a file and name that with password_file, or set PGPASSFILE"
                    .to_owned(),
            ),
        }
    }

    /// Connects.
    pub(crate) fn connect(&self, application: &str) -> Result<Session, Trouble> {
        let mut config = self.parsed().map_err(Trouble::refused)?;
        password::add(&mut config, self.password_file.as_deref()).map_err(Trouble::refused)?;
        config
            .application_name(application)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(TCP_USER_TIMEOUT);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Trouble::Out(format!("no runtime: {error}")))?;
        let client = runtime.block_on(async {
            let connecting = connect(&config, self.ca.clone());
            match tokio::time::timeout(CONNECT_TIMEOUT * 2, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(Trouble::Out("the server did not answer in time".to_owned())),
            }
        })?;
        let session = Session {
            client,
            limit: self.statement_timeout + ANSWER_TIMEOUT,
            runtime,
        };
        session.run(&settings(self.statement_timeout))?;
        Ok(session)
    }
}

async fn connect(config: &Config, ca: Option<PathBuf>) -> Result<Client, Trouble> {
    if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        return Ok(client);
    }
    let is_required = config.get_ssl_mode() == SslMode::Require || ca.is_some();
    let files = ClientFiles {
        trust: ca.map_or(Trust::System, Trust::File),
        identity: None,
    };
    let tls = match files.read(&[]) {
        Ok(tls) => tls,
        Err(error) if is_required => return Err(Trouble::refused(crate::trouble::chain(&error))),
        // A machine without any CAs, and nobody has asked for TLS.
        Err(_) => {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            return Ok(client);
        }
    };
    let (client, connection) = config.connect(Tls::new(tls)).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// What holds for all that a session does, whatever the server's administrator has set.
fn settings(statement_timeout: Duration) -> String {
    format!(
        "SET statement_timeout = {}; SET lock_timeout = {}; \
         SET idle_in_transaction_session_timeout = {}; \
         SET default_transaction_isolation = 'read committed'; \
         SET standard_conforming_strings = on; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'",
        statement_timeout.as_millis(),
        LOCK_TIMEOUT.as_millis(),
        IDLE_TIMEOUT.as_millis(),
    )
}

impl Session {
    /// Asks, and waits for the answer.
    pub(crate) fn query(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Trouble> {
        self.wait(self.client.query_typed(statement, parameters))
    }

    /// Runs a statement that has parameters, as a transaction of its own.
    pub(crate) fn execute(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<u64, Trouble> {
        self.wait(self.client.execute_typed(statement, parameters))
    }

    /// Runs statements that are sent as one message.
    pub(crate) fn run(&self, statements: &str) -> Result<(), Trouble> {
        self.wait(self.client.batch_execute(statements))
    }

    /// Whether the connection is of no use any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.client.is_closed()
    }

    fn wait<R>(
        &self,
        answer: impl Future<Output = Result<R, tokio_postgres::Error>>,
    ) -> Result<R, Trouble> {
        let limit = self.limit;
        // A time limit needs the runtime around it already when it is made.
        let _inside = self.runtime.enter();
        match self
            .runtime
            .block_on(tokio::time::timeout(limit, Box::pin(answer)))
        {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Trouble::Out(format!(
                "the server did not answer within {} s",
                limit.as_secs()
            ))),
        }
    }
}
