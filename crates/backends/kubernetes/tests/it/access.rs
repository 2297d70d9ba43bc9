//! The rights that are needed, and how a missing one is told.

use futures::StreamExt;
use incumbent::backend::{Backend, Erased, Expected, Failure, Hint, Swapped, Unread, Version};
use incumbent_backend_kubernetes::KubernetesBackend;
use incumbent_kubernetes_double::Rule;

use crate::logs::Log;
use crate::{Server, create, in_time, key, node, open_with, place, read, until};

/// All that a process needs, besides what erases.
const VERBS: [&str; 5] = ["get", "list", "watch", "create", "update"];

fn only(verbs: &[&str], resources: &[&str]) -> Vec<Rule> {
    let leases: Vec<&str> = resources
        .iter()
        .copied()
        .filter(|it| *it == "leases")
        .collect();
    let core: Vec<&str> = resources
        .iter()
        .copied()
        .filter(|it| *it != "leases")
        .collect();
    vec![
        Rule::new("", &core, verbs),
        Rule::new("coordination.k8s.io", &leases, verbs),
    ]
}

async fn with(server: &Server, rules: Vec<Rule>, options: &str) -> KubernetesBackend {
    server
        .double
        .allow("token", "system:serviceaccount:default:jm", rules);
    open_with(&place::kubeconfig(&server.double, Some("token")), options)
}

fn text(swapped: Result<Swapped, Failure>) -> String {
    match swapped {
        Err(Failure::NotApplied(cause)) => cause.to_string(),
        other => panic!("{other:?}"),
    }
}

fn unread<T: std::fmt::Debug>(read: Result<T, Unread>) -> String {
    match read {
        Err(Unread::Unavailable(cause)) => cause.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn five_verbs_on_config_maps_are_enough_to_lead_and_to_follow() {
    let server = Server::start().await;
    let backend = with(&server, only(&VERBS, &["configmaps"]), "").await;
    let leader = node(backend.clone(), "a", crate::LEASE);
    let leadership = in_time("it leads", leader.candidate().unwrap().campaign()).await;
    let mut record = leadership.open(&"jobs/17".parse().unwrap()).await.unwrap();
    record.commit(1).await.unwrap();
    assert_eq!(leader.records().await.unwrap().len(), 1);
    let mut hints = backend.watch(leader.name());
    in_time("a hint comes", hints.next()).await;
    let refused = server
        .double
        .seen()
        .iter()
        .filter(|seen| seen.status == 403)
        .count();
    assert_eq!(refused, 0, "nothing else is asked for");
}

#[tokio::test]
async fn with_a_lease_the_same_five_on_leases_too() {
    let server = Server::start().await;
    let backend = with(
        &server,
        only(&VERBS, &["configmaps", "leases"]),
        "root=lease",
    )
    .await;
    let leader = node(backend, "a", crate::LEASE);
    let leadership = in_time("it leads", leader.candidate().unwrap().campaign()).await;
    let mut record = leadership.open(&"jobs/17".parse().unwrap()).await.unwrap();
    record.commit(1).await.unwrap();
    until("both watches are there", || {
        server
            .seen(&[incumbent_kubernetes_double::Verb::Watch])
            .len()
            == 2
    })
    .await;
    assert_eq!(
        server
            .double
            .seen()
            .iter()
            .filter(|seen| seen.status == 403)
            .count(),
        0
    );
}

#[tokio::test]
async fn a_missing_verb_is_named() {
    let server = Server::start().await;
    let admin = server.open("");
    let at = create(&admin, &key("a"), b"1").await;
    let backend = with(&server, vec![], "").await;
    let lacks =
        |verb: &str| format!("the role lacks {verb:?} on \"configmaps\" in namespace \"default\"");
    let created = text(backend.swap(&key("b"), Expected::Absent, b"").await);
    assert!(created.ends_with(&lacks("create")), "{created}");
    let updated = text(backend.swap(&key("a"), Expected::At(&at), b"").await);
    assert!(updated.ends_with(&lacks("update")), "{updated}");
    let got = unread(backend.read(&key("a")).await);
    assert!(got.ends_with(&lacks("get")), "{got}");
    let listed = unread(backend.list(key("a").group()).await);
    assert!(listed.ends_with(&lacks("list")), "{listed}");
    let erased = backend.erase(&key("a"), &at).await.unwrap_err();
    assert!(
        matches!(&erased, Failure::NotApplied(cause) if cause.to_string().ends_with(&lacks("delete"))),
        "{erased:?}"
    );
    assert_eq!(read(&admin, &key("a")).await.unwrap().version, at);
}

#[tokio::test]
async fn a_watch_that_is_refused_is_told_once_and_works_when_it_is_allowed() {
    let server = Server::start().await;
    let (log, _guard) = Log::begin();
    let backend = with(
        &server,
        only(&["get", "list", "create", "update"], &["configmaps"]),
        "",
    )
    .await;
    let mut hints = backend.watch(key("a").group());
    until("it is refused twice", || {
        server
            .double
            .seen()
            .iter()
            .filter(|seen| seen.status == 403)
            .count()
            >= 2
    })
    .await;
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].contains("the role lacks") && lines[0].contains("watch"),
        "{}",
        lines[0]
    );
    server.double.allow(
        "token",
        "system:serviceaccount:default:jm",
        only(&VERBS, &["configmaps"]),
    );
    assert_eq!(
        in_time("it watches", hints.next()).await,
        Some(Hint::anything())
    );
    let at = create(&backend, &key("a"), b"1").await;
    let hint = in_time("a hint comes", hints.next()).await.unwrap();
    assert_eq!((hint.key, hint.version), (Some(key("a")), Some(at)));
}

#[tokio::test]
async fn wrong_credentials_are_told_as_such() {
    let server = Server::start().await;
    let backend = open_with(&place::kubeconfig(&server.double, Some("nobody's")), "");
    let got = unread(backend.read(&key("a")).await);
    assert!(got.contains("does not accept the credentials"), "{got}");
}

#[tokio::test]
async fn to_erase_takes_the_verb_delete() {
    let server = Server::start().await;
    let backend = with(
        &server,
        only(&["get", "create", "delete"], &["configmaps"]),
        "",
    )
    .await;
    let at = create(&backend, &key("a"), b"1").await;
    let other = Version::new(at.as_str().replace(':', "0:"));
    assert_eq!(
        backend.erase(&key("a"), &other).await.unwrap(),
        Erased::Conflict
    );
    assert_eq!(backend.erase(&key("a"), &at).await.unwrap(), Erased::Gone);
    assert_eq!(
        backend.erase(&key("a"), &at).await.unwrap(),
        Erased::Conflict
    );
}
