//! Leader election, leader discovery and records that only the present leader can change.
