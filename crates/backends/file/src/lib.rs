//! Incumbent records in a directory that many processes of one machine share.
//!
//! There is no server and no lock. A process may be killed or stopped between any two calls of the
//! operating system, for hours too, and the others go on; when it goes on itself, it finds out that
//! it came too late. That is why there is no lock: a process that is stopped while it holds a lock
//! stops all others.
//!
//! ```text
//! <dir>/incumbent-store.json                    says that this is a store, its format, and what its commits survive
//! <dir>/<group>/@tmp/                           drafts: files that are whole and not yet in their place
//! <dir>/<group>/<key>/g70211/4493441 … 4493504  generation 70211: each version a file, which never changes
//! <dir>/<group>/<key>/g70211/4493505            the forward: it is closed, the next one is prep-70211-5f0c…
//! <dir>/<group>/<key>/prep-70211-5f0c…/4493505  the next one, before it is renamed to g70212
//! ```
//!
//! # How it works
//!
//! - **A swap** from version `n` writes a draft, has it on the disk, and links it to the name
//!   `n + 1`. The link fails if that name is taken: a conflict. It is the one moment at which the
//!   swap happens.
//! - **A read** looks for `n + 1`; if it is not there, `n` is the newest.
//! - **Old versions must go**, but a name that is free again would let somebody who was stopped
//!   write an old number. So versions lie in generations of 64. The swap that comes to the end of
//!   one prepares the next one with its body in it, and links a forward as the name `n + 1`. A
//!   process that meets the forward renames what was prepared, which can happen only once, and then
//!   renames the old generation away as a whole. A process that was paused finds its directory
//!   missing.
//! - **A create** prepares a whole tree and renames it to the name of the key, which fails if there
//!   is one. It begins at a random generation: if the key was removed by hand, no version of the
//!   old one matches the new one.
//! - **A watch** hears the removal of drafts, whose names say what they became.
//! - **Each file ends in a line** with its length and checksum, and each read compares them. `cat`
//!   shows the body.
//!
//! # What holds where
//!
//! - **Local file systems** (ext4, XFS, Btrfs, tmpfs, also below overlayfs): everything above.
//! - **No hard links** (FAT, some FUSE and SMB), or names that do not differ in case: refused when
//!   it is opened.
//! - **NFS**: link and rename are atomic on the server, so swaps conflict as they should. But
//!   clients cache attributes and names, so reads may be old without `noac,lookupcache=none`, and
//!   no watch hears other hosts. Not supported for several hosts.
//! - **Kubernetes volumes**: one pod with a persistent volume is what this is for. `ReadWriteOnce`
//!   is per *node*: two pods of one node share it, which is fine. `ReadWriteOncePod` is per pod.
//! - **Power loss**: with `sync=full`, what was acknowledged or read is on the disk; with
//!   `sync=none` only the death of processes is survived, and a loss of power may leave files that
//!   a person has to remove, see [`FileBackend::open`]. It is the store that has one or the other,
//!   for all who use it.
//! - **Removal by hand** of a key's directory: the key is absent, and may be created again. Rename
//!   it out of the group first: `rm -r` takes the names one by one, and a write in between may take
//!   a name that has become free.
//! - **Room**: up to 64 bodies are kept per key, and a key never goes away by itself: a group
//!   grows, and its lists with it, by every name that was ever used.
//!
//! ```
//! use incumbent_backend::{Backend, Expected, Key, Swapped};
//! use incumbent_backend_file::FileBackend;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path().display();
//! let store = FileBackend::open(&format!("file://{dir}").parse()?)?;
//! let key = Key::root("demo".parse()?);
//! let Swapped::Committed(first) = store.swap(&key, Expected::Absent, b"{}").await? else { panic!("it was empty") };
//! let other = FileBackend::open(&format!("file://{dir}").parse()?)?;
//! assert_eq!(other.read(&key).await?.map(|found| found.version), Some(first));
//! # Ok(()) }
//! ```
//!
//! Start reading in `write.rs`, then `versions.rs` and `generation.rs`. Why it is so:
//! `docs/design/0002-file-backend.md`.

mod backend;
mod codec;
mod disk;
mod error;
mod generation;
mod group;
mod hook;
mod names;
mod seen;
mod store;
mod versions;
mod watch;
mod write;

#[cfg(test)]
mod tests;

pub use backend::FileBackend;
pub use error::FileError;
