//! The program: flags in, exit status out.

use std::process::ExitCode;

use aws_mfa_exporter::{cli::Flags, command};
use clap::Parser as _;

fn main() -> ExitCode {
    match Flags::try_parse() {
        Ok(flags) => command::run(flags),
        Err(error) => {
            // It may be the help, and a pipe that was closed.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(command::NOT_RUN) } else { ExitCode::SUCCESS }
        }
    }
}
