//! The access log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::Value;

use crate::harness::{Cluster, Upstream, until};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// The lines of this test: the log is the process's, and other tests write it too.
    fn own(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|line| line["fields"].clone())
            .filter(|line| line["agent"] == "a \"test\"")
            .collect()
    }
}

#[tokio::test]
async fn every_request_is_logged_once_with_what_became_of_it() {
    let lines = Lines::default();
    let written = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(move || written.clone())
        .with_env_filter(incumbent_gateway::ACCESS)
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let cluster = Cluster::new().await;
    let upstream = Upstream::echoing().await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let headers = [("user-agent", "a \"test\""), ("referer", "http://from/")];
    front.send(Method::PUT, "/x?y", &headers, "body").await;
    front.send(Method::CONNECT, "h:1", &headers, "").await;
    until("both are logged", || lines.own().len() == 2).await;
    let [first, second] = &lines.own()[..] else {
        panic!()
    };
    assert_eq!(
        (&first["target"], &first["method"]),
        (&"/x?y".into(), &"PUT".into())
    );
    assert_eq!(
        (&first["client"], &first["host"]),
        (&"127.0.0.1".into(), &"some.name".into())
    );
    assert_eq!(
        (&first["status"], &first["version"]),
        (&200.into(), &"HTTP/1.1".into())
    );
    assert_eq!((&first["sent"], &first["received"]), (&4.into(), &4.into()));
    assert_eq!(
        (&first["epoch"], &first["attempts"]),
        (&1.into(), &1.into())
    );
    assert_eq!(first["upstream"], upstream.address.to_string());
    assert_eq!(
        (&first["referer"], &first["complete"]),
        (&"http://from/".into(), &true.into())
    );
    assert_eq!(
        (&second["status"], &second["problem"]),
        (&405.into(), &"no-tunnels".into())
    );
}
