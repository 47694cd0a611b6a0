//! The trusted service as a program. It prints a line of JSON on stdout when it is ready, and logs to stderr.

mod accept;
mod certificate;
mod check;
mod command;
mod config;
mod connections;
mod http;
mod listen;
#[cfg(feature = "local")]
mod local;
mod logs;
mod open_files;
mod runtime;
mod serve;
mod service;
mod signals;
mod tls;
mod users;

use clap::Parser;
use client_core::error::chain;
use command::Command;
use config::{Config, Fault};
use listen::{BoundListener, ConnectionLimits};
use serve::{Exit, ReadyLine, Server};
use signals::Signals;
use std::{
    env,
    error::Error,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};
use token_service::VerifyError;

/// The exit code of an unusable configuration.
const BAD_CONFIGURATION: u8 = 2;
/// The longest configuration file, and the longest file that a configuration names.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

const KEYS_HELP: &str = "\
Every key of the file is also a variable of the environment, which overrides the file: body_bytes of [limits] is
TOKEN_SERVICE_LIMITS_BODY_BYTES.";

#[cfg(feature = "local")]
const WITHOUT_CONFIGURATION_HELP: &str = "\
Without any configuration, or with --local whatever the environment has, the service is a demonstration: it runs on this
machine alone, with an emulator of Azure Communication Services and an issuer of test users, and prints curl commands to
try it.";
#[cfg(not(feature = "local"))]
const WITHOUT_CONFIGURATION_HELP: &str = "\
Without any configuration, the service does not run: it was built without the feature `local`.";

const RUNNING_HELP: &str = "\
When it is ready, it prints one line of JSON on stdout. The log goes to stderr. SIGTERM and Ctrl-C end the service when the
requests under way have been answered; SIGHUP has it read its certificate again. It exits with 2 if the configuration
cannot be used, and with 1 if it fails or must cut off requests.";

/// The trusted service between an app and Azure Communication Services, which issues chat and calling tokens to users
#[derive(Parser)]
#[command(version, after_help = [KEYS_HELP, WITHOUT_CONFIGURATION_HELP, RUNNING_HELP].join("\n\n"))]
struct Options {
    #[arg(
        long,
        value_name = "PATH",
        help = "The configuration, in TOML [env: TOKEN_SERVICE_CONFIG]"
    )]
    #[arg(global = true)]
    config: Option<PathBuf>,
    /// Start the demonstration, without any configuration
    #[cfg(feature = "local")]
    #[arg(long, conflicts_with = "config")]
    local: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    #[cfg(feature = "local")]
    if options.local {
        if options.command.is_some() {
            print_error("error: --local has no database that a command could change; remove it");
            return ExitCode::from(BAD_CONFIGURATION);
        }
        return run_without_configuration();
    }
    match (
        config::read(options.config, env::vars_os(), &read_file),
        options.command,
    ) {
        (Ok(Some(config)), None) => start(run(config)),
        (Ok(Some(config)), Some(command)) => start(async move {
            logs::start(&config.log)?;
            command.run(&config).await?;
            Ok(Exit::Drained)
        }),
        (Ok(None), None) => run_without_configuration(),
        (Ok(None), Some(_)) => {
            print_error("error: there is no configuration, and so no database: name a file with --config");
            ExitCode::from(BAD_CONFIGURATION)
        }
        (Err(faults), _) => refuse(&faults),
    }
}

/// Runs a service until it stops.
fn start(service: impl Future<Output = Result<Exit, Box<dyn Error>>>) -> ExitCode {
    let exit = runtime::start().and_then(|runtime| {
        let exit = runtime.block_on(service);
        // Remaining tasks are cut off.
        runtime.shutdown_background();
        exit
    });
    match exit {
        Ok(Exit::Drained) => ExitCode::SUCCESS,
        Ok(Exit::CutOff) => ExitCode::FAILURE,
        Err(error) => {
            let reasons: Vec<_> = chain(&*error).map(ToString::to_string).collect();
            print_error(&format!("error: {}", reasons.join(": ")));
            match error.downcast_ref() {
                Some(VerifyError::Mismatch(_)) => ExitCode::from(BAD_CONFIGURATION),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Runs the configured service.
async fn run(config: Config) -> Result<Exit, Box<dyn Error>> {
    // First, as process 1 of a container does not get signals without a handler.
    let mut signals = Signals::listen()?;
    logs::start(&config.log)?;
    // Before the database is created, as the address can be taken.
    let api = BoundListener::bind(config.listen)?;
    let operations = match config.operations_listen {
        Some(address) => Some(BoundListener::bind(address)?),
        None => None,
    };
    let limits = ConnectionLimits {
        connections: open_files::room(config.limits.connections, config.database.max_connections),
        idle: config.limits.idle,
    };
    let Some(service) = serve::start(&mut signals.stop, service::build(&config)).await? else {
        return Ok(Exit::Drained);
    };
    let ready = ReadyLine::new(&api, operations.as_ref(), config.tls.is_some());
    let server = Server {
        routes: service.routes(),
        service,
        api,
        operations,
        tls: config.tls,
        limits,
        shutdown_delay: config.shutdown_delay,
        drain_timeout: config.drain,
    };
    Ok(server.run(signals, || ready.print(|_| Ok(()))).await)
}

#[cfg(feature = "local")]
fn run_without_configuration() -> ExitCode {
    start(local::run())
}

#[cfg(not(feature = "local"))]
fn run_without_configuration() -> ExitCode {
    print_error(
        "error: there is no configuration: name a file with --config or TOKEN_SERVICE_CONFIG, or set TOKEN_SERVICE_* \
         variables; this program was built without the feature `local`, and cannot run without configuration",
    );
    ExitCode::from(BAD_CONFIGURATION)
}

/// Prints the faults of the configuration.
fn refuse(faults: &[Fault]) -> ExitCode {
    print_error("error: the configuration cannot be used, and nothing was started:");
    for fault in faults {
        print_error(&format!("  {fault}"));
    }
    ExitCode::from(BAD_CONFIGURATION)
}

fn print_error(text: &str) {
    // If stderr is closed, the exit code must do.
    writeln!(io::stderr(), "{text}").ok();
}

/// Reads a configuration file, or a file that it names.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 1 MiB"));
    }
    Ok(contents)
}
