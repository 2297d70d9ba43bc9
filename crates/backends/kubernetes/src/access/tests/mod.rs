//! A connection from all kinds of files, whole and damaged.

mod damage;
mod files;
mod logs;
mod plugins;
mod pods;

use std::path::{Path, PathBuf};

use http::Request;
use incumbent_kubernetes_double::{Double, Options, Rule};
use kube::client::Body;
use tempfile::TempDir;

use super::environment::Environment;
use super::{Access, Connection, quietly};
use crate::error::KubernetesError;

/// What no error and no line of a log may have.
pub(super) const SENTINEL: &str = "s3nt1nel";

/// The token that the double knows.
const TOKEN: &str = "s3nt1nel-token";

/// A double that knows the token, and a folder for files.
struct Scene {
    double: Double,
    folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let double = Double::start(Options::default()).await;
        double.allow(TOKEN, "the-user", vec![list_config_maps()]);
        Self {
            double,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A kubeconfig with this user, and more about the cluster.
    fn kubeconfig(&self, user: &str, cluster: &str) -> String {
        kubeconfig(&self.double.url(), user, cluster)
    }

    fn open(&self, kubeconfig: &str) -> Result<Connection, KubernetesError> {
        let path = self.write("config", kubeconfig);
        open(&path, Environment::of(&[], self.path("none")))
    }
}

fn list_config_maps() -> Rule {
    Rule::new("", &["configmaps"], &["list"])
}

fn kubeconfig(server: &str, user: &str, cluster: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
         clusters:\n- name: c\n  cluster:\n    server: {server:?}\n{cluster}\
         users:\n- name: u\n  user:\n{user}\
         contexts:\n- name: here\n  context: {{cluster: c, user: u, namespace: default}}\n"
    )
}

fn open(path: &Path, environment: Environment) -> Result<Connection, KubernetesError> {
    let access = Access {
        kubeconfig: Some(path.to_owned()),
        context: None,
    };
    Connection::open_in(&access, environment)
}

/// Asks for a list, and gives the status.
async fn ask(connection: &Connection) -> Result<u16, kube::Error> {
    let request = Request::get("/api/v1/namespaces/default/configmaps?limit=1");
    let request = request.body(Body::empty()).unwrap();
    let response = quietly(connection.client().send(request)).await?;
    Ok(response.status().as_u16())
}

/// All that an error shows of itself.
fn shown(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!("\n{cause} {cause:?}"));
        next = cause.source();
    }
    text
}

fn why(opened: Result<Connection, KubernetesError>) -> String {
    match opened {
        Err(KubernetesError::Config(why)) => why.to_string(),
        other => panic!("{other:?}"),
    }
}
