//! The launcher as a program of its own, for tests and measurements.
//!
//! What is shipped is `wharf __sandbox`, which calls the same function.

use std::process::ExitCode;

fn main() -> ExitCode {
    wharf_sandbox::launcher::main()
}
