//! The command line of `incumbent serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use incumbent_leader_server::{Identity, Options, ServerFiles, machine};

use crate::exit::{Code, Failure};

/// The shortest request that must fit: with less, a client cannot even name its first paths.
const SHORTEST_FRAME: usize = 1024;

/// Length of the SHA-1 of a password, as base64.
const DIGEST: usize = 28;

const HELP: &str = "\
Programs that know ZooKeeper 3.8 or 3.9 as a standalone server run on it unmodified: Apache Flink, Curator,
kazoo, Patroni, zkCli.sh, and `incumbent` itself:
  incumbent serve --data-dir /var/lib/incumbent
  incumbent run --ha zookeeper://127.0.0.1:2181/demo -- COMMAND

It is one process and no ensemble: while it is down, it serves nobody. With --data-dir, nothing that was
acknowledged is lost by kill -9 or by a loss of power, and sessions continue after a restart.

To lose a dead client sooner than ZooKeeper does, without changing the client:
  incumbent serve --disconnect-grace 500ms
ends a session 500 ms after its connection was closed (the kernel closes the connections of a process that
dies), unless the client comes back within that time.

A limit stops growth and nothing else. On a full server, leaders renew, clients come back to their sessions,
sessions end and nodes are deleted.";

/// Run the leader server: a name service that speaks the ZooKeeper protocol.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ServeArgs {
    /// Address to listen on; may be repeated. Port 0 takes a free port; the addresses are printed.
    #[arg(
        long,
        value_name = "ADDR",
        env = "INCUMBENT_LISTEN",
        value_delimiter = ',',
        default_value = "127.0.0.1:2181"
    )]
    listen: Vec<SocketAddr>,

    /// Directory for the log and the snapshots, empty or written by this program. Without it,
    /// everything is in memory.
    #[arg(long, value_name = "DIR", env = "INCUMBENT_DATA_DIR")]
    data_dir: Option<PathBuf>,

    /// Four-letter words to answer, such as ruok,srvr,mntr; * for all.
    #[arg(
        long,
        value_name = "WORDS",
        env = "INCUMBENT_FOUR_LETTER_WORDS",
        value_delimiter = ',',
        default_value = "srvr"
    )]
    four_letter_words: Vec<String>,

    /// Serve /metrics (Prometheus), /healthz and /readyz on this address.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_STATUS_LISTEN")]
    pub(super) status_listen: Option<SocketAddr>,

    /// Shortest session time-out that a client may have; 500ms is fine on a good network.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_MIN_SESSION_TIMEOUT", default_value = "4s",
          value_parser = humantime::parse_duration, help_heading = "Sessions")]
    min_session_timeout: Duration,

    /// Longest session time-out that a client may have.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_MAX_SESSION_TIMEOUT", default_value = "40s",
          value_parser = humantime::parse_duration, help_heading = "Sessions")]
    max_session_timeout: Duration,

    /// End a session this long after its connection was closed, unless the client comes back
    /// [default: when its time-out is over]
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_DISCONNECT_GRACE",
          value_parser = humantime::parse_duration, help_heading = "Sessions")]
    disconnect_grace: Option<Duration>,

    /// How often to delete containers without children and nodes whose time to live is over.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_FADE_INTERVAL", default_value = "60s",
          value_parser = humantime::parse_duration, help_heading = "Sessions")]
    fade_interval: Duration,

    /// Address to listen on with TLS. The certificate files are read again when they change.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_TLS_LISTEN", requires_all = ["tls_cert", "tls_key"], help_heading = "TLS and access")]
    tls_listen: Option<SocketAddr>,

    /// Certificate of the server (X.509 version 3) and those between it and its authority, PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "INCUMBENT_TLS_CERT",
        requires = "tls_listen",
        help_heading = "TLS and access"
    )]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate, PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "INCUMBENT_TLS_KEY",
        requires = "tls_listen",
        help_heading = "TLS and access"
    )]
    tls_key: Option<PathBuf>,

    /// Require a certificate of these authorities from clients, PEM. Access control lists name a
    /// client by it in the scheme x509.
    #[arg(
        long,
        value_name = "FILE",
        env = "INCUMBENT_TLS_CLIENT_CA",
        requires = "tls_listen",
        help_heading = "TLS and access"
    )]
    tls_client_ca: Option<PathBuf>,

    /// User who may do everything, as user:digest; ZooKeeper calls it
    /// DigestAuthenticationProvider.superDigest.
    #[arg(
        long,
        value_name = "DIGEST",
        env = "INCUMBENT_SUPER_DIGEST",
        hide_env_values = true,
        help_heading = "TLS and access"
    )]
    super_digest: Option<String>,

    /// Longest request, in bytes; ZooKeeper calls it jute.maxbuffer.
    #[arg(long, value_name = "BYTES", env = "INCUMBENT_MAX_FRAME", default_value_t = Options::default().max_frame, help_heading = "Limits")]
    max_frame: usize,

    /// Most connections from one address; 0 for any number. Clients with a session may come back
    /// beyond it.
    #[arg(long, value_name = "N", env = "INCUMBENT_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = Options::default().max_connections_per_address, help_heading = "Limits")]
    max_connections_per_address: usize,

    /// Most connections. Clients with a session may come back beyond it.
    #[arg(long, value_name = "N", env = "INCUMBENT_MAX_CONNECTIONS", default_value_t = Options::default().max_connections, help_heading = "Limits")]
    max_connections: usize,

    /// How many bytes may wait for one client. Beyond that, the server reads nothing more from it.
    #[arg(long, value_name = "BYTES", env = "INCUMBENT_MAX_BACKLOG", default_value_t = Options::default().max_backlog, help_heading = "Limits")]
    max_backlog: usize,

    /// Most sessions. At the limit, no new one begins.
    #[arg(long, value_name = "N", env = "INCUMBENT_MAX_SESSIONS", default_value_t = machine::Options::default().max_sessions, help_heading = "Limits")]
    max_sessions: usize,

    /// Most nodes. At the limit, none is created.
    #[arg(long, value_name = "N", env = "INCUMBENT_MAX_NODES", default_value_t = machine::Options::default().max_nodes, help_heading = "Limits")]
    max_nodes: usize,

    /// Most memory for nodes, in bytes, by estimate; watches may take a quarter of it more. At the
    /// limit, a write passes if it adds no bytes.
    #[arg(long, value_name = "BYTES", env = "INCUMBENT_MAX_MEMORY", default_value_t = machine::Options::default().max_bytes, help_heading = "Limits")]
    max_memory: usize,

    /// Most nodes that one client watches. At the limit, a client may watch again what it watches.
    #[arg(long, value_name = "N", env = "INCUMBENT_MAX_WATCHES", default_value_t = machine::Options::default().max_watches, help_heading = "Limits")]
    max_watches: usize,
}

impl ServeArgs {
    /// Refuses what would serve nobody, or have no effect.
    fn check(&self) -> Result<(), String> {
        let limits = [
            ("--max-connections", self.max_connections),
            ("--max-backlog", self.max_backlog),
            ("--max-sessions", self.max_sessions),
            ("--max-nodes", self.max_nodes),
            ("--max-memory", self.max_memory),
            ("--max-watches", self.max_watches),
        ];
        if let Some((flag, _)) = limits.iter().find(|(_, limit)| *limit == 0) {
            return Err(format!("{flag} must be more than 0"));
        }
        if self.max_frame < SHORTEST_FRAME {
            return Err(format!("--max-frame must be at least {SHORTEST_FRAME}"));
        }
        // Not repeated in the message: it may be a password.
        if self
            .super_digest
            .as_deref()
            .is_some_and(|text| !is_digest(text))
        {
            return Err(
                "--super-digest must be USER:DIGEST, as of: printf %s USER:PASSWORD | openssl dgst \
                 -sha1 -binary | base64"
                    .to_owned(),
            );
        }
        let known = Options::known_words();
        let is_known = |word: &str| word.is_empty() || word == "*" || known.contains(&word);
        match self.four_letter_words.iter().find(|word| !is_known(word)) {
            Some(word) => Err(format!(
                "--four-letter-words: there is no {word:?}, only * for all, and {}",
                known.join(", ")
            )),
            None => Ok(()),
        }
    }

    /// The options of the server.
    pub(super) fn options(self) -> Result<Options, Failure> {
        let bad = |why: &str| Failure::new(why).code(Code::Usage);
        if self.fade_interval.is_zero() {
            return Err(bad("--fade-interval must be more than 0"));
        }
        if self.min_session_timeout.is_zero() || self.max_session_timeout < self.min_session_timeout
        {
            return Err(bad(
                "--min-session-timeout must be more than 0, and --max-session-timeout at least as long",
            ));
        }
        self.check().map_err(|why| bad(&why))?;
        let tls = match (self.tls_listen, self.tls_cert, self.tls_key) {
            (Some(listen), Some(certificate), Some(key)) => {
                let identity = Identity { certificate, key };
                let client_ca = self.tls_client_ca;
                let files = ServerFiles {
                    identity,
                    client_ca,
                };
                // Files that cannot be used are a mistake in the arguments.
                files
                    .read(&[])
                    .map_err(|cause| bad("cannot use TLS").because(cause))?;
                Some((listen, files))
            }
            _ => None,
        };
        Ok(Options {
            listen: self.listen,
            tls,
            data_dir: self.data_dir,
            machine: machine::Options {
                min_session_timeout: self.min_session_timeout,
                max_session_timeout: self.max_session_timeout,
                disconnect_grace: self.disconnect_grace,
                fade_interval: self.fade_interval,
                super_digest: self.super_digest,
                max_nodes: self.max_nodes,
                max_bytes: self.max_memory,
                max_watch_bytes: self.max_memory / 4,
                max_sessions: self.max_sessions,
                max_watches: self.max_watches,
                ..machine::Options::default()
            },
            max_frame: self.max_frame,
            max_connections_per_address: self.max_connections_per_address,
            max_connections: self.max_connections,
            max_backlog: self.max_backlog,
            words: self.four_letter_words,
            ..Options::default()
        })
    }
}

fn is_digest(text: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    text.split_once(':').is_some_and(|(user, digest)| {
        let sum = digest.strip_suffix('=').unwrap_or_default();
        !user.is_empty() && digest.len() == DIGEST && sum.bytes().all(is_base64)
    })
}
