//! Incumbent records in a directory that many processes of one machine share.
//!
//! There is no server and no lock. A process may be killed or stopped between any two system calls,
//! even for hours, and the others go on. When it continues, it finds out that it came too late.
//! This is why there is no lock: a process that is stopped while it holds a lock stops all others.
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
//! - **A swap** from version `n` writes a draft, syncs it to the disk, and links it to the name
//!   `n + 1`. If that name is taken, the link fails: a conflict. The swap happens at the moment of
//!   the link.
//! - **A read** looks for `n + 1`. If it does not exist, `n` is the newest version.
//! - **Old versions must go**, but if a name became free again, a process that was stopped could
//!   write an old number. So versions lie in generations of 64. The swap that reaches the end of a
//!   generation prepares the next one with its body in it, and links a forward as the name `n + 1`.
//!   A process that meets the forward renames the prepared generation, which can happen only once,
//!   and then renames the old generation away as a whole. A process that was paused finds its
//!   directory missing.
//! - **A create** prepares a whole tree and renames it to the name of the key, which fails if the
//!   key exists. The tree begins at a random generation: if the key was removed by hand, no version
//!   of the old key matches the new one.
//! - **A watch** hears the removal of drafts. The name of a draft says which version it became.
//! - **Each file ends in a line** with its length and checksum, and each read compares them. `cat`
//!   shows the body.
//! # What holds where
//!
//! - **Local file systems** (ext4, XFS, Btrfs, tmpfs, also below overlayfs): everything above.
//! - **No hard links** (FAT, some FUSE and SMB), or names that do not differ in case: opening the
//!   store fails.
//! - **NFS**: link and rename are atomic on the server, so swaps conflict as they should. But
//!   clients cache attributes and names, so reads may be old without `noac,lookupcache=none`, and a
//!   watch does not hear other hosts. Not supported for several hosts.
//! - **Kubernetes volumes**: one pod with a persistent volume is the intended use. `ReadWriteOnce`
//!   is per *node*: two pods of one node share the volume, which is fine. `ReadWriteOncePod` is per
//!   pod.
//! - **Power loss**: with `sync=full`, everything that was acknowledged or read is on the disk.
//!   With `sync=none`, the store survives only the death of processes; a loss of power may leave
//!   files that a person has to remove, see [`FileBackend::open`]. The mode belongs to the store,
//!   and holds for all processes that use it.
//! - **Removal by hand** of a key's directory: the key is absent, and may be created again. Rename
//!   the directory out of the group first: `rm -r` removes the names one by one, and a write in
//!   between may take a name that has become free.
//! - **Room**: a key keeps up to 64 bodies and never goes away by itself. So a group, and the time
//!   to list it, grows with every name that was ever used.
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
//! Start reading in `write.rs`, then `versions.rs` and `generation.rs`.
//! `docs/design/0002-file-backend.md` gives the reasons for this design.

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
