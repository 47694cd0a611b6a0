//! The async runtime.

use std::{error::Error, io, thread};
use tokio::runtime::Runtime;

/// The descriptors that the runtime opens, and some that the service needs before its first request.
#[cfg(unix)]
const MIN_DESCRIPTORS: usize = 32;

/// Starts the runtime.
///
/// # Errors
///
/// If the system gives the process no threads or descriptors, which tokio panics about.
pub(crate) fn start() -> Result<Runtime, Box<dyn Error>> {
    check_descriptors().map_err(|error| {
        format!("cannot open files: {error}; raise the limit on open files, such as LimitNOFILE of systemd")
    })?;
    check_threads().map_err(|error| {
        format!("cannot start a thread: {error}; raise the limits on tasks and memory, such as TasksMax of systemd")
    })?;
    Runtime::new().map_err(|error| format!("cannot start the async runtime: {error}").into())
}

fn check_threads() -> io::Result<()> {
    let thread = thread::Builder::new().spawn(|| {})?;
    // It cannot panic.
    thread.join().ok();
    Ok(())
}

#[cfg(unix)]
fn check_descriptors() -> io::Result<()> {
    use std::os::fd::AsFd;
    let stderr = io::stderr();
    // All at once, and then dropped.
    let duplicates: io::Result<Vec<_>> = (0..MIN_DESCRIPTORS)
        .map(|_| stderr.as_fd().try_clone_to_owned())
        .collect();
    duplicates.map(drop)
}

#[cfg(not(unix))]
fn check_descriptors() -> io::Result<()> {
    Ok(())
}
