//! Who leads, and what observers see.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use incumbent::backend::Key;
use incumbent::{Clock, Epoch, Error, Liveness, LostBecause, Options, Store, View};
use incumbent_backend_memory::MemoryBackend;

use crate::node;

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_of_many_leads_and_the_next_takes_over_when_it_resigns() {
    let backend = MemoryBackend::new();
    let groups: Vec<_> = (0..10).map(|i| node(&backend, &format!("n{i}"))).collect();
    let mut campaigns = tokio::task::JoinSet::new();
    for group in groups.clone() {
        campaigns.spawn(async move { group.candidate().unwrap().campaign().await });
    }
    for epoch in 1..=10 {
        let leadership = campaigns.join_next().await.unwrap().unwrap();
        assert_eq!(leadership.epoch(), Epoch::new(epoch));
        assert!(leadership.guard().is_valid());
        assert!(campaigns.try_join_next().is_none());
        assert_eq!(leadership.resign(None).await, LostBecause::Resigned);
    }
}

#[tokio::test(start_paused = true)]
async fn observers_are_told_of_activating_then_active_then_nobody() {
    let backend = MemoryBackend::new();
    let (group, other) = (node(&backend, "a"), node(&backend, "b"));
    let mut observer = other.observe();
    assert_eq!(observer.next().await, View::None, "the present state first");
    let leadership = group.candidate().unwrap().campaign().await;
    assert!(
        matches!(observer.next().await, View::Activating(leader) if leader.endpoints.is_empty())
    );
    leadership.publish(&name("web"), "http://a").await.unwrap();
    leadership.publish(&name("rpc"), "a:1").await.unwrap();
    for bad in ["", "http://a b", "http://a/\u{1b}[2J", "http://\u{202e}a"] {
        let refused = leadership.publish(&name("web"), bad).await;
        assert!(matches!(refused, Err(Error::BadEndpoint { .. })), "{bad:?}");
    }
    leadership.activate().await.unwrap();
    let View::Active(leader) = observer.wait_for(|view| view.active().is_some()).await else {
        panic!()
    };
    assert_eq!(
        (leader.epoch, leader.holder.as_str(), leader.endpoints.len()),
        (Epoch::new(1), "a", 2)
    );
    leadership.withdraw(&name("rpc")).await.unwrap();
    let view = observer
        .wait_for(|view| {
            view.active()
                .is_some_and(|leader| leader.endpoints.len() == 1)
        })
        .await;
    assert_eq!(
        view.active().unwrap().endpoints[&name("web")],
        "http://a",
        "the other one stays as it is"
    );
    drop(leadership);
    assert_eq!(
        observer.wait_for(|view| *view == View::None).await,
        View::None
    );
    // A late observer gets the present state too.
    assert_eq!(node(&backend, "c").observe().next().await, View::None);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_campaign_leaves_no_leader_behind() {
    let backend = MemoryBackend::new();
    let (first, second) = (node(&backend, "a"), node(&backend, "b"));
    for _ in 0..50 {
        let candidate = first.candidate().unwrap();
        let campaign = candidate.campaign();
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            _ = campaign => {}
        }
    }
    let leadership = tokio::time::timeout(
        Duration::from_secs(5),
        second.candidate().unwrap().campaign(),
    )
    .await;
    assert!(leadership.is_ok(), "nothing has to expire");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_led_leads_again_with_a_new_epoch() {
    let backend = MemoryBackend::new();
    let group = node(&backend, "a");
    let candidate = group.candidate().unwrap();
    for epoch in 1..=3 {
        let leadership = candidate.campaign().await;
        assert_eq!(leadership.epoch(), Epoch::new(epoch));
        drop(leadership);
    }
}

/// For as long as nobody has to ask.
#[tokio::test(start_paused = true)]
async fn a_guard_tells_the_end_of_its_term_and_not_before() {
    let backend = MemoryBackend::new();
    let group = node(&backend, "a");
    for is_dropped in [false, true] {
        let leadership = group.candidate().unwrap().campaign().await;
        let guard = leadership.guard();
        let mut ended = std::pin::pin!(guard.ended());
        let lease = group.timing().lease();
        let early = tokio::time::timeout(3 * lease, &mut ended).await;
        assert!(early.is_err(), "it was renewed");
        if is_dropped {
            drop(leadership);
        } else {
            assert_eq!(leadership.resign(None).await, LostBecause::Resigned);
        }
        ended.await;
        assert!(!guard.is_valid());
        guard.ended().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_root_deleted_by_hand_ends_the_term_and_the_next_epoch_is_higher() {
    let backend = MemoryBackend::new();
    let (first, second) = (node(&backend, "a"), node(&backend, "b"));
    let old = first.candidate().unwrap().campaign().await;
    drop(old);
    let old = first.candidate().unwrap().campaign().await;
    assert_eq!(old.epoch(), Epoch::new(2));
    assert!(backend.remove_by_hand(&Key::root(name("demo"))));
    let lost = old.lost().await;
    assert!(matches!(lost, LostBecause::RootGone), "{lost:?}");
    let new = second.candidate().unwrap().campaign().await;
    assert_eq!(new.epoch(), Epoch::new(3), "the floor remembers");
    assert!(matches!(old.activate().await, Err(Error::Fenced { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_leader_is_asked_to_hand_over_to_a_named_one() {
    let backend = MemoryBackend::new();
    let (a, b, c) = (
        node(&backend, "a"),
        node(&backend, "b"),
        node(&backend, "c"),
    );
    assert!(matches!(
        a.ask_to_hand_over(None, "test").await,
        Err(Error::NoLeader)
    ));
    let leadership = a.candidate().unwrap().campaign().await;
    let waiting: Vec<_> = [&b, &c]
        .map(|group| {
            let candidate = group.candidate().unwrap();
            tokio::spawn(async move { candidate.campaign().await })
        })
        .into();
    assert_eq!(
        b.ask_to_hand_over(Some(name("c")), "test").await.unwrap(),
        Epoch::new(1)
    );
    let to = leadership.asked_to_resign().await;
    assert_eq!(to, Some(name("c")));
    leadership.resign(to).await;
    let view = a
        .observe()
        .wait_for(|view| view.epoch() == Some(Epoch::new(2)))
        .await;
    assert!(matches!(view, View::Activating(leader) if leader.holder == name("c")));
    drop(waiting);
}

/// Standbys and observers write nothing, and a leader nothing but renewals.
#[tokio::test(start_paused = true)]
async fn an_idle_group_writes_nothing_but_renewals() {
    let backend = MemoryBackend::new();
    let nodes: Vec<_> = (0..5).map(|i| node(&backend, &format!("n{i}"))).collect();
    let leadership = nodes[0].candidate().unwrap().campaign().await;
    leadership.activate().await.unwrap();
    let standbys: Vec<_> = nodes[1..]
        .iter()
        .map(|group| {
            let candidate = group.candidate().unwrap();
            tokio::spawn(async move { candidate.campaign().await })
        })
        .collect();
    let before = nodes[0].root().await.unwrap().unwrap().seq;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let root = nodes[0].root().await.unwrap().unwrap();
    assert_eq!(root.epoch, Epoch::new(1));
    let renewals = root.seq - before;
    assert!(
        (29..=30).contains(&renewals),
        "{renewals}, not one every retry period of two seconds"
    );
    drop(standbys);
}

/// The runtime of this leader is blocked, so nobody renews. The deadline thread still acts.
#[test]
fn the_hard_deadline_is_kept_while_the_runtime_is_blocked() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let timing = incumbent::Timing::new(incumbent::TimingOptions::for_lease(
            Duration::from_millis(300),
        ))
        .unwrap();
        let options = Options {
            timing,
            clock: Clock::Boot,
            ..Options::default()
        };
        let group = Store::on(MemoryBackend::new())
            .group_with("demo", options)
            .unwrap();
        let leadership = group.candidate().unwrap().campaign().await;
        let (sender, receiver) = std::sync::mpsc::channel();
        let guard = leadership.guard();
        let valid = Arc::new(AtomicBool::new(true));
        let told = Arc::clone(&valid);
        leadership.on_hard_deadline(move || {
            told.store(guard.is_valid(), Ordering::SeqCst);
            sender.send(()).unwrap();
        });
        // Blocks the only thread of the runtime until the hook has run.
        receiver
            .recv_timeout(Duration::from_secs(60))
            .expect("the hook runs on a thread of its own");
        assert!(!valid.load(Ordering::SeqCst));
        assert_eq!(leadership.lost().await, LostBecause::DeadlinePassed);
    });
}

#[tokio::test]
async fn a_standby_takes_over_at_once_when_the_leader_is_proven_dead() {
    let backend = MemoryBackend::new();
    let lease = Duration::from_secs(120);
    let timing = incumbent::Timing::new(incumbent::TimingOptions::for_lease(lease)).unwrap();
    let options = move |name: &str| Options {
        holder: Some(name.parse().unwrap()),
        timing,
        liveness: Liveness::On {
            listen: ([127, 0, 0, 1], 0).into(),
            advertise: None,
        },
        ..Options::default()
    };
    // A process of its own, as far as the group can see: its runtime ends without a word.
    let process = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let store = Store::on(backend.clone());
    let theirs = store.clone();
    let (led, leads) = tokio::sync::oneshot::channel();
    process.spawn(async move {
        let group = theirs.group_with("demo", options("a")).unwrap();
        let leadership = group.candidate().unwrap().campaign().await;
        leadership.activate().await.unwrap();
        led.send(()).unwrap();
        std::future::pending::<()>().await
    });
    leads.await.unwrap();
    let group = store.group_with("demo", options("b")).unwrap();
    let candidate = group.candidate().unwrap();
    let campaign = tokio::spawn(async move { candidate.campaign().await });
    let address = group
        .root()
        .await
        .unwrap()
        .unwrap()
        .liveness
        .unwrap()
        .address;
    while incumbent::sign_of_life(&address)
        .await
        .unwrap()
        .standbys
        .is_empty()
    {}
    assert_eq!(
        incumbent::sign_of_life(&address).await.unwrap().standbys,
        [name("b")]
    );
    process.shutdown_background();
    let root = group.root().await.unwrap().unwrap();
    assert_eq!(
        root.state,
        incumbent::TermState::Active,
        "it did not release"
    );
    let successor = tokio::time::timeout(Duration::from_secs(60), campaign)
        .await
        .expect("long before the lease ends");
    assert_eq!(successor.unwrap().epoch(), Epoch::new(2));
}
