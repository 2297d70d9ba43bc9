//! Names: of groups, records, endpoints and holders, and what a backend makes of them, the [`Key`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name of anything, in bytes. Backends turn names into file names, paths and labels, which
/// end at 255 or 253.
pub(crate) const LONGEST_NAME: usize = 200;

/// A name that cannot be one, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot be the name of {what}: {why}")]
pub struct BadName {
    what: &'static str,
    name: String,
    why: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(name: String) -> Result<Self, BadName> {
                match $check(&name) {
                    Ok(()) => Ok(Self(name)),
                    Err(why) => Err(BadName { what: $what, name: name.chars().take(LONGEST_NAME).collect(), why }),
                }
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(name: &str) -> Result<Self, BadName> {
                Self::try_from(name.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// Name of an election group: letters, digits, `-`, `_` and `.`, beginning with a letter or
    /// digit.
    GroupName, "a group", check_word
}
name! {
    /// Name of a record: words like a group's, joined by `/`, as in `jobs/17`.
    RecordName, "a record", check_path
}
name! {
    /// Name of an endpoint that a leader publishes, as in `rest` or `web`.
    EndpointName, "an endpoint", check_word
}
name! {
    /// Name of a candidate, for people: it need not be unique, the nonce of the term is.
    HolderName, "a holder", check_visible
}

fn check_word(word: &str) -> Result<(), &'static str> {
    if word.len() > LONGEST_NAME {
        return Err("it is longer than 200 bytes");
    }
    if !word.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err("it must begin with a letter or a digit");
    }
    if !word
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    {
        return Err("only letters, digits, '-', '_' and '.' are allowed");
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), &'static str> {
    if path.len() > LONGEST_NAME {
        return Err("it is longer than 200 bytes");
    }
    path.split('/').try_for_each(check_word)
}

fn check_visible(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err("it must have 1 to 200 bytes");
    }
    check_characters(name)
}

/// Checks that people see the text as it is.
pub(crate) fn check_characters(text: &str) -> Result<(), &'static str> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("spaces and control characters are not allowed");
    }
    if text.chars().any(is_bidirectional_mark) {
        return Err("marks that change the direction of text are not allowed");
    }
    Ok(())
}

/// Whether the character makes text look as if it said something else.
fn is_bidirectional_mark(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What a backend keeps one body under: a group's root, its floor, or one of its records.
///
/// As text it is `group/@root`, `group/@floor` or `group/record`. No record begins with `@`, so
/// they never meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    group: GroupName,
    item: Item,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Item {
    Floor,
    Root,
    Record(RecordName),
}

impl Key {
    /// The group's root record: who leads.
    pub fn root(group: GroupName) -> Self {
        Self {
            group,
            item: Item::Root,
        }
    }

    /// The group's floor: sealed by every new leader, so that an epoch is never led twice even if
    /// the root is lost.
    pub fn floor(group: GroupName) -> Self {
        Self {
            group,
            item: Item::Floor,
        }
    }

    /// One of the group's records.
    pub fn record(group: GroupName, name: RecordName) -> Self {
        Self {
            group,
            item: Item::Record(name),
        }
    }

    /// The key of this item of a group, as [`Key::item`] gives it.
    ///
    /// # Errors
    ///
    /// [`BadName`] if no group has such an item.
    pub fn of_item(group: GroupName, item: &str) -> Result<Self, BadName> {
        let item = match item {
            "@root" => Item::Root,
            "@floor" => Item::Floor,
            name => Item::Record(name.parse()?),
        };
        Ok(Self { group, item })
    }

    /// The group it belongs to.
    pub fn group(&self) -> &GroupName {
        &self.group
    }

    /// The part after the group: `@root`, `@floor` or the record's name.
    pub fn item(&self) -> &str {
        match &self.item {
            Item::Root => "@root",
            Item::Floor => "@floor",
            Item::Record(name) => name.as_str(),
        }
    }

    /// The record's name, if it is one of the group's records.
    pub fn record_name(&self) -> Option<&RecordName> {
        match &self.item {
            Item::Record(name) => Some(name),
            Item::Root | Item::Floor => None,
        }
    }

    /// Whether it is the group's root.
    pub fn is_root(&self) -> bool {
        self.item == Item::Root
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.item())
    }
}

/// A backend's name for one state of one body. Opaque: compared for equality only, never for order.
///
/// No two writes of one key give the same version, as long as nobody deletes it by hand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(String);

impl Version {
    /// The version that a backend calls by this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The backend's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_backends_cannot_keep_are_refused() {
        for bad in [
            "",
            "@root",
            ".hidden",
            "a/",
            "/a",
            "a//b",
            "a b",
            "ä",
            &"x".repeat(201),
        ] {
            assert!(bad.parse::<RecordName>().is_err(), "{bad:?}");
        }
        for good in ["a", "jobs/17", "a.b-c_d", &"x".repeat(200)] {
            assert!(good.parse::<RecordName>().is_ok(), "{good:?}");
        }
        assert!("jobs/17".parse::<GroupName>().is_err());
        for bad in ["host:1 2", "host\u{1b}[2J", "txet\u{202e}"] {
            assert!(bad.parse::<HolderName>().is_err(), "{bad:?}");
        }
        let said = "a/b".parse::<EndpointName>().unwrap_err().to_string();
        assert!(said.contains("the name of an endpoint: "), "{said}");
    }

    #[test]
    fn keys_read_back_from_their_text() {
        let group: GroupName = "demo".parse().unwrap();
        for key in [
            Key::root(group.clone()),
            Key::floor(group.clone()),
            Key::record(group.clone(), "a/b".parse().unwrap()),
        ] {
            assert_eq!(Key::of_item(group.clone(), key.item()).unwrap(), key);
        }
    }
}
