//! [`Part`]: what one rank stores for a checkpoint.

use std::io::{Cursor, Read, Seek};

use serde::{Deserialize, Serialize};

use crate::task::json;
use crate::{Error, Task};

/// What one rank stores for a checkpoint: files, then an acknowledgement.
#[derive(Debug)]
pub struct Part {
    task: Task,
    number: Option<u64>,
    files: Vec<StoredFile>,
}

/// A file that is durable.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its size in bytes.
    #[serde(default)]
    pub size: u64,
    /// Its SHA-256: 64 hexadecimal digits.
    #[serde(default)]
    pub sha256: String,
}

impl Part {
    pub(crate) fn numbered(task: Task, number: u64) -> Self {
        Self {
            task,
            number: Some(number),
            files: Vec::new(),
        }
    }

    pub(crate) fn last(task: Task) -> Self {
        Self {
            task,
            number: None,
            files: Vec::new(),
        }
    }

    /// Stores a file: the rest of `from`. When it returns, the file is durable. The same name
    /// again replaces it. Names have 1 to 128 letters, digits, `.`, `_` and `-`, and do not begin
    /// with a dot.
    ///
    /// While the blobs are out it waits, and then sends from the beginning; so `from` can seek.
    ///
    /// # Errors
    ///
    /// [`Error::NotPending`]: the checkpoint is aborted by now; go on. [`Error::Source`],
    /// [`Error::Refused`] (a bad name, too large), [`Error::Gone`].
    pub fn put(&mut self, name: &str, mut from: impl Read + Seek) -> Result<&StoredFile, Error> {
        let path = match self.number {
            Some(number) => format!("/v1/checkpoints/{number}/{}", escaped(name)),
            None => format!("/v1/checkpoints/final/{}", escaped(name)),
        };
        let answer = self.task.put(&path, "application/octet-stream", &mut from);
        let mut stored: StoredFile = json(answer.map_err(|error| self.of_number(error))?)?;
        name.clone_into(&mut stored.name);
        self.files.retain(|file| file.name != name);
        self.files.push(stored);
        Ok(self.files.last().expect("it was pushed"))
    }

    /// Stores a file with these bytes: [`put`](Self::put).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn put_bytes(&mut self, name: &str, bytes: impl AsRef<[u8]>) -> Result<&StoredFile, Error> {
        self.put(name, Cursor::new(bytes.as_ref()))
    }

    /// Acknowledges the checkpoint with the files that were put; of [`Task::last`], says
    /// [`finish`](Task::finish).
    ///
    /// # Errors
    ///
    /// [`Error::NotPending`]: the checkpoint is aborted by now; go on. [`Error::Refused`],
    /// [`Error::Gone`].
    pub fn ack(self) -> Result<(), Error> {
        let Some(number) = self.number else {
            return self.task.finish();
        };
        let names: Vec<_> = self.files.iter().map(|file| file.name.as_str()).collect();
        let body = serde_json::to_vec(&serde_json::json!({ "files": names }));
        let body = body.expect("names are JSON");
        let acked = self
            .task
            .post(&format!("/v1/checkpoints/{number}/ack"), &body);
        acked.map_err(|error| self.of_number(error))
    }

    fn of_number(&self, error: Error) -> Error {
        match (error, self.number) {
            (Error::Refused { status: 409, why }, Some(number)) => {
                Error::NotPending { number, why }
            }
            (error, _) => error,
        }
    }
}

/// A name as a part of a path. Bad ones are for the server to refuse; they must only not become
/// another request.
pub(crate) fn escaped(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => path.push(byte.into()),
            b'.' if !name.trim_matches('.').is_empty() => path.push('.'),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_becomes_another_request() {
        assert_eq!(escaped("state-7.bin"), "state-7.bin");
        assert_eq!(escaped("../x y\r\n"), "..%2Fx%20y%0D%0A");
        assert_eq!(escaped(".."), "%2E%2E");
    }
}
