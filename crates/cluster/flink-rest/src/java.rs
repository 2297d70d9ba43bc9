//! A failure as Flink's client reads it: in the format of Java's serialization, in Base64, beside
//! the class and the text for everybody else. Pure.
//!
//! Java takes an object of a class whose other fields are missing, if the class has the number that
//! the object names. Both are the same in all versions since 1.5.

use serde_json::{Value, json};

const CLASS: &str = "org.apache.flink.util.FlinkException";
const SERIALIZED: &str = "org.apache.flink.util.SerializedThrowable";

/// Longest message, in bytes: Java's short texts have a length of 16 bits.
const LONGEST: usize = 16 * 1024;

/// What Flink's API has as `failure-cause`.
pub(crate) fn failure(message: &str) -> Value {
    // Modified UTF-8 differs for what is not ASCII only in a few letters; a `?` does no harm.
    let plain: String = message
        .chars()
        .map(|letter| {
            if letter.is_ascii() && letter != '\0' {
                letter
            } else {
                '?'
            }
        })
        .collect();
    let short = &plain[..plain.len().min(LONGEST)];
    let trace = format!("{CLASS}: {short}\n");
    json!({
        "class": CLASS,
        "stack-trace": format!("{CLASS}: {message}\n"),
        "serialized-throwable": base64(&serialized(&format!("{CLASS}: {short}"), &trace)),
    })
}

/// An object of [`SERIALIZED`] with this message and stack trace.
fn serialized(message: &str, trace: &str) -> Vec<u8> {
    const OBJECT: u8 = 0x73;
    const CLASS_DESCRIPTION: u8 = 0x72;
    const STRING: u8 = 0x74;
    const REFERENCE: u8 = 0x71;
    const END: u8 = 0x78;
    const NULL: u8 = 0x70;
    const SERIALIZABLE: u8 = 2;
    const HAS_WRITE_METHOD: u8 = 1;
    /// The second thing in the stream: the name of the type of texts.
    const TYPE_OF_TEXT: [u8; 5] = [REFERENCE, 0x00, 0x7e, 0x00, 0x01];

    let mut out = vec![0xac, 0xed, 0x00, 0x05, OBJECT];
    let text = |out: &mut Vec<u8>, text: &str| {
        let length = u16::try_from(text.len()).expect("it was cut");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    };
    let class = |out: &mut Vec<u8>, name: &str, number: i64, flags: u8, fields: u16| {
        out.push(CLASS_DESCRIPTION);
        text(out, name);
        out.extend_from_slice(&number.to_be_bytes());
        out.push(flags);
        out.extend_from_slice(&fields.to_be_bytes());
    };
    class(
        &mut out,
        SERIALIZED,
        7_284_183_123_441_947_635,
        SERIALIZABLE,
        2,
    );
    out.push(b'L');
    text(&mut out, "fullStringifiedStackTrace");
    out.push(STRING);
    text(&mut out, "Ljava/lang/String;");
    out.push(b'L');
    text(&mut out, "originalErrorClassName");
    out.extend_from_slice(&TYPE_OF_TEXT);
    out.push(END);
    class(
        &mut out,
        "java.lang.Exception",
        -3_387_516_993_124_229_948,
        SERIALIZABLE,
        0,
    );
    out.push(END);
    class(
        &mut out,
        "java.lang.Throwable",
        -3_042_686_055_658_047_285,
        SERIALIZABLE | HAS_WRITE_METHOD,
        1,
    );
    out.push(b'L');
    text(&mut out, "detailMessage");
    out.extend_from_slice(&TYPE_OF_TEXT);
    out.extend_from_slice(&[END, NULL]);
    // The fields, from the uppermost class down.
    for (value, is_last_of_throwable) in [(message, true), (trace, false), (CLASS, false)] {
        out.push(STRING);
        text(&mut out, value);
        if is_last_of_throwable {
            out.push(END);
        }
    }
    out
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let part = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let all = part(0) << 16 | part(1) << 8 | part(2);
        for digit in 0..4 {
            let bits = (all >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit <= three.len() {
                char::from(DIGITS[bits])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_everybody() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_failure_has_class_and_text_for_everybody() {
        let failure = failure(&"ü".repeat(LONGEST));
        assert_eq!(failure["class"], CLASS);
        assert!(failure["stack-trace"].as_str().unwrap().contains("üü"));
        assert!(
            failure["serialized-throwable"]
                .as_str()
                .unwrap()
                .starts_with("rO0ABXNy")
        );
    }
}
