//! Reading bytes from the front, with bounds.

use super::error::{JavaError, JavaErrorKind};

/// A cursor over the bytes of a stream.
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    /// How many bytes were taken.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    pub(super) fn left(&self) -> usize {
        self.all.len() - self.at
    }

    pub(super) fn error(&self, kind: JavaErrorKind) -> JavaError {
        JavaError { at: self.at, kind }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], JavaError> {
        let end = self.at.checked_add(count);
        match end.and_then(|end| self.all.get(self.at..end)) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => Err(self.error(JavaErrorKind::Truncated)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], JavaError> {
        let taken = self.take(N)?;
        Ok(taken
            .try_into()
            .expect("take returns as many bytes as asked for"))
    }

    /// The next byte, without taking it.
    pub(super) fn peek(&self) -> Option<u8> {
        self.all.get(self.at).copied()
    }

    pub(super) fn u8(&mut self) -> Result<u8, JavaError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, JavaError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, JavaError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, JavaError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// A length in four bytes, of elements that take at least `each` bytes.
    pub(super) fn length(&mut self, each: usize) -> Result<usize, JavaError> {
        let length = i32::from_be_bytes(self.array()?);
        let wrong = JavaErrorKind::Length(length.into());
        let length = usize::try_from(length).map_err(|_| self.error(wrong))?;
        // Checked here, so that no memory is reserved for elements that cannot follow.
        match length.checked_mul(each) {
            Some(bytes) if bytes <= self.left() => Ok(length),
            _ => Err(self.error(JavaErrorKind::Truncated)),
        }
    }

    /// A string with its length in two bytes.
    pub(super) fn utf(&mut self) -> Result<String, JavaError> {
        let length = self.u16()?;
        self.text(length.into())
    }

    /// A string with its length in eight bytes.
    pub(super) fn long_utf(&mut self) -> Result<String, JavaError> {
        let length = self.i64()?;
        let wrong = JavaErrorKind::Length(length);
        let length = usize::try_from(length).map_err(|_| self.error(wrong))?;
        self.text(length)
    }

    fn text(&mut self, length: usize) -> Result<String, JavaError> {
        let start = self.at;
        let bytes = self.take(length)?;
        modified_utf8(bytes).ok_or(JavaError {
            at: start,
            kind: JavaErrorKind::Text,
        })
    }
}

/// Decodes Java's modified UTF-8: UTF-16 with each unit written in one to three bytes.
pub(crate) fn modified_utf8(bytes: &[u8]) -> Option<String> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut bytes = bytes.iter().copied();
    let more = |bytes: &mut dyn Iterator<Item = u8>| {
        let byte = bytes.next()?;
        (byte & 0xc0 == 0x80).then_some(u16::from(byte & 0x3f))
    };
    while let Some(byte) = bytes.next() {
        units.push(match byte {
            0x00..=0x7f => u16::from(byte),
            0xc0..=0xdf => (u16::from(byte & 0x1f) << 6) | more(&mut bytes)?,
            0xe0..=0xef => {
                let (high, middle) = (u16::from(byte & 0x0f), more(&mut bytes)?);
                (high << 12) | (middle << 6) | more(&mut bytes)?
            }
            _ => return None,
        });
    }
    String::from_utf16(&units).ok()
}
