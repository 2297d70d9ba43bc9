//! Questions of this account about itself.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::call::Call;
use crate::api::operation::Verb;
use crate::api::reply::Reply;
use crate::api::throttle::Lane;
use crate::api::{Api, IN_TIME, JSON, parse};
use crate::error::KubernetesError;
use crate::object::resource::Resource;

impl Api {
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
}
