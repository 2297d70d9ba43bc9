//! From a container to a process.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What a container is started with.
pub(super) struct Start<'a> {
    pub(super) pod: &'a Value,
    pub(super) container: &'a Value,
    /// The entry point of its image.
    pub(super) program: &'a Path,
    pub(super) ip: &'a str,
    /// The pod's own directory. Its path is short, since the path of a socket must be.
    pub(super) dir: PathBuf,
    /// Where its output goes.
    pub(super) log: PathBuf,
    /// Where claims have their directories.
    pub(super) claims: PathBuf,
    pub(super) kubeconfig: String,
    pub(super) env: &'a BTreeMap<String, String>,
    /// The data of a ConfigMap or Secret of the pod's namespace, by kind and name.
    pub(super) data: &'a dyn Fn(&str, &str) -> Option<Value>,
}

impl Start<'_> {
    /// The command; the error is for the pod's status.
    pub(super) fn command(&self) -> Result<Command, String> {
        let failed = |error: io::Error| format!("cannot make the directory of the pod: {error}");
        for name in ["home", "tmp"] {
            fs::create_dir_all(self.dir.join(name)).map_err(failed)?;
        }
        let kubeconfig = self.dir.join("kubeconfig");
        fs::write(&kubeconfig, &self.kubeconfig).map_err(failed)?;
        let mounts = self.mounts()?;
        let variables = self.variables(&mounts)?;
        let known = |text: &str| {
            let one = |text: String, (name, value): (&String, &String)| {
                text.replace(&format!("$({name})"), value)
            };
            rewritten(&variables.iter().fold(text.to_owned(), one), &mounts)
        };
        let words = |field: &str| -> Vec<String> {
            let all = self.container[field].as_array().into_iter().flatten();
            all.filter_map(Value::as_str).map(known).collect()
        };
        let mut line = words("command");
        if line.is_empty() {
            line.push(self.program.display().to_string());
        }
        line.extend(words("args"));
        let beside = self.program.parent().unwrap_or(Path::new("/"));
        let path = std::env::var("PATH").unwrap_or_default();
        // The image has its program in the root, too.
        let file_name = self.program.file_name().unwrap_or_default();
        let first = match Path::new("/").join(file_name) == Path::new(&line[0])
            || file_name == line[0].as_str()
        {
            true => self.program.to_owned(),
            false => PathBuf::from(&line[0]),
        };
        let mut command = Command::new(first);
        fs::create_dir_all(self.log.parent().unwrap_or(&self.dir)).map_err(failed)?;
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(failed)?;
        let again = log.try_clone().map_err(failed)?;
        command
            .args(&line[1..])
            .env_clear()
            .env("PATH", format!("{}:{path}", beside.display()))
            .env("HOME", self.dir.join("home"))
            .env("TMPDIR", self.dir.join("tmp"))
            .env("KUBECONFIG", kubeconfig)
            .env("TERMINATION_LOG", self.dir.join("termination-log"))
            .envs(self.env)
            .envs(&variables)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(again);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(command)
    }

    fn variables(&self, mounts: &[(String, PathBuf)]) -> Result<BTreeMap<String, String>, String> {
        let mut known: Vec<(String, String)> = Vec::new();
        for variable in self.container["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().unwrap_or_default().to_owned();
            let from = &variable["valueFrom"];
            let value = if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
                self.field(path)
            } else if from["configMapKeyRef"].is_object() {
                self.key("configmaps", &from["configMapKeyRef"])?
            } else if from["secretKeyRef"].is_object() {
                self.key("secrets", &from["secretKeyRef"])?
            } else {
                let text = variable["value"].as_str().unwrap_or_default().to_owned();
                let expanded = known.iter().fold(text, |text, (name, value)| {
                    text.replace(&format!("$({name})"), value)
                });
                Some(rewritten(&expanded, mounts))
            };
            if let Some(value) = value {
                known.push((name, value));
            }
        }
        Ok(known.into_iter().collect())
    }

    /// A field of the pod, as the downward API gives it.
    fn field(&self, path: &str) -> Option<String> {
        if path == "status.podIP" || path == "status.hostIP" {
            return Some(self.ip.to_owned());
        }
        let quoted = path
            .split_once("['")
            .and_then(|(at, key)| Some((at, key.strip_suffix("']")?)));
        let found = match quoted {
            Some((at, key)) => &at.split('.').fold(self.pod, |at, step| &at[step])[key],
            None => path.split('.').fold(self.pod, |at, step| &at[step]),
        };
        Some(found.as_str().unwrap_or_default().to_owned())
    }

    fn key(&self, kind: &str, of: &Value) -> Result<Option<String>, String> {
        let (name, key) = (
            of["name"].as_str().unwrap_or_default(),
            of["key"].as_str().unwrap_or_default(),
        );
        let data = (self.data)(kind, name);
        let found = data.as_ref().and_then(|data| text_of(kind, data, key));
        match found {
            Some(found) => Ok(Some(found)),
            None if of["optional"] == true => Ok(None),
            None if data.is_none() => {
                Err(format!("{} {name:?} not found", &kind[..kind.len() - 1]))
            }
            None => Err(format!("couldn't find key {key} in {kind}/{name}")),
        }
    }

    /// Paths in the container, the longest first, and the directories that they lead to.
    fn mounts(&self) -> Result<Vec<(String, PathBuf)>, String> {
        let mut all = Vec::new();
        for mount in self.container["volumeMounts"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let (name, path) = (
                &mount["name"],
                mount["mountPath"].as_str().unwrap_or_default(),
            );
            let volumes = self.pod["spec"]["volumes"].as_array();
            let volume = volumes
                .into_iter()
                .flatten()
                .find(|volume| volume["name"] == *name);
            let volume = volume.ok_or_else(|| format!("there is no volume {name}"))?;
            let dir = self.volume(volume)?;
            all.push((path.trim_end_matches('/').to_owned(), dir));
        }
        all.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Ok(all)
    }

    fn volume(&self, volume: &Value) -> Result<PathBuf, String> {
        let name = volume["name"].as_str().unwrap_or_default();
        let claim = volume["persistentVolumeClaim"]["claimName"].as_str();
        let dir = match (claim, volume["hostPath"]["path"].as_str()) {
            (Some(claim), _) => self.claims.join(claim),
            (None, Some(path)) => PathBuf::from(path),
            (None, None) => self.dir.join("volumes").join(name),
        };
        let failed =
            |error: io::Error| format!("MountVolume.SetUp failed for volume {name:?}: {error}");
        fs::create_dir_all(&dir).map_err(failed)?;
        for (kind, of) in [
            ("configmaps", &volume["configMap"]["name"]),
            ("secrets", &volume["secret"]["secretName"]),
        ] {
            let Some(of) = of.as_str() else {
                continue;
            };
            let Some(data) = (self.data)(kind, of) else {
                let kind = &kind[..kind.len() - 1];
                return Err(format!(
                    "MountVolume.SetUp failed for volume {name:?} : {kind} {of:?} not found"
                ));
            };
            for key in keys(&data) {
                let text = text_of(kind, &data, &key).unwrap_or_default();
                fs::write(dir.join(key), text).map_err(failed)?;
            }
        }
        Ok(dir)
    }
}

fn keys(data: &Value) -> Vec<String> {
    let of = |field: &str| {
        let all = data[field].as_object().into_iter().flatten();
        all.map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    [of("data"), of("stringData")].concat()
}

/// The value of a key; those of secrets are base64.
fn text_of(kind: &str, data: &Value, key: &str) -> Option<String> {
    if let Some(text) = data["stringData"][key].as_str() {
        return Some(text.to_owned());
    }
    let text = data["data"][key].as_str()?;
    if kind != "secrets" {
        return Some(text.to_owned());
    }
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// The text with the paths of mounts replaced, where it begins with one, as a path or a URL.
fn rewritten(text: &str, mounts: &[(String, PathBuf)]) -> String {
    for (path, dir) in mounts {
        let start = [format!("file://{path}"), path.clone()];
        for (at, prefix) in start.iter().enumerate() {
            let Some(rest) = text.strip_prefix(prefix.as_str()) else {
                continue;
            };
            if rest.is_empty() || rest.starts_with('/') || rest.starts_with('?') {
                let scheme = if at == 0 { "file://" } else { "" };
                return format!("{scheme}{}{rest}", dir.display());
            }
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_mounts_lead_to_directories() {
        let mounts = [
            ("/a/b".to_owned(), PathBuf::from("/x")),
            ("/a".to_owned(), PathBuf::from("/y")),
        ];
        for (text, found) in [
            ("/a/b/c", "/x/c"),
            ("file:///a/b", "file:///x"),
            ("/a/c", "/y/c"),
            ("/ab", "/ab"),
            ("s3://a/b", "s3://a/b"),
        ] {
            assert_eq!(rewritten(text, &mounts), found);
        }
    }
}
