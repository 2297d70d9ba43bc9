//! Programs that print credentials.

use std::time::Duration;

use incumbent_kubernetes_double::Rule;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{SENTINEL, Scene, TOKEN, ask, list_config_maps, open, shown, why};
use crate::access::{Connection, Environment};
use crate::error::KubernetesError;

const VERSION: &str = "client.authentication.k8s.io/v1";

/// A user whose plugin is this shell script; and more of its `exec`.
fn user(script: &str, more: &str) -> String {
    format!(
        "    exec:\n      apiVersion: {VERSION}\n      command: sh\n      args: [-c, {script:?}]\n{more}"
    )
}

/// A script that notes its run in a file and prints a token, with more of its status.
fn printing(scene: &Scene, token: &str, more: &str) -> String {
    let runs = scene.path("runs");
    format!(
        "echo run >> {}; echo '{{\"apiVersion\":\"{VERSION}\",\"status\":{{\"token\":\"{token}\"{more}}}}}'",
        runs.display()
    )
}

fn runs(scene: &Scene) -> usize {
    let text = std::fs::read_to_string(scene.path("runs"));
    text.unwrap_or_default().lines().count()
}

fn with_terminal(scene: &Scene, kubeconfig: &str) -> Result<Connection, KubernetesError> {
    let path = scene.write("config", kubeconfig);
    let mut environment = Environment::of(&[], scene.path("none"));
    environment.terminal = true;
    open(&path, environment)
}

/// What a request shows whose plugin gives nothing.
async fn refusal(scene: &Scene, script: &str, more: &str) -> String {
    let found = scene
        .open(&scene.kubeconfig(&user(script, more), ""))
        .unwrap();
    let text = shown(&ask(&found).await.unwrap_err());
    assert!(!text.contains(SENTINEL), "{text}");
    text
}

#[tokio::test]
async fn a_plugin_is_run_once_for_many_requests_and_not_at_all_without_one() {
    let scene = Scene::new().await;
    let script = printing(&scene, TOKEN, "");
    let found = scene
        .open(&scene.kubeconfig(&user(&script, ""), ""))
        .unwrap();
    assert_eq!(runs(&scene), 0);
    let all = futures::future::join_all((0..5).map(|_| ask(&found))).await;
    assert!(
        all.iter().all(|status| matches!(status, Ok(200))),
        "{all:?}"
    );
    assert_eq!(ask(&found).await.unwrap(), 200);
    assert_eq!(runs(&scene), 1);
}

#[tokio::test]
async fn a_plugin_that_is_missing_is_named_with_its_hint_at_the_start() {
    let scene = Scene::new().await;
    let text = scene.kubeconfig(
        &format!(
            "    exec:\n      apiVersion: {VERSION}\n      command: no-such-plugin\n      \
             env: [{{name: PATH, value: /usr/bin}}]\n      installHint: |\n        Get it\n        there.\n"
        ),
        "",
    );
    assert_eq!(
        why(scene.open(&text)),
        "credential plugin \"no-such-plugin\" of user \"u\" is not installed, or not in PATH: Get it there."
    );
    let relative = text.replace("no-such-plugin", "./bin/plugin");
    let relative = why(scene.open(&relative));
    let there = scene.path("./bin/plugin").display().to_string();
    assert!(relative.contains(&there), "{relative}");
}

#[tokio::test]
async fn a_plugin_that_fails_is_named_and_what_it_prints_is_not_shown() {
    let scene = Scene::new().await;
    for (script, expected) in [
        (
            "echo s3nt1nel; echo s3nt1nel >&2; exit 7",
            "failed (exit status: 7)",
        ),
        ("kill -9 $$", "failed (signal: 9"),
        ("echo s3nt1nel", "something other than an ExecCredential"),
        ("true", "printed nothing"),
        ("printf '\\377'", "something other than an ExecCredential"),
        (
            "echo '{\"status\":{\"token\":\"s3nt1nel\"}}'",
            "another apiVersion",
        ),
        ("echo '{\"kind\":\"s3nt1nel\"}'", "no ExecCredential"),
        (
            "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\"}'",
            "no status",
        ),
        (
            "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\" \"}}'",
            "neither a token nor a certificate",
        ),
        (
            "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"a\\u0007b\"}}'",
            "no HTTP header may have",
        ),
        (
            "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"clientKeyData\":\"s3nt1nel\"}}'",
            "a key without its certificate",
        ),
        (
            "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"s3nt1nel\",\
             \"expirationTimestamp\":\"s3nt1nel\"}}'",
            "expirationTimestamp that is no time",
        ),
        (
            "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"clientKeyData\":\"s3nt1nel\",\
             \"clientCertificateData\":\"s3nt1nel\"}}'",
            "of user \\\"u\\\"",
        ),
        ("head -c 2000000 /dev/zero", "printed more than"),
    ] {
        let text = refusal(&scene, script, "").await;
        assert!(text.contains(expected), "{script}: {text}");
    }
}

#[tokio::test]
async fn a_plugin_that_fails_is_not_run_for_each_request() {
    let scene = Scene::new().await;
    let script = format!("echo run >> {}; exit 1", scene.path("runs").display());
    let found = scene
        .open(&scene.kubeconfig(&user(&script, ""), ""))
        .unwrap();
    let begun = Instant::now();
    for _ in 0..100 {
        let text = shown(&ask(&found).await.unwrap_err());
        assert!(text.contains("failed (exit status: 1)"), "{text}");
    }
    let most = 1 + pauses_since(begun);
    assert!(
        (1..=most).contains(&runs(&scene)),
        "{} of {most}",
        runs(&scene)
    );
}

#[tokio::test]
async fn yaml_is_understood_too() {
    let scene = Scene::new().await;
    let script = format!("printf 'apiVersion: {VERSION}\\nstatus:\\n  token: {TOKEN}\\n'");
    let found = scene
        .open(&scene.kubeconfig(&user(&script, ""), ""))
        .unwrap();
    assert_eq!(ask(&found).await.unwrap(), 200);
}

/// The plugin prints what it was told, as its token.
#[tokio::test]
async fn a_plugin_is_told_the_truth_about_the_terminal() {
    let scene = Scene::new().await;
    let script = format!(
        "case \"$KUBERNETES_EXEC_INFO\" in *'\"interactive\":true'*) t=yes;; *'\"interactive\":false'*) t=no;; esac; \
         echo \"{{\\\"apiVersion\\\":\\\"{VERSION}\\\",\\\"status\\\":{{\\\"token\\\":\\\"$t\\\"}}}}\""
    );
    // The token `yes` may list ConfigMaps. The token `no` may not: it gets 403.
    scene.double.allow("yes", "yes", vec![list_config_maps()]);
    scene
        .double
        .allow("no", "no", vec![Rule::new("", &["pods"], &["list"])]);
    for (mode, terminal, expected) in [
        ("Never", false, 403),
        ("Never", true, 403),
        ("IfAvailable", false, 403),
        ("IfAvailable", true, 200),
        ("Always", true, 200),
    ] {
        let more = format!("      interactiveMode: {mode}\n");
        let text = scene.kubeconfig(&user(&script, &more), "");
        let found = if terminal {
            with_terminal(&scene, &text)
        } else {
            scene.open(&text)
        };
        assert_eq!(
            ask(&found.unwrap()).await.unwrap(),
            expected,
            "{mode}, {terminal}"
        );
    }
    let more = "      interactiveMode: Always\n";
    let text = why(scene.open(&scene.kubeconfig(&user(&script, more), "")));
    assert!(text.contains("standard input is no terminal"), "{text}");
}

#[tokio::test]
async fn a_plugin_that_wants_it_is_told_of_the_cluster() {
    let scene = Scene::new().await;
    let told = scene.path("told");
    let script = format!(
        "echo \"$KUBERNETES_EXEC_INFO\" > {}; {}",
        told.display(),
        printing(&scene, TOKEN, "")
    );
    let cluster = "    tls-server-name: k8s.example\n    extensions:\n    - name: client.authentication.k8s.io/exec\n      \
                   extension: {audience: me}\n";
    let more = "      provideClusterInfo: true\n";
    let found = scene
        .open(&scene.kubeconfig(&user(&script, more), cluster))
        .unwrap();
    assert_eq!(ask(&found).await.unwrap(), 200);
    let told: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(told).unwrap()).unwrap();
    assert_eq!(told["kind"], "ExecCredential");
    assert_eq!(told["apiVersion"], VERSION);
    assert_eq!(told["spec"]["cluster"]["server"], scene.double.url());
    assert_eq!(told["spec"]["cluster"]["tls-server-name"], "k8s.example");
    assert_eq!(told["spec"]["cluster"]["config"]["audience"], "me");
}

#[tokio::test]
async fn credentials_that_end_are_renewed_and_refused_ones_too() {
    let scene = Scene::new().await;
    // It ends so soon that each request needs a new one.
    let end = Timestamp::now() + SignedDuration::from_secs(5);
    let script = printing(
        &scene,
        TOKEN,
        &format!(",\"expirationTimestamp\":\"{end}\""),
    );
    let found = scene
        .open(&scene.kubeconfig(&user(&script, ""), ""))
        .unwrap();
    for run in 1..=3 {
        assert_eq!(ask(&found).await.unwrap(), 200);
        assert_eq!(runs(&scene), run);
    }

    // The plugin prints what is in a file.
    let token = scene.write("the-token", TOKEN);
    let script = format!(
        "echo run >> {}; printf '{{\"apiVersion\":\"{VERSION}\",\"status\":{{\"token\":\"%s\"}}}}' $(cat {})",
        scene.path("runs").display(),
        token.display()
    );
    let found = scene
        .open(&scene.kubeconfig(&user(&script, ""), ""))
        .unwrap();
    assert_eq!(ask(&found).await.unwrap(), 200);
    let before = runs(&scene);
    scene.double.forget(TOKEN);
    assert_eq!(ask(&found).await.unwrap(), 401, "nobody knew before");
    assert_eq!(runs(&scene), before);
    assert_eq!(
        ask(&found).await.unwrap(),
        401,
        "the plugin has nothing else"
    );
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(ask(&found).await.unwrap(), 401);
    }
    let most = before + 1 + pauses_since(begun);
    let runs = runs(&scene);
    assert!(
        (before + 1..=most).contains(&runs),
        "{before}, {runs} of {most}"
    );
    scene.write("the-token", "newer");
    scene
        .double
        .allow("newer", "the-user", vec![list_config_maps()]);
    accepted(&found).await;
    assert_eq!(ask(&found).await.unwrap(), 200);
}

#[tokio::test]
async fn a_token_file_and_a_kubeconfig_are_read_again_after_a_refusal() {
    let scene = Scene::new().await;
    scene.write("t", TOKEN);
    let by_file = scene
        .open(&scene.kubeconfig("    tokenFile: t\n", ""))
        .unwrap();
    assert_eq!(ask(&by_file).await.unwrap(), 200);
    let inline = scene.write(
        "inline",
        scene.kubeconfig(&format!("    token: {TOKEN}\n"), ""),
    );
    let by_text = open(&inline, Environment::of(&[], scene.path("none"))).unwrap();
    assert_eq!(ask(&by_text).await.unwrap(), 200);

    scene.double.forget(TOKEN);
    scene
        .double
        .allow("newer", "the-user", vec![list_config_maps()]);
    scene.write("t", "newer\n");
    scene.write("inline", scene.kubeconfig("    token: newer\n", ""));
    for found in [by_file, by_text] {
        assert_eq!(ask(&found).await.unwrap(), 401, "nobody knew before");
        assert_eq!(
            ask(&found).await.unwrap(),
            200,
            "the next request has the new one"
        );
    }
}

/// How many pauses, of the shortest there are, can have ended since.
fn pauses_since(begun: Instant) -> usize {
    (begun.elapsed().as_millis() / 500) as usize
}

/// Asks until the server accepts.
async fn accepted(connection: &Connection) {
    let accepted = async {
        while ask(connection).await.unwrap() != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, accepted).await.unwrap();
}
