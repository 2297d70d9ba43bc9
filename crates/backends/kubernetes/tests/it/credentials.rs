//! Credentials that are replaced while a process leads.

use incumbent_kubernetes_double::Rule;
use tempfile::NamedTempFile;

use crate::{LEASE, Server, in_time, node, open_with};

fn all() -> Vec<Rule> {
    let verbs = ["get", "list", "watch", "create", "update"];
    vec![Rule::new("", &["configmaps"], &verbs)]
}

fn kubeconfig(server: &Server, user: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let text = server.double.kubeconfig(Some("x"));
    let whole = text.replace("{token: \"x\"}", user);
    assert_ne!(whole, text);
    std::fs::write(file.path(), whole).unwrap();
    file
}

/// The server no longer accepts the leader's token: the term is lost. When the file or the plugin
/// has a token that the server accepts, the same process leads again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_refused_leads_again_when_it_is_accepted() {
    for by_plugin in [false, true] {
        let server = Server::start().await;
        server.double.allow("old", "jm", all());
        let token = NamedTempFile::new().unwrap();
        std::fs::write(token.path(), "old\n").unwrap();
        let path = token.path().display();
        let user = if by_plugin {
            let version = "client.authentication.k8s.io/v1";
            format!(
                "{{exec: {{apiVersion: {version}, command: sh, interactiveMode: Never, args: [-c, 'printf \
                 ''{{\"apiVersion\":\"{version}\",\"status\":{{\"token\":\"%s\"}}}}'' $(cat {path})']}}}}"
            )
        } else {
            format!("{{tokenFile: {path}}}")
        };
        let group = node(open_with(&kubeconfig(&server, &user), ""), "a", LEASE);
        let candidate = group.candidate().unwrap();
        let leadership = in_time("it leads", candidate.campaign()).await;
        let first = leadership.seal().epoch;
        server.double.forget("old");
        in_time("the term is lost", leadership.lost()).await;
        drop(leadership);
        server.double.allow("new", "jm", all());
        std::fs::write(token.path(), "new\n").unwrap();
        let leadership = in_time("it leads again", group.candidate().unwrap().campaign()).await;
        assert!(leadership.seal().epoch > first, "by plugin: {by_plugin}");
    }
}
