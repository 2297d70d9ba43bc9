//! Objects as kubectl shows them, and objects that people and other programs created.

use futures::StreamExt as _;
use incumbent::backend::{Backend, Erased, Expected, Failure, Key, Swapped, Unread};
use serde_json::{Value, json};

use crate::{LEASE, Server, create, in_time, key, node, read, replace};

const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";

#[tokio::test]
async fn a_person_sees_who_leads_and_where() {
    for (options, resource) in [("", "configmaps"), ("root=lease", "leases")] {
        let server = Server::start().await;
        let group = node(server.open(options), "jm-1", LEASE);
        let leadership = in_time("it leads", group.candidate().unwrap().campaign()).await;
        leadership
            .publish(&"web".parse().unwrap(), "http://10.0.0.7:8081")
            .await
            .unwrap();
        leadership.activate().await.unwrap();
        let root = server
            .double
            .object(resource, "default", "demo.g--root")
            .unwrap();
        let annotations = &root["metadata"]["annotations"];
        let (holder, body) = match resource {
            "leases" => (
                root["spec"]["holderIdentity"].clone(),
                &annotations["incumbent/root"],
            ),
            _ => {
                let lock: Value =
                    serde_json::from_str(annotations[LEADER].as_str().unwrap()).unwrap();
                (lock["holderIdentity"].clone(), &root["data"]["root.json"])
            }
        };
        assert_eq!(holder, "jm-1");
        let body: Value = serde_json::from_str(body.as_str().unwrap()).unwrap();
        assert_eq!(body["endpoints"]["web"], "http://10.0.0.7:8081");
        assert_eq!(
            root["metadata"]["labels"]["app.kubernetes.io/component"],
            "root"
        );
    }
}

#[tokio::test]
async fn objects_of_others_where_ours_would_be_are_left_alone() {
    let server = Server::start().await;
    let lock = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "annotations": { LEADER: r#"{"holderIdentity":"flink"}"# } },
    });
    let lease = json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": { "holderIdentity": "x" } });
    let config =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "record.json": "{}" } });
    for (options, resource, key, name, object, why) in [
        (
            "",
            "configmaps",
            key("@root"),
            "demo.g--root",
            lock,
            "the lock of another program",
        ),
        (
            "root=lease",
            "leases",
            key("@root"),
            "demo.g--root",
            lease,
            "another program or a person",
        ),
        (
            "",
            "configmaps",
            key("a"),
            "demo.g.a",
            config,
            "another program or a person",
        ),
    ] {
        let backend = server.open(options);
        let before = server.double.put_by_hand(resource, "default", name, object);
        match backend.read(&key).await {
            Err(Unread::Damaged(cause)) => {
                let text = cause.to_string();
                assert!(
                    text.contains(&format!("{resource}/{name}")) && text.contains(why),
                    "{text}"
                );
            }
            other => panic!("{other:?}"),
        }
        let created = backend.swap(&key, Expected::Absent, b"").await.unwrap();
        assert_eq!(created, Swapped::Conflict);
        assert_eq!(backend.list(key.group()).await.unwrap(), []);
        assert_eq!(
            server.double.object(resource, "default", name),
            Some(before),
            "it is as it was"
        );
    }
}

/// `kubectl edit` makes a new version. Labels and annotations that a person adds are lost with the
/// next write.
#[tokio::test]
async fn an_object_edited_by_hand_is_a_new_version() {
    let server = Server::start().await;
    let backend = server.open("");
    let first = create(&backend, &key("a"), b"1").await;
    let mut object = server
        .double
        .object("configmaps", "default", "demo.g.a")
        .unwrap();
    object["data"]["record.json"] = json!("by hand");
    server
        .double
        .put_by_hand("configmaps", "default", "demo.g.a", object);
    let late = backend
        .swap(&key("a"), Expected::At(&first), b"late")
        .await
        .unwrap();
    assert_eq!(late, Swapped::Conflict);
    let found = read(&backend, &key("a")).await.unwrap();
    assert_eq!(found.body, b"by hand");
    replace(&backend, &key("a"), &found.version, b"2").await;
}

#[tokio::test]
async fn an_object_that_a_finalizer_keeps_is_not_reported_as_gone() {
    let server = Server::start().await;
    let backend = server.open("");
    create(&backend, &key("a"), b"1").await;
    let mut object = server
        .double
        .object("configmaps", "default", "demo.g.a")
        .unwrap();
    object["metadata"]["finalizers"] = json!(["example.com/held"]);
    server
        .double
        .put_by_hand("configmaps", "default", "demo.g.a", object);
    let found = read(&backend, &key("a")).await.unwrap();
    let erased = backend.erase(&key("a"), &found.version).await;
    assert!(matches!(erased, Err(Failure::Unknown(_))), "{erased:?}");
    assert!(read(&backend, &key("a")).await.is_some());
}

#[tokio::test]
async fn clusters_and_groups_do_not_see_each_other() {
    let server = Server::start().await;
    let path = server.file.path().to_str().unwrap();
    let clusters = ["demo", "Demo", "demo.g", "my cluster/of things"].map(|id| {
        let id = id.replace(' ', "%20");
        let address = format!("kubernetes:///{id}?kubeconfig={path}");
        incumbent_backend_kubernetes::KubernetesBackend::open(&address.parse().unwrap()).unwrap()
    });
    let groups = ["g", "G", "g.a", "g-a"];
    for (at, cluster) in clusters.iter().enumerate() {
        for group in groups {
            let key = Key::of_item(group.parse().unwrap(), "a").unwrap();
            create(cluster, &key, format!("{at} {group}").as_bytes()).await;
        }
    }
    for (at, cluster) in clusters.iter().enumerate() {
        let found: Vec<String> = cluster
            .groups()
            .await
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, ["G", "g", "g-a", "g.a"]);
        for group in groups {
            let key = Key::of_item(group.parse().unwrap(), "a").unwrap();
            let listed = cluster.list(key.group()).await.unwrap();
            assert_eq!(listed.len(), 1);
            let found = read(cluster, &listed[0].key).await.unwrap();
            assert_eq!(
                (found.body, found.version),
                (
                    format!("{at} {group}").into_bytes(),
                    listed[0].version.clone()
                )
            );
        }
    }
    assert_eq!(server.double.count("configmaps", "default"), 16);
}

/// As `incumbent purge` does: lists all, erases each at its version, and keeps objects that are not
/// ours.
#[tokio::test]
async fn a_cluster_can_be_removed_and_nothing_else_is() {
    let server = Server::start().await;
    for options in ["", "root=lease"] {
        let backend = server.open(options);
        let other = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "labels": { "app.kubernetes.io/managed-by": "incumbent", "app.kubernetes.io/instance": "demo" } },
        });
        server
            .double
            .put_by_hand("configmaps", "default", "demo.g.not-ours", other);
        for item in ["@root", "@floor", "jobs/1", "jobs/2"] {
            create(&backend, &key(item), b"").await;
        }
        for group in backend.groups().await.unwrap() {
            for listed in backend.list(&group).await.unwrap() {
                let erased = backend.erase(&listed.key, &listed.version).await.unwrap();
                assert_eq!(erased, Erased::Gone);
            }
        }
        assert_eq!(backend.groups().await.unwrap(), []);
        assert_eq!(server.double.count("configmaps", "default"), 1);
        assert_eq!(server.double.count("leases", "default"), 0);
    }
}

/// A server that was restored from a backup would accept the number alone, and a PUT would create a
/// Lease that was deleted.
#[tokio::test]
async fn a_replacement_does_not_bring_back_what_was_deleted() {
    let server = Server::start().await;
    for options in ["", "root=lease"] {
        let backend = server.open(options);
        let first = create(&backend, &key("@root"), b"1").await;
        assert_eq!(
            backend.erase(&key("@root"), &first).await.unwrap(),
            Erased::Gone
        );
        let late = backend
            .swap(&key("@root"), Expected::At(&first), b"late")
            .await
            .unwrap();
        assert_eq!(late, Swapped::Conflict);
        assert_eq!(read(&backend, &key("@root")).await, None);
    }
}

#[tokio::test]
async fn a_root_in_a_lease_has_its_own_limit() {
    let server = Server::start().await;
    let backend = server.open("root=lease");
    let large = vec![b'x'; 180 * 1024];
    let at = create(&backend, &key("@root"), &large).await;
    let binary = vec![0; 180 * 1024];
    replace(&backend, &key("@root"), &at, &binary).await;
    assert_eq!(read(&backend, &key("@root")).await.unwrap().body, binary);
    let larger = vec![b'x'; 180 * 1024 + 1];
    let refused = backend.swap(&key("@root"), Expected::Absent, &larger).await;
    assert!(
        matches!(refused, Err(Failure::TooLarge { limit: 184_320, .. })),
        "{refused:?}"
    );
    create(&backend, &key("a"), &larger).await;
}

/// A list of several parts, and a history that ends in the middle of it.
#[tokio::test]
async fn long_lists_are_whole() {
    let server = Server::start().await;
    let backend = server.open("qps=100000&burst=100000");
    let creates = (0..1200).map(|at| {
        let backend = backend.clone();
        async move { create(&backend, &key(&format!("jobs/{at}")), b"{}").await }
    });
    // Few at a time, so that each is answered in its time on a busy machine too.
    let mut creates = futures::stream::iter(creates).buffer_unordered(16);
    while creates.next().await.is_some() {}
    server.double.forget_seen();
    assert_eq!(backend.list(key("a").group()).await.unwrap().len(), 1200);
    assert_eq!(server.double.seen().len(), 3);
    // The history has ended when the second part is asked for: the list starts again.
    server.double.inject(incumbent_kubernetes_double::Fault {
        on: incumbent_kubernetes_double::Match::on(
            incumbent_kubernetes_double::Verb::List,
            "configmaps",
        ),
        skip: 1,
        times: Some(1),
        how: incumbent_kubernetes_double::How::Answer {
            status: 410,
            reason: "Expired".into(),
            message: "too old".into(),
            retry_after: None,
        },
    });
    server.double.forget_seen();
    assert_eq!(backend.list(key("a").group()).await.unwrap().len(), 1200);
    assert_eq!(server.double.seen().len(), 2 + 3);
    server.always(
        incumbent_kubernetes_double::Verb::List,
        "configmaps",
        crate::refusal(410, None),
    );
    let unsteady = backend.list(key("a").group()).await.unwrap_err();
    assert!(matches!(unsteady, Unread::Unavailable(_)), "{unsteady:?}");
}

/// Otherwise two processes would lead, each by its own root.
#[tokio::test]
async fn a_root_in_a_lease_is_not_begun_beside_one_in_a_config_map() {
    let server = Server::start().await;
    let root = create(&server.open(""), &key("@root"), b"1").await;
    let other = server.open("root=lease");
    match other.swap(&key("@root"), Expected::Absent, b"2").await {
        Err(Failure::NotApplied(cause)) => {
            assert!(
                cause.to_string().contains("this process has root=lease"),
                "{cause}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.double.count("leases", "default"), 0);
    let _ = server.open("").erase(&key("@root"), &root).await.unwrap();
    create(&other, &key("@root"), b"2").await;
}
