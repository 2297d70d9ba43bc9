//! ConfigMaps, in the test double of the API server.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use incumbent_flink_ha::{
    Component, FlinkAddress, FlinkError, InspectOptions, ProblemKind, Renewal, Severity, clusters,
};
use incumbent_kubernetes_double::{Double, Fault, How, Match, Options, Rule, Verb};
use incumbent_servers::free_port;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::{ONE, TWO, inspect, leaders, next, some};

const MAPS: [&str; 4] = [
    include_str!("../fixtures/kubernetes-1.14.6.json"),
    include_str!("../fixtures/kubernetes-1.20.3.json"),
    include_str!("../fixtures/kubernetes-2.2.1.json"),
    include_str!("../fixtures/kubernetes-2.3.0.json"),
];

const CLUSTER: &str = "cluster-cluster-config-map";

struct Store {
    double: Double,
    kubeconfig: NamedTempFile,
}

impl Store {
    async fn start() -> Self {
        Self::of(None).await
    }

    async fn of(user: Option<(&str, Vec<Rule>)>) -> Self {
        Self::at(Options::default().listen, user).await
    }

    /// For a user with this token and these rights.
    async fn at(listen: SocketAddr, user: Option<(&str, Vec<Rule>)>) -> Self {
        let options = Options {
            listen,
            ..Options::default()
        };
        let double = Double::start(options).await;
        let token = user.map(|(token, rules)| {
            double.allow(token, "gateway", rules);
            token
        });
        let kubeconfig = NamedTempFile::new().unwrap();
        std::fs::write(kubeconfig.path(), double.kubeconfig(token)).unwrap();
        Self { double, kubeconfig }
    }

    /// With the ConfigMaps that a Flink has written.
    async fn with(json: &str) -> Self {
        let store = Self::start().await;
        let list: Value = serde_json::from_str(json).unwrap();
        for map in list["items"].as_array().unwrap() {
            let name = map["metadata"]["name"].as_str().unwrap().to_owned();
            store.put(&name, map.clone());
        }
        store
    }

    /// Replaces the server by an empty one at the same port.
    fn begin_anew(&mut self, listen: SocketAddr) {
        // The port is free when the old one is gone.
        drop(std::mem::replace(
            &mut self.double,
            Double::start_now(Options::default()),
        ));
        self.double = Double::start_now(Options {
            listen,
            ..Options::default()
        });
    }

    fn address(&self) -> FlinkAddress {
        self.address_of("default/cluster")
    }

    fn address_of(&self, path: &str) -> FlinkAddress {
        let file = self.kubeconfig.path().display();
        let address = format!("kubernetes://{path}?kubeconfig={file}");
        address.parse().unwrap()
    }

    fn put(&self, name: &str, mut map: Value) {
        map["apiVersion"] = "v1".into();
        map["kind"] = "ConfigMap".into();
        self.double.put_by_hand("configmaps", "default", name, map);
    }

    /// Puts a leader, and an annotation as an elector renews it.
    fn lead(&self, leader: &str, renewed: u32) {
        let lock = json!({ "holderIdentity": "a", "renewTime": renewed.to_string() });
        self.lead_with(leader, &lock);
    }

    fn lead_with(&self, leader: &str, annotation: &Value) {
        let metadata = json!({
            "labels": { "app": "cluster", "type": "flink-native-kubernetes" },
            "annotations": { "control-plane.alpha.kubernetes.io/leader": annotation.to_string() },
        });
        let data = json!({ "org.apache.flink.k8s.leader.restserver": leader });
        self.put(CLUSTER, json!({ "metadata": metadata, "data": data }));
    }

    fn remove(&self) {
        self.double
            .delete_by_hand("configmaps", "default", CLUSTER)
            .unwrap();
    }

    fn assert_only_read(&self) {
        for seen in self.double.seen() {
            let read = matches!(seen.verb, Verb::Get | Verb::List | Verb::Watch);
            assert!(read && seen.resource == "configmaps", "{seen:?}");
        }
    }
}

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

#[tokio::test]
async fn a_leader_comes_at_first_and_at_each_change_and_never_twice() {
    let store = Store::start().await;
    let mut followed = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut followed).await, None);
    store.lead(&format!("{ONE},http://a:1"), 1);
    assert_eq!(next(&mut followed).await, some(ONE, "http://a:1"));
    // Renewals change the object, and not the leader.
    for renewed in 2..10 {
        store.lead(&format!("{ONE},http://a:1"), renewed);
    }
    store.lead(&format!("{TWO},http://a:1"), 10);
    assert_eq!(next(&mut followed).await, some(TWO, "http://a:1"));
    store.lead("text", 11);
    assert_eq!(next(&mut followed).await, None, "it cannot be read");
    store.lead(&format!("{ONE},http://b:1"), 12);
    assert_eq!(next(&mut followed).await, some(ONE, "http://b:1"));
    store.remove();
    assert_eq!(next(&mut followed).await, None);
    store.lead(&format!("{ONE},http://b:1"), 13);
    assert_eq!(
        next(&mut followed).await,
        some(ONE, "http://b:1"),
        "it came back"
    );
    // A later follower gets it too.
    let mut late = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut late).await, some(ONE, "http://b:1"));
    let mut other = leaders(&store.address(), &Component::Dispatcher);
    assert_eq!(next(&mut other).await, None);
    store.assert_only_read();
}

#[tokio::test]
async fn a_leader_is_followed_over_cut_watches_outages_and_forgotten_histories() {
    let store = Store::start().await;
    let lead = |number: u32| store.lead(&format!("{ONE},http://a:{number}"), number);
    let is = |number: u32| some(ONE, &format!("http://a:{number}"));
    lead(1);
    let mut followed = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut followed).await, is(1));
    store.double.cut_watches();
    lead(2);
    assert_eq!(next(&mut followed).await, is(2));
    // The next watch begins before the change, which is forgotten.
    let hang = Fault {
        on: Match::on(Verb::Watch, "configmaps"),
        skip: 0,
        times: Some(4),
        how: How::CutBefore,
    };
    store.double.inject(hang);
    store.double.cut_watches();
    lead(3);
    store.remove();
    lead(4);
    store.double.compact();
    assert_eq!(next(&mut followed).await, is(4));
    store.double.go_down();
    lead(5);
    store.remove();
    lead(6);
    store.double.come_back();
    assert_eq!(next(&mut followed).await, is(6));
    store.double.go_down();
    store.double.come_back();
    // An unchanged leader does not come again.
    lead(7);
    assert_eq!(next(&mut followed).await, is(7));
    store.assert_only_read();
}

/// As after a restore from a backup, or on a server installed anew: its versions begin lower again,
/// and mean nothing beside the old ones.
#[tokio::test]
async fn a_leader_is_followed_when_the_server_is_made_anew() {
    // A port outside those of connections: while nobody listens on one of those, a client may
    // connect to itself.
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port().unwrap()));
    let mut store = Store::at(listen, None).await;
    for number in 1..100 {
        store.lead(&format!("{ONE},http://a:1"), number);
    }
    let mut followed = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut followed).await, some(ONE, "http://a:1"));
    for (session, number) in [(TWO, 1), (ONE, 2), (TWO, 3)] {
        let address = format!("http://new:{number}");
        store.begin_anew(listen);
        store.lead(&format!("{session},{address}"), number);
        let mut leader = next(&mut followed).await;
        if leader.is_none() {
            // It was read before the leader was there.
            leader = next(&mut followed).await;
        }
        assert_eq!(leader, some(session, &address));
    }
    store.begin_anew(listen);
    assert_eq!(next(&mut followed).await, None);
}

#[tokio::test]
async fn a_leader_in_a_config_map_of_its_own_is_followed_as_before_1_15() {
    let store = Store::start().await;
    let older =
        |session: &str| json!({ "data": { "address": "http://old:1", "sessionId": session } });
    store.put("cluster-restserver-leader", older(ONE));
    let mut followed = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut followed).await, some(ONE, "http://old:1"));
    store.put("cluster-restserver-leader", older(TWO));
    assert_eq!(next(&mut followed).await, some(TWO, "http://old:1"));
    // An update of Flink leaves it there.
    store.lead(&format!("{ONE},http://new:1"), 1);
    assert_eq!(next(&mut followed).await, some(ONE, "http://new:1"));
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
    assert_eq!(clusters(&store.address_of("empty")).await.unwrap(), []);
    store.assert_only_read();
}

#[tokio::test]
async fn rights_to_list_and_watch_are_enough_and_missing_ones_are_named() {
    let rules = vec![Rule::new("", &["configmaps"], &["list", "watch"])];
    let store = Store::of(Some(("token", rules))).await;
    store.lead(&format!("{ONE},http://a:1"), 1);
    assert_eq!(inspect(&store.address()).await.unwrap().leaders.len(), 1);
    let mut followed = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut followed).await, some(ONE, "http://a:1"));
    store.lead(&format!("{TWO},http://a:1"), 2);
    assert_eq!(next(&mut followed).await, some(TWO, "http://a:1"));
    // To follow, the rights on these two are enough.
    let rule = Rule::new("", &["configmaps"], &["list", "watch"]);
    let rule = rule.named(&[CLUSTER, "cluster-restserver-leader"]);
    let store = Store::of(Some(("token", vec![rule]))).await;
    let mut followed = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut followed).await, None);
    store.lead(&format!("{ONE},http://a:1"), 1);
    assert_eq!(next(&mut followed).await, some(ONE, "http://a:1"));
    let store = Store::of(Some(("token", Vec::new()))).await;
    let refused = inspect(&store.address()).await.unwrap_err();
    let FlinkError::Refused { what, source } = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(what, "list of ConfigMaps in the namespace default");
    // The server's own words, once, and nothing of the client's.
    let source = source.to_string();
    assert!(
        source.contains("forbidden") && !source.contains("Status"),
        "{source}"
    );
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
