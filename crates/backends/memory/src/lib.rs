//! Incumbent records inside one process: for tests, for embedding, and as the oracle with which
//! other backends are compared.
//!
//! [`MemoryBackend`] is the shortest implementation of the contract: a map behind a lock. So read
//! it first when you write another one. Nothing in it outlives the process.
//!
//! ```
//! use incumbent_backend::{Backend, Expected, Key, Swapped};
//! use incumbent_backend_memory::MemoryBackend;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryBackend::open(&"memory:".parse()?)?;
//! let key = Key::root("demo".parse()?);
//! let Swapped::Committed(first) = store.swap(&key, Expected::Absent, b"1").await? else { panic!("it was empty") };
//! let Swapped::Committed(_) = store.swap(&key, Expected::At(&first), b"2").await? else { panic!("nobody else writes") };
//! assert_eq!(store.swap(&key, Expected::At(&first), b"3").await?, Swapped::Conflict);
//! # Ok(()) }
//! ```

mod memory;

pub use memory::MemoryBackend;
