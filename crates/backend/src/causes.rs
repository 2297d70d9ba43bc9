//! Formats an error with its causes in one line, without passwords.

use std::error::Error;
use std::fmt::Write;

/// Longest line, in bytes. Some libraries put whole documents into their errors.
const LONGEST: usize = 2048;

/// The error and its causes in one line: `cannot open the store: connection refused`.
///
/// - A cause that its error already repeats is left out.
/// - Passwords in addresses are left out: see [`redacted`]. If code makes an error from a document,
///   it must leave the document out: this function cannot recognize a secret in it.
/// - Line ends and other control characters are escaped, and the line is cut after 2 KiB.
pub fn causes(error: &(dyn Error + '_)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            let _ = write!(text, ": {words}");
        }
        if text.len() > LONGEST {
            break;
        }
        next = cause.source();
    }
    one_line(&redacted(&text))
}

/// Replaces the login in addresses: `etcd://…@host:2379/path`.
///
/// A password may hold a `/` or `?` that should have been percent-encoded. So if the part before
/// the path looks like a login, everything between `://` and the last `@` of the same word is
/// replaced.
pub fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "\"'`<>|".contains(c));
        let (word, tail) = after.split_at(end.unwrap_or(after.len()));
        out.push_str(&without_login(word));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The word after `://` without its login.
fn without_login(word: &str) -> String {
    let authority = &word[..word.find(['/', '?']).unwrap_or(word.len())];
    let last = match authority.contains([':', '@']) {
        true => word.rfind('@'),
        false => None,
    };
    match last {
        Some(at) => format!("…{}", &word[at..]),
        None => word.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LONGEST + 4));
    for c in text.trim().chars() {
        if line.len() > LONGEST {
            line.push('…');
            break;
        }
        match c {
            '\n' | '\r' | '\t' => line.push(' '),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Link {
        words: String,
        source: Option<Box<Link>>,
    }

    fn chain(words: &[&str]) -> Link {
        let (first, rest) = words.split_first().unwrap();
        Link {
            words: (*first).to_owned(),
            source: (!rest.is_empty()).then(|| Box::new(chain(rest))),
        }
    }

    #[test]
    fn causes_follow_their_error_and_repetitions_are_left_out() {
        assert_eq!(causes(&chain(&["a"])), "a");
        assert_eq!(
            causes(&chain(&["no store", "refused", "os error 111"])),
            "no store: refused: os error 111"
        );
        assert_eq!(
            causes(&chain(&["no store (refused)", "refused", "why"])),
            "no store (refused): why"
        );
    }

    #[test]
    fn an_error_is_one_short_line() {
        assert_eq!(
            causes(&chain(&["a\nb\r\n\u{1b}[31m\n"])),
            "a b  \\u{1b}[31m"
        );
        let long = causes(&chain(&[&"x".repeat(100_000), "cause"]));
        assert!(long.len() < LONGEST + 10 && long.ends_with('…'));
    }

    #[test]
    fn passwords_in_addresses_are_left_out() {
        for (text, shown) in [
            ("etcd://u:secret@h:1/p refused", "etcd://…@h:1/p refused"),
            (
                "\"zookeeper://u:secret@h1,h2/p\": no",
                "\"zookeeper://…@h1,h2/p\": no",
            ),
            (
                "http://secret@h and http://u:secret@i",
                "http://…@h and http://…@i",
            ),
            ("etcd://u:secr@secret@h", "etcd://…@h"),
            ("etcd://u:secret/secret@h/p", "etcd://…@h/p"),
            ("etcd://u:secret?secret@h/p", "etcd://…@h/p"),
            ("etcd://u:s@secret/secret@h/p", "etcd://…@h/p"),
            ("file:///a@b/c", "file:///a@b/c"),
            ("http://h:1/a b@c", "http://h:1/a b@c"),
            ("mail me@here", "mail me@here"),
        ] {
            assert_eq!(redacted(text), shown);
            assert_eq!(causes(&chain(&["x", text])), format!("x: {shown}"));
        }
    }
}
