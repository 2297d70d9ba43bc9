//! Who is a node: the record `cluster`, which holds the id of the cluster and the secret of its
//! nodes.
//!
//! Every process that can read the store can be a node, and no other: one that can write records
//! could do any harm anyway. The first node creates the record without leading.

use std::fmt;
use std::time::Duration;

use incumbent::{Creation, Error, Group, RecordName};
use incumbent_cluster_core::cluster_record;
use serde::{Deserialize, Serialize};

use crate::NodeError;

/// The only format of the record.
const FORMAT: u32 = 1;

/// Pause before a store that did not answer is asked again. It is what a start waits for, so it is
/// short; one node asks once a second at most.
const PAUSE: Duration = Duration::from_secs(1);

/// What is said if only a tombstone is left, over which nobody creates anything.
const DELETED: &str = "the record `cluster` was deleted, and with it the id of the cluster; name \
                       another group, or write it back from a backup with `incumbent records put`";

/// Which cluster this is, and what its nodes prove themselves with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// 32 hexadecimal digits, drawn when the cluster was made. Blobs carry it.
    pub id: String,
    /// What the nodes share.
    pub secret: NodeSecret,
}

/// What the nodes of a cluster share. It is never sent, shown or logged.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeSecret([u8; 32]);

/// The body of the record.
#[derive(Serialize, Deserialize)]
struct ClusterRecord {
    format: u32,
    id: String,
    secret: String,
}

impl NodeSecret {
    /// The secret of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Without the secret.
impl fmt::Debug for NodeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeSecret(…)")
    }
}

/// Reads the record `cluster`, and creates it if there is none. Waits for a store that does not
/// answer, and logs that it does.
///
/// # Errors
///
/// [`NodeError::Cluster`]: something else has that name. [`NodeError::Options`]: the record was
/// deleted by hand.
///
/// # Cancel safety
///
/// Safe: the record may be created all the same, and is read the next time.
pub(crate) async fn identity(group: &Group) -> Result<ClusterIdentity, NodeError> {
    let name = cluster_record().expect("it is a name");
    let mut is_told = false;
    loop {
        let error = match try_once(group, &name).await {
            Ok(Some(identity)) => return Ok(identity),
            Ok(None) => return Err(NodeError::Options(DELETED.to_owned())),
            Err(error) => error,
        };
        match error {
            Error::Damaged { .. } | Error::WrongType { .. } => {
                return Err(NodeError::Cluster(error));
            }
            error => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(
                        why = incumbent_backend::causes(&error),
                        "cannot read the record `cluster`, without which this node cannot prove \
                         to others that it is one; trying again every second"
                    );
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// `None` if the record was deleted.
async fn try_once(group: &Group, name: &RecordName) -> Result<Option<ClusterIdentity>, Error> {
    if let Some(found) = group.read::<ClusterRecord>(name).await? {
        return understood(name, found.data).map(Some);
    }
    let drawn = ClusterRecord {
        format: FORMAT,
        id: format!("{:032x}", rand::random::<u128>()),
        secret: hex(&rand::random::<[u8; 32]>()),
    };
    match group.create(name, &drawn).await? {
        Creation::Created(_) => {
            tracing::info!(cluster = drawn.id, "made a new cluster");
            understood(name, drawn).map(Some)
        }
        Creation::Exists(found) => understood(name, found.data).map(Some),
        Creation::Deleted(_) => Ok(None),
    }
}

fn understood(name: &RecordName, record: ClusterRecord) -> Result<ClusterIdentity, Error> {
    let wrong = |why: &str| Error::WrongType {
        record: name.clone(),
        cause: why.into(),
    };
    if record.format != FORMAT {
        return Err(wrong("its format is of another version of this program"));
    }
    // Without the text: it is the secret.
    let secret = unhex(&record.secret).ok_or_else(|| wrong("its secret is not 64 digits"))?;
    Ok(ClusterIdentity {
        id: record.id,
        secret: NodeSecret(secret),
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of exactly so many digits.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
