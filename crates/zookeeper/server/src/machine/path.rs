//! Paths of nodes, and which texts are not one.

/// The root.
pub(super) const ROOT: &str = "/";

/// The nodes that always exist.
pub(super) const SPECIAL: [&str; 4] = [ROOT, "/zookeeper", "/zookeeper/quota", CONFIG];

/// Where an ensemble keeps its members. Empty: this server is alone.
pub(super) const CONFIG: &str = "/zookeeper/config";

/// The path of the parent and the name in it; `None` for the root, and for a text without a slash.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    let slash = path.rfind('/')?;
    let name = &path[slash + 1..];
    match (slash, name) {
        (0, "") => None,
        (0, name) => Some((ROOT, name)),
        (slash, name) => Some((&path[..slash], name)),
    }
}

/// The path of a child.
pub(super) fn child(parent: &str, name: &str) -> String {
    match parent {
        ROOT => format!("/{name}"),
        parent => format!("{parent}/{name}"),
    }
}

/// All nodes above, the parent first and the root last.
pub(super) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(split(path), |(parent, _)| split(parent)).map(|(parent, _)| parent)
}

/// Whether `path` is somewhere below `above`.
pub(super) fn is_below(path: &str, above: &str) -> bool {
    match above {
        "" => false,
        ROOT => path.len() > 1 && path.starts_with(ROOT),
        above => path
            .strip_prefix(above)
            .is_some_and(|rest| rest.starts_with('/')),
    }
}

/// Whether a node may have this path, by ZooKeeper's rules, including those for characters.
pub(super) fn is_valid(path: &str) -> bool {
    if path == ROOT {
        return true;
    }
    let Some(names) = path.strip_prefix('/') else {
        return false;
    };
    names
        .split('/')
        .all(|name| !matches!(name, "" | "." | ".."))
        && !path.chars().any(is_refused)
}

/// Control characters, private use, specials, and everything beyond the basic plane.
fn is_refused(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_at_their_last_slash() {
        assert_eq!(split("/"), None);
        assert_eq!(split("a"), None);
        assert_eq!(split("/a"), Some(("/", "a")));
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(split("/a/"), Some(("/a", "")));
        assert_eq!(ancestors("/a/b/c").collect::<Vec<_>>(), ["/a/b", "/a", "/"]);
        assert_eq!(ancestors("/").count(), 0);
        assert_eq!(child("/", "a"), "/a");
        assert_eq!(child("/a", "b"), "/a/b");
    }

    #[test]
    fn what_cannot_be_a_path_is_refused() {
        for good in [
            "/",
            "/a",
            "/a/b",
            "/...",
            "/.a",
            "/a b",
            "/ä",
            "/\u{fffe0}"[..1].into(),
        ] {
            assert!(is_valid(good), "{good:?}");
        }
        for bad in [
            "",
            "a",
            "//",
            "/a/",
            "/a//b",
            "/.",
            "/a/..",
            "/./a",
            "/a\0",
            "/\u{1f}",
            "/\u{7f}",
            "/\u{e000}",
            "/\u{ffff}",
            "/\u{1f600}",
        ] {
            assert!(!is_valid(bad), "{bad:?}");
        }
    }
}
