//! [`Pattern`]: which files of a directory are meant.

/// Names of files: `*` is any text, `?` one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// From the last part of a URL, if it is a pattern.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        name.contains(['*', '?']).then(|| Self(name.to_owned()))
    }

    /// Whether a file of this name is meant.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let (pattern, name): (Vec<char>, Vec<char>) =
            (self.0.chars().collect(), name.chars().collect());
        let (mut p, mut n) = (0, 0);
        // Where the last star is, and how far it reaches: if the rest fails, it takes one more.
        let mut star = None;
        while n < name.len() {
            match pattern.get(p) {
                Some('*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(&c) if c == '?' || c == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match star {
                    Some((at, reached)) => {
                        star = Some((at, reached + 1));
                        p = at + 1;
                        n = reached + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|&c| c == '*')
    }
}

/// Whether a file is data by its name: others write under hidden names what is not yet whole.
pub(crate) fn is_data(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['.', '_'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match() {
        for (pattern, name, expected) in [
            ("*.ndjson", "a.ndjson", true),
            ("*.ndjson", "a.ndjson.gz", false),
            ("*.ndjson*", "a.ndjson.gz", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xaayb", true),
            ("*a*b", "xaayc", false),
            ("a*", "a", true),
            ("**", "", true),
            ("?", "é", true),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(name), expected, "{pattern} {name}");
        }
        assert_eq!(Pattern::parse("plain.csv"), None);
    }
}
