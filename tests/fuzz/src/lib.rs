//! Fuzz targets for the exporter's readers: of what AWS sends, of what clients send, and
//! of the files that people and the exporter itself write.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz -s none TARGET`, with a stable compiler;
//! `-s none` because nothing here is unsafe, so that a sanitizer would find nothing
//! and needs a nightly one; `-- -dict=tests/fuzz/reply.dict` helps with replies, and
//! the other dictionaries with what they are called after.
//! What is found lands in `corpus/`: keep little of it there. What must hold stands
//! in [`promises`] and [`outside`], and the ordinary tests hold it against everything in
//! `corpus/` without libFuzzer. The first build takes minutes, because the library brings
//! the AWS SDK with it.

pub use aws_mfa_exporter as exporter;

pub mod outside;
pub mod promises;
