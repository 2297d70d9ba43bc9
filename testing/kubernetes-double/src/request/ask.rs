//! A request, taken apart.

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, USER_AGENT};
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::request::status::Refusal;
use crate::store::resource::Resource;
use crate::store::selector::Selector;
use crate::verb::Verb;

/// A request for a resource.
#[derive(Debug)]
pub(crate) struct Ask {
    /// The verb of roles: `get`, `deletecollection`.
    pub(crate) verb: &'static str,
    pub(crate) resource: &'static Resource,
    /// `status`, or none.
    pub(crate) subresource: Option<String>,
    pub(crate) namespace: String,
    /// From the path or the field selector; empty for none.
    pub(crate) name: String,
    pub(crate) query: Query,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
}

/// The headers that matter.
#[derive(Debug)]
pub(crate) struct Headers {
    pub(crate) accept: String,
    pub(crate) content_type: String,
    pub(crate) user_agent: String,
    pub(crate) token: Option<String>,
    pub(crate) impersonate: Option<String>,
}

/// The parameters of the query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

/// A question of an account about itself. Every account may ask it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Review {
    /// May I do this?
    Access,
    /// Who am I?
    Account,
}

/// What a path means.
#[derive(Debug)]
pub(crate) enum Target {
    /// Discovery, health and the like.
    Other(String),
    /// Objects.
    Objects(Box<Ask>),
    /// A question of an account about itself.
    Review(Review, Bytes),
}

impl Headers {
    pub(crate) fn of(headers: &HeaderMap) -> Headers {
        let get = |name| {
            headers
                .get(name)
                .and_then(|it| it.to_str().ok())
                .map(str::to_owned)
        };
        let content_type = get(CONTENT_TYPE).unwrap_or_default();
        Headers {
            accept: get(ACCEPT).unwrap_or_default(),
            content_type: content_type
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase(),
            user_agent: get(USER_AGENT).unwrap_or_default(),
            token: get(AUTHORIZATION).and_then(|it| it.strip_prefix("Bearer ").map(str::to_owned)),
            impersonate: headers
                .get("impersonate-user")
                .and_then(|it| it.to_str().ok())
                .map(str::to_owned),
        }
    }
}

impl Query {
    pub(crate) fn parse(query: &str) -> Query {
        Query(
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The first of that name; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// As the real server reads a flag: present, and not `0` or `false`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.has(name) && !matches!(self.get(name).to_ascii_lowercase().as_str(), "0" | "false")
    }
}

impl Review {
    fn of_path(steps: &[&str]) -> Option<Review> {
        match steps {
            [
                "apis",
                "authorization.k8s.io",
                "v1",
                "selfsubjectaccessreviews",
            ] => Some(Review::Access),
            ["apis", "authentication.k8s.io", "v1", "selfsubjectreviews"] => Some(Review::Account),
            _ => None,
        }
    }

    /// As a fault and the log name it.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Review::Access => "selfsubjectaccessreviews",
            Review::Account => "selfsubjectreviews",
        }
    }
}

impl Target {
    /// The target of a path.
    pub(crate) fn of(parts: &Parts, body: Bytes) -> Result<Target, Refusal> {
        let path = parts.uri.path();
        let steps: Vec<String> = path
            .split('/')
            .filter(|step| !step.is_empty())
            .map(|step| percent_decode_str(step).decode_utf8_lossy().into_owned())
            .collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        if parts.method == Method::POST
            && let Some(review) = Review::of_path(&steps)
        {
            return Ok(Target::Review(review, body));
        }
        let (group, version, rest) = match steps.as_slice() {
            ["api", version @ "v1", rest @ ..] if !rest.is_empty() => ("", *version, rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
            _ => return Ok(Target::Other(path.to_owned())),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && *rest != ["status"] => {
                (*namespace, rest)
            }
            _ => ("", rest),
        };
        if !crate::store::resource::RESOURCES
            .iter()
            .any(|it| it.group == group && it.version == version)
        {
            return Ok(Target::Other(path.to_owned()));
        }
        let resource =
            Resource::of_path(group, version, rest[0]).ok_or_else(Refusal::no_such_resource)?;
        let (name, subresource) = match rest {
            [_] => ("", None),
            [_, name] => (*name, None),
            [_, name, sub @ "status"] if resource.status => (*name, Some((*sub).to_owned())),
            _ => return Err(Refusal::no_such_resource()),
        };
        if !resource.namespaced && !namespace.is_empty() {
            return Err(Refusal::no_such_resource());
        }
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let named = !name.is_empty();
        let verb =
            verb_of(parts.method.as_str(), named, &query).ok_or_else(Refusal::no_such_method)?;
        // Namespaced objects are created and deleted in one namespace, never in all of them.
        if resource.namespaced && namespace.is_empty() && !matches!(verb, "list" | "watch") {
            return Err(if named {
                Refusal::no_such_resource()
            } else {
                Refusal::no_such_method()
            });
        }
        if subresource.is_some() && !matches!(verb, "get" | "update" | "patch") {
            return Err(Refusal::no_such_method());
        }
        if resource.kind == "Namespace" && verb.starts_with("delete") {
            return Err(Refusal::no_such_method());
        }
        let mut ask = Ask {
            verb,
            resource,
            subresource,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            query,
            headers: Headers::of(&parts.headers),
            body,
        };
        ask.name = ask.name();
        Ok(Target::Objects(Box::new(ask)))
    }
}

impl Ask {
    pub(crate) fn verb(&self) -> Verb {
        match self.verb {
            "get" => Verb::Get,
            "list" => Verb::List,
            "watch" => Verb::Watch,
            "create" => Verb::Create,
            "update" => Verb::Update,
            "patch" => Verb::Patch,
            _ => Verb::Delete,
        }
    }

    /// `configmaps`, `pods/status`.
    pub(crate) fn resource_path(&self) -> String {
        match &self.subresource {
            Some(sub) => format!("{}/{sub}", self.resource.plural),
            None => self.resource.plural.to_owned(),
        }
    }

    /// The name for faults and the log; a creation has it in the body.
    pub(crate) fn name_to_tell(&self) -> String {
        if self.verb != "create" {
            return self.name.clone();
        }
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The namespace for the authoriser: a namespace is in itself.
    pub(crate) fn namespace_to_judge(&self) -> &str {
        if self.resource.kind == "Namespace" {
            &self.name
        } else {
            &self.namespace
        }
    }

    /// The objects of a list, a watch or a deletion of a collection.
    pub(crate) fn selector(&self) -> Result<Selector, Refusal> {
        Selector::parse(
            self.resource,
            self.query.get("labelSelector"),
            self.query.get("fieldSelector"),
        )
    }

    fn name(&self) -> String {
        if !matches!(self.verb, "list" | "watch") {
            return self.name.clone();
        }
        let selector = Selector::parse(self.resource, "", self.query.get("fieldSelector"));
        selector
            .ok()
            .and_then(|it| it.name().map(str::to_owned))
            .unwrap_or_default()
    }
}

fn verb_of(method: &str, named: bool, query: &Query) -> Option<&'static str> {
    match (method, named) {
        // With a name in the path it is a read, whatever the query says.
        ("GET", false) if query.flag("watch") => Some("watch"),
        ("GET" | "HEAD", true) => Some("get"),
        ("GET" | "HEAD", false) => Some("list"),
        ("POST", false) => Some("create"),
        ("PUT", true) => Some("update"),
        ("PATCH", true) => Some("patch"),
        ("DELETE", true) => Some("delete"),
        ("DELETE", false) => Some("deletecollection"),
        _ => None,
    }
}
