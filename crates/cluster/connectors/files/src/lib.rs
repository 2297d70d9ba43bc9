//! Files as sources and sinks of streams.
