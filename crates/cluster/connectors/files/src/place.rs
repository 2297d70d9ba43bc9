//! [`Place`]: where files are.

use std::path::PathBuf;

use crate::Error;
use crate::pattern::Pattern;

/// What follows this is a bucket.
const S3: &str = "s3://";

/// Where files are, and which of them are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) root: Root,
    pub(crate) pattern: Option<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// A directory, or a file.
    Local(PathBuf),
    /// A prefix without a slash at its end, which may be empty, or an object.
    Bucket { name: String, prefix: String },
}

impl Place {
    /// # Errors
    ///
    /// [`Error::Url`].
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Url {
            url: url.to_owned(),
            why: why.to_owned(),
        };
        let (path, is_bucket) = match url.strip_prefix(S3) {
            Some(rest) => (rest, true),
            None => match url.strip_prefix("file://") {
                Some(path) if path.starts_with('/') => (path, false),
                Some(_) => return Err(wrong("write file:///PATH, with three slashes")),
                None if url.contains("://") => {
                    return Err(wrong("write a path, file:///PATH or s3://BUCKET/PREFIX"));
                }
                None => (url, false),
            },
        };
        if path.is_empty() {
            return Err(wrong("it is empty"));
        }
        if is_bucket && path.contains(['@', '#']) {
            let why = "credentials and options come from the environment (AWS_ACCESS_KEY_ID, …)";
            // It may hold a password.
            return Err(Error::Url {
                url: "s3://…".to_owned(),
                why: why.to_owned(),
            });
        }
        let (dir, last) = path.rsplit_once('/').unwrap_or((".", path));
        let pattern = Pattern::parse(last);
        let kept = match &pattern {
            Some(_) if dir.is_empty() => "/",
            Some(_) => dir,
            None => path,
        };
        if Pattern::parse(kept).is_some() {
            return Err(wrong("* and ? may only be in the last part"));
        }
        let root = match is_bucket {
            false => Root::Local(PathBuf::from(kept)),
            true => {
                let (name, prefix) = kept.split_once('/').unwrap_or((kept, ""));
                if name.is_empty() || name == "." {
                    return Err(wrong("it names no bucket"));
                }
                Root::Bucket {
                    name: name.to_owned(),
                    prefix: prefix.trim_end_matches('/').to_owned(),
                }
            }
        };
        Ok(Self {
            url: url.to_owned(),
            root,
            pattern,
        })
    }

    /// Whether a file of this name is meant.
    pub(crate) fn has(&self, name: &str) -> bool {
        let is_meant = self.pattern.as_ref().is_none_or(|it| it.matches(name));
        is_meant && crate::pattern::is_data(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(url: &str) -> (Root, bool) {
        let place = Place::parse(url).unwrap();
        (place.root, place.pattern.is_some())
    }

    #[test]
    fn paths_files_and_buckets_are_understood() {
        let local = |path: &str| Root::Local(PathBuf::from(path));
        let bucket = |name: &str, prefix: &str| Root::Bucket {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
        };
        for (url, expected, is_pattern) in [
            ("data", local("data"), false),
            ("/data/x", local("/data/x"), false),
            ("*.csv", local("."), true),
            ("/*.csv", local("/"), true),
            ("file:///data/*.ndjson", local("/data"), true),
            ("s3://bucket", bucket("bucket", ""), false),
            ("s3://bucket/a/b/", bucket("bucket", "a/b"), false),
            ("s3://bucket/a/*.gz", bucket("bucket", "a"), true),
            ("s3://bucket/*", bucket("bucket", ""), true),
        ] {
            assert_eq!(root(url), (expected, is_pattern), "{url}");
        }
    }

    #[test]
    fn wrong_urls_are_refused_without_their_secrets() {
        for url in [
            "",
            "file://data",
            "http://x/y",
            "s3://",
            "s3://*",
            "/a/*/b.csv",
            "s3://key:secret@bucket/x",
        ] {
            let error = Place::parse(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
