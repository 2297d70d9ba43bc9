use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

fn cluster(id: &str) -> Cluster {
    Cluster::new(id).unwrap()
}

fn key(group: &str, item: &str) -> Key {
    Key::of_item(group.parse().unwrap(), item).unwrap()
}

#[test]
fn plain_names_are_read_as_they_are() {
    for (group, item, name) in [
        ("g", "@root", "demo.g--root"),
        ("g", "@floor", "demo.g--floor"),
        ("g", "jobs/17", "demo.g.jobs.17"),
        ("my-app", "state", "demo.my-app.state"),
    ] {
        assert_eq!(cluster("demo").object_name(&key(group, item)), name);
    }
}

#[test]
fn other_names_are_pinned() {
    // They must never change: a version that names objects differently does not find existing ones.
    for (id, group, item, name) in [
        ("demo", "G", "@root", "demo.g.root--x96f1c94d876068fe4759"),
        (
            "demo",
            "g",
            "jobs.17",
            "demo.g.jobs-17--xf78b4cd9fb7e979f2550",
        ),
        ("日本", "g", "a", "g.a--x780170e7f076fd4c4175"),
    ] {
        assert_eq!(cluster(id).object_name(&key(group, item)), name);
    }
}

/// Similar texts, as people and attackers choose them.
fn random_text(dice: &mut StdRng, characters: &[char], longest: usize) -> String {
    let length = match dice.random_range(0..10) {
        0 => longest,
        1 => dice.random_range(1..=longest),
        _ => dice.random_range(1..=longest.min(5)),
    };
    let text = (0..length).map(|_| characters[dice.random_range(0..characters.len())]);
    text.collect()
}

fn random_key(dice: &mut StdRng) -> (Cluster, Key) {
    let odd = ['a', 'x', '-', '.', '/', 'A', '0', 'é', ' ', '@'];
    let word = ['a', 'x', '-', '.', '_', 'A', '0', 'b'];
    let path = ['a', 'x', '-', '.', '/', 'A', '0', 'b'];
    loop {
        let id: String = random_text(dice, &odd, 120).chars().take(100).collect();
        let group = random_text(dice, &word, 200);
        let item = match dice.random_range(0..4) {
            0 => "@root".to_owned(),
            1 => "@floor".to_owned(),
            _ => random_text(dice, &path, 200),
        };
        let key = group
            .parse()
            .ok()
            .and_then(|group| Key::of_item(group, &item).ok());
        if let (Ok(cluster), Some(key)) = (Cluster::new(&id), key) {
            return (cluster, key);
        }
    }
}

fn is_subdomain(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

fn is_label_value(value: &str) -> bool {
    value.len() <= 63
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.ends_with(|c: char| c.is_ascii_alphanumeric())
}

#[test]
fn names_are_valid_and_no_two_keys_have_the_same() {
    let mut dice = StdRng::seed_from_u64(1);
    let mut seen = HashMap::new();
    for _ in 0..50_000 {
        let (cluster, key) = random_key(&mut dice);
        let name = cluster.object_name(&key);
        assert!(is_subdomain(&name), "{name:?} of {cluster:?} {key}");
        let owner = (cluster.as_str().to_owned(), key.clone());
        let before = seen.entry(name.clone()).or_insert_with(|| owner.clone());
        assert_eq!(*before, owner, "{name}");
    }
    assert!(seen.len() > 10_000, "the dice are loaded: {}", seen.len());
}

#[test]
fn objects_read_back_and_labels_are_valid() {
    let mut dice = StdRng::seed_from_u64(2);
    for _ in 0..5_000 {
        let (cluster, key) = random_key(&mut dice);
        for value in cluster.labels(&key).values() {
            assert!(is_label_value(value), "{value:?} of {cluster:?} {key}");
        }
        let object = ObjectMeta {
            name: Some(cluster.object_name(&key)),
            annotations: Some(cluster.annotations(&key)),
            ..ObjectMeta::default()
        };
        assert_eq!(cluster.key_of(&object), Some(key.clone()));
        let copy = ObjectMeta {
            name: Some("copy".into()),
            ..object.clone()
        };
        assert_eq!(cluster.key_of(&copy), None, "a copy is none of ours");
        assert_eq!(self::cluster("another").key_of(&object), None);
        let bare = ObjectMeta {
            annotations: None,
            ..object
        };
        assert_eq!(cluster.key_of(&bare), None);
    }
}

#[test]
fn label_values_of_different_texts_differ() {
    let mut dice = StdRng::seed_from_u64(3);
    let mut seen = HashMap::new();
    let mut texts: Vec<String> = (0..20_000)
        .map(|_| random_text(&mut dice, &['a', '-', 'A', ' ', 'x', '.', 'é'], 70))
        .collect();
    // A text that looks like the shortened form of another.
    texts.extend(texts.clone().iter().map(|text| label_value(text)));
    for text in texts {
        let before = seen
            .entry(label_value(&text))
            .or_insert_with(|| text.clone());
        assert_eq!(*before, text);
    }
}

#[test]
fn a_cluster_has_a_name() {
    assert!(Cluster::new("").is_err());
    assert!(Cluster::new("a\0b").is_err());
    assert!(Cluster::new(&"x".repeat(201)).is_err());
    assert!(Cluster::new(&"x".repeat(200)).is_ok());
    assert!(Cluster::new("Ein Name / mit allem").is_ok());
}

#[test]
fn selectors_name_the_cluster_and_the_group() {
    assert_eq!(
        cluster("demo").selector(Some(&"g".parse().unwrap())),
        "app.kubernetes.io/managed-by=incumbent,app.kubernetes.io/instance=demo,incumbent/group=g"
    );
}
