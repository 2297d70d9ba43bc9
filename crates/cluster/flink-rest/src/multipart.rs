//! [`FirstFile`]: the first file of a form (`multipart/form-data`, RFC 7578), out of the pieces that
//! a body comes in. Pure, and never holds more than a piece and a little.

/// Largest head of a part, in bytes.
const LARGEST_HEAD: usize = 8 * 1024;

/// What was found in the pieces so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The file begins; this is the name that its sender gave it.
    Name(String),
    /// Some of its bytes.
    Bytes(Vec<u8>),
    /// All of it has come.
    End,
}

/// A body that is no such form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Reads a form.
#[derive(Debug)]
pub(crate) struct FirstFile {
    /// What is in front of each part but the first: a new line, two dashes, the boundary.
    delimiter: Vec<u8>,
    /// What was not looked at yet.
    rest: Vec<u8>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// In front of the first delimiter, or in a part that is no file.
    Skipping,
    /// Behind a delimiter.
    Head,
    InFile,
    Over,
}

impl FirstFile {
    /// For a body of this type, if it is a form.
    pub(crate) fn of(content_type: &str) -> Option<Self> {
        let (kind, parameters) = content_type.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let named = |parameter: &str| {
            let (name, value) = parameter.split_once('=')?;
            let is_it = name.trim().eq_ignore_ascii_case("boundary");
            is_it.then(|| value.trim().trim_matches('"').to_owned())
        };
        let boundary = parameters.split(';').find_map(named)?;
        if boundary.is_empty() || boundary.len() > 70 {
            return None;
        }
        Some(Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first delimiter may be the first line.
            rest: b"\r\n".to_vec(),
            stage: Stage::Skipping,
        })
    }

    /// Takes the next piece.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Result<Vec<Found>, Malformed> {
        self.rest.extend_from_slice(piece);
        let mut found = Vec::new();
        while self.step(&mut found)? {}
        Ok(found)
    }

    /// Whether there may be more in what has come already.
    fn step(&mut self, found: &mut Vec<Found>) -> Result<bool, Malformed> {
        match self.stage {
            Stage::Skipping => Ok(self.skip_to_delimiter(None)),
            Stage::InFile => Ok(self.skip_to_delimiter(Some(found))),
            Stage::Head => self.head(found),
            Stage::Over => {
                self.rest.clear();
                Ok(false)
            }
        }
    }

    /// Takes what is in front of the next delimiter, and whether that is there.
    fn skip_to_delimiter(&mut self, file: Option<&mut Vec<Found>>) -> bool {
        let at = position(&self.rest, &self.delimiter);
        // The beginning of a delimiter may be the end of this piece.
        let safe = self.rest.len().saturating_sub(self.delimiter.len() - 1);
        let body: Vec<u8> = self.rest.drain(..at.unwrap_or(safe)).collect();
        if at.is_some() {
            self.rest.drain(..self.delimiter.len());
        }
        match file {
            None if at.is_some() => self.stage = Stage::Head,
            None => {}
            Some(found) => {
                if !body.is_empty() {
                    found.push(Found::Bytes(body));
                }
                if at.is_some() {
                    found.push(Found::End);
                    self.stage = Stage::Over;
                }
            }
        }
        at.is_some()
    }

    fn head(&mut self, found: &mut Vec<Found>) -> Result<bool, Malformed> {
        if self.rest.starts_with(b"--") {
            self.stage = Stage::Over;
            return Ok(true);
        }
        let Some(end) = position(&self.rest, b"\r\n\r\n") else {
            return match self.rest.len() > LARGEST_HEAD {
                true => Err(Malformed),
                false => Ok(false),
            };
        };
        let head: Vec<u8> = self.rest.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head);
        self.stage = match head.lines().find_map(file_name) {
            Some(name) => {
                found.push(Found::Name(name));
                Stage::InFile
            }
            None => Stage::Skipping,
        };
        Ok(true)
    }
}

/// The name of the file, if the line of a head says that the part is one.
fn file_name(line: &str) -> Option<String> {
    let (field, value) = line.split_once(':')?;
    if !field.trim().eq_ignore_ascii_case("content-disposition") {
        return None;
    }
    let (_, named) = value.split_once("filename=\"")?;
    let mut name = String::new();
    let mut letters = named.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Some(name),
            '\\' => name.extend(letters.next()),
            other => name.push(other),
        }
    }
    None
}

fn position(all: &[u8], wanted: &[u8]) -> Option<usize> {
    all.windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] = b"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nno file\r\n--XX\r\n\
        content-disposition: form-data; name=\"jarfile\"; filename=\"x \\\"y\\\".sh\"\r\nContent-Type: a/b\r\n\r\n\
        #!/bin/sh\r\n--X\r\n--XX--\r\nmore";

    fn read(pieces: &[&[u8]]) -> Result<(Vec<Found>, Vec<u8>), Malformed> {
        let mut form = FirstFile::of("multipart/form-data; boundary=\"XX\"").unwrap();
        let (mut found, mut bytes) = (Vec::new(), Vec::new());
        for piece in pieces {
            for one in form.take(piece)? {
                match one {
                    Found::Bytes(some) => bytes.extend(some),
                    other => found.push(other),
                }
            }
        }
        Ok((found, bytes))
    }

    #[test]
    fn the_file_is_found_however_the_form_is_cut() {
        let expected = (
            vec![Found::Name("x \"y\".sh".into()), Found::End],
            b"#!/bin/sh\r\n--X".to_vec(),
        );
        assert_eq!(read(&[FORM]).unwrap(), expected);
        for size in 1..FORM.len() {
            let pieces: Vec<&[u8]> = FORM.chunks(size).collect();
            assert_eq!(read(&pieces).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn what_breaks_off_has_no_end_and_what_is_no_form_is_refused() {
        let (found, _) = read(&[&FORM[..FORM.len() - 14]]).unwrap();
        assert_eq!(found.len(), 1);
        let endless = [b"--XX\r\n".to_vec(), vec![b'a'; LARGEST_HEAD + 1]].concat();
        assert_eq!(read(&[&endless]), Err(Malformed));
        assert!(FirstFile::of("application/json").is_none());
        assert!(FirstFile::of("multipart/form-data; boundary=").is_none());
    }

    #[test]
    fn an_empty_file_and_a_form_without_one_are_told_apart() {
        let empty = b"--XX\r\nContent-Disposition: form-data; filename=\"e\"\r\n\r\n\r\n--XX--\r\n";
        let (found, bytes) = read(&[empty]).unwrap();
        assert_eq!((found.len(), bytes.len()), (2, 0));
        assert!(read(&[b"--XX--\r\n"]).unwrap().0.is_empty());
    }
}
