//! The program: flags in, exit status out.

use std::process::ExitCode;

use aws_mfa_exporter::{cli::Flags, command};
use clap::Parser as _;

fn main() -> ExitCode {
    command::run(Flags::parse())
}
