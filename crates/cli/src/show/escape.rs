//! Stored text is data, also on a terminal: [`printable`].
//!
//! Names, addresses and errors come from stores, from other nodes and from clients. Printed as they
//! are, they could move the cursor, set the title, or show other words than they contain.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every character escaped that a terminal would act on instead of showing it:
/// control characters (as `\n` or `\u{1b}`), and marks that change the direction of text or are
/// invisible (as `\u{202e}`).
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_active, |c, out| out.extend(c.escape_default()))
}

/// JSON with the same characters escaped, in the way of JSON: the value is the same. Line ends and
/// tabs between values stay.
pub(crate) fn json_printable(json: &str) -> Cow<'_, str> {
    let acts = |c| is_active(c) && !matches!(c, '\n' | '\r' | '\t');
    escaped(json, acts, |c, out| {
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            // Writing to a string does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escaped(
    text: &str,
    acts: impl Fn(char) -> bool,
    escape: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// Whether a terminal acts on the character, or shows nothing for it.
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_shown_instead() {
        for (text, shown) in [
            ("web=http://10.0.0.7:8000", "web=http://10.0.0.7:8000"),
            ("Zürich 東京 👩‍💻", "Zürich 東京 👩‍💻"),
            ("a\x1b[2Jb", r"a\u{1b}[2Jb"),
            ("a\nb\tc\r", r"a\nb\tc\r"),
            ("\u{9b}31m\u{7f}", r"\u{9b}31m\u{7f}"),
            ("gpj.\u{202e}exe", r"gpj.\u{202e}exe"),
            ("\u{2066}x\u{2069}\u{feff}", r"\u{2066}x\u{2069}\u{feff}"),
            ("\u{e0041}", r"\u{e0041}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "a\u{202e}": "\u{9b}\u{e0041}\u{7f}\u{1b}ü" });
        for text in [
            value.to_string(),
            serde_json::to_string_pretty(&value).unwrap(),
        ] {
            let shown = json_printable(&text);
            let acts = |c: char| is_active(c) && c != '\n';
            assert!(!shown.contains(acts), "{shown}");
            let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(read, value);
        }
    }
}
