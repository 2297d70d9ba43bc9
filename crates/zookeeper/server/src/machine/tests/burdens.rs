//! Each request is done or refused before it is a burden to other clients, even a clumsy or
//! malicious one.

use std::time::{Duration, Instant};

use incumbent_zk_proto::{Acl, Code, Create, CreateKind, Id, MultiResult, Request, perms};

use super::*;

/// Far more than a refusal takes, even in a slow build, and far less than doing it all.
#[expect(clippy::disallowed_methods, reason = "it is about how long it takes")]
fn is_refused_soon(world: &mut World, client: Client, request: &Request<'_>) {
    let start = Instant::now();
    let refused = world.ask(client, request);
    let took = start.elapsed();
    assert_eq!(refused, Err(Code::QuotaExceeded));
    assert!(took < Duration::from_millis(800), "{took:?}");
}

fn prove(world: &mut World, client: Client, auth: &str) -> Result<Response, Code> {
    let (scheme, auth) = ("digest", auth.as_bytes());
    world.ask(client, &Request::Auth { scheme, auth })
}

#[test]
fn a_reply_that_becomes_too_long_is_given_up_on_the_way() {
    let mut world = World::with(Options {
        max_reply: 1 << 20,
        ..Options::default()
    });
    let a = world.client();
    world.create(a, "/p", 0).unwrap();
    let many = vec![create("/p/", 2); 5_000];
    world.ask(a, &Request::Multi(many)).unwrap();
    let (path, watch, stat) = ("/p", false, false);
    let list = Request::GetChildren { path, watch, stat };
    is_refused_soon(&mut world, a, &Request::MultiRead(vec![list; 20_000]));
}

#[test]
fn a_list_that_becomes_too_long_is_given_up_on_the_way() {
    let mut world = World::with(Options {
        max_change: 1 << 16,
        ..Options::default()
    });
    let a = world.client();
    for user in 0..60 {
        prove(&mut world, a, &format!("user{user}:secret")).unwrap();
    }
    // Each of these becomes sixty.
    let mine = |perms| Acl {
        perms,
        id: Id {
            scheme: "auth".into(),
            id: String::new(),
        },
    };
    let acl: Vec<_> = (0..20_000)
        .map(|other| perms::ALL | (other << 5))
        .map(mine)
        .collect();
    let create = Request::Create(Create {
        path: "/n",
        data: None,
        acl: acl.clone(),
        flags: 0,
        kind: CreateKind::Plain,
    });
    is_refused_soon(&mut world, a, &create);
    let (path, version) = ("/", -1);
    is_refused_soon(&mut world, a, &Request::SetAcl { path, acl, version });
}

#[test]
fn an_identity_is_as_long_as_a_name_and_no_longer() {
    let mut world = World::new();
    let a = world.client();
    let long = |length| format!("{}:secret", "u".repeat(length));
    prove(&mut world, a, &long(500)).unwrap();
    assert_eq!(prove(&mut world, a, &long(5_000)), Err(Code::AuthFailed));
}

#[test]
fn who_may_do_everything_may_say_so_as_often_as_others() {
    let mut world = World::with(Options {
        super_digest: Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".into()),
        ..Options::default()
    });
    let a = world.client();
    for _ in 0..100 {
        prove(&mut world, a, "super:test").unwrap();
    }
}

#[test]
fn many_nodes_that_fade_at_once_do_so_in_turns() {
    const MANY: usize = 3_000;
    let mut world = World::new();
    let a = world.client();
    let fading = Request::Create(Create {
        path: "/t-",
        data: None,
        acl: vec![Acl::open()],
        flags: 6,
        kind: CreateKind::Ttl(1),
    });
    world.ask(a, &Request::Multi(vec![fading; MANY])).unwrap();
    let look = Options::default().fade_interval;
    let mut turns = 0;
    while world.machine.tree.len() > 4 {
        let before = world.machine.tree.len();
        let wait = world.machine.next_tick().saturating_sub(world.now.elapsed);
        assert!(turns == 0 || wait < Duration::from_secs(1), "{wait:?}");
        // The session ends in the first turn, which makes no difference.
        world.wait(if turns == 0 { look } else { wait });
        let faded = before - world.machine.tree.len();
        assert!((1..=MANY / 3).contains(&faded), "{faded} at once");
        turns += 1;
    }
    assert!(world.machine.next_tick() >= world.now.elapsed + look);
}

#[test]
fn a_long_list_is_not_looked_through_for_ever_in_one_request() {
    let mut world = World::new();
    let a = world.client();
    for user in 0..60 {
        prove(&mut world, a, &format!("user{user}:secret")).unwrap();
    }
    let other = |index| Acl {
        perms: perms::ALL,
        id: Id {
            scheme: "digest".into(),
            id: format!("other{index:05}:digest-of-a-password"),
        },
    };
    let mut acl: Vec<_> = (0..10_000).map(other).collect();
    acl.push(Acl::open());
    let create = Request::Create(Create {
        path: "/n",
        data: None,
        acl,
        flags: 0,
        kind: CreateKind::Plain,
    });
    world.ask(a, &create).unwrap();
    let (path, watch, version) = ("/n", false, -1);
    let get = Request::GetData { path, watch };
    let check = Request::Check { path, version };
    world.ask(a, &get).unwrap();
    world
        .ask(a, &Request::Multi(vec![check.clone(); 5]))
        .unwrap();
    let refused = world.ask(a, &Request::MultiRead(vec![get; 1_000]));
    assert_eq!(refused, Err(Code::QuotaExceeded));
    let Ok(Response::Multi(results)) = world.ask(a, &Request::Multi(vec![check; 1_000])) else {
        panic!("not answered");
    };
    let refused = MultiResult::Refused(Some(Code::QuotaExceeded));
    assert!(results.contains(&refused));
}
