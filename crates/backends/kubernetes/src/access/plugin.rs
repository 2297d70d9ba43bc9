//! Credential plugins: programs that print credentials (`exec` in a kubeconfig).

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::environment::Environment;
use super::kubeconfig::{Chosen, Exec, InteractiveMode};
use super::secret::{Secret, Unusable};

/// The time for a plugin that may not ask a person.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// The time for a plugin that may ask the person at the terminal.
const PERSON_ANSWERS_WITHIN: Duration = Duration::from_secs(600);

/// Longest answer that is read: a token, or a certificate chain and a key.
const LONGEST_ANSWER: u64 = 1024 * 1024;

/// The part of a cluster's `extensions` that is for plugins.
const EXTENSION: &str = "client.authentication.k8s.io/exec";

/// A program that prints credentials.
#[derive(Clone, Debug)]
pub(crate) struct Plugin {
    exec: Exec,
    /// For messages.
    user: String,
    /// The cluster's part of its input, if it asks for it.
    cluster: Option<Value>,
    interactive: bool,
}

/// What a plugin has printed.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    pub(crate) token: Option<Secret>,
    /// Certificate chain and key, in PEM.
    pub(crate) certificate: Option<(Secret, Secret)>,
    pub(crate) expires: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential {
    kind: Option<String>,
    api_version: Option<String>,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<Secret>,
    client_certificate_data: Option<Secret>,
    client_key_data: Option<Secret>,
    expiration_timestamp: Option<String>,
}

impl Plugin {
    /// The plugin of a user. It is looked up and not run: a missing one is reported at the start.
    pub(crate) fn new(
        exec: &Exec,
        chosen: &Chosen,
        authority: Option<&[u8]>,
        environment: &Environment,
    ) -> Result<Self, Unusable> {
        let user = chosen.user_name.clone();
        if exec.command.is_empty() {
            return Err(Unusable(format!(
                "exec of user {user:?} in the kubeconfig names no command"
            )));
        }
        if exec.api_version.as_deref().unwrap_or_default().is_empty() {
            return Err(Unusable(format!(
                "exec of user {user:?} in the kubeconfig has no apiVersion, such as client.authentication.k8s.io/v1"
            )));
        }
        let mode = exec
            .interactive_mode
            .unwrap_or(InteractiveMode::IfAvailable);
        if mode == InteractiveMode::Always && !environment.terminal {
            return Err(Unusable(format!(
                "credential plugin {:?} of user {user:?} has interactiveMode Always, and standard input is no terminal",
                exec.command
            )));
        }
        let plugin = Self {
            exec: exec.clone(),
            user,
            cluster: exec
                .provide_cluster_info
                .then(|| cluster_info(chosen, authority)),
            interactive: mode != InteractiveMode::Never && environment.terminal,
        };
        if plugin.is_missing(environment) {
            return Err(plugin.missing());
        }
        Ok(plugin)
    }

    /// Runs it, once.
    ///
    /// A plugin that may not ask a person has neither standard input nor standard error: a process
    /// that serves must not wait for a reader of them.
    pub(crate) async fn run(&self) -> Result<Printed, Unusable> {
        let mut command = Command::new(&self.exec.command);
        command
            .args(self.exec.args.iter().map(Secret::expose))
            .envs(self.variables())
            .env("KUBERNETES_EXEC_INFO", self.info().to_string())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let within = if self.interactive {
            command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
            PERSON_ANSWERS_WITHIN
        } else {
            command.stdin(Stdio::null()).stderr(Stdio::null());
            ANSWERS_WITHIN
        };
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => self.missing(),
            _ => self.failed(&format!("cannot be started: {error}")),
        })?;
        let stdout = child.stdout.take().expect("it was asked for");
        let run = async {
            let mut text = Vec::new();
            stdout
                .take(LONGEST_ANSWER + 1)
                .read_to_end(&mut text)
                .await?;
            if text.len() as u64 > LONGEST_ANSWER {
                return Ok((text, None));
            }
            let status = child.wait().await?;
            Ok::<_, std::io::Error>((text, Some(status)))
        };
        let (text, status) = match tokio::time::timeout(within, run).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => return Err(self.failed(&format!("cannot be read: {error}"))),
            Err(_) => return Err(self.failed(&format!("has not ended within {within:?}"))),
        };
        match status {
            None => Err(self.failed(&format!("printed more than {LONGEST_ANSWER} bytes"))),
            Some(status) if !status.success() => Err(self.failed(&format!(
                "failed ({status}); what it printed is not shown, because it may hold secrets: run it by hand to see it"
            ))),
            Some(_) => self.understand(&text),
        }
    }

    /// Its input, in `KUBERNETES_EXEC_INFO`.
    fn info(&self) -> Value {
        let mut info = json!({
            "kind": "ExecCredential",
            "apiVersion": self.exec.api_version,
            "spec": { "interactive": self.interactive },
        });
        if let Some(cluster) = &self.cluster {
            info["spec"]["cluster"] = cluster.clone();
        }
        info
    }

    fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let variables = self.exec.env.iter();
        // A name that no variable can have would be an error that repeats the value.
        let usable = variables.filter(|it| {
            !it.name.is_empty()
                && !it.name.contains(['=', '\0'])
                && !it.value.expose().contains('\0')
        });
        usable.map(|it| (&*it.name, it.value.expose()))
    }

    fn understand(&self, text: &[u8]) -> Result<Printed, Unusable> {
        if text.trim_ascii().is_empty() {
            return Err(self.failed("printed nothing"));
        }
        let printed = self.parse(text)?;
        let kind = printed.kind.as_deref().unwrap_or("ExecCredential");
        if kind != "ExecCredential" {
            return Err(self.failed("printed an object that is no ExecCredential"));
        }
        if printed.api_version != self.exec.api_version {
            let wanted = self.exec.api_version.as_deref().unwrap_or_default();
            return Err(self.failed(&format!(
                "printed credentials of another apiVersion than {wanted}"
            )));
        }
        let given = |text: Option<Secret>| text.filter(|it| !it.expose().trim().is_empty());
        let status = printed
            .status
            .ok_or_else(|| self.failed("printed no status"))?;
        let token = given(status.token).map(|it| Secret::new(it.expose().trim()));
        let certificate = match (
            given(status.client_certificate_data),
            given(status.client_key_data),
        ) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(self.failed("printed a certificate without its key")),
            (None, Some(_)) => return Err(self.failed("printed a key without its certificate")),
        };
        if token.is_none() && certificate.is_none() {
            return Err(self.failed("printed neither a token nor a certificate"));
        }
        let expires = status.expiration_timestamp.filter(|it| !it.is_empty());
        let expires = expires.map(|it| it.trim().parse()).transpose();
        let expires =
            expires.map_err(|_| self.failed("printed an expirationTimestamp that is no time"))?;
        Ok(Printed {
            token,
            certificate,
            expires,
        })
    }

    /// JSON, or YAML, which some plugins print.
    fn parse(&self, text: &[u8]) -> Result<ExecCredential, Unusable> {
        if let Ok(printed) = serde_json::from_slice(text) {
            return Ok(printed);
        }
        let text = std::str::from_utf8(text).ok();
        let printed = text.and_then(|text| serde_saphyr::from_str(text).ok());
        printed.ok_or_else(|| {
            self.failed(
                "printed something other than an ExecCredential (it is not shown, because it may hold secrets)",
            )
        })
    }

    fn failed(&self, what: &str) -> Unusable {
        let (command, user) = (&self.exec.command, &self.user);
        Unusable(format!(
            "credential plugin {command:?} of user {user:?} {what}"
        ))
    }

    fn missing(&self) -> Unusable {
        let hint = self.exec.install_hint.as_deref().unwrap_or_default();
        let hint = hint.split_whitespace().collect::<Vec<_>>().join(" ");
        let what = if hint.is_empty() {
            "is not installed, or not in PATH".to_owned()
        } else {
            format!("is not installed, or not in PATH: {hint}")
        };
        self.failed(&what)
    }

    /// Whether no file of its name is where it would be started from.
    fn is_missing(&self, environment: &Environment) -> bool {
        let command = &self.exec.command;
        if command.contains('/') {
            return !Path::new(command).exists();
        }
        let own = self.exec.env.iter().find(|it| it.name == "PATH");
        let own = own.map(|it| it.value.expose().into());
        let Some(path) = own.or_else(|| environment.variable("PATH")) else {
            // Then the system decides where it looks.
            return false;
        };
        !std::env::split_paths(&path).any(|folder| folder.join(command).is_file())
    }
}

/// The cluster's part of a plugin's input.
fn cluster_info(chosen: &Chosen, authority: Option<&[u8]>) -> Value {
    let cluster = &chosen.cluster;
    let mut info = json!({ "server": cluster.server });
    let mut tell = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            info[name] = value;
        }
    };
    tell(
        "insecure-skip-tls-verify",
        cluster.insecure_skip_tls_verify.then_some(json!(true)),
    );
    tell(
        "certificate-authority-data",
        authority.map(|authority| json!(STANDARD.encode(authority))),
    );
    tell(
        "tls-server-name",
        cluster.tls_server_name.as_ref().map(|name| json!(name)),
    );
    let proxy = cluster.proxy_url.as_ref();
    tell("proxy-url", proxy.map(|proxy| json!(proxy.expose())));
    let extension = cluster.extensions.iter().find(|it| it.name == EXTENSION);
    tell("config", extension.map(|it| it.extension.clone()));
    info
}
