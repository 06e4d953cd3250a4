//! Amazon Cognito: the real binary against the simulated AWS and against moto, and the
//! collector against a world that changes.

mod binary;
mod peers;
mod properties;
