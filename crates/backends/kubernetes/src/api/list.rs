//! Lists, and watches, which continue from one.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use serde::Deserialize;

use crate::api::call::{Call, Chunks};
use crate::api::operation::{Operation, Verb};
use crate::api::outcome::{Outcome, outcome};
use crate::api::reply::Reply;
use crate::api::throttle::Lane;
use crate::api::{Api, IN_TIME, JSON, METADATA, Metadata, View, parse};
use crate::error::{KubernetesError, Message};
use crate::object::resource::Resource;

/// In which one part of a list must be there.
const LIST_IN_TIME: Duration = Duration::from_secs(15);

/// Objects in one part of a list, as the server's own clients ask for.
const PART: &str = "500";

/// How long a watch lasts before the server ends it; the next one continues from there. Shorter
/// than the time after which networks drop idle connections.
const WATCH_SECONDS: &str = "290";

/// The metadata of a list's objects. Servers that do not know this form send whole objects.
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

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

/// What is watched.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Watched<'a> {
    /// The objects that these labels select.
    Selected(&'a str),
    /// The object of this name.
    Named(&'a str),
}

impl Api {
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
