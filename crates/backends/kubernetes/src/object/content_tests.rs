use incumbent_core::root::Root;
use serde_json::{Value, json};

use super::*;

const ROOT: &str = r#"{"incumbent":"root","format":1,"epoch":7,"holder":"jm-1","nonce":"00000000000000000000000000000abc","state":"active","endpoints":{"web":"http://10.0.0.7:8081"},"lease_ms":15000,"seq":4,"since":"2026-01-01T00:00:00.250Z","renewed":"2026-01-01T00:00:02.000Z"}"#;

fn cluster() -> Cluster {
    Cluster::new("demo").unwrap()
}

fn key(item: &str) -> Key {
    Key::of_item("g".parse().unwrap(), item).unwrap()
}

fn made(item: &str, root: RootKind, body: &[u8]) -> Value {
    let content = Content::new(&cluster(), &key(item), root, body, Along::default());
    serde_json::from_slice(&content.to_json(None)).unwrap()
}

/// As the server returns it.
fn stored(mut object: Value) -> Value {
    object["metadata"]["uid"] = json!("u-1");
    object["metadata"]["resourceVersion"] = json!("42");
    object
}

fn read(item: &str, object: Value) -> Result<Stored, String> {
    match object["kind"] == "Lease" {
        true => of_lease(
            &cluster(),
            &key(item),
            serde_json::from_value(object).unwrap(),
        ),
        false => of_config_map(
            &cluster(),
            &key(item),
            serde_json::from_value(object).unwrap(),
        ),
    }
}

#[test]
fn a_record_is_a_config_map_that_people_can_read() {
    assert_eq!(
        made("jobs/17", RootKind::ConfigMap, br#"{"state":"running"}"#),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "demo.g.jobs.17",
                "labels": {
                    "app.kubernetes.io/name": "incumbent",
                    "app.kubernetes.io/managed-by": "incumbent",
                    "app.kubernetes.io/instance": "demo",
                    "app.kubernetes.io/component": "record",
                    "incumbent/group": "g",
                },
                "annotations": {
                    "incumbent/cluster": "demo",
                    "incumbent/group": "g",
                    "incumbent/item": "jobs/17",
                    "incumbent/write": "0000000000000000",
                },
            },
            "data": { "record.json": "{\"state\":\"running\"}" },
        })
    );
}

#[test]
fn a_root_is_a_lock_as_other_tools_know_it() {
    let object = made("@root", RootKind::ConfigMap, ROOT.as_bytes());
    assert_eq!(object["metadata"]["name"], "demo.g--root");
    assert_eq!(object["data"]["root.json"], ROOT);
    let lock = object["metadata"]["annotations"][LEADER].as_str().unwrap();
    assert_eq!(
        lock,
        r#"{"holderIdentity":"jm-1","leaseDurationSeconds":15,"acquireTime":"2026-01-01T00:00:00Z","renewTime":"2026-01-01T00:00:02Z","leaderTransitions":6}"#
    );
}

#[test]
fn a_root_in_a_lease_fills_its_spec() {
    let object = made("@root", RootKind::Lease, ROOT.as_bytes());
    assert_eq!(
        (&object["apiVersion"], &object["kind"]),
        (&json!("coordination.k8s.io/v1"), &json!("Lease"))
    );
    assert_eq!(
        object["spec"],
        json!({
            "holderIdentity": "jm-1",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-01T00:00:00.250000Z",
            "renewTime": "2026-01-01T00:00:02.000000Z",
            "leaseTransitions": 6,
        })
    );
    assert_eq!(object["metadata"]["annotations"]["incumbent/root"], ROOT);
    assert_eq!(
        made("a", RootKind::Lease, b"{}")["kind"],
        "ConfigMap",
        "only roots are Leases"
    );
}

#[test]
fn a_released_root_has_no_holder() {
    let released = ROOT.replace("\"active\"", "\"released\"");
    assert_eq!(
        made("@root", RootKind::Lease, released.as_bytes())["spec"]["holderIdentity"],
        ""
    );
    let object = made("@root", RootKind::ConfigMap, released.as_bytes());
    let lock = object["metadata"]["annotations"][LEADER].as_str().unwrap();
    assert!(lock.contains(r#""holderIdentity":"""#), "{lock}");
}

#[test]
fn a_body_that_is_no_root_fills_no_lock() {
    for body in ["", "{}", "hello"] {
        let object = made("@root", RootKind::ConfigMap, body.as_bytes());
        assert_eq!(object["metadata"]["annotations"][LEADER], Value::Null);
        assert_eq!(
            made("@root", RootKind::Lease, body.as_bytes())["spec"],
            json!({})
        );
    }
}

#[test]
fn a_root_with_odd_times_and_epochs_is_a_lock_still() {
    let odd = ROOT
        .replace("2026-01-01T00:00:00.250Z", "yesterday")
        .replace("15000", "1");
    let odd = odd.replace("\"epoch\":7", "\"epoch\":18446744073709551615");
    let root = Root::from_bytes(odd.as_bytes()).unwrap();
    let spec = lease_spec(&root);
    assert_eq!(
        (spec.acquire_time, spec.lease_duration_seconds),
        (None, Some(1))
    );
    assert_eq!(spec.lease_transitions, Some(i32::MAX));
}

#[test]
fn bodies_come_back_byte_for_byte() {
    let every: Vec<u8> = (0..=255).collect();
    let bodies: [&[u8]; 8] = [
        b"",
        b"{}",
        b"\n\t\r",
        b"\0",
        "\u{feff}é<&>\u{2028}".as_bytes(),
        &every,
        b"\xff",
        ROOT.as_bytes(),
    ];
    for body in bodies {
        for (item, root) in [
            ("@root", RootKind::ConfigMap),
            ("@root", RootKind::Lease),
            ("a", RootKind::ConfigMap),
            ("@floor", RootKind::Lease),
        ] {
            let found = read(item, stored(made(item, root, body))).unwrap();
            assert_eq!((&*found.body, found.version.as_str()), (body, "u-1:42"));
        }
    }
}

#[test]
fn the_largest_bodies_fit_where_they_have_to() {
    for worst in [
        vec![b'"'; LARGEST_BODY],
        vec![0; LARGEST_BODY],
        vec![b'\n'; LARGEST_BODY],
    ] {
        let content = Content::new(
            &cluster(),
            &key("a"),
            RootKind::ConfigMap,
            &worst,
            Along::default(),
        );
        assert!(
            content.to_json(None).len() < 3 * 512 * 1024,
            "the server takes 3 MiB, etcd half of it"
        );
    }
    for worst in [vec![b'"'; LARGEST_LEASE_BODY], vec![0; LARGEST_LEASE_BODY]] {
        let along = Along {
            pod: Some("p".repeat(1024)),
            ..Along::default()
        };
        let content = Content::new(&cluster(), &key("@root"), RootKind::Lease, &worst, along);
        let object: Value = serde_json::from_slice(&content.to_json(None)).unwrap();
        let annotations = object["metadata"]["annotations"].as_object().unwrap();
        let sizes = annotations
            .iter()
            .map(|(name, value)| name.len() + value.as_str().unwrap().len());
        assert!(sizes.sum::<usize>() < 256 * 1024);
    }
}

#[test]
fn a_replacement_names_id_and_version() {
    let at = ObjectVersion::of_version(&incumbent_backend::Version::new("u-1:42")).unwrap();
    let content = Content::new(
        &cluster(),
        &key("a"),
        RootKind::ConfigMap,
        b"",
        Along::default(),
    );
    let object: Value = serde_json::from_slice(&content.to_json(Some(&at))).unwrap();
    assert_eq!(
        (
            &object["metadata"]["uid"],
            &object["metadata"]["resourceVersion"]
        ),
        (&json!("u-1"), &json!("42"))
    );
}

#[test]
fn foreign_and_damaged_objects_are_named_for_what_they_are() {
    let good = || stored(made("@root", RootKind::ConfigMap, ROOT.as_bytes()));
    let refused = |change: fn(&mut Value)| {
        let mut object = good();
        change(&mut object);
        read("@root", object).unwrap_err()
    };
    assert!(read("@root", good()).is_ok());
    let lock = refused(|object| {
        object["metadata"]["annotations"]
            .as_object_mut()
            .unwrap()
            .retain(|name, _| name == LEADER);
    });
    assert!(lock.contains("the lock of another program"), "{lock}");
    let person = refused(|object| object["metadata"]["annotations"] = Value::Null);
    assert!(person.contains("another program or a person"), "{person}");
    let copied =
        refused(|object| object["metadata"]["annotations"]["incumbent/item"] = json!("@floor"));
    assert!(copied.contains("another record"), "{copied}");
    let empty = refused(|object| object["data"] = Value::Null);
    assert!(empty.contains("no data of the name root.json"), "{empty}");
    let twice = refused(|object| object["binaryData"] = json!({ "root.json": "" }));
    assert!(twice.contains("data and binaryData"), "{twice}");
}
