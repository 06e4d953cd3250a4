//! The collector against an account that changes while it is read.
