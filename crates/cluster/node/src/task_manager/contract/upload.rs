//! `PUT /v1/checkpoints/{n}/{file}`: from the task to the blobs, as it comes.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use incumbent_backend::causes;
use incumbent_cluster_blobs::{Error, MAX_CHECKPOINT_FILE};
use incumbent_cluster_core::checkpoint::{
    CheckpointId, PartKind, PartPlace, StoredFile, is_file_name,
};
use tokio::sync::OwnedSemaphorePermit;

use super::TaskContract;
use super::parts::{Asked, Which};
use super::problems;
use super::types::FileView;
use crate::api::{Problem, of_upload, steady};

pub(super) async fn put_file(
    State(contract): State<Arc<TaskContract>>,
    Path((number, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<FileView>), Problem> {
    let which = contract.which(&number)?;
    if !is_file_name(&name) {
        return Err(problems::bad_name(&name));
    }
    // Said before anything is sent, it costs nobody the sending.
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_CHECKPOINT_FILE) {
        return Err(too_large());
    }
    let mut uploading = Uploading::begin(&contract, which, name)?;
    let stored = tokio::select! {
        stored = uploading.store(body) => stored?,
        // What comes of a checkpoint that nobody wants is not waited for.
        refused = contract.no_longer_wanted(which) => return Err(refused),
    };
    let view = FileView::from(&stored);
    uploading.end(stored)?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// A file that is being stored. Dropping it gives it up.
struct Uploading<'a> {
    contract: &'a TaskContract,
    which: Which,
    name: String,
    asked: Option<Asked>,
    has_ended: bool,
}

impl<'a> Uploading<'a> {
    fn begin(contract: &'a TaskContract, which: Which, name: String) -> Result<Self, Problem> {
        let begun = contract.parts().begin(which, &name);
        let asked = begun.map_err(|refusal| problems::refused(&refusal))?;
        Ok(Self {
            contract,
            which,
            name,
            asked,
            has_ended: false,
        })
    }

    async fn store(&self, body: Body) -> Result<StoredFile, Problem> {
        let _permits = self.contract.transfer().await;
        let contracts = &self.contract.contracts;
        let stored = contracts
            .blobs
            .put_checkpoint_file(self.place(), &self.name, steady(body))
            .await;
        match stored {
            Ok(stored) => Ok(stored),
            Err(error) if error.is_outage() => {
                contracts.blob_health.failed(&causes(&error));
                Err(problems::of_outage(&error))
            }
            Err(Error::TooLarge { .. }) => Err(too_large()),
            Err(error) => Err(of_upload(&error)),
        }
    }

    fn end(&mut self, stored: StoredFile) -> Result<(), Problem> {
        self.has_ended = true;
        let kept = self.contract.parts().stored(self.which, stored);
        kept.map_err(|refusal| problems::refused(&refusal))
    }

    fn place(&self) -> PartPlace {
        let (number, savepoint) = match self.asked {
            Some(asked) => (asked.number, asked.savepoint),
            None => (0, None),
        };
        PartPlace {
            checkpoint: CheckpointId {
                savepoint,
                ..self.contract.checkpoint(number)
            },
            rank: self.contract.task.rank,
            kind: match self.which {
                Which::Number(_) => PartKind::Numbered,
                Which::Last => PartKind::Last,
            },
        }
    }
}

impl Drop for Uploading<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.contract.parts().given_up(self.which, &self.name);
        }
    }
}

impl TaskContract {
    /// Waits for its turn to store or read a file.
    pub(super) async fn transfer(&self) -> (OwnedSemaphorePermit, OwnedSemaphorePermit) {
        let own = Arc::clone(&self.transfers).acquire_owned();
        let own = own.await.expect("nobody closes it");
        let all = Arc::clone(&self.contracts.transfers).acquire_owned();
        (own, all.await.expect("nobody closes it"))
    }

    /// Waits until nobody wants files of this part, and returns why.
    async fn no_longer_wanted(&self, which: Which) -> Problem {
        let mut standing = self.standing.subscribe();
        loop {
            if let Err(refusal) = self.parts().check(which) {
                return problems::refused(&refusal);
            }
            if standing.changed().await.is_err() {
                return problems::ending();
            }
        }
    }
}

fn too_large() -> Problem {
    let advice = "Nothing was kept. Store it as several files.";
    Problem::too_large("The file", MAX_CHECKPOINT_FILE, advice)
}
