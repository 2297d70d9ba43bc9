//! A directory as an artifact: packed into one file, the same bytes for the same content.
//!
//! It is a zip archive without compression, since Python runs such a file as it is, if it has a
//! `__main__.py`: `python3 {artifact}`. The nodes know nothing of it.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit::{Code, Failure};

/// Most files of a packed directory: the format counts them in 16 bits.
const MOST_FILES: usize = 65_535;

/// Largest sum of all files, in bytes: no cluster takes a larger artifact, and the format counts in
/// 32 bits.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// Compiled files of Python, which differ from machine to machine.
const COMPILED: &str = "__pycache__";

/// 1980-01-01, 00:00: when a file was changed is not part of its content.
const NO_TIME: [u8; 4] = [0, 0, 0x21, 0];

/// Names are UTF-8.
const UTF8: u16 = 1 << 11;

/// The version of the format that reads it, and that it was made under Unix.
const VERSION: u16 = 20;
const UNIX: u16 = 3 << 8 | VERSION;

/// One file of the archive.
struct Entry {
    name: String,
    crc: u32,
    size: u32,
    mode: u32,
    offset: u32,
}

/// Packs all files below a directory, but for hidden ones and compiled Python, into a file that is
/// removed when it is dropped. Blocks.
///
/// # Errors
///
/// Something cannot be read, is neither a file nor a directory, or there is too much of it.
pub(super) fn packed(dir: &Path) -> Result<NamedTempFile, Failure> {
    let failed = |path: &Path, cause: io::Error| {
        let what = format!("cannot pack {} into an artifact", path.display());
        Failure::new(what).because(cause).code(Code::Usage)
    };
    let mut names = Vec::new();
    names_below(dir, "", &mut names).map_err(|(path, cause)| failed(&path, cause))?;
    let size: u64 = names.iter().map(|(_, size)| size).sum();
    if names.len() > MOST_FILES || size > LARGEST {
        let what = format!(
            "{} has {} files with {size} bytes, and an artifact at most {MOST_FILES} with {LARGEST}",
            dir.display(),
            names.len()
        );
        return Err(Failure::new(what).code(Code::Usage));
    }
    let file = NamedTempFile::new().map_err(|cause| failed(dir, cause))?;
    let written = write(dir, names, BufWriter::new(file.as_file()));
    written.map_err(|cause| failed(dir, cause))?;
    Ok(file)
}

/// The names of all files, sorted, with their sizes.
fn names_below(
    dir: &Path,
    prefix: &str,
    names: &mut Vec<(String, u64)>,
) -> Result<(), (PathBuf, io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |cause| (path, cause)
    };
    let entries: io::Result<Vec<_>> = fs::read_dir(dir).and_then(Iterator::collect);
    let mut entries = entries.map_err(at(dir))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().into_string();
        let name = name.map_err(|_| at(&path)(io::Error::other("its name is not UTF-8")))?;
        if name.starts_with('.') || name == COMPILED {
            continue;
        }
        let name = format!("{prefix}{name}");
        // What a link leads to is packed, so that programs can share a file. A link to a directory
        // could lead back.
        let found = fs::metadata(&path).map_err(at(&path))?;
        if found.is_file() {
            names.push((name, found.len()));
        } else if entry.file_type().map_err(at(&path))?.is_dir() {
            names_below(&path, &format!("{name}/"), names)?;
        } else {
            let why = "it is neither a file nor a directory";
            return Err(at(&path)(io::Error::other(why)));
        }
    }
    Ok(())
}

fn write(dir: &Path, names: Vec<(String, u64)>, mut to: impl Write) -> io::Result<()> {
    let mut offset = 0_u32;
    let mut entries = Vec::with_capacity(names.len());
    for (name, _) in names {
        let path = dir.join(&name);
        let content = fs::read(&path)?;
        let mode = rustix::fs::stat(&path)?.st_mode;
        let entry = Entry {
            crc: crc32fast::hash(&content),
            size: u32::try_from(content.len()).map_err(|_| grown())?,
            // Who may read it is not part of its content; whether it is a program is.
            mode: if mode & 0o111 == 0 {
                0o100_644
            } else {
                0o100_755
            },
            name,
            offset,
        };
        let head = entry.local()?;
        to.write_all(&head)?;
        to.write_all(&content)?;
        let length = u32::try_from(head.len() + content.len()).map_err(|_| grown())?;
        offset = offset.checked_add(length).ok_or_else(grown)?;
        entries.push(entry);
    }
    let start = offset;
    for entry in &entries {
        let central = entry.central()?;
        to.write_all(&central)?;
        offset = offset.checked_add(central.len() as u32).ok_or_else(grown)?;
    }
    let count = u16::try_from(entries.len()).map_err(|_| grown())?;
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    for number in [count, count] {
        end.extend(number.to_le_bytes());
    }
    for number in [offset - start, start] {
        end.extend(number.to_le_bytes());
    }
    end.extend([0, 0]);
    to.write_all(&end)?;
    to.flush()
}

impl Entry {
    /// What stands before its content.
    fn local(&self) -> io::Result<Vec<u8>> {
        let mut head = b"PK\x03\x04".to_vec();
        head.extend(VERSION.to_le_bytes());
        self.common(&mut head)?;
        head.extend(self.name.as_bytes());
        Ok(head)
    }

    /// What stands in the directory at the end.
    fn central(&self) -> io::Result<Vec<u8>> {
        let mut head = b"PK\x01\x02".to_vec();
        head.extend(UNIX.to_le_bytes());
        head.extend(VERSION.to_le_bytes());
        self.common(&mut head)?;
        // No comment, on the first disk, no attributes of DOS.
        head.extend([0; 6]);
        head.extend((self.mode << 16).to_le_bytes());
        head.extend(self.offset.to_le_bytes());
        head.extend(self.name.as_bytes());
        Ok(head)
    }

    fn common(&self, head: &mut Vec<u8>) -> io::Result<()> {
        head.extend(UTF8.to_le_bytes());
        // Stored as it is.
        head.extend([0, 0]);
        head.extend(NO_TIME);
        head.extend(self.crc.to_le_bytes());
        head.extend(self.size.to_le_bytes());
        head.extend(self.size.to_le_bytes());
        let length = u16::try_from(self.name.len());
        let length = length.map_err(|_| io::Error::other("a name is too long"))?;
        head.extend(length.to_le_bytes());
        // Nothing more.
        head.extend([0, 0]);
        Ok(())
    }
}

fn grown() -> io::Error {
    io::Error::other("it became too large meanwhile")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for below in ["lib", COMPILED, ".git"] {
            fs::create_dir(at(below)).unwrap();
            fs::write(at(below).join("x.py"), below).unwrap();
        }
        fs::write(at("__main__.py"), "print('hello')").unwrap();
        fs::write(at(".hidden"), "secret").unwrap();
        std::os::unix::fs::symlink(at("__main__.py"), at("linked.py")).unwrap();
        dir
    }

    #[test]
    fn the_same_content_makes_the_same_bytes() {
        let bytes = |dir: &tempfile::TempDir| fs::read(packed(dir.path()).unwrap()).unwrap();
        let one = bytes(&directory());
        assert_eq!(one, bytes(&directory()));
        let names = ["__main__.py", "lib/x.py", "linked.py"];
        let text = String::from_utf8_lossy(&one).into_owned();
        for name in names {
            assert_eq!(text.matches(name).count(), 2, "{name} in {text}");
        }
        for absent in ["hidden", "secret", ".git", COMPILED] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
    }

    #[test]
    fn what_could_lead_back_or_is_no_file_is_refused() {
        let dir = directory();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        let why = packed(dir.path()).unwrap_err().message();
        assert!(why.contains("loop") && why.contains("cannot pack"), "{why}");
    }
}
