//! A raw client, which sends requests and returns answers unchanged.

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use incumbent_kubernetes_double::{Double, Options};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

/// How long a test waits for something.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server for the claims.
#[derive(Clone)]
pub(crate) struct Api {
    client: kube::Client,
    /// The namespace for the claim's objects.
    pub(crate) namespace: String,
    /// The prefix of the names of this claim's objects, and the value of their label `claim`.
    pub(crate) run: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// The body, unparsed.
    pub(crate) text: String,
    pub(crate) headers: http::HeaderMap,
}

/// A watch.
pub(crate) struct Events {
    body: Body,
    read: Vec<u8>,
}

impl Api {
    pub(crate) async fn of_double() -> (Double, Api) {
        let double = Double::start(Options::default()).await;
        let api = Api::of(Kubeconfig::from_yaml(&double.kubeconfig(None)).unwrap()).await;
        (double, api)
    }

    /// `None`, with a message, if there is no real server.
    pub(crate) async fn of_real_server(claim: &str) -> Option<Api> {
        let Ok(path) = std::env::var("INCUMBENT_TEST_KUBECONFIG") else {
            eprintln!("SKIPPED {claim} on a real API server: INCUMBENT_TEST_KUBECONFIG names none");
            return None;
        };
        let mut api = Api::of(Kubeconfig::read_from(path).unwrap()).await;
        api.namespace =
            std::env::var("INCUMBENT_TEST_NAMESPACE").unwrap_or_else(|_| "default".to_owned());
        Some(api)
    }

    pub(crate) async fn of(kubeconfig: Kubeconfig) -> Api {
        let mut config =
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .unwrap();
        config.default_retry = false;
        let client = kube::Client::try_from(config).unwrap();
        Api {
            client,
            namespace: "default".to_owned(),
            run: format!("claim-{:08x}", rand::random::<u32>()),
        }
    }

    /// Runs the claim, and deletes its objects, also if it fails.
    pub(crate) async fn check<F: Future<Output = ()>>(&self, claim: impl FnOnce(Api) -> F) {
        let result = AssertUnwindSafe(claim(self.clone())).catch_unwind().await;
        for resource in [
            "configmaps",
            "leases",
            "pods",
            "deployments",
            "statefulsets",
            "rolebindings",
            "roles",
        ] {
            let path = self.path(resource, &format!("?labelSelector=claim%3D{}", self.run));
            let items = self.get(&path).await.body["items"].clone();
            for item in items.as_array().into_iter().flatten() {
                let name = item["metadata"]["name"].as_str().unwrap();
                let path = self.path(resource, &format!("/{name}"));
                if !item["metadata"]["finalizers"].is_null() {
                    self.patch(&path, "merge", &json!({"metadata": {"finalizers": null}}))
                        .await;
                }
                self.send("DELETE", &path, &[], b"{\"gracePeriodSeconds\":0}")
                    .await;
            }
        }
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }

    /// A name for this claim only.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.run)
    }

    /// The path of a resource in the namespace, with a suffix.
    pub(crate) fn path(&self, resource: &str, rest: &str) -> String {
        let group = match resource.split('/').next().unwrap() {
            "leases" => "apis/coordination.k8s.io",
            "deployments" | "statefulsets" => "apis/apps",
            "roles" | "rolebindings" => "apis/rbac.authorization.k8s.io",
            _ => "api",
        };
        format!("/{group}/v1/namespaces/{}/{resource}{rest}", self.namespace)
    }

    /// The path of an object of this claim.
    pub(crate) fn one(&self, resource: &str, name: &str) -> String {
        self.path(resource, &format!("/{}", self.name(name)))
    }

    /// Its label, as a query.
    pub(crate) fn mine(&self) -> String {
        format!("?labelSelector=claim%3D{}", self.run)
    }

    /// The metadata of an object of this claim.
    pub(crate) fn metadata(&self, name: &str) -> Value {
        json!({"name": self.name(name), "labels": {"claim": self.run}})
    }

    /// A ConfigMap that holds one value.
    pub(crate) fn config_map(&self, name: &str, value: &str) -> Value {
        json!({"metadata": self.metadata(name), "data": {"key": value}})
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.send("GET", path, &[], b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Got {
        self.send("POST", path, &[], body.to_string().as_bytes())
            .await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Got {
        self.send("PUT", path, &[], body.to_string().as_bytes())
            .await
    }

    /// `kind` is `merge`, `strategic-merge` or `json`.
    pub(crate) async fn patch(&self, path: &str, kind: &str, body: &Value) -> Got {
        let kind = format!("application/{kind}-patch+json");
        self.send(
            "PATCH",
            path,
            &[("content-type", &kind)],
            body.to_string().as_bytes(),
        )
        .await
    }

    pub(crate) async fn delete(&self, path: &str, body: &Value) -> Got {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send("DELETE", path, &[], body.as_bytes()).await
    }

    /// Creates an object; a refusal fails the test.
    pub(crate) async fn create(&self, resource: &str, body: &Value) -> Value {
        self.post(&self.path(resource, ""), body).await.is(201).body
    }

    /// As [`Api::send_or_fail`]; a broken connection fails the test.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Got {
        self.send_or_fail(method, path, headers, body)
            .await
            .unwrap()
    }

    pub(crate) async fn send_or_fail(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Got, kube::Error> {
        let response = self
            .client
            .send(request(method, path, headers, body))
            .await?;
        let (head, body) = response.into_parts();
        let body = body.collect_bytes().await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Got {
            status: head.status.as_u16(),
            body,
            text,
            headers: head.headers,
        })
    }

    /// A watch; `query` follows `watch=true`.
    pub(crate) async fn watch(&self, resource: &str, query: &str) -> Events {
        self.watch_as(resource, query, &[]).await
    }

    pub(crate) async fn watch_as(
        &self,
        resource: &str,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Events {
        let path = self.path(resource, &format!("?watch=true&{query}"));
        let response = self
            .client
            .send(request("GET", &path, headers, b""))
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        Events {
            body: response.into_body(),
            read: Vec::new(),
        }
    }

    /// The present version of a list of all objects of a kind.
    pub(crate) async fn version(&self, resource: &str) -> String {
        let list = self
            .get(&self.path(resource, &self.mine()))
            .await
            .is(200)
            .body;
        list["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

impl Got {
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Got {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Checks that it is this refusal.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, reason: &str, message: impl Display) -> Got {
        let got = self.refused_for(status, reason);
        assert_eq!(got.body["message"], message.to_string());
        got
    }

    /// As [`Got::refused`], where servers use different words.
    #[track_caller]
    pub(crate) fn refused_for(self, status: u16, reason: &str) -> Got {
        let got = self.is(status);
        let expected =
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status});
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(got.body[field], *value, "{}", got.text);
        }
        assert_eq!(
            got.body["reason"].as_str().unwrap_or_default(),
            reason,
            "{}",
            got.text
        );
        got
    }

    /// Checks that exactly these fields are named as causes, as `Reason field`. Some releases
    /// repeat a cause.
    #[track_caller]
    pub(crate) fn because(self, causes: &[&str]) -> Got {
        let got = self.refused_for(422, "Invalid");
        let named = got.body["details"]["causes"].as_array().unwrap().iter();
        let mut named: Vec<String> = named
            .map(|cause| {
                format!(
                    "{} {}",
                    cause["reason"].as_str().unwrap(),
                    cause["field"].as_str().unwrap_or_default()
                )
            })
            .collect();
        named.dedup();
        assert_eq!(named, causes, "{}", got.text);
        got
    }
}

impl Events {
    /// The next event that is no bookmark; `None` if the watch has ended in order.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            let (kind, object) = self.next_of_any_kind().await?;
            if kind != "BOOKMARK" {
                return Some((kind, object));
            }
        }
    }

    /// The next event as `KIND name`.
    pub(crate) async fn kind_and_name(&mut self) -> String {
        let (kind, object) = self.next().await.expect("an event");
        format!(
            "{kind} {}",
            object["metadata"]["name"].as_str().unwrap_or_default()
        )
    }

    pub(crate) async fn next_of_any_kind(&mut self) -> Option<(String, Value)> {
        self.next_or_fail().await.unwrap()
    }

    pub(crate) async fn next_or_fail(&mut self) -> Result<Option<(String, Value)>, kube::Error> {
        loop {
            if let Some(end) = self.read.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                let event: Value = serde_json::from_slice(&line).unwrap();
                return Ok(Some((
                    event["type"].as_str().unwrap().to_owned(),
                    event["object"].clone(),
                )));
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame())
                .await
                .expect("an event or the end in time");
            match frame {
                None => return Ok(None),
                Some(frame) => self
                    .read
                    .extend_from_slice(&frame?.into_data().unwrap_or_default()),
            }
        }
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> http::Request<Body> {
    let mut request = http::Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "content-type") && !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    if !headers.iter().any(|(name, _)| *name == "accept") {
        request = request.header("accept", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_vec())).unwrap()
}

/// Waits until the condition holds, and asks repeatedly.
pub(crate) async fn wait_until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"));
}
