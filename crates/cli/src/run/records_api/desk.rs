//! What the records API serves: [`Desk`]. The term of the command, which may be over or not begun,
//! and its role.

use std::sync::Arc;

use incumbent::{Epoch, Group, Leader, View};
use tokio::sync::{mpsc, watch};

use super::office::Office;
use super::problem::Problem;
use super::role::{Acknowledgement, Board, Told};

/// Where a command finds the term that it leads, if it does.
pub(crate) struct Desk {
    pub(super) group: Group,
    pub(crate) board: Board,
    office: watch::Sender<Option<Arc<Office>>>,
    /// Whether the same command may lead several terms.
    pub(super) outlives_terms: bool,
}

impl Desk {
    /// For a command that runs in one term only.
    pub(crate) fn of_term(office: &Arc<Office>, told: Told) -> Arc<Self> {
        // Nobody waits for an acknowledgement: it is ended instead.
        let (board, _) = Board::new(told);
        Arc::new(Self {
            group: office.group.clone(),
            board,
            office: watch::Sender::new(Some(Arc::clone(office))),
            outlives_terms: false,
        })
    }

    /// For a command that stands by at first.
    pub(crate) fn warm(group: Group) -> (Arc<Self>, mpsc::Receiver<Acknowledgement>) {
        let (board, acknowledged) = Board::new(Told::standby(1));
        let desk = Arc::new(Self {
            group,
            board,
            office: watch::Sender::new(None),
            outlives_terms: true,
        });
        (desk, acknowledged)
    }

    /// A term begins, or is over.
    pub(crate) fn seat(&self, office: Option<Arc<Office>>) {
        self.office.send_replace(office);
    }

    /// Who leads, as this node sees it.
    pub(crate) fn leader(&self) -> Option<Leader> {
        match self.group.observe().view() {
            View::Active(leader) => Some(leader),
            View::Activating(_) | View::None => None,
        }
    }

    /// The name of this node.
    pub(crate) fn holder(&self) -> String {
        self.group.holder().to_string()
    }

    /// The term that is led.
    pub(super) fn office(&self) -> Result<Arc<Office>, Problem> {
        self.office
            .borrow()
            .clone()
            .ok_or_else(Problem::not_leading)
    }

    /// The same, for a request that may say for which term it is. What a command has sent in an
    /// earlier term must not be done in a later one.
    pub(super) fn office_of(&self, epoch: Option<Epoch>) -> Result<Arc<Office>, Problem> {
        let office = self.office()?;
        match epoch {
            Some(epoch) if epoch < office.seal.epoch => Err(Problem::over(epoch)),
            Some(epoch) if epoch > office.seal.epoch => {
                Err(Problem::not_begun(epoch, office.seal.epoch))
            }
            _ => Ok(office),
        }
    }
}
