//! Names at their limits, groups, and lists.

use std::collections::BTreeMap;

use incumbent_backend::{Expected, GroupName};

use crate::words::{create, fresh_group, key, list, read, replace, stored};
use crate::{Place, settle};

/// Names that a careless backend would confuse, truncate or refuse.
fn tricky_items() -> Vec<String> {
    let mut items: Vec<String> = [
        "@root", "@floor", "root", "floor", "a", "A", "a/b", "a/B", "a.b", "a-b", "a_b", "aB",
    ]
    .iter()
    .chain(&[
        "a/b/c", "a.", "a..", "a-", "0", "00", "g1", "prep-1", "1.tmp", "con", "a2Fb", "x.json",
    ])
    .map(|item| (*item).to_owned())
    .collect();
    items.push("x".repeat(200));
    items.push("x".repeat(199) + "y");
    items.push("x".repeat(199) + ".");
    items.push("x".repeat(199));
    items.push(["x"; 100].join("/"));
    items.push("X".repeat(200));
    items.sort();
    items
}

/// Uses all of the names at once, in one group.
pub async fn names_at_the_limits_are_different_keys(place: Place) {
    let (handle, group) = (place.open().await, fresh_group());
    let mut written = BTreeMap::new();
    for item in tricky_items() {
        assert_eq!(
            read(&handle, &key(&group, &item)).await,
            None,
            "{item} is there before it was created"
        );
        let version = create(&handle, &key(&group, &item), item.as_bytes()).await;
        written.insert(item, version);
    }
    for (item, version) in &written {
        assert_eq!(
            read(&handle, &key(&group, item)).await,
            stored(version, item.as_bytes())
        );
    }
    assert_eq!(
        list(&handle, &group).await,
        written.into_iter().collect::<Vec<_>>()
    );
}

/// A group without writes is empty; listing it is not an error.
pub async fn list_of_an_empty_group_is_empty(place: Place) {
    let handle = place.open().await;
    assert_eq!(list(&handle, &fresh_group()).await, []);
}

/// The list has every key with its version, sorted by the key's text.
pub async fn list_shows_exactly_what_exists(place: Place) {
    let (handle, group) = (place.open().await, fresh_group());
    let mut items: Vec<String> = (0..20).map(|n| format!("jobs/{n}")).collect();
    items.extend(["@root", "@floor", "jobs"].map(str::to_owned));
    for item in &items {
        let key = key(&group, item);
        let created =
            settle::swap(&handle, &key, Expected::Absent, b"1", |body| body == b"1").await;
        assert!(created, "{item} is created by nobody else");
    }
    for item in items.iter().step_by(3) {
        let key = key(&group, item);
        let found = settle::read(&handle, &key).await.expect("it was created");
        let replaced = settle::swap(&handle, &key, Expected::At(&found.version), b"2", |body| {
            body == b"2"
        })
        .await;
        assert!(replaced, "{item} is replaced by nobody else");
    }
    items.sort();
    let mut expected = Vec::new();
    for item in items {
        let key = key(&group, &item);
        let version = settle::read(&handle, &key)
            .await
            .expect("it was created")
            .version;
        expected.push((key, version));
    }
    let listed = settle::list(&handle, &group).await;
    assert_eq!(
        listed
            .into_iter()
            .map(|listed| (listed.key, listed.version))
            .collect::<Vec<_>>(),
        expected
    );
}

/// This holds even for groups whose names begin alike.
pub async fn groups_do_not_see_each_other(place: Place) {
    let (handle, base) = (place.open().await, fresh_group());
    let relatives = [
        "",
        "-",
        ".",
        "_",
        "-a",
        ".a",
        "A",
        "a",
        "-incumbent-store.json",
    ];
    let groups: Vec<GroupName> = relatives
        .iter()
        .map(|end| format!("{base}{end}").parse().expect("it is a name"))
        .collect();
    let mut versions = Vec::new();
    for group in &groups {
        let first = create(&handle, &key(group, "a"), b"first").await;
        versions.push(replace(&handle, &key(group, "a"), &first, group.as_str().as_bytes()).await);
        create(&handle, &key(group, group.as_str()), b"").await;
    }
    for (group, version) in groups.iter().zip(&versions) {
        assert_eq!(
            read(&handle, &key(group, "a")).await,
            stored(version, group.as_str().as_bytes())
        );
        let items: Vec<String> = list(&handle, group)
            .await
            .into_iter()
            .map(|(item, _)| item)
            .collect();
        assert_eq!(items, ["a", group.as_str()]);
    }
}

/// Each group is listed once, in order, and a group without keys is not listed.
#[allow(clippy::print_stderr, reason = "a skipped claim is skipped aloud")]
pub async fn each_group_that_has_a_key_is_told(place: Place) {
    let handle = place.open().await;
    let before = match handle.groups().await {
        Ok(groups) => groups,
        Err(error) => return eprintln!("SKIPPED: {error:?}"),
    };
    let name = fresh_group();
    let mut mine: Vec<GroupName> = ["", ".b", "-a", "a"]
        .iter()
        .map(|end| format!("{name}{end}").parse().expect("it is a name"))
        .collect();
    assert!(mine.iter().all(|group| !before.contains(group)));
    for group in &mine {
        create(&handle, &key(group, "a"), b"").await;
        create(&handle, &key(group, "b/c"), b"").await;
    }
    mine.sort();
    let told = place.open().await.groups().await.expect("it is reliable");
    assert!(told.is_sorted(), "in their order: {told:?}");
    let begins = |group: &&GroupName| group.as_str().starts_with(name.as_str());
    let told: Vec<GroupName> = told.iter().filter(begins).cloned().collect();
    assert_eq!(told, mine);
}
