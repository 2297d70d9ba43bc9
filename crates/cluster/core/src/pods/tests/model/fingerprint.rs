//! What makes two states one: [`World::fingerprint`].

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::time::Duration;

use incumbent_core::Time;

use super::things::Answer;
use super::world::World;
use crate::pods::Pods;
use crate::pods::pod::{Deleting, Pod, Stage};

impl World {
    /// A hash of all that what happens next depends on. Times are seconds from now.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut into = BuildHasherDefault::<DefaultHasher>::default().build_hasher();
        (self.term, &self.watch, &self.requests, &self.answers).hash(&mut into);
        (&self.pods, &self.dead, self.wanted, &self.tasks).hash(&mut into);
        (&self.made, &self.told, &self.going, &self.outstanding).hash(&mut into);
        self.left.hash(&mut into);
        self.of_machine(&mut into);
        into.finish()
    }

    fn of_machine(&self, into: &mut impl Hasher) {
        let Pods {
            config: _,
            seal: _,
            next,
            pods,
            listing,
            is_listed,
            unlisted,
            // It is told again after each action.
            demand: _,
            need: _,
            refusal,
            failure,
            undeleted,
            hold_until,
            holds,
            refused: _,
            failed: _,
            gone,
            looked_at: _,
            said: _,
            dice: _,
        } = &self.machine;
        (next, is_listed, unlisted, refusal, failure, undeleted).hash(into);
        let gone = gone.iter().filter(|uid| self.comes(uid));
        gone.collect::<Vec<_>>().hash(into);
        // Nothing happens in time any more.
        let now = (self.left.wakes > 0).then_some(self.now);
        hold_until.map(|at| from(now, at)).hash(into);
        for (name, pod) in pods {
            name.hash(into);
            of_pod(pod, now, into);
            // Only whether it is in the list that comes, and in the pause that was.
            (pod.listed_from > *listing, pod.asked_after < *holds).hash(into);
        }
    }

    /// Whether an answer that is on its way is about this pod.
    fn comes(&self, uid: &str) -> bool {
        let mut answers = self.answers.iter();
        answers.any(|answer| matches!(answer, Answer::Made(shot) if shot.uid == uid))
    }
}

fn of_pod(pod: &Pod, now: Option<Time>, into: &mut impl Hasher) {
    match &pod.stage {
        Stage::Asked => 0.hash(into),
        Stage::Unsure(again) => (1, from(now, *again)).hash(into),
        Stage::Seen(seen) => {
            (2, &seen.uid, format!("{:?}", seen.phase), seen.is_leaving).hash(into)
        }
    }
    match pod.deleting {
        Deleting::No => 0.hash(into),
        Deleting::UnderWay => 1.hash(into),
        Deleting::Again(again) => (2, from(now, again)).hash(into),
        Deleting::Due => 3.hash(into),
    }
    pod.has_registered.hash(into);
    let times = [
        pod.running_since,
        pod.idle_since,
        pod.excess_since,
        pod.retired_at,
        pod.left_since,
    ];
    times.map(|at| at.map(|at| from(now, at))).hash(into);
}

/// Whole seconds: pauses are drawn, and a little more or less changes nothing.
fn from(now: Option<Time>, at: Time) -> (u64, u64) {
    let Some(now) = now else {
        return (0, 0);
    };
    let seconds = |time: Duration| u64::try_from(time.as_millis().div_ceil(1000)).unwrap();
    (seconds(at.since(now)), seconds(now.since(at)))
}
