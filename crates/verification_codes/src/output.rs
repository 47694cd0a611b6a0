//! The output on stdout.

use std::{
    fmt,
    io::{self, Write},
};

/// Prints a line about what the program does, or how to use it. If stdout is closed or full, the program works without it.
pub(crate) fn print_line(text: fmt::Arguments<'_>) {
    writeln!(io::stdout(), "{text}").ok();
}
