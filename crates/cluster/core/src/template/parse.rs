//! From a text to its pieces.

use super::{Fault, LONGEST_SEPARATOR, Piece, Template};
use crate::nearest::nearest;

/// All templates, for messages.
pub(super) const KNOWN: &str = "{rank}, {tasks}, {attempt}, {port}, {artifact}, {peers:,}, {peer0.host}, {peer0.port} and {env.NAME}";

/// What a wrong name is compared with, and what is suggested instead of it.
const NAMES: [(&str, &str); 14] = [
    ("rank", "{rank}"),
    ("tasks", "{tasks}"),
    ("world_size", "{tasks}"),
    ("attempt", "{attempt}"),
    ("port", "{port}"),
    ("artifact", "{artifact}"),
    ("peers", "{peers:,}"),
    ("peers:,", "{peers:,}"),
    ("peer", "{peers:,}"),
    ("peer0", "{peer0.host}"),
    ("peer0.host", "{peer0.host}"),
    ("peer0.port", "{peer0.port}"),
    ("env", "{env.NAME}"),
    ("env.NAME", "{env.NAME}"),
];

/// Reads a text. An error says how many characters come before the fault.
pub(super) fn template(text: &str) -> Result<Template, (usize, Fault)> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    // Characters, not bytes: positions are for people.
    let mut at = 0;
    while let Some(brace) = rest.find(['{', '}']) {
        literal.push_str(&rest[..brace]);
        at += rest[..brace].chars().count();
        rest = &rest[brace..];
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            literal.push_str(&rest[..1]);
            rest = after;
            at += 2;
            continue;
        }
        let Some(inner) = rest.strip_prefix('{') else {
            return Err((at, Fault::Unopened));
        };
        let end = inner
            .find(['{', '}'])
            .filter(|end| inner[*end..].starts_with('}'));
        let Some(end) = end else {
            return Err((at, Fault::Unclosed));
        };
        let piece = piece(&inner[..end]).map_err(|fault| (at, fault))?;
        if !literal.is_empty() {
            pieces.push((0, Piece::Text(std::mem::take(&mut literal))));
        }
        pieces.push((at, piece));
        at += inner[..end].chars().count() + 2;
        rest = &inner[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push((0, Piece::Text(literal)));
    }
    Ok(Template { pieces })
}

/// What stands between two braces.
fn piece(inner: &str) -> Result<Piece, Fault> {
    if let Some(separator) = inner.strip_prefix("peers:") {
        if separator.is_empty() || separator.len() > LONGEST_SEPARATOR {
            return Err(Fault::Separator);
        }
        return Ok(Piece::Peers {
            separator: separator.to_owned(),
        });
    }
    match inner {
        "rank" => Ok(Piece::Rank),
        "tasks" => Ok(Piece::Tasks),
        "attempt" => Ok(Piece::Attempt),
        "port" => Ok(Piece::Port),
        "artifact" => Ok(Piece::Artifact),
        "peers" => Ok(Piece::Peers {
            separator: ",".to_owned(),
        }),
        _ => peer(inner)
            .or_else(|| env(inner))
            .ok_or_else(|| unknown(inner)),
    }
}

fn peer(inner: &str) -> Option<Piece> {
    let (rank, part) = inner.strip_prefix("peer")?.split_once('.')?;
    // One spelling of each number; what `parse` takes besides is no rank.
    let rank: u32 = rank
        .parse()
        .ok()
        .filter(|number: &u32| number.to_string() == rank)?;
    match part {
        "host" => Some(Piece::PeerHost(rank)),
        "port" => Some(Piece::PeerPort(rank)),
        _ => None,
    }
}

fn env(inner: &str) -> Option<Piece> {
    let name = inner.strip_prefix("env.")?;
    crate::job_file::is_variable(name).then(|| Piece::Env(name.to_owned()))
}

fn unknown(inner: &str) -> Fault {
    let found = nearest(inner, NAMES.iter().map(|(name, _)| *name));
    let suggestion = NAMES.iter().find(|(name, _)| Some(*name) == found);
    Fault::Unknown {
        nearest: suggestion.map(|(_, suggestion)| *suggestion),
    }
}
