//! [`Trouble`]: why PostgreSQL did not do something, by what is to be done about it.

use std::fmt;

use tokio_postgres::error::SqlState;

/// Why PostgreSQL did not do something.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It is out, or busy, or was not reached in time. What was sent may have been done. Wait, and
    /// try again.
    Out(String),
    /// It has read the statement and refuses it, or the one who sent it.
    Refused(Refusal),
}

/// What PostgreSQL says when it refuses.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// The SQLSTATE: `23505`.
    pub(crate) code: String,
    pub(crate) text: String,
}

impl Refusal {
    /// It is about the values of a row. Others are about tables and rights.
    pub(crate) fn is_of_a_row(&self) -> bool {
        // Data exceptions, constraints, check options of views, exceptions raised by triggers.
        ["22", "23", "44", "P0"]
            .iter()
            .any(|class| self.code.starts_with(class))
    }

    pub(crate) fn is(&self, state: &SqlState) -> bool {
        self.code == state.code()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Out(why) => f.write_str(why),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl Trouble {
    /// What we refuse ourselves.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self::Refused(Refusal {
            code: String::new(),
            text: text.into(),
        })
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            let explained = incumbent_tls::explain(&error).map(|why| why.advice);
            return match explained {
                Some(advice) => Self::refused(format!(
                    "TLS: {advice} (ca names a CA of your own; sslmode=disable is without TLS)"
                )),
                None if is_final(&error) => Self::refused(chain(&error)),
                None => Self::Out(chain(&error)),
            };
        };
        let code = said.code().code();
        let mut text = format!("{} (SQLSTATE {code})", said.message());
        for more in [said.detail(), said.hint()].into_iter().flatten() {
            text = format!("{text}; {more}");
        }
        if let Some(advice) = advice(said.code()) {
            text = format!("{text}; {advice}");
        }
        match is_out(said.code()) {
            true => Self::Out(text),
            false => Self::Refused(Refusal {
                code: code.to_owned(),
                text,
            }),
        }
    }
}

/// Whether the same may succeed later, without anybody's doing or by that of an administrator.
fn is_out(state: &SqlState) -> bool {
    // Connection, rollback for a conflict, resources, intervention (a restart), system.
    let classes = ["08", "40", "53", "57", "58", "XX"];
    let states = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::OBJECT_IN_USE,
        // The server was a primary, or is to become one.
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    classes.iter().any(|class| state.code().starts_with(class)) || states.contains(state)
}

/// What a person does about it, if PostgreSQL does not say that.
fn advice(state: &SqlState) -> Option<&'static str> {
    Some(match *state {
        SqlState::LOCK_NOT_AVAILABLE => {
            "another session holds a lock: SELECT pid, state, query FROM pg_stat_activity WHERE \
             pid IN (SELECT unnest(pg_blocking_pids(pid)) FROM pg_stat_activity) shows it, and \
             SELECT pg_terminate_backend(pid) ends it"
        }
        SqlState::QUERY_CANCELED => {
            "if it always takes so long, give the sink a longer statement_timeout"
        }
        _ => return None,
    })
}

/// Whether an error that PostgreSQL did not report is one that waiting does not mend.
fn is_final(error: &tokio_postgres::Error) -> bool {
    let text = chain(error);
    text.starts_with("invalid con") || text.contains("does not support TLS")
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
