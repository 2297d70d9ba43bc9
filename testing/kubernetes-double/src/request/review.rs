//! What an account may ask about itself.

use serde_json::{Value, json};

use crate::request::access::{Act, User};
use crate::request::ask::Review;
use crate::request::status::{Cause, Refusal};
use crate::store::Store;

/// The answer to a review: the review itself, with its status.
pub(crate) fn answer(
    review: Review,
    user: &User,
    body: &[u8],
    store: &Store,
) -> Result<Value, Refusal> {
    let asked: Value =
        serde_json::from_slice(body).map_err(|error| Refusal::bad_request(error.to_string()))?;
    match review {
        Review::Access => access(user, &asked["spec"], store),
        Review::Account => Ok(json!({
            "kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"creationTimestamp": null},
            "status": {"userInfo": {"username": user.name, "groups": user.groups}},
        })),
    }
}

fn access(user: &User, spec: &Value, store: &Store) -> Result<Value, Refusal> {
    let attributes = &spec["resourceAttributes"];
    if !attributes.is_object() {
        let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        let cause = Cause::invalid_value("spec.resourceAttributes", &Value::Null, why);
        let (group, kind) = ("authorization.k8s.io", "SelfSubjectAccessReview");
        return Err(Refusal::invalid(group, kind, "", &[cause]));
    }
    let text = |field: &str| attributes[field].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let act = Act {
        verb: text("verb"),
        group: text("group"),
        resource: &resource,
        namespace: text("namespace"),
        name: text("name"),
    };
    Ok(json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
        "metadata": {"creationTimestamp": null},
        "spec": spec,
        "status": {"allowed": user.may(act, store)},
    }))
}
