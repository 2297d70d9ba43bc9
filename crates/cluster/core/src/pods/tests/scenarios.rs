//! One claim each.

use super::{SECOND, at, config, demand, pod, seal};
use crate::demand::{Supply, UseState};
use crate::pods::{Asked, Deleted, PodPhase, PodSeen, Pods, PodsAction, PodsConfig, PodsEvent};

/// The machine, and what it has wanted so far.
struct Term {
    pods: Pods,
    done: Vec<PodsAction>,
}

impl Term {
    fn new(epoch: u64) -> Self {
        let pods = Pods::new(config(), seal(epoch));
        let done = Vec::new();
        Self { pods, done }
    }

    /// A term that has listed these pods.
    fn listed(epoch: u64, all: Vec<PodSeen>) -> Self {
        let mut term = Self::new(epoch);
        term.tell(0, PodsEvent::Listing);
        term.tell(0, PodsEvent::Listed(all));
        term
    }

    fn tell(&mut self, seconds: u64, event: PodsEvent) {
        self.done.extend(self.pods.step(at(seconds), event));
    }

    fn demand(&mut self, seconds: u64, gangs: &[u32], nodes: &[(&str, u32, UseState)]) {
        self.tell(seconds, PodsEvent::Demand(demand(gangs, nodes)));
    }

    fn see(&mut self, seconds: u64, seen: PodSeen) {
        self.tell(seconds, PodsEvent::Seen(Box::new(seen)));
    }

    fn answer(&mut self, seconds: u64, name: &str, outcome: Asked) {
        let name = name.to_owned();
        self.tell(seconds, PodsEvent::Asked { name, outcome });
    }

    fn made(&mut self, seconds: u64, name: &str) {
        let seen = pod(name, PodPhase::Pending);
        self.answer(seconds, name, Asked::Made(Box::new(seen)));
    }

    /// The pods that were asked for since this was asked last.
    fn asked(&mut self) -> Vec<String> {
        self.taken(|action| match action {
            PodsAction::Ask { name } => Some(name.clone()),
            _ => None,
        })
    }

    fn deletes(&mut self) -> Vec<String> {
        self.taken(|action| match action {
            PodsAction::Delete { name, uid } => {
                assert_eq!(*uid, format!("uid-of-{name}"));
                Some(name.clone())
            }
            _ => None,
        })
    }

    fn retires(&mut self) -> Vec<String> {
        self.taken(|action| match action {
            PodsAction::Retire { name } => Some(name.clone()),
            _ => None,
        })
    }

    fn taken(&mut self, of: impl Fn(&PodsAction) -> Option<String>) -> Vec<String> {
        let found = self.done.iter().filter_map(&of).collect();
        self.done.retain(|action| of(action).is_none());
        found
    }

    /// What the leader was told last.
    fn said(&self) -> Supply {
        let said = self.done.iter().rev().find_map(|action| match action {
            PodsAction::Say(supply) => Some((**supply).clone()),
            _ => None,
        });
        said.expect("something was said")
    }

    fn why(&self) -> String {
        self.said().why.join("\n")
    }
}

#[test]
fn slots_that_are_missing_are_asked_for_once() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[3], &[]);
    assert_eq!(term.asked(), ["c-taskmanager-7-1", "c-taskmanager-7-2"]);
    term.made(1, "c-taskmanager-7-1");
    term.see(1, pod("c-taskmanager-7-2", PodPhase::Pending));
    term.made(2, "c-taskmanager-7-2");
    term.demand(3, &[3], &[("c-taskmanager-7-1", 2, UseState::Live)]);
    term.tell(60, PodsEvent::Tick);
    assert!(term.asked().is_empty());
    assert_eq!(term.said().coming, 2);
}

#[test]
fn nothing_is_asked_for_before_all_pods_are_listed_and_all_records_are_open() {
    let mut term = Term::new(7);
    term.demand(0, &[3], &[]);
    assert!(term.asked().is_empty(), "{}", term.why());
    let mut unknown = demand(&[3], &[]);
    unknown.is_complete = false;
    term.tell(1, PodsEvent::Demand(unknown));
    term.tell(1, PodsEvent::Listing);
    term.tell(1, PodsEvent::Listed(Vec::new()));
    assert!(term.asked().is_empty());
    term.demand(2, &[3], &[]);
    assert_eq!(term.asked().len(), 2);
}

#[test]
fn what_an_earlier_leader_asked_for_counts() {
    let old = vec![
        pod("c-taskmanager-6-1", PodPhase::Running),
        pod("c-taskmanager-6-2", PodPhase::Pending),
    ];
    let mut term = Term::listed(7, old);
    term.demand(0, &[4], &[]);
    assert!(term.asked().is_empty());
    term.demand(1, &[5], &[]);
    assert_eq!(term.asked(), ["c-taskmanager-7-1"]);
}

#[test]
fn a_late_pod_of_an_earlier_leader_makes_another_one_go_that_has_not_started() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[2], &[]);
    assert_eq!(term.asked(), ["c-taskmanager-7-1"]);
    term.made(1, "c-taskmanager-7-1");
    term.see(2, pod("c-taskmanager-6-9", PodPhase::Pending));
    term.tell(8, PodsEvent::Tick);
    assert_eq!(term.deletes(), ["c-taskmanager-7-1"], "the newest goes");
    term.tell(9, PodsEvent::Tick);
    assert!(term.asked().is_empty() && term.deletes().is_empty());
}

#[test]
fn a_lost_answer_is_asked_again_under_the_same_name() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[2], &[]);
    assert_eq!(term.asked(), ["c-taskmanager-7-1"]);
    term.answer(1, "c-taskmanager-7-1", Asked::Unknown("no answer".into()));
    assert!(term.asked().is_empty(), "it is on its way, perhaps");
    assert!(term.why().contains("has not answered"), "{}", term.why());
    term.tell(3, PodsEvent::Tick);
    assert_eq!(term.asked(), ["c-taskmanager-7-1"]);
}

#[test]
fn a_lost_answer_to_what_nobody_needs_any_more_is_not_asked_again() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[2], &[]);
    term.answer(1, "c-taskmanager-7-1", Asked::Unknown("no answer".into()));
    term.demand(2, &[], &[]);
    term.tell(4, PodsEvent::Tick);
    assert_eq!(term.asked(), ["c-taskmanager-7-1"], "only the first time");
    // It was made all the same.
    term.see(5, pod("c-taskmanager-7-1", PodPhase::Pending));
    term.tell(11, PodsEvent::Tick);
    assert_eq!(term.deletes(), ["c-taskmanager-7-1"]);
}

#[test]
fn a_taken_name_is_left_alone() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[2], &[]);
    term.answer(1, "c-taskmanager-7-1", Asked::Taken);
    assert_eq!(term.asked(), ["c-taskmanager-7-1", "c-taskmanager-7-2"]);
}

#[test]
fn a_refusal_is_said_and_asked_again_after_growing_pauses() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[2], &[]);
    let (mut asked, mut names) = (Vec::new(), term.asked());
    for second in 1..600 {
        if let Some(name) = names.pop() {
            asked.push(second);
            term.answer(
                second,
                &name,
                Asked::Refused("exceeded quota: pods=0".into()),
            );
        }
        term.tell(second, PodsEvent::Tick);
        names.extend(term.asked());
    }
    assert!((8..=25).contains(&asked.len()), "{asked:?}");
    let why = term.why();
    assert!(
        why.contains("refuses another pod: exceeded quota: pods=0"),
        "{why}"
    );
}

/// A leader with room for 16 pods.
fn large() -> Term {
    let config = PodsConfig {
        most: 16,
        ..config()
    };
    let pods = Pods::new(config, seal(7));
    let mut term = Term {
        pods,
        done: Vec::new(),
    };
    term.tell(0, PodsEvent::Listing);
    term.tell(0, PodsEvent::Listed(Vec::new()));
    term.demand(0, &[32], &[]);
    term
}

#[test]
fn what_was_asked_for_together_and_refused_is_one_refusal() {
    let mut term = large();
    for (second, longest) in [(0, 1), (10, 2), (20, 4)] {
        term.tell(second, PodsEvent::Tick);
        let names = term.asked();
        assert_eq!(names.len(), 16);
        for name in names {
            term.answer(second, &name, Asked::Refused("exceeded quota".into()));
        }
        let again = term.pods.next_wake().unwrap();
        let pause = again.since(at(second));
        assert!(pause <= longest * SECOND, "{pause:?}");
        assert!(pause >= longest * SECOND / 2, "{pause:?}");
    }
    let is_warning = |it: &&PodsAction| matches!(it, PodsAction::Tell(story) if story.is_warning);
    assert_eq!(term.done.iter().filter(is_warning).count(), 1);
}

#[test]
fn a_refusal_that_comes_when_the_pause_is_over_is_no_other_one() {
    let mut term = large();
    let mut names = term.asked();
    let refused = || Asked::Refused("exceeded quota".into());
    term.answer(0, &names.pop().unwrap(), refused());
    term.tell(2, PodsEvent::Tick);
    assert_eq!(term.asked().len(), 1, "the one that was refused");
    for name in names {
        term.answer(3, &name, refused());
    }
    assert_eq!(term.asked().len(), 15);
}

#[test]
fn pods_that_fail_together_are_one_failure() {
    let mut term = large();
    for name in term.asked() {
        term.see(1, pod(&name, PodPhase::Ended { is_well: false }));
    }
    term.tell(3, PodsEvent::Tick);
    assert_eq!(term.asked().len(), 16, "after a second");
}

#[test]
fn without_the_right_to_delete_pauses_grow_and_each_reason_is_said_once() {
    let names = ["c-taskmanager-6-1", "c-taskmanager-6-2"];
    let ended = names.map(|name| pod(name, PodPhase::Ended { is_well: true }));
    let mut term = Term::listed(7, ended.to_vec());
    term.demand(0, &[2], &[]);
    let mut tries = 0;
    for second in 0..600 {
        let outcome = || Deleted::Not("the role lacks \"delete\" on \"pods\"".into());
        for name in term.deletes() {
            tries += 1;
            let outcome = outcome();
            term.tell(second, PodsEvent::Deleted { name, outcome });
        }
        term.tell(second, PodsEvent::Tick);
    }
    assert!((16..=50).contains(&tries), "{tries}");
    let warnings = term.done.iter().filter_map(|it| match it {
        PodsAction::Tell(story) if story.is_warning => Some(&story.text),
        _ => None,
    });
    let warnings: Vec<_> = warnings.collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(term.why().contains("cannot be deleted: the role lacks"));
    // Somebody else has removed them.
    for name in names {
        let (name, uid) = (name.to_owned(), format!("uid-of-{name}"));
        term.tell(600, PodsEvent::Gone { name, uid });
    }
    assert!(!term.why().contains("cannot be deleted"));
}

#[test]
fn it_is_not_woken_for_what_only_an_event_can_change() {
    // An idle TaskManager stays while a gang waits that has no room beside it.
    let name = "c-taskmanager-7-1";
    let mut term = Term::listed(7, vec![pod(name, PodPhase::Running)]);
    term.demand(0, &[10], &[(name, 2, UseState::Live)]);
    for name in term.asked() {
        term.made(0, &name);
    }
    // A pod that is marked, and whose node has vanished.
    let mut marked = pod("c-taskmanager-6-1", PodPhase::Ended { is_well: true });
    term.see(1, marked.clone());
    assert_eq!(term.deletes(), [marked.name.clone()]);
    let (name, outcome) = (marked.name.clone(), Deleted::Done);
    term.tell(1, PodsEvent::Deleted { name, outcome });
    marked.is_leaving = true;
    term.see(2, marked);
    term.tell(1000, PodsEvent::Tick);
    assert_eq!(term.pods.next_wake(), None);
}

#[test]
fn never_more_than_the_most() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[6, 6], &[]);
    assert_eq!(
        term.asked().len(),
        3,
        "the second gang can never have its slots beside it"
    );
    term.demand(1, &[10], &[]);
    assert_eq!(term.asked().len(), 2);
    term.demand(2, &[11], &[]);
    assert!(term.asked().is_empty());
}

#[test]
fn an_idle_task_manager_is_told_to_leave_and_its_pod_goes_when_it_has_ended() {
    let name = "c-taskmanager-7-1";
    let mut term = Term::listed(7, vec![pod(name, PodPhase::Running)]);
    term.demand(0, &[], &[(name, 2, UseState::Live)]);
    term.tell(59, PodsEvent::Tick);
    assert!(term.retires().is_empty());
    term.tell(60, PodsEvent::Tick);
    assert_eq!(term.retires(), [name]);
    term.demand(61, &[], &[(name, 2, UseState::Draining)]);
    term.tell(70, PodsEvent::Tick);
    assert!(term.deletes().is_empty() && term.retires().is_empty());
    term.see(71, pod(name, PodPhase::Ended { is_well: true }));
    assert_eq!(term.deletes(), [name]);
    let name = name.to_owned();
    let uid = format!("uid-of-{name}");
    term.tell(72, PodsEvent::Gone { name, uid });
    assert!(term.said().pods.is_empty());
    assert!(
        !term
            .done
            .iter()
            .any(|action| matches!(action, PodsAction::Tell(story) if story.is_warning))
    );
}

#[test]
fn nothing_is_released_while_a_gang_waits() {
    let name = "c-taskmanager-7-1";
    let mut term = Term::listed(7, vec![pod(name, PodPhase::Running)]);
    for second in 0..200 {
        term.demand(second, &[4], &[(name, 2, UseState::Live)]);
    }
    assert!(term.retires().is_empty());
}

#[test]
fn a_dead_task_manager_is_replaced_and_its_pod_deleted() {
    let name = "c-taskmanager-6-1";
    let mut term = Term::listed(7, vec![pod(name, PodPhase::Running)]);
    term.demand(0, &[], &[(name, 0, UseState::Live)]);
    term.demand(1, &[2], &[(name, 0, UseState::Dead)]);
    assert_eq!(term.deletes(), [name]);
    assert_eq!(
        term.asked(),
        ["c-taskmanager-7-1"],
        "the first of this term's numbers"
    );
}

#[test]
fn a_silent_task_manager_is_replaced_and_its_pod_left_alone() {
    let name = "c-taskmanager-6-1";
    let mut term = Term::listed(7, vec![pod(name, PodPhase::Running)]);
    term.demand(0, &[2], &[(name, 0, UseState::Lost)]);
    term.tell(1000, PodsEvent::Tick);
    assert!(term.deletes().is_empty());
    assert_eq!(term.asked(), ["c-taskmanager-7-1"]);
}

#[test]
fn a_pod_that_does_not_come_says_why_and_no_other_is_asked_for() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[2], &[]);
    let mut seen = pod("c-taskmanager-7-1", PodPhase::Pending);
    seen.why = Some("ImagePullBackOff: Back-off pulling image \"none\"".into());
    term.see(1, seen);
    term.tell(3000, PodsEvent::Tick);
    assert_eq!(term.asked().len(), 1);
    assert!(
        term.why()
            .contains("pod c-taskmanager-7-1: ImagePullBackOff"),
        "{}",
        term.why()
    );
}

#[test]
fn pods_that_end_before_they_register_are_replaced_after_growing_pauses() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[2], &[]);
    let mut names = Vec::new();
    for second in 1..600 {
        for name in term.asked() {
            let mut seen = pod(&name, PodPhase::Ended { is_well: false });
            seen.why = Some("Error: exit code 1".into());
            term.see(second, seen);
            let uid = format!("uid-of-{name}");
            let outcome = Deleted::Done;
            let deleted = name.clone();
            term.tell(
                second,
                PodsEvent::Deleted {
                    name: deleted,
                    outcome,
                },
            );
            term.tell(
                second,
                PodsEvent::Gone {
                    name: name.clone(),
                    uid,
                },
            );
            names.push(name);
        }
        term.tell(second, PodsEvent::Tick);
    }
    assert!((8..=25).contains(&names.len()), "{names:?}");
    assert!(term.why().contains("exit code 1"), "{}", term.why());
}

#[test]
fn a_pod_whose_task_manager_never_registers_is_replaced() {
    let name = "c-taskmanager-6-1";
    let mut term = Term::listed(7, vec![pod(name, PodPhase::Running)]);
    term.demand(0, &[2], &[]);
    assert!(term.asked().is_empty());
    term.tell(121, PodsEvent::Tick);
    assert_eq!(term.deletes(), [name]);
    assert_eq!(term.asked().len(), 1);
}

#[test]
fn pods_of_another_template_go_when_nothing_is_in_them() {
    let mut pending = pod("c-taskmanager-6-1", PodPhase::Pending);
    let mut idle = pod("c-taskmanager-6-2", PodPhase::Running);
    let mut busy = pod("c-taskmanager-6-3", PodPhase::Running);
    for old in [&mut pending, &mut idle, &mut busy] {
        old.template = "before".into();
    }
    let mut term = Term::listed(7, vec![pending, idle, busy]);
    let nodes = [
        ("c-taskmanager-6-2", 2, UseState::Live),
        ("c-taskmanager-6-3", 1, UseState::Live),
    ];
    term.demand(0, &[], &nodes);
    assert_eq!(term.deletes(), ["c-taskmanager-6-1"]);
    assert_eq!(term.retires(), ["c-taskmanager-6-2"]);
}

#[test]
fn a_list_that_began_before_a_pod_was_made_does_not_make_it_forgotten() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[2], &[]);
    term.tell(1, PodsEvent::Listing);
    term.made(1, "c-taskmanager-7-1");
    term.tell(2, PodsEvent::Listed(Vec::new()));
    assert_eq!(term.asked().len(), 1, "none but the first");
    term.tell(3, PodsEvent::Listing);
    term.tell(4, PodsEvent::Listed(Vec::new()));
    assert_eq!(term.asked(), ["c-taskmanager-7-2"], "now it is gone");
}

#[test]
fn a_late_answer_does_not_bring_back_a_pod_that_is_gone() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[2], &[]);
    assert_eq!(term.asked(), ["c-taskmanager-7-1"]);
    term.see(1, pod("c-taskmanager-7-1", PodPhase::Pending));
    let (name, uid) = (
        "c-taskmanager-7-1".to_owned(),
        "uid-of-c-taskmanager-7-1".to_owned(),
    );
    term.tell(2, PodsEvent::Gone { name, uid });
    term.tell(4, PodsEvent::Tick);
    assert_eq!(term.asked(), ["c-taskmanager-7-2"]);
    term.made(5, "c-taskmanager-7-1");
    assert_eq!(term.said().pods.len(), 1);
}

#[test]
fn pods_that_somebody_deletes_before_they_register_are_replaced_after_growing_pauses() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[2], &[]);
    let mut names = term.asked();
    for second in 0..300 {
        if let Some(name) = names.last().filter(|_| term.said().pods.len() == 1) {
            let name = name.clone();
            term.made(second, &name);
            let uid = format!("uid-of-{name}");
            term.tell(second, PodsEvent::Gone { name, uid });
        }
        term.tell(second, PodsEvent::Tick);
        names.extend(term.asked());
    }
    assert!((6..=25).contains(&names.len()), "{names:?}");
    assert!(
        term.why().contains("was deleted by somebody else"),
        "{}",
        term.why()
    );
}

#[test]
fn a_late_answer_does_not_take_back_what_was_seen_since() {
    let mut term = Term::listed(7, Vec::new());
    term.demand(0, &[2], &[]);
    let mut seen = pod("c-taskmanager-7-1", PodPhase::Pending);
    seen.why = Some("Unschedulable: no room".into());
    term.see(1, seen);
    term.made(2, "c-taskmanager-7-1");
    assert!(
        term.why().contains("Unschedulable: no room"),
        "{}",
        term.why()
    );
}

#[test]
fn a_deletion_that_was_not_done_is_tried_again() {
    let name = "c-taskmanager-6-1";
    let mut term = Term::listed(7, vec![pod(name, PodPhase::Ended { is_well: true })]);
    term.demand(0, &[], &[]);
    assert_eq!(term.deletes(), [name]);
    let outcome = Deleted::Not("no answer".into());
    term.tell(
        1,
        PodsEvent::Deleted {
            name: name.into(),
            outcome,
        },
    );
    term.tell(3, PodsEvent::Tick);
    assert_eq!(term.deletes(), [name]);
}

#[test]
fn a_pod_that_was_not_deleted_is_tried_again_while_nobody_needs_it() {
    let name = "c-taskmanager-6-1".to_owned();
    let mut term = Term::listed(7, vec![pod(&name, PodPhase::Pending)]);
    term.demand(0, &[], &[]);
    term.tell(5, PodsEvent::Tick);
    assert_eq!(term.deletes(), std::slice::from_ref(&name));
    let outcome = || Deleted::Not("no answer".into());
    let not_done = |name: &str| PodsEvent::Deleted {
        name: name.to_owned(),
        outcome: outcome(),
    };
    term.tell(6, not_done(&name));
    term.tell(8, PodsEvent::Tick);
    assert_eq!(term.deletes(), std::slice::from_ref(&name));
    // It has started meanwhile, and is somebody's.
    term.tell(9, not_done(&name));
    term.see(9, pod(&name, PodPhase::Running));
    term.demand(10, &[], &[(&name, 0, UseState::Live)]);
    term.tell(20, PodsEvent::Tick);
    assert!(term.deletes().is_empty());
    // And it is released in the end, as others are.
    term.demand(30, &[], &[(&name, 2, UseState::Live)]);
    term.tell(90, PodsEvent::Tick);
    assert_eq!(term.retires(), [name]);
}

#[test]
fn it_is_woken_when_it_has_something_to_do() {
    let mut term = Term::listed(7, Vec::new());
    assert_eq!(term.pods.next_wake(), None);
    term.demand(0, &[2], &[]);
    term.answer(5, "c-taskmanager-7-1", Asked::Unknown("no answer".into()));
    assert_eq!(term.pods.next_wake(), Some(at(5) + SECOND));
}
