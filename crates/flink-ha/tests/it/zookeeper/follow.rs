//! Following a leader in ZooKeeper.

use super::*;

async fn remove_all(client: &Client, path: &str) {
    let mut todo = vec![path.to_owned()];
    while let Some(path) = todo.pop() {
        let children = match client.list_children(&path).await {
            Err(Error::NoNode) => continue,
            children => children.unwrap(),
        };
        if children.is_empty() {
            client.delete(&path, None).await.unwrap();
        } else {
            todo.push(path.clone());
            todo.extend(children.iter().map(|child| format!("{path}/{child}")));
        }
    }
}

#[tokio::test]
async fn a_leader_comes_at_first_and_at_each_change_and_never_twice() {
    for server in Server::each().await {
        let client = server.client().await;
        let mut followed = leaders(&server.address(), &Component::RestServer);
        assert_eq!(
            next(&mut followed).await,
            None,
            "there is not even a directory"
        );
        let above = NODE.rsplit_once('/').unwrap().0;
        let persistent = CreateMode::Persistent.with_acls(Acls::anyone_all());
        client.mkdir(above, &persistent).await.unwrap();
        create(&client, NODE, &made("leader-ipv6"), CreateMode::Ephemeral).await;
        let first = some(ID, "http://[2001:db8::1]:8081");
        assert_eq!(next(&mut followed).await, first);
        for _ in 0..5 {
            client
                .set_data(NODE, &made("leader-ipv6"), None)
                .await
                .unwrap();
        }
        client
            .set_data(NODE, &made("leader-letters"), None)
            .await
            .unwrap();
        let second = some(ID, "http://höst.中😀\0:1");
        assert_eq!(next(&mut followed).await, second);
        client.set_data(NODE, b"text", None).await.unwrap();
        assert_eq!(next(&mut followed).await, None, "it cannot be read");
        client
            .set_data(NODE, &made("leader-letters"), None)
            .await
            .unwrap();
        assert_eq!(next(&mut followed).await, second);
        client
            .set_data(NODE, &made("leader-nobody"), None)
            .await
            .unwrap();
        assert_eq!(next(&mut followed).await, None);
        remove_all(&client, "/flink").await;
        client.mkdir(above, &persistent).await.unwrap();
        create(&client, NODE, &made("leader-ipv6"), CreateMode::Ephemeral).await;
        assert_eq!(
            next(&mut followed).await,
            first,
            "all was removed and came back"
        );
        let mut late = leaders(&server.address(), &Component::RestServer);
        assert_eq!(next(&mut late).await, first);
        let mut other = leaders(&server.address(), &Component::Dispatcher);
        assert_eq!(next(&mut other).await, None);
    }
}

/// On several threads, where a use of the client library after its connection would show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_is_followed_over_restarts_of_the_server() {
    for mut server in Server::each().await {
        let address = server.address();
        let client = server.client().await;
        let above = NODE.rsplit_once('/').unwrap().0;
        let persistent = CreateMode::Persistent.with_acls(Acls::anyone_all());
        client.mkdir(above, &persistent).await.unwrap();
        let (ipv6, letters) = (made("leader-ipv6"), made("leader-letters"));
        create(&client, NODE, &ipv6, CreateMode::Persistent).await;
        drop(client);
        let mut followed = leaders(&address, &Component::RestServer);
        let first = some(ID, "http://[2001:db8::1]:8081");
        assert_eq!(next(&mut followed).await, first);
        // A JVM takes a second to start.
        let restarts = if matches!(server, Server::Ours(_)) {
            20
        } else {
            2
        };
        for number in 1..=restarts {
            server.restart().await;
            let client = server.client().await;
            let (data, is) = match number % 2 {
                0 => (&ipv6, first.clone()),
                _ => (&letters, some(ID, "http://höst.中😀\0:1")),
            };
            client.set_data(NODE, data, None).await.unwrap();
            assert_eq!(next(&mut followed).await, is);
        }
    }
}

#[tokio::test]
async fn no_cluster_and_no_server_are_told_apart_and_servers_may_come_later() {
    let Server::Ours(mut server) = Server::ours().await else {
        unreachable!("it is ours");
    };
    let address = format!("zookeeper://{}/flink/cluster", server.options.listen[0]);
    let address: FlinkAddress = address.parse().unwrap();
    let nothing = inspect(&address).await;
    assert!(
        matches!(nothing, Err(FlinkError::Nothing(_))),
        "{nothing:?}"
    );
    server.end().await;
    let unavailable = inspect(&address).await;
    assert!(
        matches!(unavailable, Err(FlinkError::Unavailable { .. })),
        "{unavailable:?}"
    );
    let mut followed = leaders(&address, &Component::RestServer);
    server.begin().await;
    assert_eq!(next(&mut followed).await, None);
}

/// A server that lets each client in, and hangs up at once. With pauses that began anew after each
/// connection, it would be asked about every 40 ms.
#[tokio::test]
async fn a_server_that_hangs_up_at_once_is_asked_less_and_less() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = listener.local_addr().unwrap();
    let address = format!("zookeeper://{socket}/flink/cluster");
    let _followed = leaders(&address.parse().unwrap(), &Component::RestServer);
    let begun = Instant::now();
    for number in 0..9_u64 {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u32().await.unwrap();
        let mut request = vec![0; length.try_into().unwrap()];
        stream.read_exact(&mut request).await.unwrap();
        // Protocol version, timeout, session, and a password of 16 bytes.
        let mut answer = vec![0; 4];
        answer.extend(10_000_u32.to_be_bytes());
        answer.extend((number + 1).to_be_bytes());
        answer.extend(16_u32.to_be_bytes());
        answer.extend([1; 16]);
        stream.write_u32(36).await.unwrap();
        stream.write_all(&answer).await.unwrap();
        stream.shutdown().await.unwrap();
    }
    // Half of 50, 100, 200, 400, 800, 1600, 2000 and 2000 ms.
    let least = Duration::from_millis(3575);
    assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
}
