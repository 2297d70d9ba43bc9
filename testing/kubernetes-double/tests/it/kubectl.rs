//! The real `kubectl` on the double, as a person uses it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use incumbent_kubernetes_double::{Double, Options};

/// `kubectl` with a double of its own.
struct Kubectl {
    double: Double,
    directory: tempfile::TempDir,
}

impl Kubectl {
    /// `None`, with a message, if there is no `kubectl`.
    fn start(test: &str) -> Option<Kubectl> {
        let there = Command::new("kubectl")
            .args(["version", "--client"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !there.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED {test}: no kubectl is on the PATH");
            return None;
        }
        let (double, directory) = (
            Double::start_now(Options::default()),
            tempfile::tempdir().unwrap(),
        );
        std::fs::write(directory.path().join("kubeconfig"), double.kubeconfig(None)).unwrap();
        Some(Kubectl { double, directory })
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new("kubectl");
        // It keeps its cache in its home.
        command
            .env("HOME", self.directory.path())
            .env("KUBECONFIG", self.directory.path().join("kubeconfig"));
        command
            .arg("--request-timeout=60s")
            .args(arguments.split(' '))
            .current_dir(self.directory.path());
        command
    }

    /// Its output, if it succeeds.
    #[track_caller]
    fn run(&self, arguments: &str) -> String {
        let output = self.command(arguments).output().unwrap();
        let (out, error) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "kubectl {arguments}: {out}{error}");
        out.into_owned()
    }

    /// Its error output, if it fails.
    #[track_caller]
    fn fails(&self, arguments: &str) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(!output.status.success(), "kubectl {arguments}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

const TWO: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, labels: {app: shop}}
data: {key: one}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: a, labels: {app: shop}}
spec: {holderIdentity: me, leaseDurationSeconds: 15, renewTime: \"2026-01-02T03:04:05.000006Z\"}
";

#[test]
fn kubectl_makes_shows_changes_and_deletes() {
    let Some(kubectl) = Kubectl::start("kubectl_makes_shows_changes_and_deletes") else {
        return;
    };
    kubectl.file("two.yaml", TWO);
    let made = kubectl.run("create -f two.yaml");
    assert!(
        made.contains("configmap/a created")
            && made.contains("lease.coordination.k8s.io/a created"),
        "{made}"
    );
    assert!(
        kubectl
            .fails("create -f two.yaml")
            .contains("configmaps \"a\" already exists")
    );
    assert!(kubectl.run("get cm").contains("a"));
    assert!(kubectl.run("get configmap a -o yaml").contains("key: one"));
    assert_eq!(
        kubectl.run("get lease a -o jsonpath={.spec.holderIdentity}"),
        "me"
    );
    assert_eq!(
        kubectl.run("get cm,lease -l app=shop -o name"),
        "configmap/a\nlease.coordination.k8s.io/a\n"
    );
    assert_eq!(kubectl.run("get cm -l app!=shop -o name"), "");
    assert_eq!(
        kubectl.run("get cm -A --field-selector metadata.name=a -o name"),
        "configmap/a\n"
    );
    kubectl.run("label cm a tier=web app-");
    kubectl.run("annotate cm a note=x");
    kubectl.run("patch cm a --type=merge -p {\"data\":{\"key\":\"two\"}}");
    let object = kubectl.double.object("configmaps", "default", "a").unwrap();
    assert_eq!(
        object["metadata"]["labels"],
        serde_json::json!({"tier": "web"})
    );
    assert_eq!(
        (
            &object["metadata"]["annotations"]["note"],
            &object["data"]["key"]
        ),
        (&"x".into(), &"two".into())
    );
    assert!(kubectl.run("describe cm a").contains("key:"));
    assert!(kubectl.run("describe lease a").contains("Holder Identity"));
    kubectl.run("delete -f two.yaml");
    assert!(
        kubectl
            .fails("get cm a")
            .contains("configmaps \"a\" not found")
    );
}

#[test]
fn kubectl_applies() {
    let Some(kubectl) = Kubectl::start("kubectl_applies") else {
        return;
    };
    kubectl.file("two.yaml", TWO);
    assert!(
        kubectl
            .run("apply --validate=false -f two.yaml")
            .contains("configmap/a created")
    );
    let unchanged = kubectl.run("apply --validate=false -f two.yaml");
    assert!(
        unchanged.contains("configmap/a unchanged") && unchanged.contains("/a unchanged"),
        "{unchanged}"
    );
    kubectl.file("two.yaml", &TWO.replace("key: one", "other: two"));
    assert!(
        kubectl
            .run("apply --validate=false -f two.yaml")
            .contains("configmap/a configured")
    );
    let object = kubectl.double.object("configmaps", "default", "a").unwrap();
    assert_eq!(object["data"], serde_json::json!({"other": "two"}));
}

#[test]
fn kubectl_watches() {
    use std::io::{BufRead as _, BufReader};

    let Some(kubectl) = Kubectl::start("kubectl_watches") else {
        return;
    };
    kubectl.file("two.yaml", TWO);
    kubectl.run("create -f two.yaml");
    let mut watch = kubectl
        .command("get cm -w -o name --request-timeout=0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "configmap/a");
    kubectl.double.put_by_hand(
        "configmaps",
        "default",
        "b",
        serde_json::json!({"data": {"key": "1"}}),
    );
    assert_eq!(lines.next().unwrap().unwrap(), "configmap/b");
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn kubectl_is_told_what_it_may_not() {
    let Some(kubectl) = Kubectl::start("kubectl_is_told_what_it_may_not") else {
        return;
    };
    // By impersonation: over plain HTTP, kubectl sends no token.
    let refused = kubectl.fails("get cm a --as=someone");
    assert!(
        refused.contains("User \"someone\" cannot get resource \"configmaps\""),
        "{refused}"
    );
}
