//! Numbers of things, for people.

/// A number with what it counts: `1 task`, `3 tasks`.
pub(crate) fn counted(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        number => format!("{number} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_no_things() {
        let told = [0, 1, 2].map(|number| counted(number, "task"));
        assert_eq!(told, ["0 tasks", "1 task", "2 tasks"]);
    }
}
