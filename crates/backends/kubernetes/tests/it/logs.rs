//! What is logged.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once};

use futures::StreamExt;
use incumbent::backend::{Backend, Expected};
use incumbent_kubernetes_double::Verb;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::{Server, create, key, place, read, refusal};

/// Sets a subscriber before anything is logged. Otherwise a line that no subscriber wants may be
/// disabled for good while another test sets its own.
pub(crate) fn listen() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_writer(io::sink)
            .init();
    });
}

/// The log of what happens on this thread while the guard lives.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn begin() -> (Self, DefaultGuard) {
        listen();
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let text = self.0.lock().unwrap();
        let text = String::from_utf8_lossy(&text);
        text.lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn one_line_for_each_loss_and_one_for_each_return() {
    let server = Server::start().await;
    let (log, _guard) = Log::begin();
    let backend = server.open("");
    let mut version = create(&backend, &key("a"), b"").await;
    assert_eq!(log.lines(), [""; 0], "all is well");
    for _ in 0..3 {
        server.double.go_down();
        for _ in 0..5 {
            backend.read(&key("a")).await.unwrap_err();
            let swapped = backend.swap(&key("a"), Expected::At(&version), b"").await;
            swapped.unwrap_err();
        }
        server.double.come_back();
        for _ in 0..5 {
            version = crate::replace(&backend, &key("a"), &version, b"").await;
            read(&backend, &key("a")).await.unwrap();
        }
    }
    let lines = log.lines();
    let with = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(
        (with("WARN"), with("INFO"), lines.len()),
        (6, 6, 12),
        "reads and writes, three times: {lines:#?}"
    );
    assert!(
        lines[0].contains("reads through the Kubernetes API server fail; retrying"),
        "{}",
        lines[0]
    );
}

/// A watch that breaks and continues is not worth a line.
#[tokio::test]
async fn a_watch_that_is_cut_and_continues_is_not_logged() {
    let server = Server::start().await;
    let (log, _guard) = Log::begin();
    let backend = server.open("");
    let mut hints = backend.watch(key("a").group());
    for _ in 0..3 {
        crate::in_time("it goes on", hints.next()).await;
        server.double.cut_watches();
    }
    crate::in_time("it goes on", hints.next()).await;
    assert_eq!(log.lines(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_refuses_for_a_reason_is_not_lost() {
    let server = Server::start().await;
    let (log, _guard) = Log::begin();
    let backend = server.open("");
    for status in [400, 403, 422, 429] {
        server.once(Verb::Create, "configmaps", refusal(status, None));
        let created = backend.swap(&key("a"), Expected::Absent, b"").await;
        created.unwrap_err();
    }
    assert_eq!(log.lines(), [""; 0]);
}

#[tokio::test]
async fn tokens_are_in_no_log_and_no_error() {
    const TOKEN: &str = "s3cr3t-t0k3n";
    let server = Server::start().await;
    let (log, _guard) = Log::begin();
    let file = place::kubeconfig(&server.double, Some(TOKEN));
    let backend = crate::open_with(&file, "");
    let mut told = vec![format!("{backend:?}")];
    let mut tell = |error: &dyn std::error::Error| {
        told.push(format!("{error:?} {error}"));
        let mut cause = error.source();
        while let Some(error) = cause {
            told.push(format!("{error:?} {error}"));
            cause = error.source();
        }
    };
    tell(&backend.read(&key("a")).await.unwrap_err());
    server.double.go_down();
    tell(&backend.read(&key("a")).await.unwrap_err());
    told.extend(log.lines());
    assert!(told.len() > 4);
    for text in told {
        assert!(!text.contains(TOKEN), "{text}");
    }
}
