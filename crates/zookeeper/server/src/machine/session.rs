//! Sessions, and when they end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use incumbent_zk_proto::PASSWORD_BYTES;

use super::ids::{ConnectionId, SessionId};

/// All sessions that have not ended.
#[derive(Default)]
pub(super) struct Sessions {
    all: BTreeMap<SessionId, Session>,
    /// When to look at each session next. If its client was heard in between, it is put back then;
    /// that is cheaper than moving it with every request.
    agenda: BTreeSet<(Duration, SessionId)>,
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) timeout: Duration,
    pub(super) password: [u8; PASSWORD_BYTES],
    /// The connection it has now.
    pub(super) connection: Option<ConnectionId>,
    /// When its client was last heard.
    heard: Duration,
    /// When it ends because its connection was closed, unless its client comes back.
    grace: Option<Duration>,
    /// Its place in the agenda.
    look: Duration,
}

impl Session {
    fn ends(&self) -> Duration {
        let silent = self.heard + self.timeout;
        self.grace.map_or(silent, |grace| grace.min(silent))
    }
}

impl Sessions {
    pub(super) fn open(
        &mut self,
        id: SessionId,
        timeout: Duration,
        password: [u8; PASSWORD_BYTES],
        now: Duration,
    ) {
        let session = Session {
            timeout,
            password,
            connection: None,
            heard: now,
            grace: None,
            look: now + timeout,
        };
        self.agenda.insert((session.look, id));
        self.all.insert(id, session);
    }

    pub(super) fn close(&mut self, id: SessionId) -> Option<Session> {
        let session = self.all.remove(&id)?;
        self.agenda.remove(&(session.look, id));
        Some(session)
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.all.get(&id)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (SessionId, &Session)> {
        self.all.iter().map(|(id, session)| (*id, session))
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Gives a session a connection. Returns the one it had.
    pub(super) fn attach(
        &mut self,
        id: SessionId,
        connection: ConnectionId,
        timeout: Duration,
        now: Duration,
    ) -> Option<ConnectionId> {
        let session = self.all.get_mut(&id)?;
        session.heard = now;
        session.grace = None;
        session.timeout = timeout;
        let before = session.connection.replace(connection);
        self.reschedule(id);
        before
    }

    /// Takes its connection from a session. With a grace, the session ends after that, unless its
    /// client comes back.
    pub(super) fn detach(
        &mut self,
        id: SessionId,
        connection: ConnectionId,
        grace: Option<Duration>,
        now: Duration,
    ) {
        let Some(session) = self.all.get_mut(&id) else {
            return;
        };
        // It may have a newer connection already.
        if session.connection == Some(connection) {
            session.connection = None;
            session.grace = grace.map(|grace| now + grace);
            self.reschedule(id);
        }
    }

    pub(super) fn touch(&mut self, id: SessionId, now: Duration) {
        if let Some(session) = self.all.get_mut(&id) {
            session.heard = now;
        }
    }

    /// Gives all sessions their whole time-out again, as after a restart of the server.
    pub(super) fn touch_all(&mut self, now: Duration) {
        for session in self.all.values_mut() {
            session.heard = now;
            session.grace = None;
        }
    }

    /// Lets all sessions end later by this much.
    pub(super) fn put_off(&mut self, by: Duration, now: Duration) {
        for session in self.all.values_mut() {
            session.heard = (session.heard + by).min(now);
            session.grace = session.grace.map(|grace| grace + by);
        }
    }

    fn reschedule(&mut self, id: SessionId) {
        let session = self.all.get_mut(&id).expect("it was just looked up");
        let ends = session.ends();
        // If it ends later, it is looked at in time, and put back.
        if ends < session.look {
            self.agenda.remove(&(session.look, id));
            session.look = ends;
            self.agenda.insert((ends, id));
        }
    }

    /// A session whose time is over, if there is one.
    pub(super) fn next_over(&mut self, now: Duration) -> Option<SessionId> {
        while let Some(&(look, id)) = self.agenda.first().filter(|(look, _)| *look <= now) {
            let session = self
                .all
                .get_mut(&id)
                .expect("the agenda has only sessions that live");
            let ends = session.ends();
            if ends <= now {
                return Some(id);
            }
            session.look = ends;
            self.agenda.remove(&(look, id));
            self.agenda.insert((ends, id));
        }
        None
    }

    /// When a session must be looked at next.
    pub(super) fn next_look(&self) -> Option<Duration> {
        self.agenda.first().map(|(look, _)| *look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SessionId = SessionId(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn one() -> Sessions {
        let mut sessions = Sessions::default();
        sessions.open(A, 4 * SECOND, [0; PASSWORD_BYTES], Duration::ZERO);
        sessions
    }

    #[test]
    fn a_silent_session_ends_after_its_timeout_and_not_before() {
        let mut sessions = one();
        sessions.touch(A, 3 * SECOND);
        assert_eq!(sessions.next_over(4 * SECOND), None);
        assert_eq!(sessions.next_look(), Some(7 * SECOND));
        assert_eq!(sessions.next_over(7 * SECOND), Some(A));
        sessions.close(A);
        assert_eq!(sessions.next_over(9 * SECOND), None);
        assert_eq!(sessions.next_look(), None);
    }

    #[test]
    fn a_closed_connection_ends_it_after_the_grace_unless_it_comes_back() {
        let (first, second) = (ConnectionId(1), ConnectionId(2));
        let mut sessions = one();
        sessions.attach(A, first, 4 * SECOND, SECOND);
        sessions.detach(A, first, Some(SECOND), 2 * SECOND);
        assert_eq!(sessions.next_over(2 * SECOND), None);
        assert_eq!(sessions.next_look(), Some(3 * SECOND));
        sessions.attach(A, second, 4 * SECOND, 2 * SECOND);
        // The end of the first connection is noticed late.
        sessions.detach(A, first, Some(SECOND), 2 * SECOND);
        assert_eq!(sessions.next_over(4 * SECOND), None);
        sessions.detach(A, second, Some(SECOND), 4 * SECOND);
        assert_eq!(sessions.next_over(5 * SECOND), Some(A));
    }

    #[test]
    fn without_grace_a_closed_connection_changes_nothing() {
        let mut sessions = one();
        sessions.attach(A, ConnectionId(1), 4 * SECOND, Duration::ZERO);
        sessions.detach(A, ConnectionId(1), None, SECOND);
        assert_eq!(sessions.next_over(3 * SECOND), None);
        assert_eq!(sessions.next_over(4 * SECOND), Some(A));
    }
}
