//! Writes: each is a compare-and-swap, in one request.

use bytes::Bytes;
use incumbent_backend::Failure;
use serde_json::json;

use crate::api::call::Call;
use crate::api::operation::{Operation, Verb};
use crate::api::outcome::{Outcome, outcome};
use crate::api::reply::Reply;
use crate::api::throttle::Lane;
use crate::api::{Api, IN_TIME, JSON, METADATA, Metadata, parse};
use crate::error::{KubernetesError, Message};
use crate::object::content::Content;
use crate::object::resource::Resource;
use crate::object::version::ObjectVersion;

/// The known outcomes of a write.
#[derive(Debug)]
pub(crate) enum Written<T> {
    Done(T),
    Conflict,
}

impl Api {
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
}

/// Whether a deleted object still exists. The server then returns it, with the finalizers that keep
/// it.
fn is_held(body: &[u8]) -> bool {
    let object: Option<Metadata> = serde_json::from_slice(body).ok();
    let finalizers = object.and_then(|object| object.metadata.finalizers);
    finalizers.is_some_and(|finalizers| !finalizers.is_empty())
}
