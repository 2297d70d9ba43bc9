//! Where records end, without decoding them.

use memchr::{memchr, memchr3, memrchr};

/// How many bytes make a batch.
pub(crate) const BATCH: usize = 32 * 1024;

/// The end of the last line that ends in the first [`BATCH`] bytes; if none does, of the first
/// line. 0 if no line ends.
pub(crate) fn lines(bytes: &[u8]) -> usize {
    let first = &bytes[..bytes.len().min(BATCH)];
    if let Some(at) = memrchr(b'\n', first) {
        return at + 1;
    }
    let rest = &bytes[first.len()..];
    memchr(b'\n', rest).map_or(0, |at| first.len() + at + 1)
}

/// The same for records of CSV: a newline in quotes ends none. The bytes begin with a record.
pub(crate) fn records(bytes: &[u8], delimiter: u8) -> usize {
    let mut end = 0;
    let mut at = 0;
    // At the beginning of a field, where a quote opens it.
    while at < bytes.len() {
        if bytes[at] == b'"' {
            match closed(bytes, at + 1) {
                Some(after) => at = after,
                None => return end,
            }
        }
        match memchr3(delimiter, b'\n', b'\r', &bytes[at..]) {
            None => return end,
            Some(found) => {
                at += found + 1;
                if bytes[at - 1] == b'\n' {
                    if at > BATCH && end > 0 {
                        return end;
                    }
                    end = at;
                    if at >= BATCH {
                        return end;
                    }
                }
            }
        }
    }
    end
}

/// The end of the first record. 0 if none ends.
pub(crate) fn first_record(bytes: &[u8], delimiter: u8) -> usize {
    let mut from = 0;
    loop {
        let Some(found) = memchr(b'\n', &bytes[from..]) else {
            return 0;
        };
        from += found + 1;
        if records(&bytes[..from], delimiter) == from {
            return from;
        }
    }
}

/// What is behind the quote that closes the field; two quotes are one of its text.
fn closed(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr(b'"', bytes.get(at..)?)? + 1;
        match bytes.get(at) {
            Some(b'"') => at += 1,
            _ => return Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newline_in_quotes_ends_no_record() {
        for (text, expected) in [
            ("", 0),
            ("a,b", 0),
            ("a,b\n", 4),
            ("a,b\nc", 4),
            ("a,\"b\nc\"\nd", 8),
            ("a,\"b\"\"\n\"\nd", 9),
            ("a,\"b\n", 0),
            ("x\na,\"b\n", 2),
            ("a,5\" pipe,b\nc\n", 14),
            ("a,b\r\n", 5),
            ("\"\"\n", 3),
        ] {
            assert_eq!(records(text.as_bytes(), b','), expected, "{text:?}");
        }
        assert_eq!(first_record(b"a,\"b\nc\"\nd\n", b','), 8);
        assert_eq!(first_record(b"a,\"b\nc\"", b','), 0);
    }

    #[test]
    fn a_batch_ends_at_the_last_record_that_fits_or_has_one_long_record() {
        let short = "1234567\n".repeat(BATCH / 8 + 10);
        assert_eq!(lines(short.as_bytes()), BATCH);
        assert_eq!(records(short.as_bytes(), b','), BATCH);
        let long = format!("{}\nx\n", "y".repeat(2 * BATCH));
        assert_eq!(lines(long.as_bytes()), 2 * BATCH + 1);
        assert_eq!(records(long.as_bytes(), b','), 2 * BATCH + 1);
        let after = format!("x\n{long}");
        assert_eq!(lines(after.as_bytes()), 2);
        assert_eq!(records(after.as_bytes(), b','), 2);
    }
}
