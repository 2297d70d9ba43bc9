//! Asks the server at the start whether this account may do what a campaign needs, so that a role
//! that lacks something shows before the first failover.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use incumbent_backend::outage::News;
use incumbent_backend::{GroupName, Key, Rights, Unread};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::operation::Verb;
use crate::error::KubernetesError;
use crate::object::content::resource_of;
use crate::object::resource::{ACCESS_REVIEWS, ACCOUNT_REVIEWS, CONFIG_MAPS, PODS, Resource};
use crate::session::Session;

/// One verb on one kind of object, or on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Right {
    verb: Verb,
    resource: &'static Resource,
    /// A role may allow the verb for this name only.
    name: Option<String>,
}

/// The server's answer about one right.
#[derive(Deserialize)]
struct AccessReview {
    status: AccessStatus,
}

#[derive(Deserialize)]
struct AccessStatus {
    allowed: bool,
}

/// The server's answer about this account.
#[derive(Deserialize)]
struct AccountReview {
    status: AccountStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountStatus {
    user_info: UserInfo,
}

#[derive(Deserialize)]
struct UserInfo {
    username: String,
}

/// Whether this account may campaign in a group, and commit there.
pub(crate) async fn check(
    session: &Session,
    group: &GroupName,
    pod_proof: bool,
) -> Result<Rights, Unread> {
    if pod_proof {
        check_pods(session).await;
    }
    let Some(missing) = missing(session, needed(session, group)).await? else {
        return Ok(Rights::Unknown);
    };
    if missing.is_empty() {
        return Ok(Rights::Granted);
    }
    let account = account(session).await;
    let account = account.map_or_else(String::new, |name| format!(" of account {name:?}"));
    Ok(Rights::Missing(format!(
        "{}: add this to the role{account} (deploy/kubernetes/base/role.yaml and its components list all rights that \
         are needed)",
        missing.join("; ")
    )))
}

/// Without rights to pods a campaign works, and standbys wait for leases. So it is logged and does
/// not count as missing.
async fn check_pods(session: &Session) {
    let rights = [Verb::Get, Verb::Watch].map(|verb| Right {
        verb,
        resource: &PODS,
        name: None,
    });
    // If the server does not answer, the rights that a campaign needs report that.
    let missing = missing(session, rights.into()).await;
    let missing = missing.ok().flatten().unwrap_or_default();
    if missing.is_empty() {
        let _ = session.pod_rights.worked();
        return;
    }
    let why = missing.join("; ");
    if session.pod_rights.failed(&why) == News::Began {
        tracing::warn!(
            %why,
            "pod=on has no effect here: this process cannot see the end of a leader's pod, and waits for its lease"
        );
    }
}

/// What a campaign and commits do. Only root and floor are asked for by name: their names are
/// known, and a role may be limited to them where there are no records.
fn needed(session: &Session, group: &GroupName) -> Vec<Right> {
    let right = |verb, resource, name| Right {
        verb,
        resource,
        name,
    };
    let mut all = Vec::new();
    for resource in session.resources() {
        for verb in [Verb::List, Verb::Watch, Verb::Create] {
            all.push(right(verb, resource, None));
        }
    }
    let root = Key::root(group.clone());
    for key in [&root, &Key::floor(group.clone())] {
        let resource = resource_of(key, session.root);
        let name = session.cluster.object_name(key);
        for verb in [Verb::Get, Verb::Update] {
            all.push(right(verb, resource, Some(name.clone())));
        }
    }
    if resource_of(&root, session.root) != &CONFIG_MAPS {
        // Before a root is created in a Lease, there must be none in a ConfigMap.
        let name = session.cluster.object_name(&root);
        all.push(right(Verb::Get, &CONFIG_MAPS, Some(name)));
    }
    if let Some(owner) = &session.owner {
        all.push(right(Verb::Get, owner.resource, Some(owner.name.clone())));
    }
    all
}

/// Those that are missing, in words; `None` if the server cannot tell.
async fn missing(
    session: &Session,
    rights: Vec<Right>,
) -> Result<Option<Vec<String>>, KubernetesError> {
    let namespace = &session.api.namespace;
    let reviews = rights.iter().map(|right| async move {
        let spec = json!({ "resourceAttributes": {
            "namespace": namespace,
            "verb": right.verb.word(),
            "group": right.resource.group(),
            "resource": right.resource.plural,
            "name": right.name.as_deref().unwrap_or_default(),
        }});
        let review = session.api.review::<AccessReview>(&ACCESS_REVIEWS, spec);
        Ok::<_, KubernetesError>(review.await?.map(|review| review.status.allowed))
    });
    let answers: Option<Vec<bool>> = try_join_all(reviews).await?.into_iter().collect();
    Ok(answers.map(|allowed| {
        let refused = rights.iter().zip(allowed).filter(|(_, allowed)| !allowed);
        // One line for a verb, although it is asked for two names.
        let lacking: BTreeSet<String> = refused
            .map(|(right, _)| {
                session
                    .api
                    .operation(right.verb, right.resource, None)
                    .lacking()
            })
            .collect();
        lacking.into_iter().collect()
    }))
}

/// The name by which the server knows this account, if it tells.
async fn account(session: &Session) -> Option<String> {
    let review = session
        .api
        .review::<AccountReview>(&ACCOUNT_REVIEWS, Value::Null);
    Some(review.await.ok()??.status.user_info.username)
}
