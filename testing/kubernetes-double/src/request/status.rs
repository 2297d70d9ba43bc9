//! What a request is refused with: the body `Status`, worded as the real server words it.

use serde_json::{Map, Value, json};

use crate::store::resource::Resource;

/// A refusal. It becomes a body of kind `Status` with `status: Failure`.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) details: Option<Map<String, Value>>,
    pub(crate) retry_after: Option<u32>,
    /// The token by which a list goes on that cannot be consistent any more.
    pub(crate) go_on: Option<String>,
}

/// One thing that is wrong with an object.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    /// `FieldValueInvalid` and its like.
    kind: &'static str,
    field: String,
    message: String,
}

impl Cause {
    pub(crate) fn invalid(field: impl Into<String>, value: &str, why: &str) -> Cause {
        Cause {
            kind: "FieldValueInvalid",
            field: field.into(),
            message: format!("Invalid value: {value:?}: {why}"),
        }
    }

    /// As [`Cause::invalid`], of a value that is no string.
    pub(crate) fn invalid_value(field: impl Into<String>, value: &Value, why: &str) -> Cause {
        Cause {
            kind: "FieldValueInvalid",
            field: field.into(),
            message: format!("Invalid value: {value}: {why}"),
        }
    }

    pub(crate) fn required(field: impl Into<String>, why: &str) -> Cause {
        let message = if why.is_empty() {
            "Required value".to_owned()
        } else {
            format!("Required value: {why}")
        };
        Cause {
            kind: "FieldValueRequired",
            field: field.into(),
            message,
        }
    }

    pub(crate) fn forbidden(field: impl Into<String>, why: &str) -> Cause {
        Cause {
            kind: "FieldValueForbidden",
            field: field.into(),
            message: format!("Forbidden: {why}"),
        }
    }

    pub(crate) fn too_long(field: impl Into<String>, limit: usize) -> Cause {
        let message = format!("Too long: may not be more than {limit} bytes");
        Cause {
            kind: "FieldValueTooLong",
            field: field.into(),
            message,
        }
    }

    fn to_json(&self) -> Value {
        json!({"reason": self.kind, "message": self.message, "field": self.field})
    }
}

impl Refusal {
    pub(crate) fn new(code: u16, reason: &str, message: impl Into<String>) -> Refusal {
        let (reason, message) = (reason.to_owned(), message.into());
        Refusal {
            code,
            reason,
            message,
            details: None,
            retry_after: None,
            go_on: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(400, "BadRequest", message)
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Refusal {
        Refusal::new(
            404,
            "NotFound",
            format!("{} {name:?} not found", resource.qualified()),
        )
        .about(resource, name)
    }

    /// The path has the form of a resource that this server does not have.
    pub(crate) fn no_such_resource() -> Refusal {
        let mut refusal = Refusal::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        );
        refusal.details = Some(Map::new());
        refusal
    }

    pub(crate) fn no_such_method() -> Refusal {
        let message = "the server does not allow this method on the requested resource";
        let mut refusal = Refusal::new(405, "MethodNotAllowed", message);
        refusal.details = Some(Map::new());
        refusal
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Refusal {
        let message = format!("{} {name:?} already exists", resource.qualified());
        Refusal::new(409, "AlreadyExists", message).about(resource, name)
    }

    pub(crate) fn conflict(resource: &Resource, name: &str, why: &str) -> Refusal {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: {why}",
            resource.qualified()
        );
        Refusal::new(409, "Conflict", message).about(resource, name)
    }

    /// A precondition of a deletion, which the real server words with the kind where others have
    /// the resource.
    pub(crate) fn failed_precondition(resource: &Resource, name: &str, why: &str) -> Refusal {
        let kind = resource.qualified_kind();
        let message = format!("Operation cannot be fulfilled on {kind} {name:?}: {why}");
        let mut refusal = Refusal::new(409, "Conflict", message).about(resource, name);
        refusal.detail("kind", json!(resource.kind));
        refusal
    }

    /// `kind` is written as it is qualified: `ConfigMap`, `Lease.coordination.k8s.io`.
    pub(crate) fn invalid(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Refusal {
        let whole = match causes {
            [one] => format!("{}: {}", one.field, one.message),
            many => {
                let all: Vec<String> = many
                    .iter()
                    .map(|cause| format!("{}: {}", cause.field, cause.message))
                    .collect();
                format!("[{}]", all.join(", "))
            }
        };
        let qualified = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let mut refusal = Refusal::new(
            422,
            "Invalid",
            format!("{qualified} {name:?} is invalid: {whole}"),
        );
        for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
            refusal.detail(key, json!(value));
        }
        refusal.detail("causes", causes.iter().map(Cause::to_json).collect());
        refusal
    }

    /// `what` is `User "u" cannot get resource …`.
    pub(crate) fn forbidden(group: &str, resource: &str, name: &str, what: &str) -> Refusal {
        let qualified = if group.is_empty() {
            resource.to_owned()
        } else {
            format!("{resource}.{group}")
        };
        let subject = if name.is_empty() {
            qualified
        } else {
            format!("{qualified} {name:?}")
        };
        let mut refusal = Refusal::new(403, "Forbidden", format!("{subject} is forbidden: {what}"));
        for (key, value) in [("name", name), ("group", group), ("kind", resource)] {
            refusal.detail(key, json!(value));
        }
        refusal
    }

    pub(crate) fn expired(message: impl Into<String>) -> Refusal {
        Refusal::new(410, "Expired", message)
    }

    /// A revision was asked for that has not come yet.
    pub(crate) fn too_large_version(asked: u64, current: u64) -> Refusal {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let mut refusal = Refusal::new(504, "Timeout", message);
        let cause =
            json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        refusal.detail("causes", json!([cause]));
        refusal.detail("retryAfterSeconds", json!(1));
        refusal.retry_after = Some(1);
        refusal
    }

    /// The body.
    pub(crate) fn to_json(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(token) = &self.go_on {
            metadata.insert("continue".into(), json!(token));
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure", "message": self.message,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = json!(details);
        }
        status["code"] = json!(self.code);
        status
    }

    fn about(mut self, resource: &Resource, name: &str) -> Refusal {
        for (key, value) in [
            ("name", name),
            ("group", resource.group),
            ("kind", resource.plural),
        ] {
            self.detail(key, json!(value));
        }
        self
    }

    /// Empty details are left out, as the real server does.
    pub(crate) fn detail(&mut self, key: &str, value: Value) {
        if value != json!("") {
            self.details
                .get_or_insert_default()
                .insert(key.into(), value);
        }
    }
}
