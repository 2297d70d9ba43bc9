//! ConfigMaps, in the test double of the API server.

use std::net::{Ipv4Addr, SocketAddr};

use incumbent_flink_ha::{Component, FlinkAddress, FlinkError, ProblemKind, inspect};
use incumbent_kubernetes_double::{Double, Fault, How, Match, Options, Rule, Verb};
use incumbent_servers::free_port;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::{ONE, TWO, leaders, next, some};

const MAPS: [&str; 3] = [
    include_str!("../fixtures/kubernetes-1.14.6.json"),
    include_str!("../fixtures/kubernetes-1.20.3.json"),
    include_str!("../fixtures/kubernetes-2.2.1.json"),
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

    /// As a user with this token, who may do what these rules say.
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

    /// With what Flink has written.
    async fn with(json: &str) -> Self {
        let store = Self::start().await;
        let list: Value = serde_json::from_str(json).unwrap();
        for map in list["items"].as_array().unwrap() {
            let name = map["metadata"]["name"].as_str().unwrap().to_owned();
            store.put(&name, map.clone());
        }
        store
    }

    /// Another server, with nothing in it, where this one is.
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
        let file = self.kubeconfig.path().display();
        let address = format!("kubernetes://default/cluster?kubeconfig={file}");
        address.parse().unwrap()
    }

    fn put(&self, name: &str, mut map: Value) {
        map["apiVersion"] = "v1".into();
        map["kind"] = "ConfigMap".into();
        self.double.put_by_hand("configmaps", "default", name, map);
    }

    /// The leader, and an annotation as an elector renews it.
    fn lead(&self, leader: &str, renewed: u32) {
        let annotation = json!({ "holderIdentity": "a", "renewTime": renewed.to_string() });
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
async fn what_flink_wrote_is_told_and_stays_as_it_is() {
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
        let mut told = leaders(&address, &Component::RestServer);
        assert_eq!(
            next(&mut told).await.unwrap().split(',').next(),
            Some(session)
        );
        store.assert_only_read();
        assert_eq!(store.double.revision(), revision, "nothing was written");
    }
}

#[tokio::test]
async fn a_leader_is_told_at_first_and_at_each_change_and_never_twice() {
    let store = Store::start().await;
    let mut told = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut told).await, None);
    store.lead(&format!("{ONE},http://a:1"), 1);
    assert_eq!(next(&mut told).await, some(ONE, "http://a:1"));
    // Renewals change the object, and not the leader.
    for renewed in 2..10 {
        store.lead(&format!("{ONE},http://a:1"), renewed);
    }
    store.lead(&format!("{TWO},http://a:1"), 10);
    assert_eq!(next(&mut told).await, some(TWO, "http://a:1"));
    store.lead("text", 11);
    assert_eq!(next(&mut told).await, None, "it cannot be read");
    store.lead(&format!("{ONE},http://b:1"), 12);
    assert_eq!(next(&mut told).await, some(ONE, "http://b:1"));
    store.remove();
    assert_eq!(next(&mut told).await, None);
    store.lead(&format!("{ONE},http://b:1"), 13);
    assert_eq!(
        next(&mut told).await,
        some(ONE, "http://b:1"),
        "it came back"
    );
    // Who comes later hears it too.
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
    let mut told = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut told).await, is(1));
    store.double.cut_watches();
    lead(2);
    assert_eq!(next(&mut told).await, is(2));
    // Its watch is from before, and the change is forgotten.
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
    assert_eq!(next(&mut told).await, is(4));
    store.double.go_down();
    lead(5);
    store.remove();
    lead(6);
    store.double.come_back();
    assert_eq!(next(&mut told).await, is(6));
    store.double.go_down();
    store.double.come_back();
    // What is as before is not told again.
    lead(7);
    assert_eq!(next(&mut told).await, is(7));
    store.assert_only_read();
}

/// As after a restore from a backup, or on a server that was made anew: its versions begin again
/// lower, and say nothing of the old ones.
#[tokio::test]
async fn a_leader_is_followed_when_the_server_is_made_anew() {
    // Not from those that connections have: while nobody listens there, a client may be connected
    // to itself.
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port().unwrap()));
    let mut store = Store::at(listen, None).await;
    for number in 1..100 {
        store.lead(&format!("{ONE},http://a:1"), number);
    }
    let mut told = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut told).await, some(ONE, "http://a:1"));
    for (session, number) in [(TWO, 1), (ONE, 2), (TWO, 3)] {
        let address = format!("http://new:{number}");
        store.begin_anew(listen);
        store.lead(&format!("{session},{address}"), number);
        let mut leader = next(&mut told).await;
        if leader.is_none() {
            // It was asked before the leader was there.
            leader = next(&mut told).await;
        }
        assert_eq!(leader, some(session, &address));
    }
    store.begin_anew(listen);
    assert_eq!(next(&mut told).await, None);
}

#[tokio::test]
async fn a_leader_in_a_config_map_of_its_own_is_followed_as_before_1_15() {
    let store = Store::start().await;
    let older =
        |session: &str| json!({ "data": { "address": "http://old:1", "sessionId": session } });
    store.put("cluster-restserver-leader", older(ONE));
    let mut told = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut told).await, some(ONE, "http://old:1"));
    store.put("cluster-restserver-leader", older(TWO));
    assert_eq!(next(&mut told).await, some(TWO, "http://old:1"));
    // Flink was updated, and left it there.
    store.lead(&format!("{ONE},http://new:1"), 1);
    assert_eq!(next(&mut told).await, some(ONE, "http://new:1"));
}

#[tokio::test]
async fn a_stale_leader_is_told_with_its_key() {
    let store = Store::with(MAPS[2]).await;
    let mut map = store
        .double
        .object("configmaps", "default", CLUSTER)
        .unwrap();
    map["data"]["org.apache.flink.k8s.leader.dispatcher"] = format!("{ONE},pekko.tcp://old").into();
    store.put(CLUSTER, map);
    let problems = inspect(&store.address()).await.unwrap().problems;
    let [problem] = &problems[..] else {
        panic!("{problems:?}");
    };
    assert_eq!(problem.kind, ProblemKind::Stale);
    assert_eq!(
        problem.key,
        format!("{CLUSTER}/org.apache.flink.k8s.leader.dispatcher")
    );
}

#[tokio::test]
async fn rights_to_list_and_watch_are_enough_and_without_them_that_is_said() {
    let rules = vec![Rule::new("", &["configmaps"], &["list", "watch"])];
    let store = Store::of(Some(("token", rules))).await;
    store.lead(&format!("{ONE},http://a:1"), 1);
    assert_eq!(inspect(&store.address()).await.unwrap().leaders.len(), 1);
    let mut told = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut told).await, some(ONE, "http://a:1"));
    store.lead(&format!("{TWO},http://a:1"), 2);
    assert_eq!(next(&mut told).await, some(TWO, "http://a:1"));
    // To follow, these two are enough.
    let rule = Rule::new("", &["configmaps"], &["list", "watch"]);
    let rule = rule.named(&[CLUSTER, "cluster-restserver-leader"]);
    let store = Store::of(Some(("token", vec![rule]))).await;
    let mut told = leaders(&store.address(), &Component::RestServer);
    assert_eq!(next(&mut told).await, None);
    store.lead(&format!("{ONE},http://a:1"), 1);
    assert_eq!(next(&mut told).await, some(ONE, "http://a:1"));
    let store = Store::of(Some(("token", Vec::new()))).await;
    let refused = inspect(&store.address()).await;
    assert!(
        matches!(refused, Err(FlinkError::Refused { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn no_cluster_and_no_server_are_told_apart() {
    let store = Store::start().await;
    let nothing = inspect(&store.address()).await.unwrap_err();
    assert!(matches!(nothing, FlinkError::Nothing(_)), "{nothing:?}");
    assert_eq!(
        nothing.to_string(),
        "there is no HA data of a Flink cluster in ConfigMaps of cluster in the namespace default"
    );
    store.double.go_down();
    let unavailable = inspect(&store.address()).await;
    assert!(
        matches!(unavailable, Err(FlinkError::Unavailable { .. })),
        "{unavailable:?}"
    );
}
