//! The integration tests, as one binary: the real exporter over real sockets
//! against the simulated AWS, and against programs that other people wrote.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

/// Every root row of the facts, and every fault, through the real binary.
mod aws;
/// What tests share: the exporter as a child process, a scraper, a strict parser.
mod support;
/// The server's manners: methods, limits, drains, staleness.
mod server;
/// The verdict tables, row by row, and the two layers of properties.
mod judge;
mod properties;
/// Real Prometheus, promtool and an independent OpenMetrics parser.
mod peers;
/// The rules of the house, read off the source.
mod house;
