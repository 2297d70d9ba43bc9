//! The rights that are needed, and how a missing one is reported.

use futures::StreamExt;
use incumbent::backend::{
    Backend, Erased, Expected, Failure, Hint, Rights, Swapped, Unread, Version,
};
use incumbent_backend_kubernetes::KubernetesBackend;
use incumbent_kubernetes_double::{How, Rule, Verb};

use crate::logs::Log;
use crate::{Server, create, in_time, key, node, open_with, place, read, refusal, until};

/// What a process needs, without what erases.
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
    // The server's own words say which account it is.
    let lacks = |verb: &str| {
        format!(
            "the role lacks {verb:?} on \"configmaps\" in namespace \"default\"; the API server says: configmaps"
        )
    };
    let account = "User \"system:serviceaccount:default:jm\" cannot";
    let created = text(backend.swap(&key("b"), Expected::Absent, b"").await);
    assert!(
        created.contains(&lacks("create")) && created.contains(account),
        "{created}"
    );
    let updated = text(backend.swap(&key("a"), Expected::At(&at), b"").await);
    assert!(
        updated.contains(&lacks("update")) && updated.contains(account),
        "{updated}"
    );
    let got = unread(backend.read(&key("a")).await);
    assert!(
        got.contains(&lacks("get")) && got.contains(account),
        "{got}"
    );
    let listed = unread(backend.list(key("a").group()).await);
    assert!(
        listed.contains(&lacks("list")) && listed.contains(account),
        "{listed}"
    );
    let erased = backend.erase(&key("a"), &at).await.unwrap_err();
    assert!(
        matches!(&erased, Failure::NotApplied(cause) if cause.to_string().contains(&lacks("delete"))),
        "{erased:?}"
    );
    assert_eq!(read(&admin, &key("a")).await.unwrap().version, at);
}

#[tokio::test]
async fn a_watch_that_is_refused_is_reported_once_and_works_when_it_is_allowed() {
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
async fn wrong_credentials_are_reported_as_such() {
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

async fn missing(backend: &KubernetesBackend) -> String {
    match backend.check_rights(key("a").group()).await {
        Ok(Rights::Missing(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// A role that lacks one verb shows before a failover needs it.
#[tokio::test]
async fn a_missing_verb_is_found_before_it_is_needed() {
    let server = Server::start().await;
    for (options, resource) in [("", "configmaps"), ("root=lease", "leases")] {
        let resources: &[&str] = match options {
            "" => &["configmaps"],
            _ => &["configmaps", "leases"],
        };
        let backend = with(&server, only(&VERBS, resources), options).await;
        let rights = backend.check_rights(key("a").group()).await.unwrap();
        assert_eq!(rights, Rights::Granted, "{options}");
        for verb in VERBS {
            let mut rules = only(&VERBS, resources);
            for rule in &mut rules {
                if rule.resources == [resource] {
                    rule.verbs.retain(|it| it != verb);
                }
            }
            let backend = with(&server, rules, options).await;
            let why = missing(&backend).await;
            let lacks = format!(
                "the role lacks {verb:?} on {resource:?} in namespace \"default\": add this to the role"
            );
            assert!(why.starts_with(&lacks), "{why}");
            assert!(
                why.contains("of account \"system:serviceaccount:default:jm\""),
                "{why}"
            );
        }
    }
    assert_eq!(server.writes().len(), 0, "it writes nothing");
    assert!(server.seen(&[Verb::Review]).len() > 50);
}

#[tokio::test]
async fn an_owner_that_may_not_be_read_is_found_too() {
    let server = Server::start().await;
    let backend = with(
        &server,
        only(&VERBS, &["configmaps"]),
        "owner=deployment/jm",
    )
    .await;
    let why = missing(&backend).await;
    assert!(
        why.starts_with("the role lacks \"get\" on \"deployments\""),
        "{why}"
    );
    let mut rules = only(&VERBS, &["configmaps"]);
    rules.push(Rule::new("apps", &["deployments"], &["get"]).named(&["jm"]));
    let backend = with(&server, rules, "owner=deployment/jm").await;
    let rights = backend.check_rights(key("a").group()).await.unwrap();
    assert_eq!(rights, Rights::Granted);
}

/// Where there are no records, a role may be limited to root and floor.
#[tokio::test]
async fn rights_for_the_names_of_root_and_floor_are_enough() {
    let server = Server::start().await;
    let names = ["demo.g--root", "demo.g--floor"];
    let rules = vec![
        Rule::new("", &["configmaps"], &["list", "watch", "create"]),
        Rule::new("", &["configmaps"], &["get", "update"]).named(&names),
    ];
    let backend = with(&server, rules, "").await;
    let rights = backend.check_rights(key("a").group()).await.unwrap();
    assert_eq!(rights, Rights::Granted);
    let other = backend.check_rights(&"another".parse().unwrap()).await;
    assert!(matches!(other, Ok(Rights::Missing(_))), "{other:?}");
}

/// The pod's proof only saves time: without it a campaign still works.
#[tokio::test]
async fn missing_rights_to_pods_are_logged_and_do_not_count() {
    let server = Server::start().await;
    let (log, _guard) = Log::begin();
    let backend = with(&server, only(&VERBS, &["configmaps"]), "pod=on").await;
    let rights = backend.check_rights(key("a").group()).await.unwrap();
    assert_eq!(rights, Rights::Granted);
    let lines = log.lines();
    let line = lines
        .iter()
        .find(|line| line.contains("pod=on has no effect"));
    let line = line.unwrap_or_else(|| panic!("{lines:#?}"));
    for verb in ["get", "watch"] {
        let lacks = format!("the role lacks {verb:?} on \"pods\"").replace('"', "\\\"");
        assert!(
            line.replace('"', "\\\"").contains(&lacks) || line.contains(&lacks),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_such_questions_leaves_it_unknown() {
    let server = Server::start().await;
    let backend = with(&server, only(&VERBS, &["configmaps"]), "").await;
    let ask = || async { backend.check_rights(key("a").group()).await };
    for status in [403, 404, 405] {
        server.always(
            Verb::Review,
            "selfsubjectaccessreviews",
            refusal(status, None),
        );
        assert_eq!(ask().await.unwrap(), Rights::Unknown, "{status}");
        server.double.clear_faults();
    }
    for how in [refusal(500, None), refusal(401, None), How::CutBefore] {
        server.always(Verb::Review, "selfsubjectaccessreviews", how);
        assert!(matches!(ask().await, Err(Unread::Unavailable(_))));
        server.double.clear_faults();
    }
    // Without the account's name the rest is still reported.
    let backend = with(&server, vec![], "").await;
    server.always(Verb::Review, "selfsubjectreviews", refusal(404, None));
    let why = missing(&backend).await;
    assert!(
        why.contains("\"create\"") && !why.contains("of account"),
        "{why}"
    );
}
