//! What is known and what follows from it: values and functions, and nothing that
//! touches the world.
//!
//! Nothing in this folder reads a clock, sends a request or waits. The time is an
//! argument, AWS's answers are arguments, and `tests/it/house.rs` checks the whole
//! folder for it. This is why every edge of a verdict can be tested.

pub mod account;
pub mod exemption;
pub mod facts;
pub mod hash;
pub mod judge;
pub mod labels;
pub mod organization;
pub mod shard;
pub mod snapshot;
pub mod time;
