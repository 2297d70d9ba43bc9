//! Patches.

use serde_json::json;

use crate::api::Api;

crate::claims! {
    a_merge_patch_sets_and_removes
    a_merge_patch_with_an_old_version_conflicts
    a_json_patch_tests_and_replaces
    a_strategic_patch_merges_lists_by_their_key
    a_patch_changes_no_name_and_no_uid
    a_patch_of_no_known_kind_is_refused
}

async fn a_merge_patch_sets_and_removes(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let patch = json!({"data": {"key": null, "other": "2"}, "metadata": {"annotations": {"x": "y"}, "labels": {"more": "z"}}});
    let patched = api
        .patch(&api.one("configmaps", "a"), "merge", &patch)
        .await
        .is(200)
        .body;
    assert_eq!(patched["data"], json!({"other": "2"}));
    assert_eq!(patched["metadata"]["annotations"], json!({"x": "y"}));
    assert_eq!(
        patched["metadata"]["labels"],
        json!({"claim": api.run, "more": "z"})
    );
    assert_eq!(patched["metadata"]["uid"], made["metadata"]["uid"]);
    assert_ne!(
        patched["metadata"]["resourceVersion"],
        made["metadata"]["resourceVersion"]
    );
    let lease = api
        .create(
            "leases",
            &json!({"metadata": api.metadata("a"), "spec": {"leaseTransitions": 1}}),
        )
        .await;
    assert_eq!(lease["spec"], json!({"leaseTransitions": 1}));
    // A patch needs no version even where a PUT does.
    let patch = json!({"spec": {"holderIdentity": "x"}});
    let patched = api
        .patch(&api.one("leases", "a"), "merge", &patch)
        .await
        .is(200)
        .body;
    assert_eq!(
        patched["spec"],
        json!({"leaseTransitions": 1, "holderIdentity": "x"})
    );
}

async fn a_merge_patch_with_an_old_version_conflicts(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let path = api.one("configmaps", "a");
    let version = &made["metadata"]["resourceVersion"];
    let patch =
        |value: &str| json!({"metadata": {"resourceVersion": version}, "data": {"key": value}});
    api.patch(&path, "merge", &patch("2")).await.is(200);
    let refused = api
        .patch(&path, "merge", &patch("3"))
        .await
        .refused_for(409, "Conflict");
    assert!(
        refused.body["message"]
            .as_str()
            .unwrap()
            .contains("the object has been modified")
    );
    assert_eq!(api.get(&path).await.body["data"]["key"], "2");
}

async fn a_json_patch_tests_and_replaces(api: Api) {
    api.create("configmaps", &api.config_map("a", "1")).await;
    let path = api.one("configmaps", "a");
    let patch = |expected: &str| {
        json!([
            {"op": "test", "path": "/data/key", "value": expected},
            {"op": "replace", "path": "/data/key", "value": "2"},
            {"op": "add", "path": "/data/more", "value": "3"},
        ])
    };
    let refused = api.patch(&path, "json", &patch("x")).await;
    refused.refused(
        422,
        "Invalid",
        "the server rejected our request due to an error in our request",
    );
    let patched = api.patch(&path, "json", &patch("1")).await.is(200).body;
    assert_eq!(patched["data"], json!({"key": "2", "more": "3"}));
}

async fn a_strategic_patch_merges_lists_by_their_key(api: Api) {
    // The owners exist; otherwise a collector would delete the owned objects.
    let mut owners = Vec::new();
    for name in ["owner-1", "owner-2"] {
        let owner = api.create("configmaps", &api.config_map(name, "1")).await;
        let uid = &owner["metadata"]["uid"];
        owners.push(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "name": api.name(name), "uid": uid}),
        );
    }
    let mut object = api.config_map("a", "1");
    object["metadata"]["finalizers"] = json!(["example.com/a"]);
    object["metadata"]["ownerReferences"] = json!([owners[0]]);
    api.create("configmaps", &object).await;
    let path = api.one("configmaps", "a");
    let changed = json!({"uid": owners[0]["uid"], "controller": true});
    let patch = json!({
        "metadata": {"finalizers": ["example.com/b"], "ownerReferences": [owners[1], changed]},
        "data": {"more": "2"},
    });
    let patched = api
        .patch(&path, "strategic-merge", &patch)
        .await
        .is(200)
        .body;
    assert_eq!(patched["data"], json!({"key": "1", "more": "2"}));
    let finalizers = patched["metadata"]["finalizers"].as_array().unwrap();
    assert!(finalizers.len() == 2 && finalizers.contains(&json!("example.com/a")));
    let merged = patched["metadata"]["ownerReferences"].as_array().unwrap();
    let mut first = owners[0].clone();
    first["controller"] = json!(true);
    assert!(
        merged.len() == 2 && merged.contains(&first) && merged.contains(&owners[1]),
        "{merged:?}"
    );
    let patch =
        json!({"metadata": {"ownerReferences": [{"$patch": "delete", "uid": owners[0]["uid"]}]}});
    let patched = api
        .patch(&path, "strategic-merge", &patch)
        .await
        .is(200)
        .body;
    assert_eq!(patched["metadata"]["ownerReferences"], json!([owners[1]]));
}

async fn a_patch_changes_no_name_and_no_uid(api: Api) {
    api.create("configmaps", &api.config_map("a", "1")).await;
    let path = api.one("configmaps", "a");
    let refused = api
        .patch(&path, "merge", &json!({"metadata": {"name": "other"}}))
        .await;
    let name = api.name("a");
    refused.refused(
        400,
        "BadRequest",
        format!("the name of the object (other) does not match the name on the URL ({name})"),
    );
    let refused = api
        .patch(&path, "merge", &json!({"metadata": {"uid": "other"}}))
        .await
        .refused_for(422, "Invalid");
    assert_eq!(
        refused.body["details"]["causes"][0]["field"],
        "metadata.uid"
    );
}

async fn a_patch_of_no_known_kind_is_refused(api: Api) {
    api.create("configmaps", &api.config_map("a", "1")).await;
    let path = api.one("configmaps", "a");
    api.send(
        "PATCH",
        &path,
        &[("content-type", "application/json")],
        b"{}",
    )
    .await
    .refused_for(415, "UnsupportedMediaType");
    let merge = [("content-type", "application/merge-patch+json")];
    api.send("PATCH", &path, &merge, b"{")
        .await
        .refused_for(400, "BadRequest");
    api.send("PATCH", &path, &merge, b"{\"data\":{\"key\":1}}")
        .await
        .because(&["FieldValueInvalid patch"]);
    api.patch(&path, "merge", &json!({"data": {"no/key": "1"}}))
        .await
        .because(&["FieldValueInvalid data[no/key]"]);
}
