//! HTTP requests as a sink of streams.
