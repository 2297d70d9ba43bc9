//! Kubeconfigs: where they are, what is read of them, and what one context of them chooses.
//!
//! As in `kubectl`: several files are one, the first one that names something wins, a missing file
//! of the list is passed over, and paths in a file are relative to it.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use super::environment::Environment;
use super::secret::{Secret, Unusable};

/// Longest file that is read. Certificates may be inline; no kubeconfig comes near.
const LONGEST_FILE: u64 = 4 * 1024 * 1024;

/// What is read of a kubeconfig.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Kubeconfig {
    #[serde(rename = "current-context", deserialize_with = "or_default")]
    current_context: String,
    #[serde(deserialize_with = "or_default")]
    clusters: Vec<NamedCluster>,
    #[serde(deserialize_with = "or_default")]
    users: Vec<NamedUser>,
    #[serde(deserialize_with = "or_default")]
    contexts: Vec<NamedContext>,
}

#[derive(Debug, Deserialize)]
struct NamedCluster {
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    cluster: Cluster,
}

#[derive(Debug, Deserialize)]
struct NamedUser {
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    user: User,
}

#[derive(Debug, Deserialize)]
struct NamedContext {
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    context: Context,
}

/// A server, and how to know that it is the right one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Cluster {
    #[serde(deserialize_with = "or_default")]
    pub(crate) server: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) insecure_skip_tls_verify: bool,
    pub(crate) certificate_authority: Option<PathBuf>,
    pub(crate) certificate_authority_data: Option<Secret>,
    /// It may hold a password.
    pub(crate) proxy_url: Option<Secret>,
    pub(crate) tls_server_name: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) extensions: Vec<Extension>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Extension {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) extension: serde_json::Value,
}

/// Credentials.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct User {
    pub(crate) token: Option<Secret>,
    #[serde(rename = "tokenFile")]
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) client_certificate: Option<PathBuf>,
    pub(crate) client_certificate_data: Option<Secret>,
    pub(crate) client_key: Option<PathBuf>,
    pub(crate) client_key_data: Option<Secret>,
    #[serde(rename = "as")]
    pub(crate) impersonate: Option<String>,
    #[serde(rename = "as-uid")]
    pub(crate) impersonate_uid: Option<String>,
    #[serde(rename = "as-groups")]
    pub(crate) impersonate_groups: Option<Vec<String>>,
    #[serde(rename = "as-user-extra")]
    pub(crate) impersonate_extra: Option<HashMap<String, Vec<String>>>,
    pub(crate) auth_provider: Option<AuthProvider>,
    pub(crate) exec: Option<Exec>,
}

/// A way to log in that is built into the client.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct AuthProvider {
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) config: HashMap<String, Secret>,
}

/// A program that prints credentials.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Exec {
    pub(crate) api_version: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) command: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) args: Vec<Secret>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) env: Vec<Variable>,
    pub(crate) install_hint: Option<String>,
    pub(crate) interactive_mode: Option<InteractiveMode>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) provide_cluster_info: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Variable {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) value: Secret,
}

/// Whether a plugin may ask the person at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum InteractiveMode {
    Never,
    IfAvailable,
    Always,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    #[serde(deserialize_with = "or_default")]
    cluster: String,
    #[serde(deserialize_with = "or_default")]
    user: String,
    namespace: Option<String>,
}

/// What a context leads to.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) cluster_name: String,
    pub(crate) cluster: Cluster,
    pub(crate) user_name: String,
    pub(crate) user: User,
    /// `None` if the context names none.
    pub(crate) namespace: Option<String>,
}

/// The files that are a kubeconfig together.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    paths: Vec<PathBuf>,
    /// The address names the file, so it has to be there.
    required: bool,
}

impl Files {
    /// The file that the address names, else those of `KUBECONFIG`, else `~/.kube/config`.
    pub(crate) fn find(named: Option<&Path>, environment: &Environment) -> Self {
        if let Some(path) = named {
            let paths = vec![path.to_owned()];
            return Self {
                paths,
                required: true,
            };
        }
        let listed: Vec<PathBuf> = environment
            .variable("KUBECONFIG")
            .map(|list| std::env::split_paths(&list).collect())
            .unwrap_or_default();
        let mut paths: Vec<PathBuf> = listed
            .into_iter()
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        if paths.is_empty() {
            let home = environment.home.as_ref();
            paths.extend(home.map(|home| home.join(".kube").join("config")));
        }
        Self {
            paths,
            required: false,
        }
    }

    /// All of them merged into one. `None` if no file exists, or if they have no context.
    pub(crate) fn read(&self) -> Result<Option<Kubeconfig>, Unusable> {
        let mut whole = Kubeconfig::default();
        for path in &self.paths {
            let bytes = match read_file(path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound && !self.required => continue,
                Err(error) => return Err(Unusable(format!("cannot read {self}: {error}"))),
            };
            for mut part in parse(path, &bytes)? {
                part.make_absolute(path.parent().unwrap_or(Path::new("")));
                whole.merge(part);
            }
        }
        let says_nothing = whole.contexts.is_empty() && whole.current_context.is_empty();
        Ok((self.required || !says_nothing).then_some(whole))
    }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<String> = self
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        match &*paths {
            [] => f.write_str("no kubeconfig"),
            [one] => write!(f, "kubeconfig {one}"),
            many => write!(f, "kubeconfigs {}", many.join(", ")),
        }
    }
}

impl Kubeconfig {
    /// What a context chooses; without a name, the current one.
    pub(crate) fn choose(self, context: Option<&str>) -> Result<Chosen, Unusable> {
        let known: Vec<String> = self.contexts.iter().map(|it| it.name.clone()).collect();
        let known = match &*known {
            [] => "it has no contexts".to_owned(),
            known => format!("its contexts are {}", known.join(", ")),
        };
        let name = match context {
            Some(name) => name.to_owned(),
            None if self.current_context.is_empty() => {
                return Err(Unusable(format!(
                    "the kubeconfig has no current-context, and the address names no context; {known}"
                )));
            }
            None => self.current_context,
        };
        let context = self.contexts.into_iter().find(|it| it.name == name);
        let context = context
            .map(|it| it.context)
            .ok_or_else(|| Unusable(format!("the kubeconfig has no context {name:?}; {known}")))?;
        let cluster = self
            .clusters
            .into_iter()
            .find(|it| it.name == context.cluster);
        let cluster = cluster.map(|it| it.cluster).ok_or_else(|| {
            let cluster = &context.cluster;
            Unusable(format!(
                "context {name:?} is of cluster {cluster:?}, which the kubeconfig does not have"
            ))
        })?;
        // A context without a user, or with one that is missing, asks without credentials.
        let user = self.users.into_iter().find(|it| it.name == context.user);
        Ok(Chosen {
            cluster_name: context.cluster,
            cluster,
            user_name: context.user,
            user: user.map(|it| it.user).unwrap_or_default(),
            namespace: context.namespace.filter(|namespace| !namespace.is_empty()),
        })
    }

    /// The user of this name.
    pub(crate) fn user(self, name: &str) -> Option<User> {
        let found = self.users.into_iter().find(|it| it.name == name);
        found.map(|it| it.user)
    }

    /// Adds the entries of another file whose names are new.
    fn merge(&mut self, next: Self) {
        if self.current_context.is_empty() {
            self.current_context = next.current_context;
        }
        for it in next.clusters {
            if self.clusters.iter().all(|known| known.name != it.name) {
                self.clusters.push(it);
            }
        }
        for it in next.users {
            if self.users.iter().all(|known| known.name != it.name) {
                self.users.push(it);
            }
        }
        for it in next.contexts {
            if self.contexts.iter().all(|known| known.name != it.name) {
                self.contexts.push(it);
            }
        }
    }

    fn make_absolute(&mut self, folder: &Path) {
        let absolute = |path: &mut Option<PathBuf>| {
            // An empty path is none; `join` leaves an absolute one as it is.
            let given = path.take().filter(|path| !path.as_os_str().is_empty());
            *path = given.map(|path| folder.join(path));
        };
        for NamedCluster { cluster, .. } in &mut self.clusters {
            absolute(&mut cluster.certificate_authority);
        }
        for NamedUser { user, .. } in &mut self.users {
            absolute(&mut user.token_file);
            absolute(&mut user.client_certificate);
            absolute(&mut user.client_key);
            // A command without a slash is looked up in PATH.
            if let Some(exec) = &mut user.exec
                && exec.command.contains('/')
                && let Some(command) = folder.join(&exec.command).to_str()
            {
                exec.command = command.to_owned();
            }
        }
    }
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exec({})", self.command)
    }
}

/// Reads a file of a user: a plain file of a bounded length.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;

    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other(format!(
            "it is longer than {LONGEST_FILE} bytes"
        )));
    }
    Ok(bytes)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Kubeconfig>, Unusable> {
    let file = path.display();
    let text = decode(bytes)
        .ok_or_else(|| Unusable(format!("kubeconfig {file} is neither UTF-8 nor UTF-16")))?;
    serde_saphyr::from_multiple(&text).map_err(|error| {
        // Only where: the error's own text repeats lines of the file, and these have secrets.
        let place = error.location().map_or_else(
            || "somewhere".to_owned(),
            |place| format!("at line {}, column {}", place.line(), place.column()),
        );
        Unusable(format!(
            "kubeconfig {file} is no valid kubeconfig {place} (its text is not shown, because it may hold secrets)"
        ))
    })
}

/// UTF-8, or UTF-16 with a byte order mark, which editors on Windows write.
fn decode(bytes: &[u8]) -> Option<String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = units.iter().map(|pair| unit(*pair)).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        bytes => String::from_utf8(bytes.to_vec()).ok(),
    }
}

/// `null` as if the field were left out.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    field: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(field)?.unwrap_or_default())
}
