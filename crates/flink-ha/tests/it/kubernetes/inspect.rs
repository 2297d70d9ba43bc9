//! Inspecting a cluster in ConfigMaps.

use super::*;

#[tokio::test]
async fn what_flink_wrote_is_shown_and_stays_as_it_is() {
    for json in MAPS {
        let store = Store::with(json).await;
        // As Flink labels its other ConfigMaps.
        let labels = json!({ "app": "cluster", "type": "flink-native-kubernetes" });
        let config = json!({ "metadata": { "labels": labels }, "data": { "config.yaml": "" } });
        store.put("flink-config-cluster", config);
        let revision = store.double.revision();
        let address = store.address();
        let cluster = inspect(&address).await.unwrap();
        assert_eq!(cluster.source, address.to_string());
        assert_eq!(cluster.problems, []);
        assert_eq!((cluster.leaders.len(), cluster.jobs.len()), (4, 1));
        let json = serde_json::to_value(&cluster).unwrap();
        let session = json["leaders"]["restserver"]["session"].as_str().unwrap();
        assert_eq!(session.len(), 36);
        let (_, job) = json["jobs"].as_object().unwrap().iter().next().unwrap();
        assert_eq!(job["checkpoints"][0]["id"], 4);
        assert_eq!(job["counter"], 5);
        assert_eq!(job["checkpoints"][0]["handle"]["deleting"], false);
        let mut followed = leaders(&address, &Component::RestServer);
        assert_eq!(
            next(&mut followed).await.unwrap().split(',').next(),
            Some(session)
        );
        store.assert_only_read();
        assert_eq!(store.double.revision(), revision, "nothing was written");
    }
}

/// A healthy Flink 2.3 has its application there, and no problem.
#[tokio::test]
async fn the_application_of_flink_2_3_is_shown() {
    let store = Store::with(MAPS[3]).await;
    let cluster = inspect(&store.address()).await.unwrap();
    assert_eq!(cluster.problems, []);
    assert_eq!(cluster.applications.len(), 1);
}

#[tokio::test]
async fn a_job_of_an_earlier_leader_is_stale_with_its_key() {
    let store = Store::with(MAPS[2]).await;
    let mut map = store
        .double
        .object("configmaps", "default", CLUSTER)
        .unwrap();
    let data = map["data"].as_object_mut().unwrap();
    let key = data.keys().find(|key| key.contains(".leader.job-"));
    let key = key.unwrap().clone();
    data.insert(key.clone(), format!("{ONE},pekko.tcp://old").into());
    store.put(CLUSTER, map);
    let problems = inspect(&store.address()).await.unwrap().problems;
    let [problem] = &problems[..] else {
        panic!("{problems:?}");
    };
    assert_eq!(problem.kind, ProblemKind::Stale);
    assert_eq!(problem.key, format!("{CLUSTER}/{key}"));
}

/// The lock's own times are of years that are long gone, and say nothing.
#[tokio::test]
async fn a_lock_that_changes_while_it_is_watched_has_a_living_holder() {
    let store = Store::start().await;
    let renew = |number: u32| {
        let lock = json!({ "holderIdentity": "a", "leaseDuration": "PT60S", "renewTime": format!("{number}") });
        store.lead_with(&format!("{ONE},http://a:1"), &lock);
    };
    renew(1970);
    let address = store.address();
    let mut inspected = Box::pin(incumbent_flink_ha::inspect(
        &address,
        InspectOptions::default(),
    ));
    let mut number = 1970;
    let cluster = loop {
        tokio::select! {
            cluster = &mut inspected => break cluster.unwrap(),
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                number += 1;
                renew(number);
            }
        }
    };
    assert_eq!(cluster.problems, []);
    let renewal = cluster.elections[0].renewal;
    assert!(
        matches!(renewal, Some(Renewal::Renewed { .. })),
        "{renewal:?}"
    );
    let json = serde_json::to_value(&cluster).unwrap();
    assert_eq!(json["elections"][0]["renewal"]["state"], "renewed");
    store.assert_only_read();
}

#[tokio::test]
async fn a_lock_that_is_not_renewed_for_its_lease_is_a_dead_cluster() {
    let store = Store::start().await;
    // The time in it is in the future: only changes count.
    let lock =
        json!({ "holderIdentity": "a", "leaseDuration": 1.0, "renewTime": "2999-01-01T00:00:00Z" });
    store.lead_with(&format!("{ONE},http://a:1"), &lock);
    let inspected = incumbent_flink_ha::inspect(&store.address(), InspectOptions::default()).await;
    let cluster = inspected.unwrap();
    let [problem] = &cluster.problems[..] else {
        panic!("{:?}", cluster.problems);
    };
    assert_eq!(
        (problem.kind, &*problem.key),
        (ProblemKind::NoLeader, CLUSTER)
    );
    assert!(
        problem.reason.ends_with("; its lease is 1 s"),
        "{}",
        problem.reason
    );
    let Some(Renewal::Silent { watched }) = cluster.elections[0].renewal else {
        panic!("{:?}", cluster.elections);
    };
    assert!(watched >= Duration::from_secs(1));
    // Without waiting, nothing is known of it.
    let cluster = inspect(&store.address()).await.unwrap();
    assert_eq!(
        (cluster.problems, cluster.elections[0].renewal),
        (vec![], None)
    );
}

#[tokio::test]
async fn a_free_lock_that_somebody_takes_is_no_problem() {
    let store = Store::start().await;
    let free = json!({ "holderIdentity": "", "leaseDuration": "PT60S" });
    store.lead_with(&format!("{ONE},http://a:1"), &free);
    let address = store.address();
    let mut inspected = Box::pin(incumbent_flink_ha::inspect(
        &address,
        InspectOptions::default(),
    ));
    // It has read the lock, and watches it.
    while store.double.seen().len() < 3 {
        tokio::select! {
            _ = &mut inspected => panic!("it has not waited"),
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    }
    let taken = json!({ "holderIdentity": "b", "leaseDuration": "PT60S" });
    store.lead_with(&format!("{TWO},http://b:1"), &taken);
    let cluster = inspected.await.unwrap();
    assert_eq!(cluster.problems, []);
    assert_eq!(cluster.elections[0].holder.as_deref(), Some("b"));
}

/// Flink reads it by its name, and so do we, with the right to list only.
#[tokio::test]
async fn a_config_map_that_has_lost_its_labels_is_found() {
    let store = Store::with(MAPS[1]).await;
    let whole = inspect(&store.address()).await.unwrap();
    let (id, _) = whole.jobs.first_key_value().unwrap();
    for name in [format!("cluster-{id}-config-map"), CLUSTER.to_owned()] {
        let mut map = store.double.object("configmaps", "default", &name).unwrap();
        map["metadata"]["labels"]
            .as_object_mut()
            .unwrap()
            .remove("type");
        store.put(&name, map);
        let cluster = inspect(&store.address()).await.unwrap();
        assert_eq!(cluster.jobs, whole.jobs);
        assert_eq!(cluster.leaders, whole.leaders);
        let found = cluster.problems.iter();
        assert!(
            found
                .clone()
                .any(|it| (it.kind, &it.key) == (ProblemKind::Unlabelled, &name)),
            "{:?}",
            cluster.problems
        );
        assert!(found.clone().all(|it| it.severity == Severity::Warning));
    }
}

#[tokio::test]
async fn the_clusters_of_a_namespace_are_listed() {
    let store = Store::with(MAPS[3]).await;
    let labels = json!({ "app": "b", "type": "flink-native-kubernetes" });
    let other = json!({ "metadata": { "labels": labels } });
    store.put("b-cluster-config-map", other);
    let found = clusters(&store.address_of("default")).await.unwrap();
    let found = found.clusters;
    let names: Vec<_> = found.iter().map(|it| (&*it.address, it.jobs)).collect();
    assert_eq!(
        names,
        [
            ("kubernetes://default/b", 0),
            ("kubernetes://default/cluster", 1)
        ]
    );
    assert!(
        found[1]
            .rest_server
            .as_ref()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    );
    let unnamed = inspect(&store.address_of("default")).await.unwrap_err();
    assert!(matches!(unnamed, FlinkError::Address(_)), "{unnamed:?}");
    let missing = inspect(&store.address_of("default/c")).await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "there is no HA data of a Flink cluster c in the namespace default; this namespace has: b, cluster"
    );
    let empty = clusters(&store.address_of("empty")).await.unwrap();
    assert_eq!(empty, Clusters::default());
    store.assert_only_read();
}

#[tokio::test]
async fn no_cluster_and_no_server_are_told_apart() {
    let store = Store::start().await;
    let nothing = inspect(&store.address()).await.unwrap_err();
    assert!(matches!(nothing, FlinkError::Nothing(_)), "{nothing:?}");
    assert_eq!(
        nothing.to_string(),
        "there is no HA data of a Flink cluster cluster in the namespace default"
    );
    store.double.go_down();
    let unavailable = inspect(&store.address()).await;
    assert!(
        matches!(unavailable, Err(FlinkError::Unavailable { .. })),
        "{unavailable:?}"
    );
}
