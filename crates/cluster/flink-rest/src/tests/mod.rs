//! What Flink's bodies are made of, and that they are Flink's.

mod fields;
mod sample;
mod states;
mod triggers;
