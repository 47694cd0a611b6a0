//! The emulator as a program: one JSON line on stdout when it is ready, a log on stderr.

use acs_identity_emulator::{CENTURY, Emulator, EmulatorBuilder, Fault, TokenAlgorithm, Uuid, help};
use clap::{Parser, builder::RangedI64ValueParser};
use serde::Serialize;
use std::{
    error::Error,
    fs::File,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};
use time::Duration;
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

const AFTER_HELP: &str = "\
When it is ready, it prints one line of JSON on stdout, with the connection strings of both endpoints. Open its
controlEndpoint in a browser to see requests as they come. The log goes to stderr; RUST_LOG sets its level.";

/// Azure Communication Services Identity on loopback: checks signatures, issues signed tokens, needs no Azure account
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate option")]
struct Options {
    /// Port for http; 0 takes any free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// Port for https; 0 takes any free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    https_port: u16,
    /// Primary access key of the resource, in base64 [default: that of the data file, or random]
    ///
    /// The secondary key is random. A key that differs from the one in the data file takes its place, which revokes the
    /// tokens that were made with that.
    #[arg(long, value_name = "BASE64")]
    access_key: Option<String>,
    /// Id of the resource [default: that of the data file, or random]
    ///
    /// It is part of the ids of identities, so an id other than that of the data file is refused.
    #[arg(long, value_name = "GUID")]
    resource_id: Option<Uuid>,
    /// Write the CA certificate that https clients must trust to this file, in PEM
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
    /// Accept only the documented form of a signature
    ///
    /// Without this option, signatures of official SDKs are accepted that deviate from it.
    #[arg(long)]
    strict: bool,
    /// Algorithm of token signatures: RS256 or ES256 [default: that of the data file, or RS256]
    ///
    /// With an algorithm other than that of the data file, earlier tokens are unknown.
    #[arg(long, value_name = "NAME", value_parser = token_algorithm)]
    token_algorithm: Option<TokenAlgorithm>,
    /// Do not check the signatures of bearer tokens; audience and expiry are still checked
    ///
    /// So tokens of the real Entra ID are accepted. The signature of a Teams user's token, which is in the body, is still
    /// checked.
    #[arg(long)]
    accept_unverified_bearer: bool,
    /// Refuse requests beyond the service's published limits with 429
    #[arg(long)]
    rate_limits: bool,
    /// Say in the message of a 401 why the request is refused, and what to do about it
    ///
    /// Without this option, the explanation is in the log and under /_emulator/refusals only.
    #[arg(long)]
    explain: bool,
    /// Keep identities, assignments, revocations and keys in this file
    ///
    /// The file is created if it does not exist. It contains secrets.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Inject a fault into requests; can be repeated
    #[arg(long = "fault", value_name = "TEXT", long_help = help::fault())]
    faults: Vec<Fault>,
    /// Set the emulator's clock ahead of the machine's, or behind it if negative
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_hyphen_values = true,
        value_parser = seconds(-MAX_SECONDS)
    )]
    clock_offset: i64,
    /// Let revocations of tokens take effect so much later; for the service, this is up to 900
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = seconds(0))]
    revocation_delay: i64,
    /// Do not support this api-version; can be repeated
    #[arg(long = "withdraw-version", value_name = "VERSION", long_help = help::withdraw_version())]
    withdrawn_versions: Vec<String>,
}

/// The limit of the clock's offset.
const MAX_SECONDS: i64 = CENTURY.whole_seconds();

fn seconds(min: i64) -> RangedI64ValueParser {
    RangedI64ValueParser::new().range(min..=MAX_SECONDS)
}

impl Options {
    fn builder(&self) -> EmulatorBuilder {
        let mut builder = Emulator::builder()
            .port(self.port)
            .https_port(self.https_port)
            .strict(self.strict)
            .accept_unverified_bearer(self.accept_unverified_bearer)
            .rate_limits(self.rate_limits)
            .explain(self.explain)
            .clock_offset(Duration::seconds(self.clock_offset))
            .revocation_delay(Duration::seconds(self.revocation_delay).unsigned_abs());
        if let Some(access_key) = &self.access_key {
            builder = builder.access_key(access_key);
        }
        if let Some(resource_id) = self.resource_id {
            builder = builder.resource_id(resource_id);
        }
        for fault in &self.faults {
            builder = builder.fault(fault.clone());
        }
        for version in &self.withdrawn_versions {
            builder = builder.withdraw_version(version);
        }
        if let Some(token_algorithm) = self.token_algorithm {
            builder = builder.token_algorithm(token_algorithm);
        }
        if let Some(path) = &self.data {
            builder = builder.data(path);
        }
        builder
    }
}

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
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::builder()
                .with_default_directive(LevelFilter::INFO.into())
                .from_env_lossy(),
        )
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
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
    let emulator = options.builder().start().await?;
    if let Some(ca_out) = ca_out {
        ca_out.write(emulator.ca_pem())?;
    }
    info!("to see requests as they come, open {}", emulator.control_endpoint());
    announce(&emulator)?;
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

fn token_algorithm(name: &str) -> Result<TokenAlgorithm, &'static str> {
    match name {
        "RS256" => Ok(TokenAlgorithm::Rs256),
        "ES256" => Ok(TokenAlgorithm::Es256),
        _ => Err("expected RS256 or ES256"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exceeding a limit takes hundreds of requests in thirty seconds, too many for a slow machine.
    #[test]
    fn rates_are_limited_on_request() {
        for (arguments, limits) in [(&["emulator"][..], false), (&["emulator", "--rate-limits"], true)] {
            let builder = Options::try_parse_from(arguments).unwrap().builder();
            let debug = format!("{builder:?}");
            assert!(debug.contains(&format!("rate_limits: {limits}")), "{debug}");
        }
    }
}
