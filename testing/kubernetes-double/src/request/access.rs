//! Users, and what they may do.

use std::collections::HashMap;

use serde_json::Value;

use crate::store::Store;
use crate::store::resource::Resource;

/// What a user may do: the rule of a Role, with the namespace it holds in.
///
/// `*` in a list is everything. A rule with names does not allow what has no name: to create, or to
/// list and watch without a field selector for one name.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// The groups; the core group is the empty string.
    pub api_groups: Vec<String>,
    /// The plurals, with subresources on their own: `pods`, `pods/status`.
    pub resources: Vec<String>,
    /// The objects' names; empty for all.
    pub resource_names: Vec<String>,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verbs: Vec<String>,
    /// The namespace; none for all of them and for what has none.
    pub namespace: Option<String>,
}

/// A user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
    rules: Vec<Rule>,
    /// May do everything, and be anybody.
    pub(crate) admin: bool,
}

/// An act, as an authoriser sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act<'a> {
    pub(crate) verb: &'a str,
    pub(crate) group: &'a str,
    /// With the subresource: `pods/status`.
    pub(crate) resource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

/// The users that have tokens.
#[derive(Debug, Default)]
pub(crate) struct Users(HashMap<String, User>);

impl Rule {
    /// In all namespaces, for all names.
    pub fn new(api_group: &str, resources: &[&str], verbs: &[&str]) -> Rule {
        let own = |all: &[&str]| all.iter().map(|&it| it.to_owned()).collect();
        Rule {
            api_groups: own(&[api_group]),
            resources: own(resources),
            verbs: own(verbs),
            ..Rule::default()
        }
    }

    /// Only for these names.
    #[must_use]
    pub fn named(mut self, names: &[&str]) -> Rule {
        self.resource_names = names.iter().map(|&it| it.to_owned()).collect();
        self
    }

    /// Only in this namespace.
    #[must_use]
    pub fn within(mut self, namespace: &str) -> Rule {
        self.namespace = Some(namespace.to_owned());
        self
    }

    fn of_role(rule: &Value, namespace: &str) -> Rule {
        let list = |field: &str| {
            let all = rule[field].as_array().into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Rule {
            api_groups: list("apiGroups"),
            resources: list("resources"),
            resource_names: list("resourceNames"),
            verbs: list("verbs"),
            namespace: Some(namespace.to_owned()),
        }
    }

    fn allows(&self, act: Act<'_>) -> bool {
        let has = |all: &[String], one: &str| all.iter().any(|it| it == "*" || it == one);
        let subresource_of_any = act
            .resource
            .split_once('/')
            .map(|(_, sub)| format!("*/{sub}"));
        self.namespace
            .as_deref()
            .is_none_or(|it| it == act.namespace)
            && has(&self.verbs, act.verb)
            && has(&self.api_groups, act.group)
            && (has(&self.resources, act.resource)
                || subresource_of_any.is_some_and(|it| self.resources.contains(&it)))
            && (self.resource_names.is_empty()
                || self.resource_names.iter().any(|it| it == act.name))
    }
}

impl User {
    pub(crate) fn admin() -> User {
        User {
            name: "system:admin".into(),
            groups: vec!["system:masters".into()],
            rules: Vec::new(),
            admin: true,
        }
    }

    pub(crate) fn new(name: &str, rules: Vec<Rule>) -> User {
        let mut groups = vec!["system:authenticated".to_owned()];
        if let Some((namespace, _)) = service_account(name) {
            groups.extend([
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
            ]);
        }
        User {
            name: name.to_owned(),
            groups,
            rules,
            admin: false,
        }
    }

    /// Whether the rules given by hand or those of the Roles allow it.
    pub(crate) fn may(&self, act: Act<'_>, store: &Store) -> bool {
        self.admin
            || self.rules.iter().any(|rule| rule.allows(act))
            || self.may_by_roles(act, store)
    }

    fn may_by_roles(&self, act: Act<'_>, store: &Store) -> bool {
        let (Some(bindings), Some(roles)) = (
            Resource::of_plural("rolebindings"),
            Resource::of_plural("roles"),
        ) else {
            return false;
        };
        if act.namespace.is_empty() {
            return false;
        }
        let mine = store.list(bindings, act.namespace).filter(|(_, binding)| {
            binding["subjects"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|subject| self.is(subject, act.namespace))
        });
        let bound: Vec<&str> = mine
            .filter(|(_, binding)| binding["roleRef"]["kind"] == "Role")
            .filter_map(|(_, binding)| binding["roleRef"]["name"].as_str())
            .collect();
        store
            .list(roles, act.namespace)
            .filter(|(key, _)| bound.contains(&key.name.as_str()))
            .any(|(_, role)| {
                let rules = role["rules"].as_array().into_iter().flatten();
                rules
                    .map(|rule| Rule::of_role(rule, act.namespace))
                    .any(|rule| rule.allows(act))
            })
    }

    fn is(&self, subject: &Value, bound_in: &str) -> bool {
        let name = subject["name"].as_str().unwrap_or_default();
        match subject["kind"].as_str() {
            Some("User") => name == self.name,
            Some("Group") => self.groups.iter().any(|group| group == name),
            Some("ServiceAccount") => {
                let namespace = subject["namespace"].as_str().unwrap_or(bound_in);
                service_account(&self.name) == Some((namespace, name))
            }
            _ => false,
        }
    }
}

impl Users {
    pub(crate) fn allow(&mut self, token: &str, user: User) {
        self.0.insert(token.to_owned(), user);
    }

    pub(crate) fn forget(&mut self, token: &str) {
        self.0.remove(token);
    }

    /// The user with this token.
    pub(crate) fn with(&self, token: &str) -> Option<&User> {
        self.0.get(token)
    }
}

/// Namespace and name of a service account, from the name of its user.
fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}
