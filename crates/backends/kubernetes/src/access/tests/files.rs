//! Which files are read, and what they choose.

use super::{SENTINEL, Scene, TOKEN, ask, kubeconfig, open, why};
use crate::access::environment::Environment;
use crate::access::kubeconfig::Cluster;
use crate::access::server::{Server, proxy};
use crate::access::{Access, Connection};
use crate::error::KubernetesError;

fn open_by_variable(scene: &Scene, list: &str) -> Result<Connection, KubernetesError> {
    let environment = Environment::of(&[("KUBECONFIG", list)], scene.path("none"));
    Connection::open_in(&Access::default(), environment)
}

#[tokio::test]
async fn missing_files_of_the_list_are_passed_over_and_the_first_one_wins() {
    let scene = Scene::new().await;
    let user = format!("    token: {TOKEN}\n");
    let first = scene.write(
        "first",
        "users: [{name: u, user: {token: s3nt1nel-token}}]\nclusters: null\n",
    );
    let second = scene.write("second", scene.kubeconfig("    token: another\n", ""));
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    let found = open_by_variable(
        &scene,
        &format!("/nonexistent/a:{first}::/nonexistent/b:{second}"),
    );
    assert_eq!(ask(&found.unwrap()).await.unwrap(), 200, "the first user");
    let found = open_by_variable(&scene, &format!("{second}:{first}"));
    assert_eq!(ask(&found.unwrap()).await.unwrap(), 401, "the other user");

    let only_missing = why(open_by_variable(&scene, "/nonexistent/a:/nonexistent/b"));
    assert!(
        only_missing.contains("/nonexistent/a, /nonexistent/b"),
        "{only_missing}"
    );
    assert!(
        only_missing.contains("KUBERNETES_SERVICE_HOST"),
        "{only_missing}"
    );

    // The one that the address names must be there.
    let environment = Environment::of(&[], scene.path("none"));
    let named = why(open(&scene.path("nothing"), environment));
    assert!(named.contains("cannot read kubeconfig"), "{named}");

    // One that cannot be read is an error, whatever the others say.
    let broken = scene.write(
        "broken",
        format!("users: [{{name: u, user: {{token: {SENTINEL}\n"),
    );
    let broken = why(open_by_variable(
        &scene,
        &format!("{second}:{}", broken.display()),
    ));
    assert!(
        broken.contains("broken") && broken.contains("line "),
        "{broken}"
    );
    assert!(!broken.contains(SENTINEL), "{broken}");

    let mut home = Environment::of(&[], scene.path("none"));
    home.home = Some(scene.path("home"));
    std::fs::create_dir_all(scene.path("home/.kube")).unwrap();
    scene.write("home/.kube/config", scene.kubeconfig(&user, ""));
    let found = Connection::open_in(&Access::default(), home).unwrap();
    assert_eq!(ask(&found).await.unwrap(), 200);
}

#[tokio::test]
async fn files_are_utf_8_or_utf_16_and_their_paths_are_relative_to_them() {
    let scene = Scene::new().await;
    // With the line end that editors add.
    scene.write("the token", format!("{TOKEN}\r\n"));
    let text = scene.kubeconfig(
        "    tokenFile: the token\n",
        "    certificate-authority: ''\n",
    );
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [
        text.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        [b"\xff\xfe", &*little].concat(),
        [b"\xfe\xff", &*big].concat(),
    ] {
        let path = scene.write("config", bytes);
        let found = open(&path, Environment::of(&[], scene.path("none"))).unwrap();
        assert_eq!(ask(&found).await.unwrap(), 200);
        assert_eq!(found.namespace(), "default");
    }
}

#[tokio::test]
async fn a_token_with_a_line_end_is_a_token() {
    let scene = Scene::new().await;
    for token in [format!("{TOKEN}\\n"), format!(" {TOKEN}\\r\\n")] {
        let found = scene.open(&scene.kubeconfig(&format!("    token: \"{token}\"\n"), ""));
        assert_eq!(ask(&found.unwrap()).await.unwrap(), 200);
    }
    let inside = why(scene.open(&scene.kubeconfig("    token: \"a\\nb\"\n", "")));
    assert_eq!(
        inside,
        "the token of user \"u\" in the kubeconfig has a character that no HTTP header may have"
    );
}

#[tokio::test]
async fn a_context_that_is_missing_is_named_with_those_there_are() {
    let scene = Scene::new().await;
    let text = scene.kubeconfig("    {}\n", "");
    let path = scene.write("config", &text);
    let access = |context: &str| Access {
        kubeconfig: Some(path.clone()),
        context: Some(context.to_owned()),
    };
    let environment = Environment::of(&[], scene.path("none"));
    let other = why(Connection::open_in(&access("other"), environment.clone()));
    assert_eq!(
        other,
        "the kubeconfig has no context \"other\"; its contexts are here"
    );
    assert!(Connection::open_in(&access("here"), environment).is_ok());
    let none = why(scene.open(&text.replace("current-context: here\n", "")));
    assert!(
        none.contains("no current-context") && none.contains("contexts are here"),
        "{none}"
    );
    let cluster = why(scene.open(&text.replace("{cluster: c,", "{cluster: d,")));
    assert!(cluster.contains("cluster \"d\""), "{cluster}");
    // As for kubectl, a user that is missing is one without credentials.
    assert!(scene.open(&text.replace("user: u,", "user: v,")).is_ok());
}

#[test]
fn a_server_is_a_url_or_a_host_with_a_port() {
    let url = |text: &str, tls| Server::parse(text, tls).map(|server| server.url.to_string());
    for (text, tls, expected) in [
        ("https://h:6443", false, "https://h:6443/"),
        ("https://h/base/", false, "https://h/base/"),
        ("http://h\n", true, "http://h/"),
        ("h:6443", true, "https://h:6443/"),
        ("h:8080", false, "http://h:8080/"),
        ("127.0.0.1", false, "http://127.0.0.1/"),
        ("https://[::1]:6443", false, "https://[::1]:6443/"),
        ("https://me:s3nt1nel@h:1", false, "https://h:1/"),
    ] {
        assert_eq!(url(text, tls).as_deref(), Ok(expected), "{text}");
    }
    for (text, expected) in [
        ("", "is empty"),
        ("h/base", "has a path but no scheme"),
        ("ftp://h", "has a scheme other than http and https"),
        ("https://", "is no URL such as https://host:6443"),
        ("https://:6443", "has no host"),
        (
            "https://h:99999",
            "has a port that is no number from 1 to 65535",
        ),
        (
            "https://h:0",
            "has a port that is no number from 1 to 65535",
        ),
        (
            "https://h:x",
            "has a port that is no number from 1 to 65535",
        ),
        ("https://a b", "is no URL such as https://host:6443"),
    ] {
        assert_eq!(url(text, true), Err(expected), "{text}");
    }
    let login = Server::parse("https://me:a%40b@h", true)
        .unwrap()
        .login
        .unwrap();
    assert_eq!((&*login.0, login.1.expose()), ("me", "a@b"));
}

#[test]
fn a_proxy_is_the_clusters_own_or_that_of_the_environment() {
    let found = |server: &str, own: &str, variables: &[(&str, &str)]| {
        let cluster: Cluster =
            serde_json::from_value(serde_json::json!({ "proxy-url": own })).unwrap();
        let environment = Environment::of(variables, "/none".into());
        let proxy = proxy(&cluster, &server.parse().unwrap(), &environment);
        proxy.map(|proxy| proxy.map(|proxy| proxy.to_string()))
    };
    let all = [
        ("HTTPS_PROXY", "p:1"),
        ("NO_PROXY", "inner.example,10.0.0.0/8"),
    ];
    for (server, own, variables, expected) in [
        ("https://h/", "", &[][..], None),
        (
            "https://h/",
            "socks5://own:1",
            &all,
            Some("socks5://own:1/"),
        ),
        ("https://h/", "", &all, Some("http://p:1/")),
        ("http://h/", "", &all, None),
        ("https://10.1.2.3/", "", &all, None),
        ("https://a.inner.example/", "", &all, None),
        ("https://localhost:1/", "", &all, None),
        ("https://127.0.0.1:1/", "", &all, None),
        (
            "https://h/",
            "",
            &[("https_proxy", "http://p"), ("no_proxy", "*")],
            None,
        ),
    ] {
        let found = found(server, own, variables).unwrap();
        assert_eq!(found.as_deref(), expected, "{server} {own}");
    }
    let bad = found("https://h/", "gopher://u:s3nt1nel@h", &[])
        .unwrap_err()
        .to_string();
    assert!(
        bad.contains("proxy-url") && !bad.contains(SENTINEL),
        "{bad}"
    );
}

#[tokio::test]
async fn a_login_in_the_address_is_used_and_not_shown() {
    let scene = Scene::new().await;
    let server = scene.double.url().replace("http://", "http://me:s3nt1nel@");
    let found = scene.open(&kubeconfig(&server, "    {}\n", "")).unwrap();
    assert_eq!(ask(&found).await.unwrap(), 200);
    assert!(!format!("{found:?}{}", found.server()).contains(SENTINEL));
}

#[tokio::test]
async fn yaml_that_is_made_to_do_harm_is_an_error() {
    let scene = Scene::new().await;
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..30 {
        let list = vec![format!("*a{}", n - 1); 9].join(", ");
        laughs.push_str(&format!("a{n}: &a{n} [{list}]\n"));
    }
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        format!("users: {}", "[{name: ".repeat(50_000)),
        format!("users:\n- name: u\n  user: {}", "{exec: ".repeat(50_000)),
        "users: &u [*u]".to_owned(),
        laughs,
    ] {
        let text = why(scene.open(&text));
        assert!(!text.is_empty() && text.len() < 1000, "{text}");
    }
}
