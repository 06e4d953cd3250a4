//! The rule against an evaluator of IAM policies that others wrote: random users, groups,
//! policies and boundaries, and whether each call is denied.
