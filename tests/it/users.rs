//! Collector `users`, from its promises down to the wire.

/// The real binary against the simulated AWS, row by row.
mod binary;
/// What it costs.
mod budgets;
/// Counts, where not everything is known of everybody.
mod counts;
/// The core on the model's clock.
mod daemon;
/// What happens to users, and how soon it shows.
mod histories;
/// What a verdict on all users at once must not be put together from.
mod instants;
/// Killed and started again, while accounts change.
mod killed;
/// What must not be believed.
mod mistrust;
/// An account that changes while it is read.
mod model;
/// A second opinion: moto, asked by boto3.
mod opinion;
/// The way of events, broken in every way.
mod paths;
/// The promise, ten thousand times.
mod properties;
