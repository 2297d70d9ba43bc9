//! How bytes lie in files. Pure: nothing here does I/O.

pub(crate) mod batch;
pub(crate) mod chunks;
pub(crate) mod header;
pub(crate) mod scan;
pub(crate) mod sector;
#[cfg(test)]
mod tests;
