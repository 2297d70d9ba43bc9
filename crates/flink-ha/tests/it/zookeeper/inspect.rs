//! Inspecting a cluster in ZooKeeper.

use futures::{StreamExt, TryStreamExt, stream};

use super::*;

/// All nodes, with their data and stats.
pub(crate) async fn all(client: &Client) -> BTreeMap<String, (Vec<u8>, Stat)> {
    let mut nodes = BTreeMap::new();
    let mut todo = vec!["/".to_owned()];
    while let Some(path) = todo.pop() {
        let (children, _) = client.get_children(&path).await.unwrap();
        let above = path.trim_end_matches('/');
        todo.extend(children.iter().map(|child| format!("{above}/{child}")));
        nodes.insert(path.clone(), client.get_data(&path).await.unwrap());
    }
    nodes
}

#[tokio::test]
async fn what_flink_wrote_is_shown_and_stays_as_it_is() {
    for lines in ZNODES {
        for server in Server::each().await {
            let clients = put(&server, lines).await;
            let before = all(&clients[0]).await;
            let address = server.address();
            let cluster = inspect(&address).await.unwrap();
            assert_eq!(cluster.problems, []);
            assert_eq!(
                cluster.source,
                format!("zookeeper://{}/flink/cluster", server.socket())
            );
            assert_eq!((cluster.leaders.len(), cluster.jobs.len()), (4, 1));
            let [election] = &cluster.elections[..] else {
                panic!("{:?}", cluster.elections);
            };
            let owner = before[NODE].1.ephemeral_owner;
            let owner = format!("{owner:#x}");
            assert_eq!(election.owner.as_ref(), Some(&owner));
            let mut followed = leaders(&address, &Component::RestServer);
            let leader = &cluster.leaders["restserver"].leader;
            assert_eq!(
                next(&mut followed).await,
                some(&leader.session.to_string(), &leader.address)
            );
            drop(followed);
            assert_eq!(all(&clients[0]).await, before);
        }
    }
}

#[tokio::test]
async fn a_leader_goes_with_its_session_and_an_entry_of_another_session_is_stale() {
    let server = Server::ours().await;
    let [leader, standby] = put(&server, ZNODES[1]).await;
    let mut followed = leaders(&server.address(), &Component::RestServer);
    assert!(next(&mut followed).await.is_some());
    drop(leader);
    assert_eq!(next(&mut followed).await, None);
    let cluster = inspect(&server.address()).await.unwrap();
    assert!(cluster.leaders.is_empty(), "{cluster:?}");
    // The standby leads now, and a third session has written an entry.
    create(&standby, NODE, &made("leader-ipv6"), CreateMode::Ephemeral).await;
    let late = server.client().await;
    let dispatcher = "/flink/cluster/leader/dispatcher/connection_info";
    create(
        &late,
        dispatcher,
        &made("leader-ipv6"),
        CreateMode::Ephemeral,
    )
    .await;
    assert_eq!(
        next(&mut followed).await,
        some(ID, "http://[2001:db8::1]:8081")
    );
    let problems = inspect(&server.address()).await.unwrap().problems;
    let [problem] = &problems[..] else {
        panic!("{problems:?}");
    };
    assert_eq!(
        (&*problem.key, problem.kind),
        ("/leader/dispatcher/connection_info", ProblemKind::Stale)
    );
}

#[tokio::test]
async fn a_path_that_is_no_cluster_says_which_clusters_there_are() {
    for server in Server::each().await {
        let _clients = put(&server, ZNODES[1]).await;
        let socket = server.socket();
        for path in ["/flink", "/flnik/cluster"] {
            let text = nothing_at(&server, path).await;
            let all = format!("at {socket}{path}; there are: /flink/cluster");
            assert!(text.ends_with(&all), "{text}");
        }
        // Below a cluster there is none.
        for (path, has) in [
            ("/flink/cluster/leader/latch", "_c_"),
            ("/flink/cluster/leader", "dispatcher, job-"),
        ] {
            let text = nothing_at(&server, path).await;
            let all = format!("at {socket}{path}; this node has: {has}");
            assert!(text.contains(&all), "{text}");
        }
    }
}

#[tokio::test]
async fn the_clusters_below_a_path_are_listed() {
    for server in Server::each().await {
        let [leader, _standby] = put(&server, ZNODES[2]).await;
        let persistent = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let other = "/flink/team/prod/leader/latch";
        leader.mkdir(other, &persistent).await.unwrap();
        leader.mkdir("/other/leader", &persistent).await.unwrap();
        let socket = server.socket();
        for (path, login) in [("", ""), ("/", ""), ("/flink", "u:secret@"), ("/none", "")] {
            let address = format!("zookeeper://{login}{socket}{path}");
            let found = clusters(&address.parse().unwrap()).await.unwrap();
            assert_eq!(found.stopped_after, None);
            let found: Vec<_> = found
                .clusters
                .iter()
                .map(|it| (it.address.as_str(), it.jobs, it.rest_server.is_some()))
                .collect();
            let [one, two] =
                ["cluster", "team/prod"].map(|name| format!("zookeeper://{socket}/flink/{name}"));
            assert_eq!(found, [(&*one, 1, true), (&*two, 0, false)], "{path}");
        }
        let unnamed: FlinkAddress = format!("zookeeper://{socket}").parse().unwrap();
        let unnamed = inspect(&unnamed).await.unwrap_err();
        assert!(matches!(unnamed, FlinkError::Address(_)), "{unnamed:?}");
    }
}

#[tokio::test]
async fn a_search_that_ends_early_finds_flink_first_and_says_so() {
    let server = Server::ours().await;
    let client = server.client().await;
    let persistent = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let crowd: Vec<_> = (0..1100).map(|n| format!("/crowd-{n}")).collect();
    stream::iter(&crowd)
        .map(|path| client.create(path, b"", &persistent))
        .buffer_unordered(100)
        .try_for_each(|_| async { Ok(()) })
        .await
        .unwrap();
    let address: FlinkAddress = format!("zookeeper://{}", server.socket()).parse().unwrap();
    let none = clusters(&address).await.unwrap();
    assert_eq!((none.clusters, none.stopped_after), (vec![], Some(1000)));
    let latch = "/flink/team/prod/leader/latch";
    client.mkdir(latch, &persistent).await.unwrap();
    let found = clusters(&address).await.unwrap();
    let names: Vec<_> = found.clusters.iter().map(|it| &*it.name).collect();
    assert_eq!(
        (names, found.stopped_after),
        (vec!["/flink/team/prod"], Some(1000))
    );
}

#[tokio::test]
async fn a_cluster_whose_processes_are_all_gone_is_dead() {
    let server = Server::ours().await;
    drop(put(&server, ZNODES[2]).await);
    let latch = "/flink/cluster/leader/latch";
    let client = server.client().await;
    // The sessions are closed soon, and their nodes go with them.
    while !client.list_children(latch).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let problems = inspect(&server.address()).await.unwrap().problems;
    let [problem] = &problems[..] else {
        panic!("{problems:?}");
    };
    assert_eq!(
        (problem.kind, problem.severity, &*problem.key),
        (ProblemKind::NoLeader, Severity::Critical, "/leader/latch")
    );
}

/// The path in each handle is replaced by one of the same length.
fn at_file(lines: &str, file: &str) -> String {
    let mut moved = String::new();
    for line in lines.lines() {
        let (rest, data) = line.rsplit_once('\t').unwrap();
        let mut data = bytes(data);
        let start = data.windows(9).position(|it| it == b"file:/tmp");
        if let Some(start) = start {
            let length: [u8; 2] = data[start - 2..start].try_into().unwrap();
            let length = usize::from(u16::from_be_bytes(length));
            let (above, name) = file.rsplit_once('/').unwrap();
            let padding = length.checked_sub("file:".len() + above.len() + name.len());
            let slashes = "/".repeat(padding.expect("the temporary directory has a short path"));
            let uri = format!("file:{above}{slashes}{name}");
            data[start..start + length].copy_from_slice(uri.as_bytes());
        }
        let data: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        moved += &format!("{rest}\t{data}\n");
    }
    moved
}

#[tokio::test]
async fn a_file_that_is_missing_or_cut_ends_the_job_manager() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    let server = Server::ours().await;
    let lines = at_file(ZNODES[2], file.to_str().unwrap());
    let _clients = put(&server, &lines).await;
    let address = server.address();
    assert_eq!(inspect(&address).await.unwrap().problems, []);
    let options = InspectOptions {
        files: true,
        ..InspectOptions::default()
    };
    let look = async || {
        incumbent_flink_ha::inspect(&address, options)
            .await
            .unwrap()
    };
    // The application, the plan and the checkpoint.
    let missing = look().await;
    assert_eq!(missing.problems.len(), 3, "{:?}", missing.problems);
    for problem in &missing.problems {
        assert_eq!(
            (problem.kind, problem.severity),
            (ProblemKind::File, Severity::Critical)
        );
        assert!(
            problem.reason.starts_with("its file is missing: file:/"),
            "{problem:?}"
        );
        assert!(
            problem.follows.contains("Its JobManager ends"),
            "{problem:?}"
        );
    }
    let check = missing.files.unwrap();
    assert_eq!(
        (check.looked_at, check.damaged, check.not_looked_at),
        (3, 3, 0)
    );
    // Each has another size, so at most one of them is whole.
    let (_, job) = missing.jobs.first_key_value().unwrap();
    let size = job.checkpoints[0].pointer.handle.as_ref().unwrap().size;
    std::fs::write(&file, vec![0; size.unwrap().try_into().unwrap()]).unwrap();
    let cut = look().await;
    assert_eq!(cut.problems.len(), 2, "{:?}", cut.problems);
    let words = format!("has {} bytes instead of ", size.unwrap());
    assert!(
        cut.problems[0].reason.contains(&words),
        "{:?}",
        cut.problems
    );
}

async fn nothing_at(server: &Server, path: &str) -> String {
    let address = format!("zookeeper://{}{path}", server.socket());
    let nothing = inspect(&address.parse().unwrap()).await.unwrap_err();
    assert!(matches!(nothing, FlinkError::Nothing(_)), "{nothing:?}");
    nothing.to_string()
}

#[tokio::test]
async fn nodes_for_a_login_are_read_with_it_and_refused_without_it() {
    for server in Server::each().await {
        let owner = Client::connector().with_auth("digest", b"flink:secret");
        let owner = owner.connect(&server.socket().to_string()).await.unwrap();
        let private = CreateMode::Persistent.with_acls(Acls::creator_all());
        owner
            .mkdir("/flink/cluster/leader", &private)
            .await
            .unwrap();
        let above = NODE.rsplit_once('/').unwrap().0;
        owner.create(above, b"", &private).await.unwrap();
        let private = CreateMode::Ephemeral.with_acls(Acls::creator_all());
        owner
            .create(NODE, &made("leader-ipv6"), &private)
            .await
            .unwrap();
        let refused = inspect(&server.address()).await;
        assert!(
            matches!(refused, Err(FlinkError::Refused { .. })),
            "{refused:?}"
        );
        let address = format!("zookeeper://flink:secret@{}/flink/cluster", server.socket());
        let address: FlinkAddress = address.parse().unwrap();
        let cluster = inspect(&address).await.unwrap();
        assert_eq!(cluster.leaders.len(), 1);
        assert!(!cluster.source.contains("secret"), "{}", cluster.source);
        let mut followed = leaders(&address, &Component::RestServer);
        assert_eq!(
            next(&mut followed).await,
            some(ID, "http://[2001:db8::1]:8081")
        );
    }
}
