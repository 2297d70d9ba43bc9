//! [`Sessions`]: the logic of session windows.

use serde::{Deserialize, Serialize};

use super::kind::FAR;
use super::timers::{NEVER, SLICE, Timers, never};
use super::{Aggregate, Fired, Window, Windowed};
use crate::Timestamp;
use crate::logic::{Data, Key, Keyed, Logic, Timed};
use crate::state::{AnyTable, Table};

/// What is kept for a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept<A> {
    /// By their start. They do not touch each other.
    sessions: Vec<Open<A>>,
    /// When there is something to do next, or earlier: a session that gets longer leaves it alone.
    #[serde(skip, default = "never")]
    timer: i64,
}

/// A session that is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open<A> {
    start: i64,
    /// The time of its last record, and the gap.
    end: i64,
    value: A,
}

/// Windows that end when there was nothing for a while.
pub(crate) struct Sessions<K, T, A: Aggregate<T>> {
    table: Table<K, Kept<A::Acc>>,
    timers: Timers<K>,
    gap: i64,
    lateness: i64,
    aggregate: A,
    gives_late: bool,
    watermark: i64,
}

impl<K: Key, T: Data, A: Aggregate<T>> Sessions<K, T, A> {
    pub(super) fn new(
        table: Table<K, Kept<A::Acc>>,
        gap: i64,
        lateness: i64,
        aggregate: A,
        gives_late: bool,
    ) -> Self {
        Self {
            table,
            timers: Timers::new(),
            gap,
            lateness: lateness.min(FAR),
            aggregate,
            gives_late,
            watermark: i64::MIN,
        }
    }

    /// A timer of this key is due.
    fn due(&mut self, now: i64, hash: u64, key: K, out: &mut Vec<Timed<Fired<K, A::Result, T>>>) {
        let kept = self.table.get_mut(hash, &key);
        // It may be an old timer of the key.
        let Some(kept) = kept.filter(|kept| kept.timer == now) else {
            return;
        };
        let mut at = 0;
        while let Some(session) = kept.sessions.get(at) {
            let window = window(session);
            let is_gone = session.end + self.lateness <= now;
            let ends = session.end == now;
            let acc = match (is_gone, ends) {
                (true, _) => Some(kept.sessions.remove(at).value),
                (false, true) => Some(session.value.clone()),
                (false, false) => None,
            };
            if ends {
                let acc = acc.expect("it has ended");
                out.push(fired(&key, window, self.aggregate.result(acc)));
            }
            at += usize::from(!is_gone);
        }
        kept.timer = deadline(kept, now, self.lateness);
        match kept.sessions.is_empty() {
            true => {
                self.table.remove(hash, &key);
            }
            false => self.timers.set(kept.timer, hash, key),
        }
    }
}

/// When there is something to do about a session after `after`.
fn deadline_of<A>(session: &Open<A>, after: i64, lateness: i64) -> i64 {
    match session.end > after {
        true => session.end,
        false => session.end + lateness,
    }
}

fn deadline<A>(kept: &Kept<A>, after: i64, lateness: i64) -> i64 {
    let deadlines = kept
        .sessions
        .iter()
        .map(|session| deadline_of(session, after, lateness));
    deadlines.min().unwrap_or(NEVER)
}

fn window<A>(session: &Open<A>) -> Window {
    Window {
        start: Timestamp(session.start),
        end: Timestamp(session.end),
    }
}

fn fired<K: Key, R, T>(key: &K, window: Window, value: R) -> Timed<Fired<K, R, T>> {
    let result = Windowed {
        key: key.clone(),
        window,
        value,
    };
    (window.last(), Fired::Result(result))
}

impl<K: Key, T: Data, A: Aggregate<T>> Logic for Sessions<K, T, A> {
    type Key = K;
    type Value = T;
    type Out = Fired<K, A::Result, T>;

    fn record(&mut self, record: Keyed<K, T>, out: &mut Vec<Timed<Self::Out>>) {
        let Keyed {
            hash,
            time,
            key,
            value,
        } = record;
        let (watermark, lateness) = (self.watermark, self.lateness);
        let start = time.0.clamp(-FAR, FAR);
        let end = start + self.gap;
        // One that is kept and touches it saves a record that is late by itself.
        let is_late = end + lateness <= watermark;
        let touches = |session: &Open<A::Acc>| session.start <= end && start <= session.end;
        if is_late
            && !(self.table.get_mut(hash, &key))
                .is_some_and(|kept| kept.sessions.iter().any(touches))
        {
            if self.gives_late {
                out.push((time, Fired::Late(value)));
            }
            return;
        }
        let kept = self.table.entry(hash, &key, || Kept {
            sessions: Vec::with_capacity(1),
            timer: NEVER,
        });
        let sessions = &mut kept.sessions;
        let from = sessions.partition_point(|session| session.end < start);
        let to = sessions.partition_point(|session| session.start <= end);
        if from == to {
            let session = Open {
                start,
                end,
                value: self.aggregate.create(),
            };
            sessions.insert(from, session);
        } else {
            let last = sessions[to - 1].end;
            let (first, others) = sessions[from..to].split_first_mut().expect("not empty");
            for other in &*others {
                self.aggregate.merge(&mut first.value, &other.value);
            }
            first.start = first.start.min(start);
            first.end = last.max(end);
            sessions.drain(from + 1..to);
        }
        let session = &mut sessions[from];
        self.aggregate.add(&mut session.value, value);
        let before = kept.timer;
        // It has ended and is kept: it fires again, unless its timer is due anyway.
        if session.end <= watermark && before > session.end {
            let result = self.aggregate.result(session.value.clone());
            out.push(fired(&key, window(session), result));
        }
        let deadline = deadline_of(session, watermark, lateness);
        if deadline < before {
            kept.timer = deadline;
            self.timers.set(deadline, hash, key);
        }
    }

    fn watermark(&mut self, to: Timestamp, out: &mut Vec<Timed<Self::Out>>) -> bool {
        self.watermark = to.0;
        for _ in 0..SLICE {
            match self.timers.next(to.0) {
                Some((now, hash, key)) => self.due(now, hash, key, out),
                None => return true,
            }
        }
        false
    }

    fn table(&mut self) -> &mut dyn AnyTable {
        &mut self.table
    }

    fn restored(&mut self) -> Result<(), String> {
        let lateness = self.lateness;
        super::restore_timers(
            &mut self.table,
            &mut self.timers,
            |kept| deadline(kept, i64::MIN, lateness),
            |kept| &mut kept.timer,
        );
        Ok(())
    }
}
