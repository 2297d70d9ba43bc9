//! Random clients: the log holds the whole state, refusals change nothing, and estimates add up.

use std::time::Duration;

use incumbent_zk_proto::{
    AddMode, CreateKind, MultiResult, RemoveKind, Request, Response, SetWatches,
};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

use super::*;

const PATHS: &[&str] = &[
    "/a",
    "/b",
    "/a/x",
    "/a/y",
    "/a/x/1",
    "/b/z",
    "/b/z/2",
    "/",
    "/zookeeper",
    "bad",
    "/a//b",
];

fn write<'a>(rng: &mut impl Rng) -> Request<'a> {
    let path = PATHS[rng.random_range(0..PATHS.len())];
    let version = rng.random_range(-1..3);
    match rng.random_range(0..8) {
        0..4 => {
            let flags = rng.random_range(-1..8);
            let kind = match rng.random_range(0..4) {
                0 => CreateKind::WithStat,
                1 => CreateKind::Ttl(rng.random_range(-1..100_000)),
                _ => CreateKind::Plain,
            };
            let data = rng.random_bool(0.8).then_some(&b"some data"[..]);
            let acl = vec![Acl::open()];
            Request::Create(incumbent_zk_proto::Create {
                path,
                data,
                acl,
                flags,
                kind,
            })
        }
        4 => delete(path, version),
        5 | 6 => set(path, version),
        _ => Request::Check { path, version },
    }
}

fn any<'a>(rng: &mut impl Rng) -> Request<'a> {
    let path = PATHS[rng.random_range(0..PATHS.len())];
    let watch = rng.random_bool(0.5);
    let kind = RemoveKind::from_number(rng.random_range(1..6)).unwrap();
    match rng.random_range(0..14) {
        0..5 => write(rng),
        5 | 6 => Request::Multi((0..rng.random_range(0..6)).map(|_| write(rng)).collect()),
        7 => Request::GetData { path, watch },
        8 => Request::Exists { path, watch },
        9 => Request::GetChildren {
            path,
            watch,
            stat: rng.random_bool(0.5),
        },
        10 => Request::AddWatch {
            path,
            mode: AddMode::from_number(rng.random_range(0..2)).unwrap(),
        },
        11 => Request::RemoveWatches { path, kind },
        12 => Request::SetAcl {
            path,
            acl: vec![Acl {
                perms: rng.random_range(1..32),
                id: Id::anyone(),
            }],
            version: -1,
        },
        _ => Request::SetWatches(SetWatches {
            relative_zxid: rng.random_range(0..50),
            data: vec![path],
            ..SetWatches::default()
        }),
    }
}

fn refused(answer: &Result<Response, Code>) -> bool {
    match answer {
        Err(_) => true,
        Ok(Response::Multi(results)) => results
            .iter()
            .any(|result| matches!(result, MultiResult::Refused(_))),
        Ok(_) => false,
    }
}

fn run(seed: u64) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let options = Options {
        disconnect_grace: rng.random_bool(0.5).then_some(Duration::from_millis(300)),
        max_nodes: rng.random_range(8..40),
        ..Options::default()
    };
    let mut world = World::with(options.clone());
    let mut clients: Vec<Client> = (0..3).map(|_| world.client()).collect();
    let mut frozen = None;
    for step in 0..150 {
        let which = rng.random_range(0..clients.len());
        let client = clients[which];
        match rng.random_range(0..30) {
            0 => world
                .machine
                .disconnect(client.connection, rng.random_bool(0.5), world.now),
            1 => world.wait(Duration::from_millis(rng.random_range(0..70_000))),
            2 => {
                let taken = world.machine.freeze();
                frozen = Some((taken, world.recorded.log.len()));
            }
            _ => {}
        }
        if world.machine.session_of(client.connection).is_none() {
            clients[which] = match world.come_back(client) {
                Some(back) => back,
                None => world.client(),
            };
            continue;
        }
        let before = everything(&world.machine);
        let request = any(&mut rng);
        let answer = world.ask(client, &request);
        if refused(&answer) {
            let after = everything(&world.machine);
            assert_eq!(before, after, "seed {seed}, step {step}: {request:?}");
        }
    }
    let all = everything(&world.machine);
    assert_eq!(
        all,
        everything(&world.replayed(options.clone())),
        "seed {seed}"
    );
    if let Some((frozen, logged)) = frozen {
        let mut bytes = Vec::new();
        frozen.write(&mut bytes).unwrap();
        let mut restored = Machine::new(options, 0);
        restored.restore(&bytes).unwrap();
        for entry in &world.recorded.log[logged..] {
            restored.apply(Entry::read(entry).unwrap()).unwrap();
        }
        assert_eq!(all, everything(&restored), "seed {seed}, from a snapshot");
    }
}

#[test]
fn the_log_says_all_and_refusals_change_nothing() {
    for seed in 0..400 {
        run(seed);
    }
}

#[test]
fn the_same_calls_say_the_same() {
    let recorded = |seed| {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut world = World::new();
        let a = world.client();
        for _ in 0..200 {
            let _ = world.ask(a, &any(&mut rng));
        }
        (world.recorded.log, format!("{:?}", world.recorded.replies))
    };
    assert_eq!(recorded(7), recorded(7));
}

#[test]
fn a_snapshot_that_is_cut_or_changed_is_refused_or_harmless() {
    let mut world = World::new();
    let a = world.client();
    world.create(a, "/a", 0).unwrap();
    world.create(a, "/a/e", 1).unwrap();
    let mut bytes = Vec::new();
    world.machine.freeze().write(&mut bytes).unwrap();
    for length in 0..bytes.len() {
        let mut machine = Machine::new(Options::default(), 0);
        assert!(
            machine.restore(&bytes[..length]).is_err(),
            "cut to {length}"
        );
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        // The journal finds the change; here nothing may panic.
        let _ = Machine::new(Options::default(), 0).restore(&changed);
    }
}
