//! Names of files, and their meaning.

use std::path::{Path, PathBuf};

use incumbent_backend::{GroupName, Key, Version};

/// The file that marks a directory as a store.
pub(crate) const MARKER: &str = "incumbent-store.json";

/// The directory in a group that holds files which are not yet in their place.
pub(crate) const DRAFTS: &str = "@tmp";

/// Versions in one generation. A larger number would keep more old bodies; a smaller one would
/// close generations more often.
pub(crate) const GENERATION: u64 = 64;

/// Numbers the writes of a key in order, and says in which generation each one lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) u64);

/// Numbers the generations of a key in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Generation(pub(crate) u64);

impl Number {
    /// Where a new key begins: at the start of a random generation.
    ///
    /// A person may remove a key, and a process may create it again. If it began at the same
    /// number, a version of the old key would come back with another body, and a swap based on the
    /// old version would succeed.
    pub(crate) fn fresh_first() -> Self {
        Self(u64::from(rand::random::<u32>()) * GENERATION + 1)
    }

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The name of its version file.
    pub(crate) fn name(self) -> String {
        self.0.to_string()
    }

    pub(crate) fn generation(self) -> Generation {
        Generation((self.0 - 1) / GENERATION + 1)
    }

    /// Whether the next number ends its generation.
    pub(crate) fn is_last(self) -> bool {
        self.0.is_multiple_of(GENERATION)
    }

    /// Parses a number in its only valid form, without sign or leading zeros.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        plain(text).map(Self)
    }

    pub(crate) fn version(self) -> Version {
        Version::new(format!("{}.{}", self.generation().0, self.0))
    }

    /// `None` if no version of any key has this form.
    pub(crate) fn of_version(version: &Version) -> Option<Self> {
        let (generation, number) = version.as_str().split_once('.')?;
        let number = Self::parse(number)?;
        (plain(generation) == Some(number.generation().0)).then_some(number)
    }
}

impl Generation {
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The first generation has none before it. The result is then the name of no generation.
    pub(crate) fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    pub(crate) fn name(self) -> String {
        format!("g{}", self.0)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        plain(name.strip_prefix('g')?).map(Self)
    }

    /// A name for the directory in which the generation after this one is prepared. It is used only
    /// once.
    pub(crate) fn fresh_successor(self) -> String {
        format!("prep-{}-{}", self.0, random())
    }

    /// The generation that this prepared one is to close.
    pub(crate) fn of_successor(name: &str) -> Option<Self> {
        let (generation, _) = name.strip_prefix("prep-")?.split_once('-')?;
        plain(generation).map(Self)
    }
}

/// The directory of a group.
///
/// One group cannot use its own name, since that is the name of the marker.
pub(crate) fn group_dir(store: &Path, group: &GroupName) -> PathBuf {
    match group.as_str() {
        MARKER => store.join(format!("{MARKER}@group")),
        name => store.join(name),
    }
}

/// The group of a directory, or `None` if the directory belongs to no group.
pub(crate) fn group_of_dir(name: &str) -> Option<GroupName> {
    match name.strip_suffix("@group") {
        Some(MARKER) => MARKER.parse().ok(),
        _ if name == MARKER => None,
        _ => name.parse().ok(),
    }
}

/// The name of a key's directory. `/` becomes `+`, which no name contains. So the result is no
/// longer than the name of the key, and stays below the limit of 255 bytes for file names.
pub(crate) fn item_dir(key: &Key) -> String {
    key.item().replace('/', "+")
}

pub(crate) fn key_of_dir(group: &GroupName, name: &str) -> Option<Key> {
    if name.contains('/') {
        return None;
    }
    Key::of_item(group.clone(), &name.replace('+', "/")).ok()
}

/// The name of a draft says which version it becomes, so that its removal serves as a hint.
pub(crate) fn fresh_draft(key: &Key, number: Number) -> String {
    format!("{}@{}@{}", item_dir(key), number.0, random())
}

pub(crate) fn parse_draft(group: &GroupName, name: &str) -> Option<(Key, Number)> {
    let mut parts = name.rsplitn(3, '@');
    let (_random, number, item) = (parts.next()?, parts.next()?, parts.next()?);
    Some((key_of_dir(group, item)?, Number::parse(number)?))
}

/// A name that was never used before, and that no draft has.
pub(crate) fn fresh(what: &str) -> String {
    format!("{what}-{}", random())
}

fn random() -> String {
    format!("{:016x}", rand::random::<u64>())
}

fn plain(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| {
        *number > 0 && *number < u64::MAX / GENERATION && number.to_string() == text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fill_one_generation_after_the_other() {
        let generations = [1, 64, 65, 128, 129].map(|number| Number(number).generation().0);
        assert_eq!(generations, [1, 1, 2, 2, 3]);
        assert!(Number(64).is_last() && !Number(65).is_last());
    }

    #[test]
    fn keys_begin_at_the_start_of_a_generation_each_at_another_and_far_from_the_last_number() {
        let first = || Number::fresh_first();
        assert!((0..100).all(|_| first().0 % GENERATION == 1));
        assert!((0..10).any(|_| first() != first()));
        let greatest = Number(u64::from(u32::MAX) * GENERATION + 1);
        let after_long = Number(greatest.0 + u64::from(u32::MAX) * GENERATION);
        for number in [greatest, after_long] {
            assert_eq!(Number::of_version(&number.version()), Some(number));
        }
    }

    #[test]
    fn versions_read_back_and_others_are_none_of_ours() {
        for number in [1, 64, 65, 1_000_000] {
            assert_eq!(
                Number::of_version(&Number(number).version()),
                Some(Number(number))
            );
        }
        for other in ["", "1", "1.0", "1.65", "2.1", "01.1", "1.+1", "1.1.1", "x"] {
            assert_eq!(Number::of_version(&Version::new(other)), None, "{other}");
        }
    }

    #[test]
    fn drafts_say_what_they_become_and_fit_into_a_file_name() {
        let group: GroupName = "demo".parse().unwrap();
        for item in ["@root", "a", &["x"; 100].join("/"), &"x".repeat(200)] {
            let key = Key::of_item(group.clone(), item).unwrap();
            let name = fresh_draft(&key, Number(123_456_789_012_345));
            assert!(name.len() <= 255 && !name.contains('/'));
            assert_eq!(
                parse_draft(&group, &name),
                Some((key, Number(123_456_789_012_345)))
            );
        }
        assert_eq!(parse_draft(&group, &fresh("out")), None);
    }
}
