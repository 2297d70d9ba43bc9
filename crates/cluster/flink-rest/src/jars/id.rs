//! [`JarId`]: names an uploaded program, and says what there is to know of it.

use std::fmt;
use std::str::FromStr;

use incumbent_cluster_blobs::Digest;

/// Longest name of a program, in bytes: it is in paths.
const LONGEST_NAME: usize = 60;

/// Behind the digest of a program, if it speaks the task contract; and if it does not.
const SPEAKS: char = '~';
const SILENT: char = '_';

/// `DIGEST_NAME`, or `DIGEST~NAME` of a program that speaks the task contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JarId {
    pub(crate) digest: Digest,
    pub(crate) speaks_contract: bool,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadJarId;

impl JarId {
    /// Of a program that was sent under this name.
    pub(crate) fn new(digest: Digest, sent_as: &str, speaks_contract: bool) -> Self {
        Self {
            digest,
            speaks_contract,
            name: plain(sent_as),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name without its ending: what a job of it is called.
    pub(crate) fn stem(&self) -> &str {
        match self.name.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => &self.name,
        }
    }
}

/// The last part of a path, in letters that may be in a path and in the name of a job.
fn plain(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let allowed =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let name: String = last
        .chars()
        .map(|letter| if allowed(letter) { letter } else { '-' })
        .collect();
    let name = name.trim_start_matches(['.', '-']);
    let name = &name[..name.len().min(LONGEST_NAME)];
    if name.is_empty() {
        "program".to_owned()
    } else {
        name.to_owned()
    }
}

impl fmt::Display for JarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.speaks_contract { SPEAKS } else { SILENT };
        write!(f, "{}{mark}{}", self.digest, self.name)
    }
}

impl FromStr for JarId {
    type Err = BadJarId;

    fn from_str(text: &str) -> Result<Self, BadJarId> {
        let at = text.find([SPEAKS, SILENT]).ok_or(BadJarId)?;
        let (digest, rest) = text.split_at(at);
        let (mark, name) = rest.split_at(1);
        let digest = digest.parse().map_err(|_| BadJarId)?;
        let id = Self::new(digest, name, mark.starts_with(SPEAKS));
        // What would be another name is none.
        if id.name == name {
            Ok(id)
        } else {
            Err(BadJarId)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_what_it_is_of_and_no_path_is_one() {
        for (sent_as, name, stem) in [
            ("sum.jar", "sum.jar", "sum"),
            ("C:\\x\\a b.sh", "a-b.sh", "a-b"),
            ("../../etc/passwd", "passwd", "passwd"),
            ("..", "program", "program"),
            ("<script>", "script-", "script-"),
        ] {
            for speaks in [false, true] {
                let id = JarId::new(Digest::of(b"x"), sent_as, speaks);
                assert_eq!((id.name(), id.stem()), (name, stem));
                assert_eq!(id.to_string().parse(), Ok(id));
            }
        }
        let digest = Digest::of(b"x");
        for bad in [
            "",
            "x_y",
            &format!("{digest}"),
            &format!("{digest}_../x"),
            &format!("{digest}_"),
        ] {
            assert_eq!(bad.parse::<JarId>(), Err(BadJarId), "{bad}");
        }
    }
}
