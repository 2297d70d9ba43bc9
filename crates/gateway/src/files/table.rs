//! Files, read, hashed and compressed once: [`Table`].

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

/// The most files of a directory, including those compressed in advance. A directory with more is
/// hardly the one that was meant.
const MOST_FILES: usize = 10_000;
/// The most bytes of a directory, which are all kept in memory. A large web interface has a tenth.
const MOST_BYTES: usize = 256 * 1024 * 1024;
/// The deepest level of directories below the root: circles of symbolic links end here.
const DEEPEST: usize = 32;
/// The smallest file that is compressed: a smaller one fits into one packet anyway.
const LEAST_COMPRESSED: usize = 1024;
/// How many bytes of the hash are in a tag: enough to rule out two files with the same tag.
const TAG: usize = 16;

/// Why a directory cannot be served.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The directory, or something in it, cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The directory is too large to be kept in memory.
    #[error(
        "{} has more than {MOST_FILES} files, or more than {MOST_BYTES} bytes; serve large directories with another server",
        path.display()
    )]
    TooLarge {
        /// The directory.
        path: PathBuf,
    },
}

/// Files by path. Paths begin with `/` and are not percent-encoded.
#[derive(Clone)]
pub(super) struct Table(HashMap<String, File>);

/// A file, in all its codings.
#[derive(Clone)]
pub(super) struct File {
    pub(super) kind: HeaderValue,
    pub(super) cache: HeaderValue,
    pub(super) plain: Content,
    /// The smallest first.
    pub(super) coded: Vec<Content>,
}

/// The content of a file in one coding.
#[derive(Clone)]
pub(super) struct Content {
    pub(super) bytes: Bytes,
    pub(super) etag: HeaderValue,
    pub(super) coding: Option<&'static str>,
}

impl Table {
    pub(super) fn new(mut files: BTreeMap<String, Bytes>) -> Self {
        let paths: Vec<String> = files.keys().cloned().collect();
        let mut siblings: HashMap<String, Vec<(&'static str, Bytes)>> = HashMap::new();
        for path in paths {
            for (end, coding) in [(".gz", "gzip"), (".br", "br")] {
                let of = path.strip_suffix(end).filter(|of| files.contains_key(*of));
                let Some(of) = of.map(str::to_owned) else {
                    continue;
                };
                let content = files.remove(&path).expect("each path is removed once");
                siblings.entry(of).or_default().push((coding, content));
            }
        }
        let table = files.into_iter().map(|(path, content)| {
            let siblings = siblings.remove(&path).unwrap_or_default();
            let file = File::new(&path, content, siblings);
            (path, file)
        });
        Self(table.collect())
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.0.get(path)
    }

    pub(super) fn set_immutable(&mut self, is_immutable: impl Fn(&str) -> bool) {
        for (path, file) in &mut self.0 {
            file.cache = cache(is_immutable(path));
        }
    }
}

impl File {
    fn new(path: &str, bytes: Bytes, siblings: Vec<(&'static str, Bytes)>) -> Self {
        let kind = mime_guess::from_path(path).first_or_octet_stream();
        let mut kind = kind.essence_str().to_owned();
        if kind.starts_with("text/") && std::str::from_utf8(&bytes).is_ok() {
            kind.push_str("; charset=utf-8");
        }
        let mut coded = Vec::new();
        for (coding, content) in siblings {
            if coding == "gzip" && !is_packed(&content, &bytes) {
                tracing::warn!(
                    path,
                    "the file with .gz has another content; compressing the file itself instead"
                );
            } else {
                coded.push(Content::new(content, Some(coding)));
            }
        }
        let is_gzip = |content: &Content| content.coding == Some("gzip");
        if !coded.iter().any(is_gzip) && bytes.len() >= LEAST_COMPRESSED && shrinks(&kind) {
            coded.push(Content::new(pack(&bytes), Some("gzip")));
        }
        coded.retain(|content| content.bytes.len() < bytes.len());
        coded.sort_by_key(|content| content.bytes.len());
        Self {
            cache: cache(has_hash(path)),
            kind: HeaderValue::from_str(&kind).expect("a media type is visible ASCII"),
            plain: Content::new(bytes, None),
            coded,
        }
    }

    pub(super) fn is_coded(&self) -> bool {
        !self.coded.is_empty()
    }
}

impl Content {
    fn new(bytes: Bytes, coding: Option<&'static str>) -> Self {
        let hash = Sha256::digest(&bytes);
        let hex: String = hash[..TAG].iter().map(|b| format!("{b:02x}")).collect();
        Self {
            etag: HeaderValue::from_str(&format!("\"{hex}\"")).expect("digits are visible"),
            bytes,
            coding,
        }
    }
}

fn cache(is_immutable: bool) -> HeaderValue {
    HeaderValue::from_static(if is_immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    })
}

/// Whether compression makes it smaller. Images, fonts and archives are compressed already.
fn shrinks(kind: &str) -> bool {
    const SOME: [&str; 6] = [
        "application/json",
        "application/javascript",
        "application/xml",
        "application/wasm",
        "application/manifest+json",
        "image/svg+xml",
    ];
    kind.starts_with("text/") || SOME.contains(&kind)
}

fn pack(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    Bytes::from(packed.expect("writing to memory does not fail"))
}

/// Whether `packed` is `bytes`, compressed.
fn is_packed(packed: &[u8], bytes: &[u8]) -> bool {
    let mut content = Vec::new();
    let mut decoder = MultiGzDecoder::new(packed).take(bytes.len() as u64 + 1);
    decoder.read_to_end(&mut content).is_ok() && content == bytes
}

/// Whether the name has a hash in it, as bundlers of web interfaces write it: `app.3f9a0c1b.js`,
/// `app-BZ4h_x1Q.js`, `app-JAM4DS2V.js`. Strict, because caches keep a mistake for a year: dates,
/// versions and words are no hashes.
pub(super) fn has_hash(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some((stem, kind)) = name.rsplit_once('.') else {
        return false;
    };
    // The page that names all others.
    if matches!(kind, "html" | "htm") {
        return false;
    }
    let stem = stem.strip_suffix(".min").unwrap_or(stem);
    let Some((_, last)) = stem.rsplit_once(['.', '-']) else {
        return false;
    };
    let count = |is_so: fn(&char) -> bool| last.chars().filter(is_so).count();
    let digits = count(char::is_ascii_digit);
    let (upper, lower) = (
        count(char::is_ascii_uppercase),
        count(char::is_ascii_lowercase),
    );
    let hex = last.len() >= 8
        && last.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && digits > 0
        && lower > 0;
    let base32 = last.len() == 8
        && last.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7'))
        && digits > 0
        && upper > 0;
    let base64 = last.len() == 8
        && last.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && digits > 0
        && upper >= 2
        && lower > 0;
    hex || base32 || base64
}

/// Reads all files of a directory.
pub(super) fn read(root: &Path) -> Result<BTreeMap<String, Bytes>, FilesError> {
    let root = fs::canonicalize(root).map_err(failed(root))?;
    let mut reader = Reader {
        files: BTreeMap::new(),
        bytes: 0,
        root: root.clone(),
    };
    reader.directory(&root, "", 0)?;
    Ok(reader.files)
}

struct Reader {
    root: PathBuf,
    files: BTreeMap<String, Bytes>,
    bytes: usize,
}

impl Reader {
    fn directory(&mut self, path: &Path, name: &str, depth: usize) -> Result<(), FilesError> {
        for entry in fs::read_dir(path).map_err(failed(path))? {
            let entry = entry.map_err(failed(path))?;
            let path = entry.path();
            let file_name = entry.file_name();
            let Some(last) = file_name.to_str() else {
                tracing::warn!(path = %path.display(), "not served: the name is not UTF-8");
                continue;
            };
            if last.starts_with('.') && last != ".well-known" {
                tracing::debug!(path = %path.display(), "not served: the file is hidden");
                continue;
            }
            let Ok(real) = fs::canonicalize(&path) else {
                tracing::warn!(path = %path.display(), "not served: the link leads nowhere");
                continue;
            };
            if !real.starts_with(&self.root) {
                tracing::warn!(path = %path.display(), "not served: the link leads out of the directory");
                continue;
            }
            let name = format!("{name}/{last}");
            let about = fs::metadata(&real).map_err(failed(&path))?;
            if about.is_dir() && depth < DEEPEST {
                self.directory(&real, &name, depth + 1)?;
            } else if about.is_file() {
                self.file(&real, name)?;
            } else {
                tracing::warn!(path = %path.display(), "not served: not a regular file, or too deep");
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: String) -> Result<(), FilesError> {
        let left = MOST_BYTES - self.bytes;
        let file = fs::File::open(path).map_err(failed(path))?;
        let mut content = Vec::new();
        file.take(left as u64 + 1)
            .read_to_end(&mut content)
            .map_err(failed(path))?;
        if content.len() > left || self.files.len() >= MOST_FILES {
            return Err(FilesError::TooLarge {
                path: self.root.clone(),
            });
        }
        self.bytes += content.len();
        self.files.insert(name, Bytes::from(content));
        Ok(())
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.to_owned();
    move |source| FilesError::Read { path, source }
}
