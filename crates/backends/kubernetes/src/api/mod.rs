//! Every request that is sent to the API server, each with its type: get, create, replace, delete,
//! list, watch, review. Nothing else is ever sent.
//!
//! ```text
//! write.rs       create, replace, delete;  list.rs   list, watch;  review.rs   questions about rights
//! operation.rs   verb, resource, namespace, name
//! call.rs        sends it once -> reply.rs, what comes back
//! outcome.rs     the table: verb and reply -> what is known of the request
//! refusal.rs     the error that says what to do
//! throttle.rs    when it may be sent;  health.rs   one log line for an outage, one for its end
//! ```

pub(crate) mod call;
pub(crate) mod health;
pub(crate) mod list;
pub(crate) mod operation;
pub(crate) mod outcome;
mod refusal;
pub(crate) mod reply;
mod review;
pub(crate) mod throttle;
pub(crate) mod write;

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::access::Connection;
use crate::api::call::Call;
use crate::api::health::Health;
use crate::api::operation::{Operation, Verb};
use crate::api::outcome::{Outcome, outcome};
use crate::api::reply::Reply;
use crate::api::throttle::{Lane, Throttle};
use crate::error::KubernetesError;
use crate::object::resource::Resource;

/// In which one request must be answered. Callers with the usual lease wait 5 s; an answer before
/// that tells them whether the request was sent.
pub(crate) const IN_TIME: Duration = Duration::from_secs(4);

const JSON: &str = "application/json";
/// Objects without their data. Servers that do not know this form send whole objects.
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// A namespace, and the way to it.
pub(crate) struct Api {
    pub(crate) connection: Connection,
    pub(crate) namespace: String,
    pub(crate) throttle: Throttle,
    pub(crate) health: Health,
}

/// An object without its data.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) metadata: ObjectMeta,
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

fn parse<T: DeserializeOwned>(
    operation: &Operation<'_>,
    body: &[u8],
) -> Result<T, KubernetesError> {
    serde_json::from_slice(body).map_err(|error| operation.unreadable(&error))
}
