//! Logins by name and password.

use futures::StreamExt;
use incumbent_backend::{Backend, Expected, Failure, Key, Rights, Swapped, causes};
use incumbent_backend_etcd::EtcdBackend;
use incumbent_servers::etcd::{Etcd, Options};
use tokio::time::timeout;

use crate::{IN_TIME, create, key, leads_to, open, read, swap};
use incumbent_conformance::log::Log;

const ROOT: &str = "--user=root:toor";

/// The server's metric that counts logins.
const LOGINS: &str = r#"grpc_server_handled_total{grpc_code="OK",grpc_method="Authenticate",grpc_service="etcdserverpb.Auth",grpc_type="unary"}"#;

/// A server with the user alice, who may use all keys below `/it/`. Logins are not required yet.
fn prepared(options: Options) -> Option<Etcd> {
    // The cheapest hash: the tests do not depend on its cost.
    let server = Etcd::start(options.argument("--bcrypt-cost=4"))?;
    for command in [
        "role add it",
        "role grant-permission it readwrite --prefix=true /it/",
        "user add alice:s@cret",
        "user grant-role alice it",
        "user add root:toor",
        "user grant-role root root",
    ] {
        ctl(&server, command);
    }
    Some(server)
}

/// The same server, with logins required.
fn guarded(options: Options) -> Option<Etcd> {
    let server = prepared(options)?;
    ctl(&server, "auth enable");
    Some(server)
}

fn ctl(server: &Etcd, command: &str) -> String {
    let words: Vec<_> = command.split(' ').collect();
    server.ctl(&words).unwrap()
}

fn with(server: &Etcd, login: &str, path: &str) -> EtcdBackend {
    open(&format!(
        "etcd://{login}{}{path}?timeout=3s",
        server.address()
    ))
}

#[tokio::test]
async fn a_role_for_the_prefix_is_enough_and_the_password_is_not_shown() {
    let Some(server) = guarded(Options::default()) else {
        return;
    };
    let (log, _guard) = Log::begin_at(tracing::Level::DEBUG, "incumbent_backend_etcd");
    let ours = with(&server, "alice:s%40cret@", "/it");
    let key = key("a");
    let first = create(&ours, &key, b"1").await;
    let mut hints = ours.watch(key.group());
    leads_to(&mut hints, &ours, &key, b"1").await;
    let Swapped::Committed(second) = swap(&ours, &key, &first, b"2").await else {
        panic!("nobody else writes");
    };
    leads_to(&mut hints, &ours, &key, b"2").await;
    assert_eq!(ours.list(key.group()).await.unwrap().len(), 1);
    assert_eq!(ours.groups().await.unwrap(), [key.group().clone()]);
    let mut shown = format!("{ours:?}");
    for (login, path, says) in [
        ("", "/it", "user:password@ before the hosts"),
        ("alice:wrong-s%40cret@", "/it", "authentication failed"),
        ("bob:s%40cret@", "/it", "authentication failed"),
        ("alice:s%40cret@", "/elsewhere", "readwrite on all keys"),
    ] {
        let other = with(&server, login, path);
        let why = causes(&other.read(&key).await.expect_err("it is refused"));
        assert!(why.contains("refused at") && why.contains(says), "{why}");
        shown += &why;
        for expected in [Expected::At(&second), Expected::Absent] {
            let swapped = other.swap(&key, expected, b"3").await;
            let Err(Failure::NotApplied(why)) = swapped else {
                panic!("{swapped:?}");
            };
            shown += &causes(&*why);
        }
    }
    assert_eq!(read(&ours, &key).await.unwrap().version, second);
    shown += &format!("{:?}", log.lines());
    assert!(
        shown.contains("connected") && !shown.contains("cret"),
        "{shown}"
    );
}

/// A server forgets its tokens when it restarts, and tokens expire.
#[tokio::test]
async fn a_token_that_is_no_good_any_more_is_replaced_and_costs_no_call() {
    let Some(server) = guarded(Options::default().argument("--auth-token-ttl=1")) else {
        return;
    };
    let ours = with(&server, "alice:s%40cret@", "/it");
    let key = key("a");
    let mut version = create(&ours, &key, b"0").await;
    let mut hints = ours.watch(key.group());
    leads_to(&mut hints, &ours, &key, b"0").await;
    for n in 1..=3 {
        tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
        let body = n.to_string();
        let swapped = ours
            .swap(&key, Expected::At(&version), body.as_bytes())
            .await;
        let Ok(Swapped::Committed(next)) = swapped else {
            panic!("{swapped:?}");
        };
        version = next;
        leads_to(&mut hints, &ours, &key, body.as_bytes()).await;
    }
    assert!(server.metric(LOGINS) >= Some(4.0), "it was this case");
    server.restart();
    let Swapped::Committed(_) = swap(&ours, &key, &version, b"after").await else {
        panic!("nobody else writes");
    };
    leads_to(&mut hints, &ours, &key, b"after").await;
}

#[tokio::test]
async fn a_right_that_is_taken_away_and_given_again_is_noticed_by_calls_and_watches() {
    let Some(server) = guarded(Options::default()) else {
        return;
    };
    let ours = with(&server, "alice:s%40cret@", "/it");
    let key = key("a");
    let version = create(&ours, &key, b"1").await;
    ctl(&server, &format!("{ROOT} user revoke-role alice it"));
    let swapped = ours.swap(&key, Expected::At(&version), b"2").await;
    assert!(
        matches!(swapped, Err(Failure::NotApplied(_))),
        "{swapped:?}"
    );
    let mut hints = ours.watch(key.group());
    let early = timeout(std::time::Duration::from_millis(500), hints.next()).await;
    assert!(early.is_err(), "a watch that is refused says nothing");
    ctl(&server, &format!("{ROOT} user grant-role alice it"));
    let hint = timeout(IN_TIME, hints.next())
        .await
        .expect("it is tried again");
    assert_eq!(hint.unwrap().key, None);
    let Swapped::Committed(_) = swap(&ours, &key, &version, b"2").await else {
        panic!("nobody else writes");
    };
    leads_to(&mut hints, &ours, &key, b"2").await;
}

#[tokio::test]
async fn who_could_not_campaign_is_told_before_and_no_record_is_changed() {
    let Some(server) = guarded(Options::default()) else {
        return;
    };
    for command in [
        "role add look",
        "role grant-permission look read --prefix=true /it/",
        "user add bob:s@cret",
        "user grant-role bob look",
    ] {
        ctl(&server, &format!("{ROOT} {command}"));
    }
    let [alice, bob] = ["alice:s%40cret@", "bob:s%40cret@"].map(|who| with(&server, who, "/it"));
    let group = key("a").group().clone();
    assert_eq!(alice.check_rights(&group).await.unwrap(), Rights::Granted);
    assert_eq!(alice.groups().await.unwrap(), []);
    let version = create(&alice, &Key::root(group.clone()), b"1").await;
    assert_eq!(alice.check_rights(&group).await.unwrap(), Rights::Granted);
    // Without this check, a read-only account would be noticed only in a failover.
    read(&bob, &Key::root(group.clone())).await.unwrap();
    let Rights::Missing(why) = bob.check_rights(&group).await.unwrap() else {
        panic!("bob may only read");
    };
    for word in [
        "\"bob\" may not write",
        "/it/demo/",
        "readwrite on all keys",
    ] {
        assert!(why.contains(word) && !why.contains("cret"), "{why}");
    }
    let found = read(&alice, &Key::root(group.clone())).await.unwrap();
    assert_eq!((found.version, &*found.body), (version, &b"1"[..]));
    assert_eq!(alice.list(&group).await.unwrap().len(), 1);
    // Without an answer, the rights are unknown.
    server.kill();
    alice
        .check_rights(&group)
        .await
        .expect_err("nobody answers");
}

/// An operator can switch on logins while all processes run.
#[tokio::test]
async fn a_login_that_is_not_needed_yet_is_used_when_it_is() {
    let Some(server) = prepared(Options::default()) else {
        return;
    };
    let ours = with(&server, "alice:s%40cret@", "/it");
    let key = key("a");
    let version = create(&ours, &key, b"1").await;
    ctl(&server, "auth enable");
    let swapped = ours.swap(&key, Expected::At(&version), b"2").await;
    assert!(matches!(swapped, Ok(Swapped::Committed(_))), "{swapped:?}");
}
