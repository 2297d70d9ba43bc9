//! Each kind of credentials, each damaged in many ways: no panic, and no secret in what is shown.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::logs::Everything;
use super::{SENTINEL, Scene, TOKEN, ask, kubeconfig, list_config_maps, open, shown};
use crate::access::Environment;

/// A kind of credentials: a kubeconfig and the files that it names.
struct Kind {
    name: &'static str,
    kubeconfig: String,
    files: Vec<(&'static str, Vec<u8>)>,
    /// What the double answers if nothing is damaged. Without a token it takes everybody for its
    /// administrator; 0 is no answer.
    status: u16,
}

/// A certificate and its key. What stands before a section in PEM is not read.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    (chain, format!("{SENTINEL}\n{key}"))
}

/// A token of OpenID Connect that ends then.
fn id_token(expires: u32) -> String {
    let claims = URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{expires}}}"));
    format!("{SENTINEL}.{claims}.{SENTINEL}")
}

fn kinds(scene: &Scene) -> Vec<Kind> {
    let (chain, key) = certificate();
    let encoded = |text: &str| STANDARD.encode(text);
    let authority = format!(
        "    insecure-skip-tls-verify: false\n    certificate-authority-data: {}\n",
        encoded(&chain)
    );
    let kind = |name, user: &str, files: &[(&'static str, &str)], status| Kind {
        name,
        kubeconfig: scene.kubeconfig(user, &authority),
        files: files
            .iter()
            .map(|(name, text)| (*name, text.as_bytes().to_vec()))
            .collect(),
        status,
    };
    let exec = |script: &str| {
        format!(
            "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: sh\n      \
             args: [-c, {script:?}, {SENTINEL}]\n      env: [{{name: TOKEN, value: {TOKEN}}}]\n      \
             interactiveMode: IfAvailable\n      installHint: get a shell\n"
        )
    };
    let credential = "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\
                      \"status\":{\"token\":\"%s\\\\n\"}}' $TOKEN";
    let oidc = |expires: u32| {
        let token = id_token(expires);
        scene
            .double
            .allow(&token, "the-user", vec![list_config_maps()]);
        format!(
            "    auth-provider:\n      name: oidc\n      config: {{id-token: {token}, client-secret: {SENTINEL}, \
             client-id: me, refresh-token: {SENTINEL}, idp-issuer-url: \"https://127.0.0.1:9/{SENTINEL}\"}}\n"
        )
    };
    vec![
        kind("token", &format!("    token: {TOKEN}\n"), &[], 200),
        kind("token file", "    tokenFile: t\n", &[("t", TOKEN)], 200),
        kind(
            "certificate inline",
            &format!(
                "    client-certificate-data: {}\n    client-key-data: {}\n",
                encoded(&chain),
                encoded(&key)
            ),
            &[],
            200,
        ),
        kind(
            "certificate in files",
            "    client-certificate: c\n    client-key: k\n",
            &[("c", &chain), ("k", &key)],
            200,
        ),
        kind(
            "name and password",
            &format!("    username: me\n    password: {SENTINEL}\n"),
            &[],
            200,
        ),
        kind("plugin", &exec(credential), &[], 200),
        kind(
            "plugin that fails",
            &exec("echo $TOKEN; echo $TOKEN >&2; exit 3"),
            &[],
            0,
        ),
        kind(
            "plugin that prints anything",
            &exec("echo {$TOKEN: ["),
            &[],
            0,
        ),
        kind("OpenID Connect", &oidc(u32::MAX), &[], 200),
        kind("OpenID Connect, over", &oidc(1), &[], 0),
        kind("nothing", "    {}\n", &[], 200),
    ]
}

/// Opens and asks, and gives all that it shows.
async fn attempt(scene: &Scene, log: &Everything) -> (u16, String) {
    let environment = Environment::of(&[("PATH", "/usr/bin:/bin")], scene.path("none"));
    let (status, mut text) = match open(&scene.path("config"), environment) {
        Err(error) => (0, shown(&error)),
        Ok(connection) => {
            let text = format!("{connection:?}");
            // A damaged address may lead anywhere.
            match tokio::time::timeout(Duration::from_secs(2), ask(&connection)).await {
                Ok(Ok(status)) => (status, text),
                Ok(Err(error)) => (0, format!("{text} {}", shown(&error))),
                Err(_) => (0, text),
            }
        }
    };
    text.push_str(&log.take());
    (status, text)
}

fn check(text: &str, what: &str) {
    for secret in [SENTINEL, &STANDARD.encode(SENTINEL)[..8]] {
        assert!(!text.contains(secret), "{what}: {text}");
    }
    // A task that has panicked says so only there.
    assert!(!text.contains("the program is ending"), "{what}: {text}");
}

/// The bytes with one damage, at some places.
fn damaged(whole: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("empty".to_owned(), Vec::new()),
        ("only a line end".to_owned(), b"\n".to_vec()),
        ("twice".to_owned(), [whole, whole].concat()),
        (
            "with line ends after it".to_owned(),
            [whole, b"\r\n\n"].concat(),
        ),
        (
            "UTF-16, cut".to_owned(),
            [b"\xff\xfe", whole, b"xx"].concat(),
        ),
        (
            "UTF-16, odd".to_owned(),
            [b"\xfe\xff", whole, b"x"].concat(),
        ),
        (
            "with a mark before it".to_owned(),
            [b"\xef\xbb\xbf", whole].concat(),
        ),
    ];
    const PLACES: usize = 12;
    for place in 0..PLACES {
        let at = whole.len() * place / PLACES;
        all.push((format!("cut at {at}"), whole[..at].to_vec()));
        for byte in b"\n\t\0\xff:{[\"@&" {
            let mut bytes = whole.to_vec();
            if let Some(there) = bytes.get_mut(at) {
                *there = *byte;
            }
            all.push((format!("byte {at} is {byte:#x}"), bytes));
        }
    }
    all
}

#[tokio::test]
async fn no_damage_is_a_panic_and_no_error_shows_a_secret() {
    let scene = Scene::new().await;
    let (log, _guard) = Everything::begin();
    for kind in kinds(&scene) {
        let write_all = || {
            scene.write("config", &kind.kubeconfig);
            for (name, bytes) in &kind.files {
                scene.write(name, bytes);
            }
        };
        write_all();
        let (status, text) = attempt(&scene, &log).await;
        check(&text, kind.name);
        assert_eq!(status, kind.status, "{}: {text}", kind.name);
        let mut files: Vec<(&str, &[u8])> = vec![("config", kind.kubeconfig.as_bytes())];
        files.extend(kind.files.iter().map(|(name, bytes)| (*name, &**bytes)));
        for (file, whole) in files {
            for (damage, bytes) in damaged(whole) {
                scene.write(file, bytes);
                let (_, text) = attempt(&scene, &log).await;
                check(&text, &format!("{}, {file} {damage}", kind.name));
            }
            std::fs::remove_file(scene.path(file)).unwrap();
            let (status, text) = attempt(&scene, &log).await;
            check(&text, &format!("{}, {file} is missing", kind.name));
            assert_eq!(status, 0, "{}, {file} is missing: {text}", kind.name);
            std::fs::create_dir(scene.path(file)).unwrap();
            let (_, text) = attempt(&scene, &log).await;
            check(&text, &format!("{}, {file} is a folder", kind.name));
            std::fs::remove_dir(scene.path(file)).unwrap();
            write_all();
        }
    }
}

/// Values that are text, and not what the field needs.
#[tokio::test]
async fn no_value_is_a_panic_and_no_error_shows_a_secret() {
    let scene = Scene::new().await;
    let (log, _guard) = Everything::begin();
    let values = [
        "",
        " ",
        "\n",
        "a\nb",
        "a b",
        "ü",
        "\0",
        "127.0.0.1:1",
        "localhost",
        ":",
        "::::",
        "//",
        "/",
        "?",
        "#",
        "http://",
        "http://:80",
        "http://[::1",
        "http://h:99999",
        "http://h:0",
        "http://h:x",
        "http://h/%zz",
        "http://a b",
        "https://ü",
        "ftp://h",
        "unix:///x",
        "http://u:s3nt1nel@",
        "http://u:s3nt1nel@h:x",
        "gopher://u:s3nt1nel@h",
        "s3nt1nel@h:1/s3nt1nel",
        "../x",
    ];
    let fields = [
        "server",
        "proxy-url",
        "tls-server-name",
        "certificate-authority",
        "certificate-authority-data",
        "namespace",
        "token",
        "tokenFile",
        "username",
        "client-certificate",
        "client-key-data",
        "as",
        "as-uid",
        "apiVersion",
        "command",
        "auth-provider",
    ];
    // Names of files, programs and versions are shown.
    let shown = [
        "certificate-authority",
        "tokenFile",
        "client-certificate",
        "command",
    ];
    for field in fields {
        for value in values {
            if shown.contains(&field) && value.contains(SENTINEL) {
                continue;
            }
            let (server, mut user, mut cluster) = match field {
                "server" => (value.to_owned(), String::new(), String::new()),
                _ => (scene.double.url(), String::new(), String::new()),
            };
            let line = format!("    {field}: {value:?}\n");
            match field {
                "server" | "namespace" => {}
                "proxy-url" | "tls-server-name" => cluster = line,
                field if field.starts_with("certificate") => cluster = line,
                "apiVersion" => {
                    user = format!("    exec: {{command: 'true', apiVersion: {value:?}}}\n")
                }
                "command" => user = format!("    exec: {{apiVersion: v1, command: {value:?}}}\n"),
                "auth-provider" => {
                    user = format!(
                        "    auth-provider: {{name: oidc, config: {{id-token: {value:?}}}}}\n"
                    );
                }
                _ => user = line,
            }
            if user.is_empty() {
                user = format!("    token: {TOKEN}\n");
            }
            let mut text = kubeconfig(&server, &user, &cluster);
            if field == "namespace" {
                text = text.replace("namespace: default", &format!("namespace: {value:?}"));
            }
            scene.write("config", text);
            let (_, text) = attempt(&scene, &log).await;
            check(&text, &format!("{field} is {value:?}"));
        }
    }
}
