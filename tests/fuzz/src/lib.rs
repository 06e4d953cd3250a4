//! Fuzz targets for the exporter's readers.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz -s none TARGET`, with a stable compiler;
//! `-s none` because nothing here is unsafe, so that a sanitizer would find nothing
//! and needs a nightly one; `-- -dict=tests/fuzz/reply.dict` helps with replies.
//! What is found lands in `corpus/`: keep little of it there. What must hold stands
//! in [`promises`], and the ordinary tests hold it against everything in `corpus/`
//! without libFuzzer.
//!
//! Only the modules that read are compiled here, in a minute: the AWS SDK, which takes
//! many times that, is not what is fuzzed.

use crate as exporter;

#[path = "../../../src/clock.rs"]
pub mod clock;

/// The pure readers: of the credential report and of serial numbers, and what they
/// make evidence of.
#[path = "../../../src/model"]
pub mod model {
    pub mod account;
    pub mod facts;
    pub mod time;
}

/// What replies become.
#[path = "../../../src/collect"]
pub mod collect {
    pub mod iam;
}

/// The readers of raw replies.
#[path = "../../../src/aws"]
pub mod aws {
    pub mod reply;
    pub mod wire;
}

pub mod promises;
