//! The trusted service as a program: one JSON line on stdout when it is ready, a log on stderr.

mod config;
mod http;
mod listen;
#[cfg(feature = "local")]
mod local;
mod logs;
mod ready;
mod serve;
mod service;
mod signals;
mod tls;

use clap::Parser;
use config::{Config, Fault};
use listen::Bound;
use serve::{End, Served};
use signals::Signals;
use std::{
    env,
    error::Error,
    fs::File,
    io::{self, Read, Write},
    iter,
    path::{Path, PathBuf},
    process::ExitCode,
};
use tokio::runtime::Runtime;

/// The exit code for a configuration that cannot be used.
const BAD_CONFIGURATION: u8 = 2;
/// The longest file that a configuration may be, or name.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

const KEYS_HELP: &str = "\
Every key of the file is also a variable of the environment, which overrides the file: body_bytes of [limits] is
TOKEN_SERVICE_LIMITS_BODY_BYTES.";

#[cfg(feature = "local")]
const WITHOUT_CONFIGURATION_HELP: &str = "\
Without any configuration, the service runs on this machine alone, with an emulator of Azure Communication Services and an
issuer of test users, and prints curl commands to try it.";
#[cfg(not(feature = "local"))]
const WITHOUT_CONFIGURATION_HELP: &str = "\
Without any configuration, the service does not run: it was built without the feature `local`.";

const RUNNING_HELP: &str = "\
When it is ready, it prints one line of JSON on stdout. The log goes to stderr. SIGTERM and Ctrl-C end the service when the
requests under way have been answered; SIGHUP has it read its certificate again. It exits with 2 if the configuration
cannot be used, and with 1 if it fails or has to cut off requests.";

/// The trusted service between an app and Azure Communication Services: its users get their chat and calling tokens
#[derive(Parser)]
#[command(version, after_help = [KEYS_HELP, WITHOUT_CONFIGURATION_HELP, RUNNING_HELP].join("\n\n"))]
struct Options {
    #[arg(
        long,
        value_name = "PATH",
        help = "The configuration, in TOML [env: TOKEN_SERVICE_CONFIG]"
    )]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match config::read(options.config, env::vars_os(), &read_file) {
        Ok(Some(config)) => start(run(config)),
        Ok(None) => run_without_configuration(),
        Err(faults) => refuse(&faults),
    }
}

/// Runs a service until it ends.
fn start(service: impl Future<Output = Result<End, Box<dyn Error>>>) -> ExitCode {
    let ended = Runtime::new().map_err(Into::into).and_then(|runtime| {
        let ended = runtime.block_on(service);
        // What is still under way is cut off.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(End::Drained) => ExitCode::SUCCESS,
        Ok(End::CutOff) => ExitCode::FAILURE,
        Err(error) => {
            let mut reasons = vec![error.to_string()];
            reasons.extend(iter::successors(error.source(), |&cause| cause.source()).map(ToString::to_string));
            say(&format!("error: {}", reasons.join(": ")));
            ExitCode::FAILURE
        }
    }
}

/// Runs the service that is configured.
async fn run(config: Config) -> Result<End, Box<dyn Error>> {
    // Process 1 of a container gets no signal that it does not listen to.
    let mut signals = Signals::listen()?;
    logs::start(&config.log)?;
    // Before the database, which a service that cannot listen should not create.
    let api = Bound::to(config.listen).await?;
    let operations = match config.operations_listen {
        Some(address) => Some(Bound::to(address).await?),
        None => None,
    };
    let Some(service) = serve::start(&mut signals.stop, service::of(&config)).await? else {
        return Ok(End::Drained);
    };
    let ready = ready::Ready::new(&api, operations.as_ref(), config.tls.is_some());
    let served = Served {
        routes: service.routes(),
        service,
        api,
        operations,
        tls: config.tls,
        idle: config.limits.idle,
        drain: config.drain,
    };
    Ok(served.run(signals, || ready.print(|_| Ok(()))).await?)
}

#[cfg(feature = "local")]
fn run_without_configuration() -> ExitCode {
    start(local::run())
}

#[cfg(not(feature = "local"))]
fn run_without_configuration() -> ExitCode {
    say(
        "error: there is no configuration: name a file with --config or TOKEN_SERVICE_CONFIG, or set TOKEN_SERVICE_* \
         variables; this program was built without the feature `local`, and cannot run without configuration",
    );
    ExitCode::from(BAD_CONFIGURATION)
}

/// Says why the configuration cannot be used.
fn refuse(faults: &[Fault]) -> ExitCode {
    say("error: the configuration cannot be used, and nothing was started:");
    for fault in faults {
        say(&format!("  {fault}"));
    }
    ExitCode::from(BAD_CONFIGURATION)
}

fn say(text: &str) {
    // If stderr is closed, the exit code is all that is left.
    writeln!(io::stderr(), "{text}").ok();
}

/// Reads a file of the configuration.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 1 MiB"));
    }
    Ok(contents)
}
