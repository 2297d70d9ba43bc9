//! What a store refuses: a process without rights does not campaign, says so, and leads once it is
//! accepted.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use incumbent::backend::{
    Backend, Expected, Failure, Key, Listed, Rights, Stored, Swapped, Unread, WatchStream,
};
use incumbent::{
    Clock, Epoch, Group, GroupName, Limits, Liveness, LostBecause, Options, Store, View,
};
use incumbent_backend_memory::MemoryBackend;

/// What the store makes of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    Accepted,
    /// It may create, and not update. The store says so when it is asked.
    CreatesOnly,
    /// Its credentials are not accepted any more: every request is refused.
    Unauthorized,
}

/// A store that treats one process as its account says.
#[derive(Clone)]
struct Guarded {
    store: MemoryBackend,
    account: Arc<Mutex<Account>>,
    asked: Arc<Mutex<u32>>,
}

impl Guarded {
    fn new(store: &MemoryBackend, account: Account) -> Self {
        Self {
            store: store.clone(),
            account: Arc::new(Mutex::new(account)),
            asked: Arc::default(),
        }
    }

    fn set(&self, account: Account) {
        *self.account.lock().unwrap() = account;
    }

    fn account(&self) -> Account {
        *self.account.lock().unwrap()
    }

    fn group(&self, holder: &str) -> Group {
        let options = Options {
            holder: Some(holder.parse().unwrap()),
            liveness: Liveness::Off,
            clock: Clock::tokio(),
            ..Options::default()
        };
        let store = Store::on(self.clone());
        store.group_with("demo", options).unwrap()
    }

    fn may_read(&self) -> Result<(), Unread> {
        match self.account() {
            Account::Unauthorized => Err(Unread::Unavailable("401 Unauthorized".into())),
            Account::Accepted | Account::CreatesOnly => Ok(()),
        }
    }
}

#[async_trait]
impl Backend for Guarded {
    fn limits(&self) -> Limits {
        self.store.limits()
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        self.may_read()?;
        self.store.read(key).await
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        let refused = match self.account() {
            Account::Unauthorized => true,
            Account::CreatesOnly => !matches!(expected, Expected::Absent),
            Account::Accepted => false,
        };
        if refused {
            return Err(Failure::NotApplied("403 Forbidden".into()));
        }
        self.store.swap(key, expected, body).await
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        self.may_read()?;
        self.store.list(group).await
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        self.store.watch(group)
    }

    async fn check_rights(&self, _: &GroupName) -> Result<Rights, Unread> {
        *self.asked.lock().unwrap() += 1;
        self.may_read()?;
        Ok(match self.account() {
            Account::CreatesOnly => Rights::Missing("user \"node\" cannot update".to_owned()),
            Account::Accepted | Account::Unauthorized => Rights::Granted,
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_could_not_keep_a_term_begins_none_and_says_why() {
    let store = MemoryBackend::new();
    let guarded = Guarded::new(&store, Account::CreatesOnly);
    let group = guarded.group("a");
    let candidate = group.candidate().unwrap();
    let mut campaign = Box::pin(candidate.campaign());
    let lease = group.timing().lease();
    let early = tokio::time::timeout(5 * lease / 2, &mut campaign).await;
    assert!(early.is_err(), "no term that cannot become active");
    assert!(group.root().await.unwrap().is_none(), "nothing is claimed");
    let reason = group.missing_rights().expect("it was asked");
    assert!(reason.contains("cannot update"), "{reason}");
    assert_eq!(*guarded.asked.lock().unwrap(), 3, "once a lease");

    guarded.set(Account::Accepted);
    let leadership = campaign.await;
    assert_eq!(leadership.epoch(), Epoch::new(1));
    assert_eq!(group.missing_rights(), None);
    leadership.activate().await.unwrap();
}

/// A standby that was accepted, and is not any more.
#[tokio::test(start_paused = true)]
async fn a_standby_that_loses_its_rights_stops_to_campaign_when_it_is_refused() {
    let store = MemoryBackend::new();
    let leader = Guarded::new(&store, Account::Accepted).group("leader");
    let leadership = leader.candidate().unwrap().campaign().await;
    let guarded = Guarded::new(&store, Account::Accepted);
    let group = guarded.group("standby");
    let candidate = group.candidate().unwrap();
    let mut campaign = Box::pin(candidate.campaign());
    let lease = group.timing().lease();
    let waits = tokio::time::timeout(lease, &mut campaign).await;
    assert!(waits.is_err(), "somebody leads");
    assert_eq!(group.missing_rights(), None);

    guarded.set(Account::CreatesOnly);
    assert_eq!(leadership.resign(None).await, LostBecause::Resigned);
    let refused = tokio::time::timeout(lease, &mut campaign).await;
    assert!(refused.is_err());
    assert!(group.missing_rights().is_some(), "it asked why");

    guarded.set(Account::Accepted);
    assert_eq!(campaign.await.epoch(), Epoch::new(2));
}

/// Nobody has to take over meanwhile.
#[tokio::test(start_paused = true)]
async fn a_standby_whose_rights_are_taken_away_says_so_before_it_has_to_take_over() {
    let store = MemoryBackend::new();
    let leader = Guarded::new(&store, Account::Accepted).group("leader");
    let leadership = leader.candidate().unwrap().campaign().await;
    let guarded = Guarded::new(&store, Account::Accepted);
    let group = guarded.group("standby");
    let candidate = group.candidate().unwrap();
    let mut campaign = Box::pin(candidate.campaign());
    let lease = group.timing().lease();
    let waits = tokio::time::timeout(lease, &mut campaign).await;
    assert!(waits.is_err(), "somebody leads");
    guarded.set(Account::CreatesOnly);
    let waits = tokio::time::timeout(20 * lease, &mut campaign).await;
    assert!(waits.is_err(), "somebody leads");
    assert!(group.missing_rights().is_some(), "it asked by itself");
    assert!(leadership.guard().is_valid());
}

/// As with a token that has expired, and is renewed later.
#[tokio::test(start_paused = true)]
async fn a_leader_that_was_refused_leads_again_when_it_is_accepted() {
    let store = MemoryBackend::new();
    let guarded = Guarded::new(&store, Account::Accepted);
    let group = guarded.group("a");
    let candidate = group.candidate().unwrap();
    for epoch in [1, 2] {
        let leadership = tokio::time::timeout(Duration::from_secs(60), candidate.campaign())
            .await
            .expect("it is accepted");
        assert_eq!(leadership.epoch(), Epoch::new(epoch));
        leadership.activate().await.unwrap();
        guarded.set(Account::Unauthorized);
        assert_eq!(leadership.lost().await, LostBecause::DeadlinePassed);
        drop(leadership);
        let campaign = tokio::time::timeout(Duration::from_secs(60), candidate.campaign());
        assert!(campaign.await.is_err(), "refused");
        guarded.set(Account::Accepted);
    }
}

/// An observer with a role that only reads is no standby.
#[tokio::test(start_paused = true)]
async fn nobody_who_only_observes_is_asked_for_rights() {
    let store = MemoryBackend::new();
    let guarded = Guarded::new(&store, Account::CreatesOnly);
    let group = guarded.group("a");
    assert_eq!(group.observe().next().await, View::None);
    assert_eq!(*guarded.asked.lock().unwrap(), 0);
    assert_eq!(group.missing_rights(), None);
}
