//! What a job starts from, as people say it: resolved to ids, which never mean something else
//! later.

use hyper::StatusCode;
use incumbent_cluster_core::checkpoint::RestoreFrom;
use incumbent_cluster_core::view::{JobView, SavepointView};
use incumbent_cluster_core::{BadId, JobId, SavepointId};

use super::find::{find, look};
use crate::cluster::client::{Ask, Client, ClientError};
use crate::cluster::savepoint::{by_prefix, is_prefix};
use crate::exit::{Code, Failure};

/// What may be said, for messages.
const FORMS: &str = "name a job (JOB), one of its checkpoints (JOB@N), or a savepoint by its id (`incumbent savepoint ls`)";

/// Refuses what is a place, before anything is sent.
///
/// # Errors
///
/// It is a URL, a path, or nothing.
pub(super) fn check(text: &str) -> Result<(), Failure> {
    let is_place = text.contains('/') || text.contains('\\') || text.starts_with(['.', '~']);
    if is_place || text.contains(':') {
        return Err(usage(&format!(
            "cannot start from {text:?}: a job starts only from a job or a savepoint of its own cluster, never from \
             files at a URL or a path, as nobody here knows whether these are whole, or whose they are; {FORMS}"
        )));
    }
    if text.is_empty() {
        return Err(usage(&format!("there is nothing after --restore; {FORMS}")));
    }
    if let Some((job, number)) = text.rsplit_once('@')
        && (job.is_empty() || number.parse::<u64>().is_err())
    {
        return Err(usage(&format!(
            "{text:?} names no checkpoint: behind @ comes its number, as in count@41"
        )));
    }
    Ok(())
}

/// The ids of what was named.
///
/// # Errors
///
/// There is no such thing, or the name means two things.
pub(super) async fn resolve(client: &Client, text: &str) -> Result<RestoreFrom, Failure> {
    if let Some((job, number)) = text.rsplit_once('@') {
        let checkpoint = number.parse().ok();
        let view = find(client, job).await?;
        return of_job(&view, checkpoint);
    }
    if let Ok(id) = text.parse::<SavepointId>() {
        // Jobs have ids of the same form.
        return match savepoint(client, id).await? {
            Some(savepoint) => Ok(RestoreFrom::Savepoint { savepoint }),
            None => of_job(
                &job(client, text).await?.ok_or_else(|| nothing(text))?,
                None,
            ),
        };
    }
    let named = job(client, text).await?;
    let prefixed = match is_prefix(text) {
        true => by_prefix(client, text).await?,
        false => None,
    };
    match (named, prefixed) {
        (Some(job), None) => of_job(&job, None),
        (None, Some(savepoint)) => Ok(RestoreFrom::Savepoint {
            savepoint: parsed(&savepoint.id)?,
        }),
        (Some(job), Some(savepoint)) => Err(usage(&format!(
            "{text} is a job ({}), and the beginning of a savepoint ({}); name one of the two by its id",
            job.id, savepoint.id
        ))),
        (None, None) => Err(nothing(text)),
    }
}

fn of_job(view: &JobView, checkpoint: Option<u64>) -> Result<RestoreFrom, Failure> {
    let job: JobId = parsed(&view.id)?;
    Ok(RestoreFrom::Job { job, checkpoint })
}

async fn job(client: &Client, name: &str) -> Result<Option<JobView>, Failure> {
    known(look(client, name).await)
}

async fn savepoint(client: &Client, id: SavepointId) -> Result<Option<SavepointId>, Failure> {
    let ask = Ask::get(format!("/v1/savepoints/{id}"));
    let found: Option<SavepointView> = known(client.json(&ask).await)?;
    Ok(found.map(|_| id))
}

/// Nothing, if there is no such thing.
fn known<T>(found: Result<T, ClientError>) -> Result<Option<T>, Failure> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(ClientError::Problem(problem)) if problem.status == StatusCode::NOT_FOUND => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn parsed<T: std::str::FromStr<Err = BadId>>(id: &str) -> Result<T, Failure> {
    id.parse()
        .map_err(|error| Failure::new("the answer is not that of a cluster").because(error))
}

fn nothing(text: &str) -> Failure {
    let why = format!("there is no job and no savepoint {text:?} to start from; {FORMS}");
    Failure::new(why).code(Code::NotFound)
}

fn usage(why: &str) -> Failure {
    Failure::new(why).code(Code::Usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_refused_in_words() {
        for place in [
            "s3://bucket/savepoint",
            "file:///mnt/blobs/savepoints/1",
            "/mnt/savepoint",
            "./savepoint",
            "savepoints/1",
            "..",
            "C:\\savepoint",
        ] {
            let refused = check(place).unwrap_err();
            assert!(refused.message().contains("never from"), "{place}");
        }
        for bad in ["", "count@", "count@last", "@7"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        for good in ["count", "count@41", "0123abcd", &"a".repeat(32)] {
            assert!(check(good).is_ok(), "{good}");
        }
    }
}
