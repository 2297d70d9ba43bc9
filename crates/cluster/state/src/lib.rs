//! The format of a job's keyed state in checkpoints.
//!
//! A stream job writes its state in files of this format, and any node reads them: to restore a job
//! with another number of tasks, and to answer a query while nothing runs. So the format knows
//! nothing of the engine, and nothing here opens a file: what is read is asked for by its range.
//!
//! `FORMAT.md` beside this crate says what the bytes mean, for other languages.
//!
//! # One key, out of a file of a checkpoint
//!
//! ```
//! use incumbent_state::{Block, Index, KeyGroup, Opening, StateWriter, hash_key, key_bytes, to_json};
//! # let hash = hash_key("alice");
//! # let mut bytes = b"\xa5alice\x07".to_vec();
//! # let block = Block {
//! #     state: "visits".into(), group: KeyGroup::of(hash), first: hash, last: hash, entries: 1, bytes,
//! # };
//! # let mut writer = StateWriter::new(Vec::new())?;
//! # writer.push(&block)?;
//! # let (file, _) = writer.finish()?;
//! # let read = |range: std::ops::Range<u64>| &file[range.start as usize..range.end as usize];
//! # let length = file.len() as u64;
//! // `read` stands for a ranged GET.
//! let mut range = Index::first_range(length);
//! let index = loop {
//!     match Index::open(length, range.clone(), read(range))? {
//!         Opening::Index(index) => break index,
//!         Opening::Needs(more) => range = more,
//!     }
//! };
//! let state = index.state("visits").expect("it is there");
//! let key = &key_bytes(&serde_json::json!("alice"), &state.example)[0];
//! for at in state.blocks_of(incumbent_state::hash_key_bytes(key)) {
//!     let block = at.decode(read(at.range()))?;
//!     if let Some(value) = block.find(key)? {
//!         assert_eq!(to_json(value)?, serde_json::json!(7));
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Start reading in `block.rs`, then `file/`.

mod block;
mod error;
mod file;
mod group;
mod json;
mod key;
mod meta;
pub mod msgpack;
mod order;
mod scan;

pub use block::{Block, Pairs};
pub use error::{Damaged, Error};
pub use file::{
    BlockAt, BlockReader, Contents, Index, IndexedState, MOST_BLOCK, Opening, Splitter,
    StateWriter, VERSION,
};
pub use group::{GROUPS, KeyGroup, hash_json_key, hash_key, hash_key_bytes};
pub use json::{MOST_DEPTH, to_json};
pub use key::key_bytes;
pub use meta::{META_FILE, RankMeta, StateFile, StateMeta};
pub use order::compare_json;
pub use scan::{RangeScan, Scanned};
