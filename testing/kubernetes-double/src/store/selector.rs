//! `labelSelector` and `fieldSelector`.

use serde_json::Value;

use crate::request::status::Refusal;
use crate::store::resource::Resource;

/// Selects objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Label>,
    fields: Vec<Field>,
}

#[derive(Clone, Debug)]
enum Label {
    Exists(String),
    Absent(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

#[derive(Clone, Debug)]
struct Field {
    path: String,
    value: String,
    equal: bool,
}

impl Selector {
    pub(crate) fn parse(
        resource: &Resource,
        labels: &str,
        fields: &str,
    ) -> Result<Selector, Refusal> {
        let labels = split_outside_brackets(labels)
            .into_iter()
            .map(Label::parse)
            .collect::<Result<_, _>>()?;
        let fields = fields
            .split(',')
            .filter(|it| !it.trim().is_empty())
            .map(|it| Field::parse(resource, it))
            .collect::<Result<_, _>>()?;
        Ok(Selector { labels, fields })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The one name that it selects, if it selects by name.
    pub(crate) fn name(&self) -> Option<&str> {
        self.fields
            .iter()
            .find(|it| it.equal && it.path == "metadata.name")
            .map(|it| it.value.as_str())
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels.iter().all(|it| it.matches(labels))
            && self.fields.iter().all(|it| it.matches(object))
    }
}

impl Label {
    fn parse(text: &str) -> Result<Label, Refusal> {
        let text = text.trim();
        let refused = || {
            Refusal::bad_request(format!(
                "unable to parse requirement: found {text:?}, expected: a selector"
            ))
        };
        let key = |it: &str| {
            let it = it.trim();
            let good = !it.is_empty()
                && it
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte));
            if good {
                Ok(it.to_owned())
            } else {
                Err(refused())
            }
        };
        let one = |it: &str| Ok(vec![it.trim().to_owned()]);
        if let Some((before, after)) = text.split_once("!=") {
            return Ok(Label::NotIn(key(before)?, one(after)?));
        }
        if let Some((before, after)) = text.split_once("==").or_else(|| text.split_once('=')) {
            return Ok(Label::In(key(before)?, one(after)?));
        }
        if let Some(absent) = text.strip_prefix('!') {
            return Ok(Label::Absent(key(absent)?));
        }
        let Some((head, values)) = text.split_once('(') else {
            return Ok(Label::Exists(key(text)?));
        };
        let values = values.strip_suffix(')').ok_or_else(refused)?;
        let values = values.split(',').map(|it| it.trim().to_owned()).collect();
        let mut words = head.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(name), Some("in"), None) => Ok(Label::In(key(name)?, values)),
            (Some(name), Some("notin"), None) => Ok(Label::NotIn(key(name)?, values)),
            _ => Err(refused()),
        }
    }

    fn matches(&self, labels: &Value) -> bool {
        let value = |key: &str| labels.get(key).and_then(Value::as_str);
        let among = |values: &[String], it: &str| values.iter().any(|value| value == it);
        match self {
            Label::Exists(key) => value(key).is_some(),
            Label::Absent(key) => value(key).is_none(),
            Label::In(key, values) => value(key).is_some_and(|it| among(values, it)),
            Label::NotIn(key, values) => value(key).is_none_or(|it| !among(values, it)),
        }
    }
}

impl Field {
    fn parse(resource: &Resource, text: &str) -> Result<Field, Refusal> {
        let (path, value, equal) = if let Some((path, value)) = text.split_once("!=") {
            (path, value, false)
        } else if let Some((path, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            (path, value, true)
        } else {
            let message = format!("invalid selector: '{text}'; can't understand '{text}'");
            return Err(Refusal::bad_request(message));
        };
        let path = path.trim();
        let known = match resource.kind {
            "Pod" => &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.serviceAccountName",
                "status.phase",
                "status.podIP",
            ][..],
            "Namespace" => &["status.phase"],
            "Event"
                if path.starts_with("involvedObject.") || path == "reason" || path == "type" =>
            {
                &[path]
            }
            _ => &[],
        };
        if path != "metadata.name" && path != "metadata.namespace" && !known.contains(&path) {
            let message = match resource.kind {
                "Pod" | "Namespace" | "Event" => format!("field label not supported: {path}"),
                _ => format!(
                    "{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                ),
            };
            return Err(Refusal::bad_request(message));
        }
        Ok(Field {
            path: path.to_owned(),
            value: value.trim().to_owned(),
            equal,
        })
    }

    fn matches(&self, object: &Value) -> bool {
        let found = self.path.split('.').fold(object, |at, step| &at[step]);
        (found.as_str().unwrap_or_default() == self.value) == self.equal
    }
}

/// Splits at the commas that are not between `(` and `)`.
fn split_outside_brackets(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = text.split(move |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts.filter(|part| !part.trim().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Selector;
    use crate::store::resource::Resource;

    fn matches(selector: &str) -> bool {
        let object = json!({"metadata": {"name": "x", "labels": {"app": "shop", "tier": "web"}}});
        let pods = Resource::of_plural("pods").unwrap();
        Selector::parse(pods, selector, "")
            .unwrap()
            .matches(&object)
    }

    #[test]
    fn every_form_of_a_label_selector_is_understood() {
        let yes = [
            "",
            "app",
            "app=shop",
            "app==shop,tier=web",
            "app in (a, shop),tier notin (x)",
            "!other",
            "other!=1",
        ];
        let no = [
            "other",
            "app=x",
            "app!=shop",
            "!app",
            "app in (a,b)",
            "tier notin (web,x)",
        ];
        assert_eq!(yes.map(matches), [true; 7]);
        assert_eq!(no.map(matches), [false; 6]);
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        let pods = Resource::of_plural("pods").unwrap();
        for wrong in ["a b", "(x)", "a in x", "a of (x)", "=x"] {
            assert_eq!(
                Selector::parse(pods, wrong, "").unwrap_err().code,
                400,
                "{wrong}"
            );
        }
        assert!(Selector::parse(pods, "", "spec.colour=red").is_err());
    }
}
