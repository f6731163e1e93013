//! The `analyzer` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    analyzer::cli::run()
}
