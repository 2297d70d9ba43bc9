//! Four-letter words: questions that people and monitors ask with `nc`, as ZooKeeper answers them.

mod lists;
mod numbers;

use std::fmt::{Display, Write};

use incumbent_zk_proto::jute::LENGTH_BYTES;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::end::End;
use super::hub::Hub;

/// All words that ZooKeeper 3.9 knows. It answers `gtmk`, `stmk` and `hash` with what this server
/// has not; they are refused as a word is that is not allowed.
pub(super) const WORDS: &[&str] = &[
    "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst",
    "srvr", "stat", "stmk", "wchc", "wchp", "wchs",
];

/// The version of ZooKeeper whose protocol this is: clients and monitors look at it.
const VERSION: &str = concat!(
    "3.9.0-incumbent-",
    env!("CARGO_PKG_VERSION"),
    ", built on ",
    env!("INCUMBENT_BUILT_ON")
);

/// The word that the first bytes of a connection are, if they are one.
pub(super) fn parse(first: [u8; LENGTH_BYTES]) -> Option<&'static str> {
    let known = WORDS.iter().find(|word| word.as_bytes() == first);
    known.copied()
}

/// Answers a word. The stream is still to be shut down.
pub(super) async fn answer(
    hub: &Hub,
    word: &str,
    stream: &mut (impl AsyncWrite + Unpin),
) -> Result<(), End> {
    let allowed = hub.options.answers(word);
    let known = if allowed { say(hub, word).await } else { None };
    let answer = known
        .unwrap_or_else(|| format!("{word} is not executed because it is not in the whitelist.\n"));
    let sent = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await
    };
    let timeout = hub.options.greeting_timeout;
    match tokio::time::timeout(timeout, sent).await {
        Ok(sent) => Ok(sent?),
        Err(_) => Err(End::Deaf),
    }
}

/// The answer to a word. Each takes what it needs under the lock and formats it outside, so that a
/// long answer does not delay other clients.
async fn say(hub: &Hub, word: &str) -> Option<String> {
    let mut lines = Lines::default();
    match word {
        "ruok" => return Some("imok".into()),
        "isro" => return Some("rw".into()),
        "conf" => numbers::conf(hub, &mut lines),
        "cons" => lists::cons(hub, &mut lines),
        "crst" => {
            for peer in hub.state().peers.values() {
                peer.counts.reset();
            }
            lines.line("Connection stats reset.");
        }
        "srst" => {
            hub.stats.reset();
            hub.meters.reset();
            lines.line("Server stats reset.");
        }
        "dirs" => numbers::dirs(hub, &mut lines).await,
        "dump" => lists::dump(hub, &mut lines),
        "envi" => {
            lines.line("Environment:");
            lines.field("=", "zookeeper.version", VERSION);
            lines.field("=", "os.name", std::env::consts::OS);
            lines.field("=", "os.arch", std::env::consts::ARCH);
        }
        "mntr" => numbers::mntr(hub, &mut lines).await,
        "srvr" => numbers::srvr(hub, &mut lines),
        "stat" => {
            lines.field(": ", "Zookeeper version", VERSION);
            lines.line("Clients:");
            lists::clients(hub, &mut lines);
            lines.line("");
            numbers::counts(hub, &mut lines);
        }
        "wchs" => numbers::wchs(hub, &mut lines),
        "wchp" => lists::wchp(hub, &mut lines),
        "wchc" => lists::wchc(hub, &mut lines),
        _ => return None,
    }
    Some(lines.0)
}

/// Lines of an answer.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, line: impl Display) {
        writeln!(self.0, "{line}").expect("a string takes everything");
    }

    fn field(&mut self, separator: &str, name: &str, value: impl Display) {
        self.line(format_args!("{name}{separator}{value}"));
    }
}
