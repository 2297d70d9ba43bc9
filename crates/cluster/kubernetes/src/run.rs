//! The loop of one term: from what is seen to the machine, and from its actions to the API.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use incumbent_cluster_core::Time;
use incumbent_cluster_core::pods::{PodPhase, PodSeen, Pods, PodsAction, PodsEvent};
use incumbent_cluster_node::SupplyTerm;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use metrics::counter;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::calls;
use crate::events::warning;
use crate::follow::follow;
use crate::places::KubernetesPods;
use crate::template::{CLUSTER_ID, Particulars, Template};

/// Changes of pods that wait for the loop; more wait in the watch.
const MOST_EVENTS: usize = 256;

/// How often pods are looked at that do not start and whose status does not say why.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Of how many of them events are read at a time.
const MOST_LOOKED_AT: usize = 8;

/// How long the loop sleeps at most.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// One term.
struct Run<'a> {
    places: &'a KubernetesPods,
    pods: Api<Pod>,
    events: Api<Event>,
    term: SupplyTerm,
    machine: Pods,
    running: JoinSet<PodsEvent>,
    /// Pods that have not started, as their status shows them.
    vague: BTreeMap<String, PodSeen>,
    /// What events say of them.
    said: BTreeMap<String, String>,
    /// Whether events may be read, as far as is known.
    reads_events: bool,
    look_at: Time,
}

/// Works until it is dropped.
pub(crate) async fn run(places: &KubernetesPods, term: SupplyTerm) {
    let pods: Api<Pod> = Api::namespaced(places.client.clone(), &places.namespace);
    let events = Api::namespaced(places.client.clone(), &places.namespace);
    let selector = format!("{CLUSTER_ID}={}", term.node().cluster().id);
    let (tell, mut told) = mpsc::channel(MOST_EVENTS);
    let mut following = JoinSet::new();
    following.spawn(follow(pods.clone(), selector, tell));
    let look_at = term.node().now().time + LOOK_EVERY;
    let mut run = Run {
        machine: Pods::new(places.config.clone(), term.seal()),
        places,
        pods,
        events,
        term,
        running: JoinSet::new(),
        vague: BTreeMap::new(),
        said: BTreeMap::new(),
        reads_events: true,
        look_at,
    };
    let first = run.term.demand();
    run.step(PodsEvent::Demand(first)).await;
    loop {
        let sleep = run.until_wake();
        tokio::select! {
            () = run.term.demand_changed() => {
                let demand = run.term.demand();
                run.step(PodsEvent::Demand(demand)).await;
            }
            Some(event) = told.recv() => run.see(event).await,
            Some(done) = run.running.join_next() => match done {
                Ok(event) => run.see(event).await,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            },
            () = tokio::time::sleep(sleep) => {
                run.look().await;
                run.step(PodsEvent::Tick).await;
            }
        }
    }
}

impl Run<'_> {
    fn until_wake(&self) -> Duration {
        let now = self.term.node().now().time;
        let wake = self
            .machine
            .next_wake()
            .map_or(LONGEST_SLEEP, |at| at.since(now));
        let look = match self.vague.is_empty() {
            true => LONGEST_SLEEP,
            false => self.look_at.since(now),
        };
        // A moment that is over would wake it without end.
        wake.min(look)
            .clamp(Duration::from_millis(1), LONGEST_SLEEP)
    }

    /// A change of pods: what events have said of them is added.
    async fn see(&mut self, event: PodsEvent) {
        let event = match event {
            PodsEvent::Listed(all) => {
                self.vague.clear();
                PodsEvent::Listed(all.into_iter().map(|seen| self.with_events(seen)).collect())
            }
            PodsEvent::Seen(seen) => PodsEvent::Seen(Box::new(self.with_events(*seen))),
            PodsEvent::Gone { name, uid } => {
                self.vague.remove(&name);
                self.said.remove(&name);
                PodsEvent::Gone { name, uid }
            }
            event => event,
        };
        self.step(event).await;
    }

    fn with_events(&mut self, mut seen: PodSeen) -> PodSeen {
        let is_vague = seen.phase == PodPhase::Pending && seen.why.is_none() && !seen.is_leaving;
        if !is_vague {
            self.vague.remove(&seen.name);
            self.said.remove(&seen.name);
            return seen;
        }
        self.vague.insert(seen.name.clone(), seen.clone());
        seen.why = self.said.get(&seen.name).cloned();
        seen
    }

    /// Looks into the events of pods that do not start.
    async fn look(&mut self) {
        let now = self.term.node().now().time;
        if now < self.look_at || !self.reads_events || !self.term.may_act() {
            return;
        }
        self.look_at = now + LOOK_EVERY;
        let waiting: Vec<PodSeen> = self.vague.values().take(MOST_LOOKED_AT).cloned().collect();
        for mut seen in waiting {
            match warning(&self.events, &seen.name, &seen.uid).await {
                Ok(Some(why)) if self.said.get(&seen.name) != Some(&why) => {
                    self.said.insert(seen.name.clone(), why.clone());
                    seen.why = Some(why);
                    self.step(PodsEvent::Seen(Box::new(seen))).await;
                }
                Ok(_) => {}
                Err(failed) if failed.is_refusal() => {
                    self.reads_events = false;
                    let why = failed.words();
                    tracing::info!(
                        why,
                        "events of pods are not read in this term, so some reasons why a pod does \
                         not start are not known"
                    );
                    return;
                }
                Err(_) => return,
            }
        }
    }

    async fn step(&mut self, event: PodsEvent) {
        let now = self.term.node().now().time;
        for action in self.machine.step(now, event) {
            if !self.term.may_act() {
                return;
            }
            self.perform(action).await;
        }
    }

    async fn perform(&mut self, action: PodsAction) {
        match action {
            PodsAction::Ask { name } => {
                counter!("incumbent_cluster_pods_asked_total").increment(1);
                let pod = self.pod(&name);
                let pods = self.pods.clone();
                self.running.spawn(async move {
                    let outcome = calls::create(&pods, pod).await;
                    PodsEvent::Asked { name, outcome }
                });
            }
            PodsAction::Delete { name, uid } => {
                counter!("incumbent_cluster_pods_deleted_total").increment(1);
                let pods = self.pods.clone();
                self.running.spawn(async move {
                    let outcome = calls::delete(&pods, &name, uid).await;
                    PodsEvent::Deleted { name, outcome }
                });
            }
            PodsAction::Retire { name } => self.term.retire(name).await,
            PodsAction::Say(supply) => self.term.supplied(supply).await,
            PodsAction::Tell(story) => self.term.tell(&story),
        }
    }

    fn pod(&self, name: &str) -> Pod {
        let template: &Arc<Template> = &self.places.template;
        template.pod(&Particulars {
            name,
            namespace: &self.places.namespace,
            cluster: &self.term.node().cluster().id,
            epoch: self.term.seal().epoch.get(),
            owner: self.places.owner.as_ref(),
        })
    }
}
