//! The emulator as a program: one JSON line on stdout when it is ready, a log on stderr.

mod health;
mod options;

use acs_identity_emulator::Emulator;
use clap::Parser;
use options::{Command, Options};
use serde::Serialize;
use std::{
    error::Error,
    fs::File,
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};
#[cfg(unix)]
use tokio::signal::unix::{self, SignalKind};
#[cfg(windows)]
use tokio::signal::windows;
use tokio::{runtime::Runtime, select};
#[cfg(unix)]
use tracing::warn;
use tracing::{info, level_filters::LevelFilter};
use tracing_subscriber::EnvFilter;

/// The most open files that the emulator asks for. The system may allow fewer.
#[cfg(unix)]
const MAX_OPEN_FILES: u64 = 65_536;

/// The line that announces the emulator.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready<'a> {
    event: &'a str,
    endpoint: &'a str,
    https_endpoint: &'a str,
    connection_string: String,
    https_connection_string: String,
    control_endpoint: String,
}

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) if error.use_stderr() => return fail(error.to_string().lines().next().unwrap_or_default()),
        Err(help) => {
            return if help.print().is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
        }
    };
    if let Some(Command::Health { url }) = &options.command {
        return match health::check(url) {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => fail(&format!("error: {problem}")),
        };
    }
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::builder()
                .with_default_directive(LevelFilter::INFO.into())
                .from_env_lossy(),
        )
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // It would panic if stderr is closed, or its file is on a full disk.
        .log_internal_errors(false)
        .init();
    #[cfg(unix)]
    allow_many_connections();
    match Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(options)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("error: {error}")),
    }
}

/// Prints on one line why the emulator cannot run.
fn fail(reason: &str) -> ExitCode {
    // If stderr is closed, only the exit code remains.
    writeln!(io::stderr(), "{reason}").ok();
    ExitCode::FAILURE
}

/// Raises the limit on open files, and so on connections, above the few hundred that many systems allow at first.
#[cfg(unix)]
fn allow_many_connections() {
    if let Err(error) = rlimit::increase_nofile_limit(MAX_OPEN_FILES) {
        warn!(%error, "cannot raise the limit on open files, and so on connections");
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let mut signals = StopSignals::listen()?;
    // Opened first, so that a failure does not change the data file.
    let ca_out = options.ca_out.as_deref().map(CaFile::open).transpose()?;
    let emulator = options.builder()?.start().await?;
    if let Some(ca_out) = ca_out {
        ca_out.write(emulator.ca_pem())?;
    }
    info!("to see requests as they come, open {}", emulator.control_endpoint());
    announce(&emulator).map_err(|error| {
        format!("cannot print the ready line on stdout: {error}; keep stdout open, or redirect it to a file")
    })?;
    signals.next().await;
    info!("shutting down; a second signal ends the emulator at once");
    select! {
        () = emulator.shutdown() => {}
        () = signals.next() => {}
    }
    Ok(())
}

/// The file for the CA certificate.
struct CaFile<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> CaFile<'a> {
    /// Opens the file without changing its contents.
    fn open(path: &'a Path) -> Result<Self, String> {
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| cannot_write(path, &error))?;
        Ok(Self { path, file })
    }

    fn write(mut self, pem: &str) -> Result<(), String> {
        self.replace(pem).map_err(|error| cannot_write(self.path, &error))
    }

    fn replace(&mut self, pem: &str) -> io::Result<()> {
        // A pipe or a terminal has no length.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(pem.as_bytes())
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

fn announce(emulator: &Emulator) -> io::Result<()> {
    let ready = Ready {
        event: "ready",
        endpoint: emulator.endpoint(),
        https_endpoint: emulator.https_endpoint(),
        connection_string: emulator.connection_string(),
        https_connection_string: emulator.https_connection_string(),
        control_endpoint: emulator.control_endpoint(),
    };
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, &ready)?;
    writeln!(stdout)?;
    stdout.flush()
}

/// The signals that stop the emulator: SIGINT, which Ctrl-C sends, and SIGTERM.
#[cfg(unix)]
struct StopSignals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

#[cfg(unix)]
impl StopSignals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The signal that stops the emulator: Ctrl-C.
#[cfg(windows)]
struct StopSignals(windows::CtrlC);

#[cfg(windows)]
impl StopSignals {
    fn listen() -> io::Result<Self> {
        windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
