//! Every request reads back as written; one that is too short or too long is refused.

use super::*;

fn create(kind: CreateKind) -> Request<'static> {
    Request::Create(Create {
        path: "/a",
        data: Some(b"x"),
        acl: vec![Acl::open()],
        flags: 5,
        kind,
    })
}

fn all() -> Vec<Request<'static>> {
    let path = "/a/b";
    vec![
        create(CreateKind::Plain),
        create(CreateKind::WithStat),
        create(CreateKind::Container),
        create(CreateKind::Ttl(7)),
        Request::Delete { path, version: 3 },
        Request::Exists { path, watch: true },
        Request::GetData { path, watch: false },
        Request::SetData {
            path,
            data: None,
            version: -1,
        },
        Request::GetAcl { path },
        Request::SetAcl {
            path,
            acl: vec![Acl::open(), Acl::open()],
            version: 2,
        },
        Request::GetChildren {
            path,
            watch: true,
            stat: false,
        },
        Request::GetChildren {
            path,
            watch: false,
            stat: true,
        },
        Request::Sync { path },
        Request::Ping,
        Request::Check { path, version: 0 },
        Request::Multi(vec![]),
        Request::Multi(vec![
            create(CreateKind::Ttl(9)),
            Request::Check { path, version: 0 },
            Request::Delete { path, version: 3 },
        ]),
        Request::MultiRead(vec![
            Request::GetData { path, watch: true },
            Request::GetChildren {
                path,
                watch: false,
                stat: false,
            },
        ]),
        Request::CheckWatches {
            path,
            kind: RemoveKind::Data,
        },
        Request::RemoveWatches {
            path,
            kind: RemoveKind::Any,
        },
        Request::Auth {
            scheme: "digest",
            auth: b"a:b",
        },
        Request::SetWatches(SetWatches {
            relative_zxid: 5,
            data: vec!["/a"],
            exist: vec![],
            child: vec!["/b", "/c"],
            persistent: None,
        }),
        Request::SetWatches(SetWatches {
            persistent: Some((vec!["/d"], vec!["/e"])),
            ..SetWatches::default()
        }),
        Request::GetEphemerals { prefix: "/" },
        Request::GetAllChildrenNumber { path },
        Request::AddWatch {
            path,
            mode: AddMode::Recursive,
        },
        Request::WhoAmI,
        Request::CloseSession,
        Request::Reconfig,
        Request::Sasl,
    ]
}

#[test]
fn every_request_reads_back_as_written() {
    let mut seen = Vec::new();
    for request in all() {
        let mut frame = Vec::new();
        request.write_frame(4, &mut frame);
        let (header, read) = Request::read_frame(&frame).unwrap();
        assert_eq!(header.xid, 4);
        assert_eq!(read.as_ref(), Some(&request));
        seen.push(request.op());
    }
    for op in Op::ALL {
        assert!(seen.contains(op), "{op:?} is not tested");
    }
}

#[test]
fn what_is_cut_short_is_refused() {
    for request in all() {
        let mut frame = Vec::new();
        request.write_frame(4, &mut frame);
        for length in 0..frame.len() {
            let read = Request::read_frame(&frame[..length]);
            assert!(
                matches!(read, Err(Malformed::Short { .. })),
                "{request:?} cut to {length}: {read:?}"
            );
        }
    }
}

#[test]
fn what_is_left_over_is_refused() {
    let mut frame = Vec::new();
    Request::Ping.write_frame(-2, &mut frame);
    frame.push(0);
    assert_eq!(Request::read_frame(&frame), Err(Malformed::Trailing(1)));
}

#[test]
fn an_unknown_kind_is_told_from_a_bad_message() {
    let mut frame = Vec::new();
    RequestHeader { xid: 1, op: 4711 }.write(&mut frame);
    frame.extend([1, 2, 3]);
    let (header, request) = Request::read_frame(&frame).unwrap();
    assert_eq!((header.op, request), (4711, None));
}

#[test]
fn a_transaction_holds_no_transaction_and_no_reads() {
    for inner in [
        Request::Multi(vec![]),
        Request::Ping,
        Request::GetData {
            path: "/",
            watch: false,
        },
    ] {
        let mut frame = Vec::new();
        Request::Multi(vec![inner]).write_frame(1, &mut frame);
        let error = Request::read_frame(&frame).unwrap_err();
        assert!(matches!(error, Malformed::Unknown { .. }), "{error}");
    }
}
