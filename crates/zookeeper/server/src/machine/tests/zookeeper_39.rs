//! What ZooKeeper 3.9.4 does and 3.8.0 does not: `testing/zookeeper/differential` compares with
//! 3.8.0, so it cannot see these.

use incumbent_zk_proto::{MultiResult, Op, RequestHeader, SetWatches};

use super::*;

fn part<'a>(path: &'a str, flags: i32, kind: CreateKind) -> Request<'a> {
    Request::Create(Create {
        path,
        data: None,
        acl: vec![Acl::open()],
        flags,
        kind,
    })
}

/// ZOOKEEPER-4026: before 3.7.2, 3.8.2 and 3.9.0 the kind of the request did not count.
#[test]
fn create2_in_a_transaction_is_answered_with_its_stat() {
    let mut world = World::new();
    let a = world.client();
    for (flags, kind, result) in [
        (0, CreateKind::Plain, Op::Create),
        (1, CreateKind::Plain, Op::Create),
        (0, CreateKind::WithStat, Op::Create2),
        (1, CreateKind::WithStat, Op::Create2),
        (3, CreateKind::WithStat, Op::Create2),
        (4, CreateKind::Plain, Op::Create2),
        (4, CreateKind::Container, Op::Create2),
        (6, CreateKind::Ttl(90_000), Op::Create2),
    ] {
        let multi = Request::Multi(vec![part("/n", flags, kind)]);
        let Ok(Response::Multi(results)) = world.ask(a, &multi) else {
            panic!("not done");
        };
        let [MultiResult::Created { path, stat }] = &results[..] else {
            panic!("{results:?}");
        };
        assert_eq!(stat.is_some(), result == Op::Create2, "{flags} {kind:?}");
        // The type of the result on the wire.
        let mut out = Vec::new();
        Response::Multi(results.clone()).write(&mut out);
        assert_eq!(out[..4], result.number().to_be_bytes());
        if let Some(stat) = stat {
            assert_eq!(stat.czxid, world.machine.zxid());
        }
        let path = path.clone();
        world.ask(a, &delete(&path, -1)).unwrap();
    }
}

/// ZOOKEEPER-4655: before 3.9.0 it is -1.
#[test]
fn an_event_carries_the_zxid_of_its_change() {
    let mut world = World::new();
    let (a, b) = (world.client(), world.client());
    world.create(a, "/e", 1).unwrap();
    let exists = |path| Request::Exists { path, watch: true };
    for path in ["/e", "/n"] {
        let _ = world.ask(b, &exists(path));
    }
    world.create(a, "/n", 0).unwrap();
    let created = world.machine.zxid();
    let _ = world.ask(b, &exists("/n"));
    world.ask(a, &set("/n", -1)).unwrap();
    let changed = world.machine.zxid();
    // Deleted with its session: it is the change that ended the session.
    world.ask(a, &Request::CloseSession).unwrap();
    let deleted = world.machine.zxid();
    let zxids: Vec<_> = world
        .recorded
        .events
        .iter()
        .map(|(.., zxid)| *zxid)
        .collect();
    assert_eq!(zxids, [created, changed, deleted]);
}

#[test]
fn an_event_for_what_was_missed_carries_no_zxid() {
    let mut world = World::new();
    let a = world.client();
    world.create(a, "/n", 0).unwrap();
    let again = Request::SetWatches(SetWatches {
        data: vec!["/n", "/gone"],
        ..SetWatches::default()
    });
    world.ask(a, &again).unwrap();
    let zxids: Vec<_> = world
        .recorded
        .events
        .iter()
        .map(|(.., zxid)| *zxid)
        .collect();
    assert_eq!(zxids, [-1, -1]);
}

#[test]
fn opening_a_session_within_a_session_is_refused_and_the_connection_goes_on() {
    let mut world = World::new();
    let a = world.client();
    let before = world.machine.zxid();
    let mut frame = Vec::new();
    RequestHeader { xid: 3, op: -10 }.write(&mut frame);
    world
        .machine
        .handle(a.connection, &frame, world.now, &mut world.recorded);
    let (_, header, _) = world.recorded.replies.last().unwrap();
    assert_eq!(
        (header.xid, header.err, header.zxid),
        (3, Code::MarshallingError.number(), before)
    );
    assert!(world.recorded.closed.is_empty());
    world.ask(a, &Request::Ping).unwrap();
}
