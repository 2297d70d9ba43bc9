//! What Flink's bodies are made of, and that they are Flink's.

mod applications;
mod described;
mod fields;
mod sample;
mod states;
mod triggers;
