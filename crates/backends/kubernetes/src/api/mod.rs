//! Every request that is sent to the API server, each with its type: get, create, replace, delete,
//! list, watch. Nothing else is ever sent.
//!
//! ```text
//! operation.rs   verb, resource, namespace, name
//! call.rs        sends it once -> reply.rs, what comes back
//! outcome.rs     the table: verb and reply -> what is known of the request
//! refusal.rs     the error that says what to do
//! throttle.rs    when it may be sent;  health.rs   one log line for an outage, one for its end
//! ```

pub(crate) mod call;
pub(crate) mod health;
pub(crate) mod operation;
pub(crate) mod outcome;
mod refusal;
pub(crate) mod reply;
pub(crate) mod throttle;

use std::time::Duration;

use bytes::Bytes;
use incumbent_backend::Failure;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ListMeta, ObjectMeta};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::access::Connection;
use crate::api::call::{Call, Chunks};
use crate::api::health::Health;
use crate::api::operation::{Operation, Verb};
use crate::api::outcome::{Outcome, outcome};
use crate::api::reply::Reply;
use crate::api::throttle::{Lane, Throttle};
use crate::error::{KubernetesError, Message};
use crate::object::content::Content;
use crate::object::resource::Resource;
use crate::object::version::ObjectVersion;

/// In which one request must be answered. Callers with the usual lease wait 5 s; an answer before
/// that tells them whether the request was sent.
pub(crate) const IN_TIME: Duration = Duration::from_secs(4);

/// In which one part of a list must be there.
const LIST_IN_TIME: Duration = Duration::from_secs(15);

/// Objects in one part of a list, as the server's own clients ask for.
const PART: &str = "500";

/// How long a watch lasts before the server ends it; the next one continues from there. Shorter
/// than the time after which networks drop idle connections.
const WATCH_SECONDS: &str = "290";

const JSON: &str = "application/json";
/// Objects without their data. Servers that do not know this form send whole objects.
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// A namespace, and the way to it.
pub(crate) struct Api {
    pub(crate) connection: Connection,
    pub(crate) namespace: String,
    pub(crate) throttle: Throttle,
    pub(crate) health: Health,
}

/// The known outcomes of a write.
#[derive(Debug)]
pub(crate) enum Written<T> {
    Done(T),
    Conflict,
}

/// An object without its data.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) metadata: ObjectMeta,
}

/// A part of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Part {
    pub(crate) metadata: ListMeta,
    /// Some servers send `null` for an empty list.
    pub(crate) items: Option<Vec<Metadata>>,
}

/// Why a list or a watch failed.
#[derive(Debug)]
pub(crate) enum Unlisted {
    /// The server has dropped the history that it continues from.
    Expired,
    Failed {
        error: KubernetesError,
        /// How long the server asks to wait.
        wait: Option<Duration>,
    },
}

impl Api {
    /// The newest state of an object, or `None` if it does not exist. The request has no
    /// `resourceVersion`, which would allow an older state.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        lane: Lane,
        resource: &'static Resource,
        name: &str,
        view: View,
    ) -> Result<Option<T>, KubernetesError> {
        let operation = self.operation(Verb::Get, resource, Some(name));
        let call = Call {
            operation,
            query: &[],
            accept: match view {
                View::Whole => JSON,
                View::Metadata => METADATA,
            },
            body: Vec::new(),
            within: IN_TIME,
        };
        self.throttle.admit(lane).await?;
        let reply = self.send(lane, call).await;
        match (outcome(Verb::Get, &reply), reply) {
            (Outcome::Done, Reply::Answer(answer)) => parse(&operation, &answer.body).map(Some),
            (Outcome::Absent, _) => Ok(None),
            (_, reply) => Err(operation.error(reply)),
        }
    }

    /// Creates an object, if no object has its name.
    pub(crate) async fn create(
        &self,
        lane: Lane,
        content: Content,
    ) -> Result<Written<ObjectVersion>, Failure> {
        let operation = self.operation(Verb::Create, content.resource(), Some(content.name()));
        self.write(lane, operation, METADATA, content.to_json(None))
            .await
    }

    /// Replaces an object, if it still has this version. There is no way to replace it at any
    /// version.
    pub(crate) async fn replace(
        &self,
        lane: Lane,
        at: &ObjectVersion,
        content: Content,
    ) -> Result<Written<ObjectVersion>, Failure> {
        let operation = self.operation(Verb::Update, content.resource(), Some(content.name()));
        self.write(lane, operation, METADATA, content.to_json(Some(at)))
            .await
    }

    /// Deletes an object, if it still has this version. There is no way to delete it at any
    /// version.
    pub(crate) async fn delete(
        &self,
        lane: Lane,
        resource: &'static Resource,
        name: &str,
        at: &ObjectVersion,
    ) -> Result<Written<()>, Failure> {
        let operation = self.operation(Verb::Delete, resource, Some(name));
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": { "uid": at.uid(), "resourceVersion": at.resource_version() },
        });
        let body = options.to_string().into_bytes();
        match self.perform(lane, operation, JSON, body).await? {
            Written::Conflict => Ok(Written::Conflict),
            Written::Done(body) if is_held(&body) => {
                let held = Message("it is marked for deletion, and a finalizer keeps it".into());
                Err(Failure::Unknown(Box::new(operation.unreadable(&held))))
            }
            Written::Done(_) => Ok(Written::Done(())),
        }
    }

    /// One part of a list: the first, or the next. It includes everything that was acknowledged
    /// before the first part was asked for.
    pub(crate) async fn list(
        &self,
        resource: &'static Resource,
        selector: &str,
        after: Option<&str>,
    ) -> Result<Part, Unlisted> {
        let mut query = vec![("labelSelector", selector), ("limit", PART)];
        query.extend(after.map(|after| ("continue", after)));
        self.list_with(resource, &query).await
    }

    /// The present revision, for a watch to start from.
    pub(crate) async fn revision(
        &self,
        resource: &'static Resource,
        selector: &str,
    ) -> Result<String, Unlisted> {
        let query = [("labelSelector", selector), ("limit", "1")];
        let part = self.list_with(resource, &query).await?;
        part.metadata.resource_version.ok_or_else(|| {
            let operation = self.operation(Verb::List, resource, None);
            let error = operation.unreadable(&Message("it has no resourceVersion".into()));
            Unlisted::Failed { error, wait: None }
        })
    }

    async fn list_with(
        &self,
        resource: &'static Resource,
        query: &[(&str, &str)],
    ) -> Result<Part, Unlisted> {
        let operation = self.operation(Verb::List, resource, None);
        let call = Call {
            operation,
            query,
            accept: METADATA_LIST,
            body: Vec::new(),
            within: LIST_IN_TIME,
        };
        let lane = Lane::Data;
        if let Err(error) = self.throttle.admit(lane).await {
            let wait = None;
            return Err(Unlisted::Failed { error, wait });
        }
        let reply = self.send(lane, call).await;
        match (outcome(Verb::List, &reply), reply) {
            (Outcome::Done, Reply::Answer(answer)) => {
                let part = parse(&operation, &answer.body);
                part.map_err(|error| Unlisted::Failed { error, wait: None })
            }
            (Outcome::Expired, _) => Err(Unlisted::Expired),
            (_, reply) => Err(unlisted(&operation, reply)),
        }
    }

    /// The events after a revision.
    pub(crate) async fn watch(
        &self,
        resource: &'static Resource,
        of: Watched<'_>,
        from: &str,
        view: View,
    ) -> Result<Chunks, Unlisted> {
        let operation = self.operation(Verb::Watch, resource, None);
        let field;
        let of = match of {
            Watched::Selected(selector) => ("labelSelector", selector),
            Watched::Named(name) => {
                field = format!("metadata.name={name}");
                ("fieldSelector", &*field)
            }
        };
        let call = Call {
            operation,
            query: &[
                ("watch", "1"),
                of,
                ("resourceVersion", from),
                ("allowWatchBookmarks", "true"),
                ("timeoutSeconds", WATCH_SECONDS),
            ],
            accept: match view {
                View::Whole => JSON,
                View::Metadata => METADATA,
            },
            body: Vec::new(),
            within: IN_TIME,
        };
        if let Err(error) = self.throttle.admit(Lane::Data).await {
            return Err(Unlisted::Failed { error, wait: None });
        }
        let reply = match call.stream(self.connection.client()).await {
            Ok(chunks) => return Ok(chunks),
            Err(reply) => reply,
        };
        self.note(Lane::Data, &operation, &reply);
        match outcome(Verb::Watch, &reply) {
            Outcome::Expired => Err(Unlisted::Expired),
            _ => Err(unlisted(&operation, reply)),
        }
    }

    /// Asks the server a question about this account; `None` if it does not answer such questions,
    /// or not to this account.
    ///
    /// It is a POST that writes nothing, so its success says nothing about writes.
    pub(crate) async fn review<T: DeserializeOwned>(
        &self,
        resource: &'static Resource,
        spec: Value,
    ) -> Result<Option<T>, KubernetesError> {
        let operation = self.operation(Verb::Create, resource, None);
        let mut review = json!({ "apiVersion": resource.version, "kind": resource.kind });
        if !spec.is_null() {
            review["spec"] = spec;
        }
        let call = Call {
            operation,
            query: &[],
            accept: JSON,
            body: review.to_string().into_bytes(),
            within: IN_TIME,
        };
        self.throttle.admit(Lane::Data).await?;
        let reply = call.send(self.connection.client()).await;
        self.obey(Lane::Data, &reply);
        match reply {
            Reply::Answer(answer) => match answer.status {
                200..=299 => parse(&operation, &answer.body).map(Some),
                403..=405 => Ok(None),
                _ => Err(operation.error(Reply::Answer(answer))),
            },
            reply => Err(operation.error(reply)),
        }
    }

    async fn write(
        &self,
        lane: Lane,
        operation: Operation<'_>,
        accept: &'static str,
        body: Vec<u8>,
    ) -> Result<Written<ObjectVersion>, Failure> {
        let answer = match self.perform(lane, operation, accept, body).await? {
            Written::Conflict => return Ok(Written::Conflict),
            Written::Done(answer) => answer,
        };
        // It was done, but the new version is not known.
        let unknown = |error: KubernetesError| Failure::Unknown(Box::new(error));
        let written: Metadata = parse(&operation, &answer).map_err(unknown)?;
        let version = ObjectVersion::of(&written.metadata);
        let nameless = || unknown(operation.unreadable(&Message("it names no version".into())));
        version.map(Written::Done).ok_or_else(nameless)
    }

    /// Sends a write, once.
    async fn perform(
        &self,
        lane: Lane,
        operation: Operation<'_>,
        accept: &'static str,
        body: Vec<u8>,
    ) -> Result<Written<Bytes>, Failure> {
        let call = Call {
            operation,
            query: &[],
            accept,
            body,
            within: IN_TIME,
        };
        let not_applied = |error: KubernetesError| Failure::NotApplied(Box::new(error));
        self.throttle.admit(lane).await.map_err(not_applied)?;
        let reply = self.send(lane, call).await;
        match (outcome(operation.verb, &reply), reply) {
            (Outcome::Done, Reply::Answer(answer)) => Ok(Written::Done(answer.body)),
            (Outcome::Conflict, _) => Ok(Written::Conflict),
            (Outcome::NotApplied, reply) => Err(not_applied(operation.error(reply))),
            (_, reply) => Err(Failure::Unknown(Box::new(operation.error(reply)))),
        }
    }

    async fn send(&self, lane: Lane, call: Call<'_>) -> Reply {
        let operation = call.operation;
        let reply = call.send(self.connection.client()).await;
        self.note(lane, &operation, &reply);
        reply
    }

    fn note(&self, lane: Lane, operation: &Operation<'_>, reply: &Reply) {
        self.health.note(operation, reply);
        self.obey(lane, reply);
    }

    /// Waits if the server asks for it.
    fn obey(&self, lane: Lane, reply: &Reply) {
        if let Reply::Answer(answer) = reply
            && let (429 | 503, Some(wait)) = (answer.status, answer.wait)
        {
            self.throttle.close(lane, wait);
        }
    }

    pub(crate) fn operation<'a>(
        &'a self,
        verb: Verb,
        resource: &'static Resource,
        name: Option<&'a str>,
    ) -> Operation<'a> {
        Operation {
            server: self.connection.server(),
            verb,
            resource,
            namespace: &self.namespace,
            name,
        }
    }
}

/// How much of an object is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Whole,
    Metadata,
}

/// What is watched.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Watched<'a> {
    /// The objects that these labels select.
    Selected(&'a str),
    /// The object of this name.
    Named(&'a str),
}

fn unlisted(operation: &Operation<'_>, reply: Reply) -> Unlisted {
    let wait = match &reply {
        Reply::Answer(answer) => answer.wait,
        _ => None,
    };
    Unlisted::Failed {
        error: operation.error(reply),
        wait,
    }
}

fn parse<T: DeserializeOwned>(
    operation: &Operation<'_>,
    body: &[u8],
) -> Result<T, KubernetesError> {
    serde_json::from_slice(body).map_err(|error| operation.unreadable(&error))
}

/// Whether a deleted object still exists. The server then returns it, with the finalizers that keep
/// it.
fn is_held(body: &[u8]) -> bool {
    let object: Option<Metadata> = serde_json::from_slice(body).ok();
    let finalizers = object.and_then(|object| object.metadata.finalizers);
    finalizers.is_some_and(|finalizers| !finalizers.is_empty())
}
