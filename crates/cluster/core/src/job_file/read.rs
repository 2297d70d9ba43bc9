//! From TOML to a specification: keys and types. What values mean is checked afterwards.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Key};
use super::place::Places;
use super::{FileProblem, JobFile, at, checkpoints, restart};
use crate::{Isolation, JobSpec};

/// A value and where it stands.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// Collects what is wrong, and where everything stands.
pub(super) struct Reader<'t> {
    text: &'t str,
    pub(super) problems: Vec<FileProblem>,
    pub(super) places: Places,
}

/// A table of which each key is taken once.
pub(super) struct Taken<'a, 'i> {
    prefix: &'static str,
    values: BTreeMap<String, &'a Value<'i>>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            problems: Vec::new(),
            places: Places::default(),
        }
    }

    pub(super) fn problem(&mut self, span: Range<usize>, key: &str, why: impl Into<String>) {
        let key = Some(key.to_owned());
        self.problems.push(at(self.text, span, key, why.into()));
    }

    /// The known keys of a table. Others are problems.
    pub(super) fn table<'a, 'i>(
        &mut self,
        prefix: &'static str,
        table: &'a DeTable<'i>,
        known: &[Key],
    ) -> Taken<'a, 'i> {
        let mut values = BTreeMap::new();
        for (key, value) in table.iter() {
            let name = keys::spelled(key.get_ref());
            let path = format!("{prefix}{}", shown(key.get_ref()));
            if !known.iter().any(|known| known.name == name) {
                self.problem(key.span(), &path, keys::unknown(key.get_ref(), known));
            } else if values.insert(name.clone(), value).is_some() {
                self.problem(
                    key.span(),
                    &path,
                    format!("{name} is there twice, with - and with _"),
                );
            }
            self.places.insert(format!("{prefix}{name}"), value.span());
        }
        Taken { prefix, values }
    }

    /// Says which type a value should have. It is not repeated.
    pub(super) fn wrong_type(&mut self, key: &str, value: &Value<'_>, right: &str) {
        let why = format!("it is {}, and should be {right}", type_of(value.get_ref()));
        self.problem(value.span(), key, why);
    }

    pub(super) fn text(&mut self, key: &str, value: &Value<'_>, right: &str) -> Option<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong_type(key, value, right);
        }
        text
    }

    pub(super) fn number(&mut self, key: &str, value: &Value<'_>) -> Option<u32> {
        let right = "a whole number, as in 2";
        let Some(number) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, right);
            return None;
        };
        let digits = number.as_str().trim_start_matches('+').replace('_', "");
        let found = u32::from_str_radix(&digits, number.radix()).ok();
        if found.is_none() {
            let why = format!(
                "it should be {right}, and not negative or above {}",
                u32::MAX
            );
            self.problem(value.span(), key, why);
        }
        found
    }

    pub(super) fn flag(&mut self, key: &str, value: &Value<'_>) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false, without quotes");
        }
        flag
    }

    /// A duration in milliseconds.
    pub(super) fn duration(&mut self, key: &str, value: &Value<'_>) -> Option<u64> {
        let right = "a duration in quotes, as in \"500ms\", \"10s\" or \"5m\"";
        let text = self.text(key, value, right)?;
        let found = humantime::parse_duration(&text).ok();
        let found = found.and_then(|duration| u64::try_from(duration.as_millis()).ok());
        if found.is_none() {
            self.problem(value.span(), key, format!("it should be {right}"));
        }
        found
    }

    /// An array of texts.
    fn texts(&mut self, key: &str, value: &Value<'_>, right: &str) -> Option<Vec<String>> {
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, right);
            return None;
        };
        let mut texts = Vec::with_capacity(array.len());
        for (number, element) in array.iter().enumerate() {
            let key = format!("{key}[{number}]");
            self.places.insert(key.clone(), element.span());
            texts.extend(self.text(&key, element, "a text in quotes"));
        }
        (texts.len() == array.len()).then_some(texts)
    }

    /// A table of texts.
    fn variables(
        &mut self,
        key: &str,
        value: &Value<'_>,
        right: &str,
    ) -> Option<BTreeMap<String, String>> {
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, right);
            return None;
        };
        let mut variables = BTreeMap::new();
        for (name, value) in table.iter() {
            let shown = format!("{key}.{}", shown(name.get_ref()));
            self.places
                .insert(format!("{key}.{}", name.get_ref()), value.span());
            let text = self.text(&shown, value, "a text in quotes");
            variables.extend(text.map(|text| (name.get_ref().clone().into_owned(), text)));
        }
        (variables.len() == table.len()).then_some(variables)
    }
}

impl<'a, 'i> Taken<'a, 'i> {
    /// The value of a key, and the whole name of the key for messages.
    pub(super) fn take(&mut self, name: &str) -> Option<(String, &'a Value<'i>)> {
        let value = self.values.remove(name)?;
        Some((format!("{}{name}", self.prefix), value))
    }
}

/// A program instead of one that could not be read.
const UNREAD: &str = "-";

/// Reads the whole. What could not be read is a problem, and has a value that is none, so that the
/// rest can be checked.
pub(super) fn job(reader: &mut Reader<'_>, table: &DeTable<'_>) -> JobFile {
    let mut top = reader.table("", table, &keys::TOP);
    let name = top
        .take("name")
        .and_then(|(key, value)| reader.text(&key, value, "a text in quotes"));
    let tasks = top
        .take("tasks")
        .and_then(|(key, value)| reader.number(&key, value));
    let right = "an array of the program and its arguments, as in [\"python3\", \"train.py\"]; a line for a shell \
                 is [\"sh\", \"-c\", \"…\"]";
    let command = match top.take("command") {
        Some((key, value)) => reader.texts(&key, value, right),
        None => {
            reader.problem(0..0, "command", format!("it is missing; it is {right}"));
            None
        }
    };
    let artifact = top.take("artifact");
    let artifact =
        artifact.and_then(|(key, value)| reader.text(&key, value, "the path of a file in quotes"));
    let right = "a table, as in [env] and below it NAME = \"value\"";
    let env = top
        .take("env")
        .and_then(|(key, value)| reader.variables(&key, value, right));
    let right = "a table, as in [env-files] and below it NAME = \"/path/of/a/file\"";
    let env_files = top
        .take("env-files")
        .and_then(|(key, value)| reader.variables(&key, value, right));
    let restart = top
        .take("restart")
        .and_then(|(_, value)| restart::read(reader, value));
    let isolation = isolation(reader, &mut top);
    let endpoints = top
        .take("endpoints")
        .and_then(|(key, value)| reader.texts(&key, value, "an array of names, as in [\"http\"]"));
    let grace = top
        .take("grace")
        .and_then(|(key, value)| reader.duration(&key, value));
    let checkpoints = top
        .take("checkpoints")
        .and_then(|(_, value)| checkpoints::read(reader, value));
    let right =
        "a job, a job and the number of a checkpoint (\"count@41\") or a savepoint, in quotes";
    let restore = top
        .take("restore")
        .and_then(|(key, value)| reader.text(&key, value, right));
    let spec = JobSpec {
        name: name.unwrap_or_default(),
        tasks: tasks.unwrap_or(1),
        command: command.unwrap_or_else(|| vec![UNREAD.to_owned()]),
        artifact: None,
        env: env.unwrap_or_default(),
        env_files: env_files.unwrap_or_default(),
        restart: restart.unwrap_or_default(),
        isolation: isolation.unwrap_or_default(),
        grace_ms: grace.unwrap_or(crate::spec::default_grace_ms()),
        endpoints: endpoints.unwrap_or_default(),
        checkpoints,
        restore: None,
    };
    JobFile {
        spec,
        artifact,
        restore,
    }
}

fn isolation(reader: &mut Reader<'_>, top: &mut Taken<'_, '_>) -> Option<Isolation> {
    let fenced = top
        .take("fenced")
        .map(|(key, value)| reader.flag(&key, value));
    let fenced = fenced.flatten().unwrap_or_default();
    let Some((key, value)) = top.take("isolation-timeout") else {
        return fenced.then_some(Isolation::Fenced);
    };
    if fenced {
        let why = "a fenced job has none: its attempts may overlap; leave out one of the two";
        reader.problem(value.span(), &key, why);
        return None;
    }
    if value.get_ref().as_str() == Some("never") {
        return Some(Isolation::Exclusive { timeout_ms: None });
    }
    let timeout_ms = Some(reader.duration(&key, value)?);
    Some(Isolation::Exclusive { timeout_ms })
}

/// A key as messages show it: only if it looks like one. A text that slipped into its place may be
/// a secret.
fn shown(key: &str) -> &str {
    const LONGEST: usize = 64;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_plain = !key.is_empty() && key.len() <= LONGEST && key.bytes().all(plain);
    if is_plain { key } else { "(a key in quotes)" }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
