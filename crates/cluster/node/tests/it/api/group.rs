//! What a node says of its group: who led, and its records without their secrets.

use http::Method;
use incumbent_cluster_node::api::{JobFileView, LeadershipStory, RecordNames, RecordView};
use serde_json::json;

use super::harness::{Cluster, How, id, record};

#[tokio::test]
async fn records_are_browsed_in_pages_and_the_secret_of_the_nodes_is_in_none() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    for number in 1..=5 {
        node.write(&record(id(number), 1, node.address)).await;
    }
    let settings = json!({ "api_key": "very-secret", "level": 3 });
    let name = "app/settings".parse().unwrap();
    node.node.group().create(&name, &settings).await.unwrap();
    let mut after = String::new();
    let mut names = Vec::new();
    loop {
        let path = format!("/v1/records?limit=2{after}");
        let page: RecordNames = node.get(&path).send().await.json();
        assert!(page.names.len() <= 2);
        assert_eq!(page.total, 7);
        names.extend(page.names);
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(names.len(), 7, "{names:?}");
    assert!(names.is_sorted());
    let jobs: RecordNames = node.get("/v1/records?prefix=jobs/").send().await.json();
    assert_eq!(jobs.total, 5);

    let secret = node.node.cluster().secret.clone();
    let reply = node.get("/v1/records/cluster").send().await;
    let shown: RecordView = reply.json();
    assert_eq!(shown.data["id"], node.node.cluster().id);
    assert_eq!(shown.data["secret"], "(hidden)");
    assert_eq!(shown.hidden, ["/secret"]);
    assert!(!format!("{secret:?}").is_empty());
    let stored: RecordView = node.get("/v1/records/app/settings").send().await.json();
    assert_eq!(stored.data, json!({ "api_key": "(hidden)", "level": 3 }));
    let job: RecordView = node
        .get(&format!("/v1/records/jobs/{}", id(1)))
        .send()
        .await
        .json();
    assert_eq!(job.data["spec"]["name"], "job");
    assert_eq!(
        node.get("/v1/records/none").refused().await,
        (404, "not-found".into())
    );
    assert_eq!(node.get("/v1/records/a//b").send().await.status, 400);
    for method in [Method::PUT, Method::POST, Method::DELETE] {
        assert_eq!(
            node.ask(method, "/v1/records/cluster").refused().await.0,
            405
        );
    }
}

#[tokio::test]
async fn who_leads_is_told_whether_anybody_wrote_it_down_or_not() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let story: LeadershipStory = node.get("/v1/leadership").send().await.json();
    assert!(story.root.is_none() && story.changes.is_empty() && !story.is_recorded);
    let leadership = node.lead().await;
    let story: LeadershipStory = node.get("/v1/leadership").send().await.json();
    let root = story.root.unwrap();
    assert_eq!(root.epoch, leadership.epoch().get());
    assert_eq!(root.endpoints["cluster"], node.node.url());
    // It is not known from where; a page shows no nonce, as nobody needs it.
    let text = node.get("/v1/leadership").send().await;
    assert!(!text.text().contains(&leadership.seal().nonce.to_string()));
}

#[tokio::test]
async fn a_job_file_is_read_and_not_submitted() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let ask = |text: &str| {
        let mut ask = node.ask(Method::POST, "/v1/job-file");
        ask.body = text.to_owned().into();
        ask
    };
    let text =
        "name = \"count\"\ntasks = 2\nartifact = \"./count.sh\"\ncommand = [\"{artifact}\"]\n";
    let file: JobFileView = ask(text).send().await.json();
    assert_eq!((&file.spec.name[..], file.spec.tasks), ("count", 2));
    assert_eq!(file.artifact.as_deref(), Some("./count.sh"));
    let bad = ask("comand = [\"x\"]\ntasks = 0\n").send().await;
    assert_eq!(bad.status, 422);
    let problem = bad.problem();
    assert_eq!(problem.name(), "bad-job-file");
    assert!(
        problem
            .errors
            .iter()
            .any(|error| error.field.starts_with("line 1")),
        "{problem:?}"
    );
    assert_eq!(ask(&"#".repeat(300 * 1024)).send().await.status, 413);
    assert_eq!(node.node.group().records().await.unwrap().len(), 1);
}
