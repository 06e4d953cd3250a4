//! Fuzz targets for the exporter's readers: of what AWS sends, of what clients send, and
//! of the files that people and the exporter itself write.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz -s none TARGET`, with a stable compiler;
//! `-s none` because nothing here is unsafe, so that a sanitizer would find nothing
//! and needs a nightly one; `-- -dict=tests/fuzz/reply.dict` helps with replies, and
//! the other dictionaries with what they are called after.
//! What is found lands in `corpus/`: keep little of it there. What must hold stands
//! in [`promises`] and [`outside`], and the ordinary tests hold it against everything in
//! `corpus/` without libFuzzer.
//!
//! Only the modules that read are compiled here, in a minute: the AWS SDK, which takes
//! many times that, is not what is fuzzed.

use crate as exporter;

/// The modules of the exporter that read, from where they are.
#[path = "../../../src"]
mod modules {
    pub mod config;
    pub mod exposition;
    pub mod model;
    pub mod state_file;

    pub mod aws {
        //! The readers of raw replies.
        pub mod reply;
        pub mod wire;
    }
    pub mod metrics {
        //! How a sample is written.
        pub mod lines;
    }
    pub mod collect {
        //! What replies become.
        pub mod iam;
    }
    pub mod http {
        //! What is read of a request, and the web configuration.
        pub mod config;
        pub mod negotiate;
        pub mod guard {
            //! Who asks.
            pub mod credentials;
        }
    }
}
pub use modules::{aws, collect, config, exposition, http, model, state_file};

pub mod outside;
pub mod promises;
