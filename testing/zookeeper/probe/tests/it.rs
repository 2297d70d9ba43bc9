//! The probe against a real ZooKeeper.

use incumbent_servers::zookeeper::ZooKeeper;
use incumbent_zk_probe::{Error, Frame, Probe, again, four_letter_word, new_session};
use incumbent_zk_proto::{Acl, Code, Create, CreateKind, EventKind, Request, Response, WatchEvent};

fn create<'a>(path: &'a str, flags: i32) -> Request<'a> {
    Request::Create(Create {
        path,
        data: Some(b"x"),
        acl: vec![Acl::open()],
        flags,
        kind: CreateKind::Plain,
    })
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_with_the_event_between() {
    let Some(server) = ZooKeeper::shared() else {
        return;
    };
    let mut probe = Probe::connect(server.address(), &new_session(30_000))
        .await
        .unwrap();
    let path = "/pipelined";
    let sent = [
        probe.push(&Request::Exists { path, watch: true }),
        probe.push(&create(path, 0)),
        probe.push(&Request::Delete { path, version: 7 }),
        probe.push(&Request::GetData { path, watch: false }),
    ];
    probe.flush().await.unwrap();
    assert_eq!(probe.in_flight(), sent.len());

    let mut frames = Vec::new();
    while probe.in_flight() > 0 {
        frames.push(probe.receive().await.unwrap());
    }
    let replies: Vec<_> = frames
        .iter()
        .filter_map(|frame| match frame {
            Frame::Reply(reply) => Some(reply.clone()),
            Frame::Event(_) => None,
        })
        .collect();
    assert_eq!(
        replies.iter().map(|reply| reply.xid).collect::<Vec<_>>(),
        sent
    );
    assert_eq!(replies[0].code(), Some(Code::NoNode));
    assert_eq!(replies[1].result, Ok(Response::Path(path.into())));
    assert_eq!(replies[2].code(), Some(Code::BadVersion));
    let Frame::Event(event) = &frames[1] else {
        panic!("{frames:?}")
    };
    let expected = WatchEvent {
        kind: EventKind::Created,
        path: path.into(),
    };
    assert_eq!(event.event, expected);
    probe.close().await.unwrap();
}

#[tokio::test]
async fn a_session_outlives_its_socket_and_not_its_closing() {
    let Some(server) = ZooKeeper::shared() else {
        return;
    };
    let mut probe = Probe::connect(server.address(), &new_session(30_000))
        .await
        .unwrap();
    let path = "/outlives";
    probe
        .call(&create(path, 1))
        .await
        .unwrap()
        .response()
        .unwrap();
    let granted = probe.granted().clone();
    drop(probe);

    let mut probe = Probe::connect(server.address(), &again(&granted))
        .await
        .unwrap();
    assert_eq!(probe.granted().session, granted.session);
    let exists = Request::Exists { path, watch: false };
    probe.call(&exists).await.unwrap().response().unwrap();
    probe.ping().await.unwrap();
    probe.close().await.unwrap();

    let error = Probe::connect(server.address(), &again(&granted))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::SessionOver), "{error:?}");
}

#[tokio::test]
async fn any_bytes_can_be_sent() {
    let Some(server) = ZooKeeper::shared() else {
        return;
    };
    let mut request = new_session(30_000);
    request.read_only = None;
    let mut probe = Probe::connect(server.address(), &request).await.unwrap();
    assert_eq!(probe.granted().read_only, None);
    probe.send_op(5, 999, b"").await.unwrap();
    match probe.receive().await {
        Ok(Frame::Reply(reply)) => assert_eq!(reply.code(), Some(Code::Unimplemented)),
        other => panic!("{other:?}"),
    }
    probe.send_bytes(&[0x7f, 0xff, 0xff, 0xff]).await.unwrap();
    let error = probe.receive().await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error:?}");
    assert_eq!(
        four_letter_word(server.address(), "ruok").await.unwrap(),
        "imok"
    );
}
