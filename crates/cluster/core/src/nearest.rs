//! What was probably meant.

/// The known name that a wrong one is most like, if it is like one at all.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Comparing takes the product of the lengths, and nobody mistypes a name into a long text.
    const LONGEST: usize = 64;
    if wrong.is_empty() || wrong.len() > LONGEST {
        return None;
    }
    let wrong = wrong.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&wrong, &name.to_lowercase());
    let known = known.into_iter().filter(|name| name.len() <= LONGEST);
    let (distance, name) = known.map(|name| (distance(name), name)).min()?;
    // A third of it may be wrong, or two letters that were exchanged.
    let allowed = (name.chars().count() / 3).max(1);
    (distance <= allowed).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognized_and_a_stranger_is_not() {
        let known = ["command", "tasks", "env"];
        for (wrong, meant) in [
            ("comand", Some("command")),
            ("Command", Some("command")),
            ("taks", Some("tasks")),
            ("evn", Some("env")),
            ("environment", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, known), meant, "{wrong}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), known), None);
    }
}
