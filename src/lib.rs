//! aws-mfa-exporter: tells within a minute or two when an AWS root user is not
//! protected by multi-factor authentication.
//!
//! One AWS reply becomes a sample on this way: [`aws`] sends the request and reads
//! the reply; a collector in [`collect`] makes evidence of it; [`model`] folds the
//! evidence into the snapshot and judges it; [`metrics`] renders the snapshot into
//! families; [`exposition`] encodes them; [`http`] serves the bytes. Each imports
//! only what comes before it. [`daemon`] starts all of them and is imported by
//! [`command`] alone.

pub mod aws;
pub mod build_info;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod command;
pub mod config;
pub mod daemon;
pub mod events;
pub mod exposition;
pub mod http;
pub mod log;
pub mod metrics;
pub mod model;
pub mod overview;
pub mod rate_limit;
pub mod rules;
pub mod schedule;
pub mod state_file;
