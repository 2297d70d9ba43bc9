//! JobManager and TaskManager.
