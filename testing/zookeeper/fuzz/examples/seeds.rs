//! Writes the seeds of the corpus: `cargo run -p incumbent-zk-fuzz --example seeds -- fuzz/corpus`.

use std::path::Path;
use std::time::Duration;

use incumbent_leader_server::machine::{Closed, ConnectionId, Entry, Machine, Now, Options, Sink};
use incumbent_zk_fuzz::TARGETS;
use incumbent_zk_proto::{
    Acl, AddMode, ConnectRequest, Create, CreateKind, RemoveKind, ReplyHeader, Request, Response,
    SetWatches, WatchEvent,
};

fn main() -> std::io::Result<()> {
    let corpus = std::env::args().nth(1).unwrap_or("fuzz/corpus".into());
    for (target, _) in TARGETS {
        let dir = Path::new(&corpus).join(target);
        std::fs::create_dir_all(&dir)?;
        let seeds = match *target {
            "frame" => frames(),
            "machine" => actions(),
            _ => entries_and_snapshots(),
        };
        for (index, seed) in seeds.iter().enumerate() {
            std::fs::write(dir.join(format!("seed-{index:02}")), seed)?;
        }
    }
    Ok(())
}

fn create<'a>(path: &'a str, flags: i32, kind: CreateKind) -> Request<'a> {
    Request::Create(Create {
        path,
        data: Some(b"data"),
        acl: vec![Acl::open()],
        flags,
        kind,
    })
}

fn requests() -> Vec<Request<'static>> {
    let (path, version, watch) = ("/a", -1, true);
    let data = Some(&b"new"[..]);
    vec![
        create(path, 0, CreateKind::Plain),
        create("/a/e", 1, CreateKind::WithStat),
        create("/a/s-", 2, CreateKind::Plain),
        create("/c", 4, CreateKind::Container),
        create("/t", 5, CreateKind::Ttl(1000)),
        Request::SetData {
            path,
            data,
            version,
        },
        Request::SetAcl {
            path,
            acl: vec![Acl::open()],
            version,
        },
        Request::Multi(vec![
            create("/m", 0, CreateKind::Plain),
            Request::Check { path, version },
            Request::SetData {
                path,
                data,
                version,
            },
            Request::Delete {
                path: "/m",
                version,
            },
        ]),
        Request::Delete {
            path: "/c",
            version,
        },
        Request::Exists { path, watch },
        Request::GetData { path, watch },
        Request::GetAcl { path },
        Request::GetChildren {
            path,
            watch,
            stat: true,
        },
        Request::GetChildren {
            path,
            watch,
            stat: false,
        },
        Request::MultiRead(vec![Request::GetData { path, watch: false }]),
        Request::Sync { path },
        Request::Ping,
        Request::Auth {
            scheme: "digest",
            auth: b"a:b",
        },
        Request::AddWatch {
            path,
            mode: AddMode::Recursive,
        },
        Request::RemoveWatches {
            path,
            kind: RemoveKind::Any,
        },
        Request::CheckWatches {
            path,
            kind: RemoveKind::Data,
        },
        Request::SetWatches(SetWatches {
            relative_zxid: 1,
            data: vec![path],
            exist: vec!["/x"],
            child: vec![path],
            persistent: Some((vec![path], vec!["/"])),
        }),
        Request::GetEphemerals { prefix: "/" },
        Request::GetAllChildrenNumber { path },
        Request::WhoAmI,
        Request::Reconfig,
        Request::CloseSession,
    ]
}

fn connect() -> ConnectRequest<'static> {
    ConnectRequest {
        last_zxid_seen: 0,
        timeout_ms: 10_000,
        session: 0,
        password: &[0; 16],
        read_only: Some(false),
    }
}

fn frames() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut one = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        all.push(out);
    };
    for request in requests() {
        one(&|out| request.write_frame(7, out));
    }
    one(&|out| connect().write(out));
    all
}

/// Frames as they are, and a few sequences of actions; a fuzzer finds the rest.
fn actions() -> Vec<Vec<u8>> {
    let mut all = vec![
        (0..=255).collect::<Vec<u8>>(),
        (0..=255).rev().collect(),
        vec![6; 200],
        [0, 9, 1, 0, 17, 1, 34, 1, 3, 9].repeat(20),
        [6, 0, 0, 1, 0, 0, 0, 0, 22, 7, 3, 2, 0].repeat(12),
    ];
    let mut whole = Vec::new();
    for frame in frames() {
        if let Ok(length) = u8::try_from(frame.len()) {
            whole.extend_from_slice(&[5, length]);
            whole.extend_from_slice(&frame);
        }
    }
    all.push(whole);
    all
}

/// Only what is logged.
#[derive(Default)]
struct Logged(Vec<Vec<u8>>);

impl Sink for Logged {
    fn log(&mut self, entry: &Entry) {
        let mut out = Vec::new();
        entry.write(&mut out);
        self.0.push(out);
    }
    fn reply(&mut self, _: ConnectionId, _: ReplyHeader, _: Option<&Response>) {}
    fn event(&mut self, _: ConnectionId, _: &WatchEvent, _: i64) {}
    fn close(&mut self, _: ConnectionId, _: Closed) {}
}

fn entries_and_snapshots() -> Vec<Vec<u8>> {
    let mut machine = Machine::new(Options::default(), 0);
    let mut logged = Logged::default();
    let now = Now {
        elapsed: Duration::ZERO,
        wall_ms: 1_000_000,
    };
    let connection = ConnectionId(1);
    let mut snapshot = Vec::new();
    let connected = machine.connect(
        connection,
        Vec::new(),
        &connect(),
        [3; 16],
        now,
        &mut logged,
    );
    assert!(connected.is_ok());
    for request in requests() {
        if request == Request::CloseSession {
            let written = machine.freeze().write(&mut snapshot);
            assert!(written.is_ok());
        }
        let mut frame = Vec::new();
        request.write_frame(7, &mut frame);
        machine.handle(connection, &frame, now, &mut logged);
    }
    let mut empty = Vec::new();
    let written = Machine::new(Options::default(), 0)
        .freeze()
        .write(&mut empty);
    assert!(written.is_ok());
    logged.0.extend([snapshot, empty]);
    logged.0
}
