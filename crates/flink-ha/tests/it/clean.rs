//! Cleaning, on real servers and on the double of the API server.

use incumbent_flink_ha::{CleanRequest, Cleaner, FlinkAddress, FlinkError};
use incumbent_kubernetes_double::{Fault, How, Match, Verb};
use serde_json::{Value, json};
use zookeeper_client::{Acls, Client, CreateMode};

use crate::inspect;
use crate::kubernetes::{MAPS, Store};
use crate::migrate::{at, free, stopped};
use crate::zookeeper::inspect::all;
use crate::zookeeper::{Server, ZNODES};

const MAIN: &str = "cluster-cluster-config-map";
const ENDED: &str = "0000000000000000000000000000000e";

fn usual() -> CleanRequest {
    CleanRequest {
        wait: true,
        ..CleanRequest::default()
    }
}

async fn look(address: &FlinkAddress, request: &CleanRequest) -> Cleaner {
    Cleaner::look(address, request).await.unwrap()
}

/// The kinds of what would go.
fn chosen(cleaner: &Cleaner) -> Vec<&'static str> {
    cleaner
        .cleaning()
        .chosen()
        .map(|it| it.kind.name())
        .collect()
}

/// The ConfigMap of the job in the store, and the key of its checkpoint.
fn of_job(store: &Store, json: &str) -> (String, Value, String) {
    let list: Value = serde_json::from_str(json).unwrap();
    let mut maps = list["items"].as_array().unwrap().iter();
    let map = maps.find(|map| map["data"]["counter"].is_string()).unwrap();
    let name = map["metadata"]["name"].as_str().unwrap().to_owned();
    let mut keys = map["data"].as_object().unwrap().keys();
    let key = keys.find(|key| key.starts_with("checkpointID-")).unwrap();
    let map = store.double.object("configmaps", "default", &name).unwrap();
    (name, map, key.clone())
}

#[tokio::test]
async fn on_kubernetes_only_what_is_listed_goes() {
    for json in &MAPS[1..] {
        let store = Store::with(json).await;
        free(&store);
        let address = store.address_of("default/cluster");
        let (name, mut map, checkpoint) = of_job(&store, json);
        let ended = format!("cluster-{ENDED}-config-map");
        store.put(
            &ended,
            json!({ "metadata": map["metadata"], "data": map["data"] }),
        );
        map["data"]["counter"] = "1".into();
        map["data"]["checkpointID-0000000000000000001"] = "text".into();
        store.put(&name, map.clone());
        let revision = store.double.revision();
        let cleaner = look(&address, &usual()).await;
        assert_eq!(store.double.revision(), revision, "looking writes nothing");
        let expected = [
            "leader",
            "leader",
            "leader",
            "leader",
            "ended-job",
            "unreadable",
            "counter",
        ];
        assert_eq!(chosen(&cleaner), expected);
        cleaner.apply().await.unwrap();
        let main = store.double.object("configmaps", "default", MAIN).unwrap();
        let keys = main["data"].as_object().unwrap().keys();
        assert!(keys.clone().count() > 0);
        assert!(
            keys.clone().all(|key| !key.contains(".leader.")),
            "{keys:?}"
        );
        assert!(
            store
                .double
                .object("configmaps", "default", &ended)
                .is_none()
        );
        let map = store.double.object("configmaps", "default", &name).unwrap();
        let expected = json!({ "counter": "5", &*checkpoint: map["data"][&checkpoint] });
        assert_eq!(map["data"], expected);
        assert_eq!(chosen(&look(&address, &usual()).await), [""; 0]);
    }
}

#[tokio::test]
async fn a_key_goes_although_the_leader_renews_its_lock_and_stays_if_it_was_written() {
    let store = Store::with(MAPS[3]).await;
    free(&store);
    let mut main = store.double.object("configmaps", "default", MAIN).unwrap();
    let key = format!("org.apache.flink.k8s.leader.job-{ENDED}");
    main["data"][&key] = format!("{},x", crate::ONE).into();
    store.put(MAIN, main.clone());
    let address = store.address_of("default/cluster");
    let request = CleanRequest {
        remove: vec![format!("{MAIN}/{key}")],
        ..usual()
    };
    // Another process takes the lock.
    let cleaner = look(&address, &request).await;
    main["metadata"]["annotations"]["other"] = "1".into();
    store.put(MAIN, main.clone());
    cleaner.apply().await.unwrap();
    let map = store.double.object("configmaps", "default", MAIN).unwrap();
    assert_eq!(map["metadata"]["annotations"]["other"], "1");
    assert!(map["data"][&key].is_null());
    // Another process writes the key.
    store.put(MAIN, main.clone());
    let cleaner = look(&address, &request).await;
    main["data"][&key] = format!("{},y", crate::ONE).into();
    store.put(MAIN, main.clone());
    let changed = cleaner.apply().await;
    assert!(
        matches!(changed, Err(FlinkError::Changed(_))),
        "{changed:?}"
    );
    let map = store.double.object("configmaps", "default", MAIN).unwrap();
    assert_eq!(map["data"][&key], main["data"][&key]);
}

/// A person is asked between the two, and may take long to answer.
#[tokio::test]
async fn nothing_goes_that_a_leader_notices_if_one_has_begun_since_it_was_looked() {
    let lock = "control-plane.alpha.kubernetes.io/leader";
    let store = Store::with(MAPS[3]).await;
    free(&store);
    let (name, mut map, checkpoint) = of_job(&store, MAPS[3]);
    map["data"]["counter"] = "1".into();
    store.put(&name, map);
    let address = store.address_of("default/cluster");
    let request = CleanRequest {
        remove: vec![format!("{name}/{checkpoint}")],
        ..usual()
    };
    let cleaners = [
        look(&address, &usual()).await,
        look(&address, &request).await,
    ];
    assert!(chosen(&cleaners[0]).contains(&"counter"));
    // A leader takes the lock, and writes nothing else.
    let mut main = store.double.object("configmaps", "default", MAIN).unwrap();
    let held = json!({ "holderIdentity": "x", "leaseDuration": 15.0 });
    main["metadata"]["annotations"][lock] = held.to_string().into();
    store.put(MAIN, main);
    let revision = store.double.revision();
    for cleaner in cleaners {
        let changed = cleaner.apply().await;
        assert!(
            matches!(changed, Err(FlinkError::Changed(_))),
            "{changed:?}"
        );
    }
    assert_eq!(store.double.revision(), revision, "nothing was written");
    for server in Server::each().await {
        stopped(&server, ZNODES[2]).await;
        let address = at(&server, "/flink/cluster");
        let client = server.client().await;
        let cluster = inspect(&address).await.unwrap();
        let key = &cluster.jobs.values().next().unwrap().checkpoints[0]
            .pointer
            .key;
        let request = CleanRequest {
            remove: vec![key.clone()],
            ..usual()
        };
        let cleaner = look(&address, &request).await;
        let latch = "/flink/cluster/leader/latch";
        let options = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
        let _ = client
            .mkdir(latch, &CreateMode::Persistent.with_acls(Acls::anyone_all()))
            .await;
        let waits = format!("{latch}/_c_1-latch-0000000009");
        client.create(&waits, b"", &options).await.unwrap();
        let before = all(&client).await;
        let changed = cleaner.apply().await;
        assert!(
            matches!(changed, Err(FlinkError::Changed(_))),
            "{changed:?}"
        );
        assert_eq!(all(&client).await, before);
    }
}

#[tokio::test]
async fn a_write_without_an_answer_is_unknown_and_can_be_done_again() {
    let store = Store::with(MAPS[3]).await;
    free(&store);
    let address = store.address_of("default/cluster");
    store.double.inject(Fault {
        on: Match::on(Verb::Update, "configmaps"),
        skip: 0,
        times: Some(1),
        how: How::CutAfter,
    });
    let unknown = look(&address, &usual()).await.apply().await;
    assert!(
        matches!(unknown, Err(FlinkError::Unknown { .. })),
        "{unknown:?}"
    );
    assert_eq!(chosen(&look(&address, &usual()).await), [""; 0]);
}

#[tokio::test]
async fn while_somebody_leads_only_that_goes_which_nobody_notices() {
    let store = Store::with(MAPS[3]).await;
    let (name, mut map, _) = of_job(&store, MAPS[3]);
    map["data"]["counter"] = "1".into();
    store.put(&name, map);
    let request = CleanRequest {
        wait: false,
        ..usual()
    };
    let cleaner = look(&store.address_of("default/cluster"), &request).await;
    assert!(cleaner.cleaning().in_use.is_some());
    assert_eq!(chosen(&cleaner), [""; 0]);
    let kinds: Vec<_> = cleaner
        .cleaning()
        .findings
        .iter()
        .map(|it| it.kind.name())
        .collect();
    assert_eq!(kinds, ["counter"]);
}

async fn create(client: &Client, path: &str, data: &[u8]) {
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    client.create(path, data, &options).await.unwrap();
}

#[tokio::test]
async fn in_zookeeper_only_what_is_listed_goes() {
    for server in Server::each().await {
        stopped(&server, ZNODES[0]).await;
        let client = server.client().await;
        let before = all(&client).await;
        let base = "/flink/cluster";
        let mut paths = before.keys();
        let counter = paths.find(|path| path.ends_with("checkpoint_id_counter"));
        let counter = counter.unwrap().clone();
        client
            .set_data(&counter, &[0, 0, 0, 1], None)
            .await
            .unwrap();
        let of_job = counter.replace("/checkpoint_id_counter", "/checkpoints");
        create(&client, &format!("{of_job}/0000000000000000001"), b"text").await;
        create(&client, &format!("{of_job}/0000000000000000001/locks"), b"").await;
        for (path, data) in [
            ("", &b""[..]),
            ("/checkpoints", b""),
            ("/checkpoints/0000000000000000009", b"text"),
            ("/checkpoint_id_counter", &[0, 0, 0, 10]),
        ] {
            create(&client, &format!("{base}/jobs/{ENDED}{path}"), data).await;
        }
        let address = at(&server, base);
        let cleaner = look(&address, &usual()).await;
        assert_eq!(chosen(&cleaner), ["ended-job", "unreadable", "counter"]);
        cleaner.apply().await.unwrap();
        let mut after = all(&client).await;
        let mut expected = before;
        let was = expected.remove(&counter).unwrap().0;
        assert_eq!(after.remove(&counter).unwrap().0, was);
        assert_eq!(
            after.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>()
        );
        assert_eq!(chosen(&look(&address, &usual()).await), [""; 0]);
    }
}

/// Flink says: "Could not retrieve checkpoint 4 … Try cleaning the state handle store".
#[tokio::test]
async fn one_broken_pointer_goes_by_its_name() {
    for server in Server::each().await {
        stopped(&server, ZNODES[2]).await;
        let address = at(&server, "/flink/cluster");
        let client = server.client().await;
        let cluster = inspect(&address).await.unwrap();
        let key = cluster.jobs.values().next().unwrap().checkpoints[0]
            .pointer
            .key
            .clone();
        let request = CleanRequest {
            remove: vec![key.clone()],
            ..usual()
        };
        let cleaner = look(&address, &request).await;
        // Written meanwhile, it stays.
        let path = format!("/flink/cluster{key}");
        let (data, _) = client.get_data(&path).await.unwrap();
        client.set_data(&path, b"other", None).await.unwrap();
        let changed = cleaner.apply().await;
        assert!(
            matches!(changed, Err(FlinkError::Changed(_))),
            "{changed:?}"
        );
        client.set_data(&path, &data, None).await.unwrap();
        look(&address, &request).await.apply().await.unwrap();
        let cluster = inspect(&address).await.unwrap();
        let job = cluster.jobs.values().next().unwrap();
        assert_eq!((job.checkpoints.len(), job.plan.is_some()), (0, true));
        let gone = Cleaner::look(&address, &request).await;
        assert!(matches!(gone, Err(FlinkError::Named(_))));
    }
}
