//! Requests to the API, each sent once, and what became of it.
//!
//! | reply | create | delete |
//! |---|---|---|
//! | 2xx | made | done |
//! | 404, 409 | a pod of that name is looked at: made, or taken | done: it is gone, or another one |
//! | 400, 401, 403, 405, 413, 415, 422, 429, a 409 of a quota | refused | not done |
//! | 5xx, no answer, torn, late | unknown | not done, perhaps |
//!
//! Unknown is harmless: the same request is sent again, for the same name.

use std::time::Duration;

use incumbent_backend::causes;
use incumbent_backend_kubernetes::quietly;
use incumbent_cluster_core::pods::{Asked, Deleted, PodSeen};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::core::Status;
use kube::{Api, Error};
use serde::de::DeserializeOwned;

use crate::status::{seen, shortened};
use crate::template::{CLUSTER_ID, EPOCH};

/// In which one request must be answered. Nobody waits for it but a pod.
pub(crate) const IN_TIME: Duration = Duration::from_secs(10);

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// The server refused it, or there is no such thing: a person must change something.
    #[error("{0}")]
    Refused(String),
    /// It may be tried again.
    #[error("{0}")]
    Failed(String),
}

impl CallError {
    pub(crate) fn absent(plural: &str, name: &str, namespace: &str) -> Self {
        Self::Refused(format!(
            "there is no {plural}/{name} in namespace {namespace}"
        ))
    }
}

/// Sends a request, once, and waits for its answer.
pub(crate) async fn sent<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Failed> {
    match tokio::time::timeout(IN_TIME, quietly(call)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Error::Api(status))) => Err(Failed::Answered(status)),
        Ok(Err(error)) => Err(Failed::Unanswered(shortened(&causes(&error)))),
        Err(_) => Err(Failed::Unanswered(format!("no answer within {IN_TIME:?}"))),
    }
}

/// Why a request was not done, or may not have been.
#[derive(Debug)]
pub(crate) enum Failed {
    Answered(Box<Status>),
    Unanswered(String),
}

impl Failed {
    /// In words, with what a role lacks.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Unanswered(why) => why.clone(),
            Self::Answered(status) => shortened(&words(status)),
        }
    }

    /// Whether it was not done and never will be.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Unanswered(_) => false,
            Self::Answered(status) => {
                matches!(
                    status.code,
                    400 | 401 | 403 | 404 | 405 | 406 | 409 | 413 | 415 | 422 | 429
                )
            }
        }
    }

    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Unanswered(_) => 0,
            Self::Answered(status) => status.code,
        }
    }
}

impl From<Failed> for CallError {
    fn from(failed: Failed) -> Self {
        let words = failed.words();
        if failed.is_refusal() {
            Self::Refused(words)
        } else {
            Self::Failed(words)
        }
    }
}

/// Reads an object, if it is there.
///
/// # Errors
///
/// [`CallError`].
pub(crate) async fn get<K>(api: &Api<K>, name: &str) -> Result<Option<K>, CallError>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    match sent(api.get(name)).await {
        Ok(found) => Ok(Some(found)),
        Err(failed) if failed.code() == 404 => Ok(None),
        Err(failed) => Err(failed.into()),
    }
}

/// Asks for a pod. A pod of that name may be there by an earlier request.
pub(crate) async fn create(pods: &Api<Pod>, pod: Pod) -> Asked {
    let failed = match sent(pods.create(&PostParams::default(), &pod)).await {
        Ok(made) => return made_of(&made),
        Err(failed) => failed,
    };
    if let Failed::Answered(status) = &failed
        && status.code == 409
        && status.reason == "AlreadyExists"
    {
        return look(pods, &pod).await;
    }
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let words = without_name(&failed.words(), name);
    if failed.is_refusal() {
        Asked::Refused(words)
    } else {
        Asked::Unknown(words)
    }
}

/// Deletes this pod, and no other of its name.
pub(crate) async fn delete(pods: &Api<Pod>, name: &str, uid: String) -> Deleted {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match sent(pods.delete(name, &params)).await {
        Ok(_) => Deleted::Done,
        Err(failed) if matches!(failed.code(), 404 | 409) => Deleted::Done,
        Err(failed) => Deleted::Not(without_name(&failed.words(), name)),
    }
}

/// The pod's own name differs each time, and is said anyway.
fn without_name(words: &str, name: &str) -> String {
    let words = words.replace(&format!("pods {name:?} is "), "");
    words.replace(&format!("Pod {name:?} is "), "")
}

fn made_of(pod: &Pod) -> Asked {
    match seen(pod) {
        Some(seen) => Asked::Made(Box::new(seen)),
        None => Asked::Unknown("the answer names no pod".to_owned()),
    }
}

/// What has the name of a pod that was asked for.
async fn look(pods: &Api<Pod>, wanted: &Pod) -> Asked {
    let name = wanted.metadata.name.as_deref().unwrap_or_default();
    match get(pods, name).await {
        Ok(Some(found)) if is_ours(&found, wanted) => made_of(&found),
        Ok(Some(_)) => Asked::Taken,
        // It was deleted in this moment: the next try makes it, or finds it.
        Ok(None) => Asked::Unknown("it was there a moment ago".to_owned()),
        Err(error) => Asked::Unknown(error.to_string()),
    }
}

fn is_ours(found: &Pod, wanted: &Pod) -> bool {
    let label = |pod: &Pod, key: &str| pod.metadata.labels.as_ref()?.get(key).cloned();
    [CLUSTER_ID, EPOCH]
        .iter()
        .all(|key| label(found, key).is_some() && label(found, key) == label(wanted, key))
}

/// Pods of a list that are pods of ours.
pub(crate) fn all_seen<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> Vec<PodSeen> {
    pods.into_iter().filter_map(seen).collect()
}

/// What the server says; a missing right first.
fn words(status: &Status) -> String {
    let message = &status.message;
    let cannot = message.split_once(" cannot ").map(|(_, rest)| rest);
    let lacking = cannot.and_then(|rest| {
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, _) = rest.split_once('"')?;
        Some(format!(
            "the role lacks {verb:?} on {resource:?}; Kubernetes says: "
        ))
    });
    let lacking = lacking.filter(|_| status.code == 403).unwrap_or_default();
    match message.is_empty() {
        true => format!("the answer was {} {}", status.code, status.reason),
        false => format!("{lacking}{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16, message: &str) -> Failed {
        Failed::Answered(Status::failure(message, "Reason").with_code(code).boxed())
    }

    #[test]
    fn a_missing_right_is_named() {
        let failed = answered(
            403,
            "pods is forbidden: User \"system:serviceaccount:prod:jm\" cannot create resource \
             \"pods\" in API group \"\" in the namespace \"prod\"",
        );
        let words = failed.words();
        assert!(words.starts_with("the role lacks \"create\" on \"pods\"; Kubernetes says: "));
        assert!(words.contains("system:serviceaccount:prod:jm"), "{words}");
    }

    #[test]
    fn the_same_reason_is_the_same_for_each_pod() {
        let words = |name: &str| {
            let message = format!("pods {name:?} is forbidden: exceeded quota: few");
            without_name(&answered(403, &message).words(), name)
        };
        assert_eq!(words("c-taskmanager-7-1"), "forbidden: exceeded quota: few");
        assert_eq!(words("c-taskmanager-7-1"), words("c-taskmanager-7-12"));
    }

    #[test]
    fn only_an_answer_of_the_server_is_a_refusal() {
        for code in [400, 401, 403, 404, 409, 413, 422, 429] {
            assert!(answered(code, "no").is_refusal(), "{code}");
        }
        for code in [500, 502, 503, 504, 0] {
            assert!(!answered(code, "no").is_refusal(), "{code}");
        }
        assert!(!Failed::Unanswered("late".into()).is_refusal());
    }
}
