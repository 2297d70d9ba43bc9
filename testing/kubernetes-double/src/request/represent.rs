//! The forms of an object that a client may ask for.

use serde_json::{Value, json};

use crate::request::status::Refusal;
use crate::store::resource::Resource;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The whole object.
    Whole,
    /// Only its `metadata`.
    Metadata,
    /// A list of such.
    MetadataList,
}

/// The group and version of the partial forms.
const META: &str = "meta.k8s.io/v1";

impl Form {
    /// The first form in the header `Accept` that the double has. Others, such as tables and binary
    /// forms, are skipped.
    pub(crate) fn accepted(accept: &str) -> Result<Form, Refusal> {
        let clauses = accept.split(',').map(str::trim).filter(|it| !it.is_empty());
        let mut any = false;
        for clause in clauses {
            any = true;
            let mut parts = clause.split(';').map(str::trim);
            if !matches!(
                parts.next(),
                Some("application/json" | "application/*" | "*/*")
            ) {
                continue;
            }
            let parameter = |name: &str| {
                let all = clause
                    .split(';')
                    .skip(1)
                    .filter_map(|it| it.trim().split_once('='));
                all.filter(|(key, _)| *key == name)
                    .map(|(_, value)| value)
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            };
            let form = match parameter("as").as_str() {
                "" => return Ok(Form::Whole),
                "PartialObjectMetadata" => Form::Metadata,
                "PartialObjectMetadataList" => Form::MetadataList,
                _ => continue,
            };
            if parameter("g") == "meta.k8s.io"
                && matches!(parameter("v").as_str(), "v1" | "v1beta1")
            {
                return Ok(form);
            }
        }
        if any {
            let message = "406: Not Acceptable\n\nAvailable representations: application/json, application/json;stream=watch";
            return Err(Refusal::new(406, "NotAcceptable", message));
        }
        Ok(Form::Whole)
    }

    /// One object in this form.
    pub(crate) fn one(self, object: &Value) -> Result<Value, Refusal> {
        match self {
            Form::Whole => Ok(object.clone()),
            Form::Metadata => Ok(partial(object)),
            Form::MetadataList => {
                let message = "you requested PartialObjectMetadataList, but the requested object is not a list";
                Err(Refusal::new(406, "NotAcceptable", message))
            }
        }
    }

    /// A list in this form.
    pub(crate) fn list(
        self,
        resource: &Resource,
        metadata: &Value,
        items: &[&Value],
    ) -> Result<Value, Refusal> {
        let (kind, version, items): (_, _, Vec<Value>) = match self {
            Form::Whole => (
                format!("{}List", resource.kind),
                resource.api_version(),
                items.iter().map(|it| bare(it)).collect(),
            ),
            Form::MetadataList => (
                "PartialObjectMetadataList".to_owned(),
                META.to_owned(),
                items.iter().map(|it| partial(it)).collect(),
            ),
            Form::Metadata => {
                let message =
                    "you requested PartialObjectMetadata, but the requested object is a list";
                return Err(Refusal::new(406, "NotAcceptable", message));
            }
        };
        Ok(json!({"kind": kind, "apiVersion": version, "metadata": metadata, "items": items}))
    }
}

/// The object within a list, whose kind gives its kind.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    object
}

fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": object["metadata"]})
}
