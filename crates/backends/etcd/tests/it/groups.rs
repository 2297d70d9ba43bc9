//! Lists of many keys, of many groups, and next to keys of other programs.

use futures::{StreamExt, stream};
use incumbent_backend::{Backend, Key};
use incumbent_backend_etcd::EtcdBackend;
use incumbent_servers::etcd::Etcd;

use crate::{base, create, key, open};

/// More keys than a page of a list holds, and far more than a page of groups.
const MANY: usize = 1100;

async fn fill(backend: &EtcdBackend, group: &str, items: impl Iterator<Item = String>) {
    stream::iter(items)
        .for_each_concurrent(64, |item| async move {
            let key = Key::of_item(group.parse().unwrap(), &item).unwrap();
            create(backend, &key, b"{}").await;
        })
        .await;
}

#[tokio::test]
async fn long_lists_are_whole_and_in_order_and_groups_are_found_behind_them() {
    let Some(server) = Etcd::shared() else { return };
    let base = base();
    let backend = open(&format!("etcd://{}{base}", server.address()));
    assert_eq!(backend.groups().await.unwrap(), []);
    let items = || (0..MANY).map(|n| format!("jobs/{n:05}"));
    fill(&backend, "demo", items()).await;
    let listed = backend.list(key("a").group()).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|found| found.key.item()).collect();
    assert_eq!(listed, items().collect::<Vec<_>>());
    // Neighbours in byte order, where `-` sorts before `/`, and `/` before digits and letters.
    let mut names: Vec<_> = ["a", "demo", "demo-2", "demo.3", "demo4", "z"].into();
    for name in names.iter().filter(|name| **name != "demo") {
        fill(&backend, name, ["@root".to_owned()].into_iter()).await;
    }
    names.sort_unstable();
    let groups = backend.groups().await.unwrap();
    let groups: Vec<_> = groups.iter().map(|name| name.as_str()).collect();
    assert_eq!(groups, names);
}

#[tokio::test]
async fn what_is_not_ours_is_neither_a_key_nor_a_group() {
    let Some(server) = Etcd::shared() else { return };
    let base = base();
    let backend = open(&format!("etcd://{}{base}", server.address()));
    create(&backend, &key("a"), b"{}").await;
    // More foreign keys than a page holds, before and after ours.
    for n in 0..105 {
        let name = format!("{base}/a group/{n}");
        server.ctl(&["put", &name, "x"]).unwrap();
    }
    for name in [
        "",
        "/",
        "/demo",
        "/demo//",
        "/demo//@else",
        "/demo2",
        "/other/a b",
        "2/other/a",
    ] {
        server.ctl(&["put", &format!("{base}{name}"), "x"]).unwrap();
    }
    let listed = backend.list(key("a").group()).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(|found| found.key).collect();
    assert_eq!(listed, [key("a")]);
    assert_eq!(backend.groups().await.unwrap(), [key("a").group().clone()]);
}

/// One store's base lies below a group of another store.
#[tokio::test]
async fn what_another_prefix_inside_of_this_one_keeps_is_not_ours() {
    let Some(server) = Etcd::shared() else { return };
    let base = base();
    let outer = open(&format!("etcd://{}{base}", server.address()));
    let inner = open(&format!("etcd://{}{base}/demo", server.address()));
    create(&inner, &key("b/c"), b"{}").await;
    assert_eq!(outer.list(key("a").group()).await.unwrap(), []);
    assert_eq!(outer.groups().await.unwrap(), []);
    assert_eq!(inner.groups().await.unwrap(), [key("a").group().clone()]);
}
