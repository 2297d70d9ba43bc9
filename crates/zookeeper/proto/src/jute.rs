//! Jute, ZooKeeper's serialization: big-endian integers, and lengths of four bytes before strings,
//! buffers and vectors.

/// Why bytes are not a message. The sender does not speak this protocol, or not this version of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends too early.
    #[error("the message ends {missing} bytes too early")]
    Short {
        /// At least so many bytes are missing.
        missing: usize,
    },
    /// A length or count is impossible.
    #[error("a length of {0} is impossible")]
    Length(i32),
    /// A string is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// A string is null that must not be.
    #[error("a string is null")]
    Null,
    /// A boolean is neither 0 nor 1.
    #[error("{0} is no boolean")]
    Bool(u8),
    /// A number has no meaning.
    #[error("{what} {number} is unknown")]
    Unknown {
        /// What it should mean.
        what: &'static str,
        /// The number.
        number: i32,
    },
    /// Bytes are left over.
    #[error("{0} bytes are left over after the message")]
    Trailing(usize),
}

/// Reads values from a frame. Never reads beyond it, and never allocates more than it holds.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that have not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Checks that nothing is left over.
    ///
    /// # Errors
    ///
    /// [`Malformed::Trailing`].
    pub fn end(&self) -> Result<(), Malformed> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(Malformed::Trailing(left)),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(Malformed::Short {
                missing: length - self.rest.len(),
            });
        };
        self.rest = rest;
        Ok(taken)
    }

    /// As many bytes as the array has.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many were taken"))
    }

    /// A boolean.
    ///
    /// # Errors
    ///
    /// [`Malformed`], as for everything that is read.
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        match self.bytes::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(Malformed::Bool(other)),
        }
    }

    /// An integer of four bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn int(&mut self) -> Result<i32, Malformed> {
        self.bytes().map(i32::from_be_bytes)
    }

    /// An integer of eight bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn long(&mut self) -> Result<i64, Malformed> {
        self.bytes().map(i64::from_be_bytes)
    }

    /// Bytes, or null.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn buffer(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.int()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| Malformed::Length(length))?;
                self.take(length).map(Some)
            }
        }
    }

    /// A string; null is refused.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn string(&mut self) -> Result<&'a str, Malformed> {
        self.nullable_string()?.ok_or(Malformed::Null)
    }

    /// A string, or null.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn nullable_string(&mut self) -> Result<Option<&'a str>, Malformed> {
        let Some(bytes) = self.buffer()? else {
            return Ok(None);
        };
        std::str::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Malformed::NotUtf8)
    }

    /// A vector; null counts as empty.
    ///
    /// `smallest` is the least number of bytes of an element. A count that cannot be true is
    /// refused before anything is allocated for it.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn vector<T>(
        &mut self,
        smallest: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = match self.int()? {
            -1 => 0,
            count => usize::try_from(count).map_err(|_| Malformed::Length(count))?,
        };
        let needed = count.saturating_mul(smallest);
        if needed > self.rest.len() {
            return Err(Malformed::Short {
                missing: needed - self.rest.len(),
            });
        }
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(element(self)?);
        }
        Ok(all)
    }

    /// A vector of strings.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn strings(&mut self) -> Result<Vec<&'a str>, Malformed> {
        self.vector(LENGTH_BYTES, Self::string)
    }
}

/// Bytes of a length or count.
pub const LENGTH_BYTES: usize = 4;

/// Appends values to a frame.
///
/// Lengths have 32 bits. Callers keep frames far below 2 GiB.
pub trait Write {
    /// A boolean.
    fn bool(&mut self, value: bool);
    /// An integer of four bytes.
    fn int(&mut self, value: i32);
    /// An integer of eight bytes.
    fn long(&mut self, value: i64);
    /// Bytes, or null.
    fn buffer(&mut self, value: Option<&[u8]>);
    /// A length or count.
    fn length(&mut self, value: usize);

    /// A string.
    fn string(&mut self, value: &str) {
        self.buffer(Some(value.as_bytes()));
    }

    /// A vector of strings.
    fn strings<S: AsRef<str>>(&mut self, values: &[S]) {
        self.length(values.len());
        for value in values {
            self.string(value.as_ref());
        }
    }
}

impl Write for Vec<u8> {
    fn bool(&mut self, value: bool) {
        self.push(u8::from(value));
    }

    fn int(&mut self, value: i32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn long(&mut self, value: i64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.int(-1),
            Some(bytes) => {
                self.length(bytes.len());
                self.extend_from_slice(bytes);
            }
        }
    }

    fn length(&mut self, value: usize) {
        self.int(i32::try_from(value).expect("frames are kept far below 2 GiB"));
    }
}

/// Appends one frame: its length, and the bytes that `content` writes.
pub fn frame(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.int(0);
    content(out);
    let length = i32::try_from(out.len() - start - LENGTH_BYTES)
        .expect("frames are kept far below 2 GiB")
        .to_be_bytes();
    out[start..start + LENGTH_BYTES].copy_from_slice(&length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut out = Vec::new();
        out.bool(true);
        out.int(-7);
        out.long(i64::MIN);
        out.buffer(None);
        out.buffer(Some(b""));
        out.string("knoten");
        out.strings(&["a", ""]);
        let mut reader = Reader::new(&out);
        assert_eq!(reader.bool(), Ok(true));
        assert_eq!(reader.int(), Ok(-7));
        assert_eq!(reader.long(), Ok(i64::MIN));
        assert_eq!(reader.buffer(), Ok(None));
        assert_eq!(reader.buffer(), Ok(Some(&b""[..])));
        assert_eq!(reader.string(), Ok("knoten"));
        assert_eq!(reader.strings(), Ok(vec!["a", ""]));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn a_frame_says_its_length() {
        let mut out = vec![9];
        frame(&mut out, |out| out.string("ab"));
        assert_eq!(out, [9, 0, 0, 0, 6, 0, 0, 0, 2, b'a', b'b']);
    }

    #[test]
    fn absurd_lengths_and_counts_are_refused_before_anything_is_allocated() {
        let count = i32::MAX.to_be_bytes();
        let error = Reader::new(&count).strings().unwrap_err();
        assert!(matches!(error, Malformed::Short { .. }), "{error}");
        let error = Reader::new(&count).buffer().unwrap_err();
        assert!(matches!(error, Malformed::Short { .. }), "{error}");
        let negative = (-2_i32).to_be_bytes();
        assert_eq!(Reader::new(&negative).buffer(), Err(Malformed::Length(-2)));
        assert_eq!(Reader::new(&negative).strings(), Err(Malformed::Length(-2)));
    }

    #[test]
    fn bad_text_and_booleans_are_refused() {
        assert_eq!(
            Reader::new(&[0, 0, 0, 1, 0xff]).string(),
            Err(Malformed::NotUtf8)
        );
        assert_eq!(Reader::new(&[0xff; 4]).string(), Err(Malformed::Null));
        assert_eq!(Reader::new(&[2]).bool(), Err(Malformed::Bool(2)));
    }
}
