//! The requests that there are, each with its type. Nothing else is ever sent.

pub(crate) mod call;
pub(crate) mod health;
pub(crate) mod operation;
pub(crate) mod outcome;
pub(crate) mod reply;
pub(crate) mod throttle;

use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use incumbent_backend::{BoxError, Failure};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ListMeta, ObjectMeta};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::access::Connection;
use crate::api::call::Call;
use crate::api::health::Health;
use crate::api::operation::Asked;
use crate::api::outcome::{Outcome, Verb, outcome};
use crate::api::reply::Reply;
use crate::api::throttle::{Lane, Pace};
use crate::error::{KubernetesError, Said};
use crate::object::content::Content;
use crate::object::resource::Resource;
use crate::object::version::ObjectVersion;

/// In which one request must be answered. Shorter than what a caller with a usual lease waits (5
/// s), so that it is told whether the request was sent.
pub(crate) const IN_TIME: Duration = Duration::from_secs(4);

/// In which a part of a list must be there.
const LIST_IN_TIME: Duration = Duration::from_secs(15);

/// Objects in one part of a list: what the server's own clients ask for.
const PART: &str = "500";

/// How long a watch lasts before the server ends it. It goes on from where it was. Shorter than
/// what networks forget connections in.
const WATCH_SECONDS: &str = "290";

const JSON: &str = "application/json";
/// Objects without what they hold. Servers that do not know it give all.
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// A namespace, as it is reached.
pub(crate) struct Api {
    pub(crate) connection: Connection,
    pub(crate) namespace: String,
    pub(crate) pace: Pace,
    pub(crate) health: Health,
}

/// The known outcomes of a write.
#[derive(Debug)]
pub(crate) enum Written<T> {
    Done(T),
    Conflict,
}

/// An object without what it holds.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) metadata: ObjectMeta,
}

/// A part of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Part {
    pub(crate) metadata: ListMeta,
    /// An empty list may be `null`.
    pub(crate) items: Option<Vec<Metadata>>,
}

/// What a list or a watch may meet besides success.
#[derive(Debug)]
pub(crate) enum Unlisted {
    /// It would have to go on from what the server has forgotten.
    Expired,
    Failed {
        error: KubernetesError,
        /// How long the server asks to be left alone.
        wait: Option<Duration>,
    },
}

/// What a watch gives: text, in pieces.
pub(crate) type Chunks = BoxStream<'static, Result<Bytes, BoxError>>;

impl Api {
    /// The newest state of an object, as it is (`None`: there is none). Without a
    /// `resourceVersion`, which would allow an old one.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        lane: Lane,
        resource: &'static Resource,
        name: &str,
        view: View,
    ) -> Result<Option<T>, KubernetesError> {
        let asked = self.asked(Verb::Get, resource, Some(name));
        let call = Call {
            asked,
            query: &[],
            accept: match view {
                View::Whole => JSON,
                View::Metadata => METADATA,
            },
            body: Vec::new(),
            within: IN_TIME,
        };
        self.pace.admit(lane).await?;
        let reply = self.send(lane, call).await;
        match (outcome(Verb::Get, &reply), reply) {
            (Outcome::Done, Reply::Answer(answer)) => parse(&asked, &answer.body).map(Some),
            (Outcome::Absent, _) => Ok(None),
            (_, reply) => Err(asked.error(reply)),
        }
    }

    /// Creates an object, if there is none of its name.
    pub(crate) async fn create(
        &self,
        lane: Lane,
        content: Content,
    ) -> Result<Written<ObjectVersion>, Failure> {
        let asked = self.asked(Verb::Create, content.resource(), Some(content.name()));
        self.write(lane, asked, METADATA, content.to_json(None))
            .await
    }

    /// Replaces an object, if it is still at this version: there is no way to replace one at any.
    pub(crate) async fn replace(
        &self,
        lane: Lane,
        at: &ObjectVersion,
        content: Content,
    ) -> Result<Written<ObjectVersion>, Failure> {
        let asked = self.asked(Verb::Update, content.resource(), Some(content.name()));
        self.write(lane, asked, METADATA, content.to_json(Some(at)))
            .await
    }

    /// Deletes an object, if it is still at this version: there is no way to delete one at any.
    pub(crate) async fn delete(
        &self,
        lane: Lane,
        resource: &'static Resource,
        name: &str,
        at: &ObjectVersion,
    ) -> Result<Written<()>, Failure> {
        let asked = self.asked(Verb::Delete, resource, Some(name));
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": { "uid": at.uid(), "resourceVersion": at.resource_version() },
        });
        let body = options.to_string().into_bytes();
        match self.perform(lane, asked, JSON, body).await? {
            Written::Conflict => Ok(Written::Conflict),
            Written::Done(body) if is_held(&body) => {
                let held = Said("it is marked for deletion, and a finalizer holds it".into());
                Err(Failure::Unknown(Box::new(asked.unreadable(&held))))
            }
            Written::Done(_) => Ok(Written::Done(())),
        }
    }

    /// A part of a list: the first one, or the one after it. Consistent with all that was
    /// acknowledged before.
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

    /// The present state of the history, for a watch to begin with.
    pub(crate) async fn revision(
        &self,
        resource: &'static Resource,
        selector: &str,
    ) -> Result<String, Unlisted> {
        let query = [("labelSelector", selector), ("limit", "1")];
        let part = self.list_with(resource, &query).await?;
        part.metadata.resource_version.ok_or_else(|| {
            let asked = self.asked(Verb::List, resource, None);
            let error = asked.unreadable(&Said("it has no resourceVersion".into()));
            Unlisted::Failed { error, wait: None }
        })
    }

    async fn list_with(
        &self,
        resource: &'static Resource,
        query: &[(&str, &str)],
    ) -> Result<Part, Unlisted> {
        let asked = self.asked(Verb::List, resource, None);
        let call = Call {
            asked,
            query,
            accept: METADATA_LIST,
            body: Vec::new(),
            within: LIST_IN_TIME,
        };
        let lane = Lane::Data;
        if let Err(error) = self.pace.admit(lane).await {
            let wait = None;
            return Err(Unlisted::Failed { error, wait });
        }
        let reply = self.send(lane, call).await;
        match (outcome(Verb::List, &reply), reply) {
            (Outcome::Done, Reply::Answer(answer)) => {
                let part = parse(&asked, &answer.body);
                part.map_err(|error| Unlisted::Failed { error, wait: None })
            }
            (Outcome::Expired, _) => Err(Unlisted::Expired),
            (_, reply) => Err(unlisted(&asked, reply)),
        }
    }

    /// What happens from a state of the history on. `name`: to one object only.
    pub(crate) async fn watch(
        &self,
        resource: &'static Resource,
        of: Watched<'_>,
        from: &str,
        view: View,
    ) -> Result<Chunks, Unlisted> {
        let asked = self.asked(Verb::Watch, resource, None);
        let field;
        let of = match of {
            Watched::Selected(selector) => ("labelSelector", selector),
            Watched::Named(name) => {
                field = format!("metadata.name={name}");
                ("fieldSelector", &*field)
            }
        };
        let call = Call {
            asked,
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
        if let Err(error) = self.pace.admit(Lane::Data).await {
            return Err(Unlisted::Failed { error, wait: None });
        }
        let reply = match call.stream(self.connection.client()).await {
            Ok(chunks) => return Ok(chunks),
            Err(reply) => reply,
        };
        self.note(Lane::Data, &asked, &reply);
        match outcome(Verb::Watch, &reply) {
            Outcome::Expired => Err(Unlisted::Expired),
            _ => Err(unlisted(&asked, reply)),
        }
    }

    async fn write(
        &self,
        lane: Lane,
        asked: Asked<'_>,
        accept: &'static str,
        body: Vec<u8>,
    ) -> Result<Written<ObjectVersion>, Failure> {
        let answer = match self.perform(lane, asked, accept, body).await? {
            Written::Conflict => return Ok(Written::Conflict),
            Written::Done(answer) => answer,
        };
        // It was done, but which version it has now nobody knows.
        let unknown = |error: KubernetesError| Failure::Unknown(Box::new(error));
        let written: Metadata = parse(&asked, &answer).map_err(unknown)?;
        let version = ObjectVersion::of(&written.metadata);
        let nameless = || unknown(asked.unreadable(&Said("it names no version".into())));
        version.map(Written::Done).ok_or_else(nameless)
    }

    /// Sends a write, once.
    async fn perform(
        &self,
        lane: Lane,
        asked: Asked<'_>,
        accept: &'static str,
        body: Vec<u8>,
    ) -> Result<Written<Bytes>, Failure> {
        let call = Call {
            asked,
            query: &[],
            accept,
            body,
            within: IN_TIME,
        };
        let not_applied = |error: KubernetesError| Failure::NotApplied(Box::new(error));
        self.pace.admit(lane).await.map_err(not_applied)?;
        let reply = self.send(lane, call).await;
        match (outcome(asked.verb, &reply), reply) {
            (Outcome::Done, Reply::Answer(answer)) => Ok(Written::Done(answer.body)),
            (Outcome::Conflict, _) => Ok(Written::Conflict),
            (Outcome::NotApplied, reply) => Err(not_applied(asked.error(reply))),
            (_, reply) => Err(Failure::Unknown(Box::new(asked.error(reply)))),
        }
    }

    async fn send(&self, lane: Lane, call: Call<'_>) -> Reply {
        let asked = call.asked;
        let reply = call.send(self.connection.client()).await;
        self.note(lane, &asked, &reply);
        reply
    }

    fn note(&self, lane: Lane, asked: &Asked<'_>, reply: &Reply) {
        self.health.note(asked, reply);
        if let Reply::Answer(answer) = reply
            && let (429 | 503, Some(wait)) = (answer.status, answer.wait)
        {
            self.pace.close(lane, wait);
        }
    }

    pub(crate) fn asked<'a>(
        &'a self,
        verb: Verb,
        resource: &'static Resource,
        name: Option<&'a str>,
    ) -> Asked<'a> {
        Asked {
            server: self.connection.server(),
            verb,
            resource,
            namespace: &self.namespace,
            name,
        }
    }
}

/// How much of an object is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Whole,
    Metadata,
}

/// What is watched.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Watched<'a> {
    /// What these labels select.
    Selected(&'a str),
    /// The object of this name.
    Named(&'a str),
}

fn unlisted(asked: &Asked<'_>, reply: Reply) -> Unlisted {
    let wait = match &reply {
        Reply::Answer(answer) => answer.wait,
        _ => None,
    };
    Unlisted::Failed {
        error: asked.error(reply),
        wait,
    }
}

fn parse<T: DeserializeOwned>(asked: &Asked<'_>, body: &[u8]) -> Result<T, KubernetesError> {
    serde_json::from_slice(body).map_err(|error| asked.unreadable(&error))
}

/// Whether what was deleted is there still: it is then given back with what holds it.
fn is_held(body: &[u8]) -> bool {
    let object: Option<Metadata> = serde_json::from_slice(body).ok();
    let finalizers = object.and_then(|object| object.metadata.finalizers);
    finalizers.is_some_and(|finalizers| !finalizers.is_empty())
}
