//! Following a leader in ConfigMaps.

use super::*;

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
