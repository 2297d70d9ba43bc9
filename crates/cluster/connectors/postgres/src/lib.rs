//! PostgreSQL as a sink of streams.
