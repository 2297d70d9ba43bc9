//! The service account of a pod.

use super::{SENTINEL, Scene, why};
use crate::access::environment::Environment;
use crate::access::{Access, Connection};
use crate::error::KubernetesError;

fn opened(scene: &Scene, host: &str, port: &str) -> Result<Connection, KubernetesError> {
    let variables = [
        ("KUBERNETES_SERVICE_HOST", host),
        ("KUBERNETES_SERVICE_PORT", port),
    ];
    let environment = Environment::of(&variables, scene.path("account"));
    Connection::open_in(&Access::default(), environment)
}

fn mount(scene: &Scene, token: &[u8], namespace: &[u8], authority: &[u8]) {
    std::fs::create_dir_all(scene.path("account")).unwrap();
    scene.write("account/token", token);
    scene.write("account/namespace", namespace);
    scene.write("account/ca.crt", authority);
}

fn authority() -> String {
    let made = rcgen::generate_simple_self_signed(["kubernetes".to_owned()]).unwrap();
    made.cert.pem()
}

#[tokio::test]
async fn a_pod_needs_no_kubeconfig() {
    let scene = Scene::new().await;
    mount(&scene, b"s3nt1nel\n", b"prod\n", authority().as_bytes());
    for (host, server) in [
        ("10.0.0.1", "https://10.0.0.1:6443/"),
        ("fd00::1", "https://[fd00::1]:6443/"),
    ] {
        let found = opened(&scene, host, "6443").unwrap();
        assert_eq!((found.server(), found.namespace()), (server, "prod"));
    }
}

#[tokio::test]
async fn a_damaged_service_account_is_an_error_that_names_the_file() {
    let scene = Scene::new().await;
    let authority = authority();
    let good = authority.as_bytes();
    for (token, namespace, authority, named) in [
        (&b""[..], &b"prod"[..], good, "account/token"),
        (b"s3nt1nel\ns3nt1nel", b"prod", good, "account/token"),
        (b"s3nt1nel\xff", b"prod", good, "account/token"),
        (b"s3nt1nel", b"../prod s3nt1nel", good, "namespace"),
        (b"s3nt1nel", b"prod", b"", "certificate-authority"),
        (b"s3nt1nel", b"prod", b"s3nt1nel", "certificate-authority"),
        (
            b"s3nt1nel",
            b"prod",
            b"-----BEGIN CERTIFICATE-----\ns3nt1nel!\n-----END CERTIFICATE-----\n",
            "certificate-authority",
        ),
    ] {
        mount(&scene, token, namespace, authority);
        let text = why(opened(&scene, "10.0.0.1", "443"));
        assert!(text.contains(named) && !text.contains(SENTINEL), "{text}");
    }
    mount(&scene, b"s3nt1nel", b"\xff", good);
    let usual = opened(&scene, "10.0.0.1", "443").unwrap();
    assert_eq!(usual.namespace(), "default");
    for (host, port) in [
        ("10.0.0.1", "x"),
        ("10.0.0.1", "0"),
        ("a b", "1"),
        ("::::", "1"),
    ] {
        let text = why(opened(&scene, host, port));
        assert!(
            text.contains("the server of cluster"),
            "{host}:{port}: {text}"
        );
    }
    std::fs::remove_file(scene.path("account/token")).unwrap();
    let text = why(opened(&scene, "10.0.0.1", "443"));
    assert!(text.contains("account/token"), "{text}");
}
