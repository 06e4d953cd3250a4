//! The integration tests, as one binary: the real exporter over real sockets
//! against the simulated AWS, and against programs that other people wrote.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

/// The cases of the rules, in each promtool.
mod alerts;
/// Every case about root users, and every fault, through the real binary.
mod aws;
/// The cases of tests/cases.md, and that each has its tests.
mod cases;
mod cognito;
/// The commands beside serving.
mod commands;
/// How AWS reaches the people of an account.
mod contacts;
/// Credentials, environments and mistakes as people really have them.
mod credentials;
/// The expressions of the dashboards.
mod dashboards;
/// What is packed, and the demo stack.
mod deploy;
/// Events that have an account read before its time.
mod events;
/// Which accounts filters name.
mod filters;
/// Many accounts: an organization, roles, a file, shards.
mod fleet;
/// What fuzzing has found, and what it has kept.
mod fuzz;
/// The web server alone, and certificates: what the tests of the web share.
mod harness;
/// The rules of the house, read off the source.
mod house;
/// The web server alone, over real sockets: its limits, and who has to leave.
mod http;
/// The verdict tables, row by row, and the two layers of properties.
mod judge;
/// moto, strict: roles, sessions and policies.
mod moto;
/// What rules and dashboards may name, and that they name nothing else.
mod names;
/// From root's lost MFA to the webhook that pages, through Prometheus and Alertmanager.
mod pages;
/// Real Prometheus, promtool and an independent OpenMetrics parser.
mod peers;
/// What must be allowed, in the templates and in AWS.
mod permissions;
/// What the Helm chart starts, started.
mod pods;
/// What policies enforce without MFA.
mod policies;
/// Names and secrets: where they are written, and where not.
mod privacy;
/// What expressions of Prometheus name, read without evaluating them.
mod promql;
mod properties;
/// Snapshots rendered out of the one before.
mod renderings;
/// Replies that AWS does not send.
mod replies;
/// Credential reports that cannot be.
mod reports;
/// Centralized root access of an organization.
mod root_access;
/// Root's devices and their changes: swaps, users, replicas that lag.
mod root_devices;
mod rootaudit;
/// The rules, their cases and their runbooks.
mod rules;
/// What the AWS SDK must not do behind our back.
mod sdk;
/// The server's manners in the real binary: methods, signals, staleness.
mod server;
/// What a service manager and a container's engine see.
mod service;
/// The state file on a disk that is shared, full, or pulled away.
mod state_file;
/// What tests share: the exporter as a child process, a scraper, a strict parser.
mod support;
/// Checks by cron, through node_exporter's textfile collector and Prometheus.
mod textfile;
/// TLS and passwords, the server alone.
mod tls;
/// What the SDK does not decode is read as the SDK would read it.
mod undecoded;
/// Users: histories, properties and budgets on a clock of their own, and every case
/// with the real binary.
mod users;
/// TLS, client certificates and passwords.
mod web;
