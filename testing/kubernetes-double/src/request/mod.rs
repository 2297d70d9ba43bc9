//! Requests taken apart, who may send them, and their answers.

pub(crate) mod access;
pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod discovery;
pub(crate) mod represent;
pub(crate) mod review;
pub(crate) mod status;
