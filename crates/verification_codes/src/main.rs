#![doc = include_str!("../README.md")]

mod api;
mod azure;
mod azurite;
mod code;
mod config;
mod fakes;
mod key_vault;
mod local;
mod message;
mod number_service;
mod output;
mod problem;
mod queue;
mod requester;
mod serve;
mod table;
mod watcher;

use axum::BoxError;
use azure::{CloudError, client_options};
use clap::{Args, Parser, Subcommand};
use config::{CLOUD_VARIABLES, Environment, QueueConfig};
use database::DatabaseUrl;
use output::print_line;
use queue::StorageQueue;
use serde_json::json;
use std::{
    env,
    io::{self, IsTerminal, Write},
    path,
    process::ExitCode,
    sync::Arc,
};
use table::CodeTable;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio_util::sync::CancellationToken;
use watcher::Watcher;

/// Issues and checks verification codes, with Azure Key Vault and Azure Queue Storage; without configuration, with Azurite
/// and fakes in this process
#[derive(Parser)]
#[command(name = "verification_codes", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the API and a watcher of the queue (default)
    Serve(ServeArgs),
    /// Runs a watcher only; several can share the queue
    Watch,
    /// Shows the messages at the front of the queue
    Peek(QueueArgs),
    /// Empties the queue
    Clear(QueueArgs),
}

#[derive(Args)]
struct ServeArgs {
    /// Accept callers without a token
    #[arg(long)]
    open: bool,
    /// Run the API only
    #[arg(long)]
    no_watcher: bool,
}

#[derive(Args)]
struct QueueArgs {
    /// Use the poison queue, with the messages that could not be handled
    #[arg(long)]
    poison: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut environment = Environment::new(env::vars_os());
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(environment.log_filter())
        // It would panic if stderr is closed, or its file is on a full disk.
        .log_internal_errors(false)
        .init();
    match run(arguments, environment).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed, the exit code must do.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments, mut environment: Environment) -> Result<(), BoxError> {
    let queue = environment.queue(OffsetDateTime::now_utc());
    let stop = stop_signal()?;
    match arguments.command.unwrap_or(Command::Serve(arguments.serve)) {
        Command::Serve(ServeArgs { open, no_watcher }) => {
            let database = environment.database();
            let api = environment.api(open);
            let ((queue, database), api) = environment.finish(queue.zip(database).zip(api))?;
            if api.cloud.is_none() {
                let variables = CLOUD_VARIABLES.join(", ");
                print_line(format_args!(
                    "Without configuration: fakes in this process, until one of {variables} is set."
                ));
            }
            let max_poll_interval = queue.max_poll_interval();
            let queue = Arc::new(create_queues(queue).await?);
            let table = open_table(database).await?;
            let watcher = (!no_watcher).then(|| Watcher::new(queue.clone(), table.clone(), max_poll_interval));
            serve::serve(open, api, queue, table.clone(), watcher, stop).await?;
            table.close().await;
        }
        Command::Watch => {
            let database = environment.database();
            let (queue, database) = environment.finish(queue.zip(database))?;
            let max_poll_interval = queue.max_poll_interval();
            let queue = Arc::new(create_queues(queue).await?);
            let table = open_table(database).await?;
            print_line(format_args!("The watcher handles messages until it is ended."));
            Watcher::new(queue, table.clone(), max_poll_interval).run(&stop).await;
            table.close().await;
        }
        Command::Peek(QueueArgs { poison }) => {
            let queue = open_queues(environment.finish(queue)?).await?;
            peek(&queue, poison).await?;
        }
        Command::Clear(QueueArgs { poison }) => {
            let queue = open_queues(environment.finish(queue)?).await?;
            queue
                .clear(poison)
                .await
                .map_err(|error| queue_error(&queue, poison, &error))?;
            print_line(format_args!(
                "All messages of the queue `{}` were removed.",
                queue.name(poison)
            ));
        }
    }
    Ok(())
}

/// Creates clients of the queues, which need not exist.
async fn open_queues(config: QueueConfig) -> Result<StorageQueue, BoxError> {
    if azurite::is_azurite(&config.messages) {
        azurite::check_listening(&config.messages).await?;
    }
    let options = client_options(&config.messages)?;
    let credential = match config.credential {
        Some(kind) => Some(kind.create(options.clone())?),
        None => None,
    };
    Ok(StorageQueue::new(
        config.messages,
        config.poison,
        credential.as_ref(),
        &options,
    )?)
}

/// Opens the queues, and creates those that do not exist.
async fn create_queues(config: QueueConfig) -> Result<StorageQueue, BoxError> {
    let queue = open_queues(config).await?;
    queue.create().await.map_err(|error| {
        format!(
            "the queues can be neither found nor created: {error}. STORAGE_QUEUE_URL must name a queue, and the \
             principal of this program needs the role Storage Queue Data Contributor."
        )
    })?;
    Ok(queue)
}

/// Opens the table, and prints where it is, which all processes that share it must name.
async fn open_table(database: DatabaseUrl) -> Result<Arc<dyn CodeTable>, BoxError> {
    let (place, remedy) = match &database {
        DatabaseUrl::Sqlite(url) => (
            path::absolute(url.file())?.display().to_string(),
            "must name a file that can be written, with ?mode=rwc at its end if it is to be created",
        ),
        DatabaseUrl::Postgres(_) => (
            "PostgreSQL".to_owned(),
            "must name a server that can be reached, and a database whose user can create tables",
        ),
    };
    let table = table::open(database)
        .await
        .map_err(|error| format!("the table cannot be opened in {place}: {error}. DATABASE_URL {remedy}."))?;
    print_line(format_args!("The table of codes is in {place}"));
    Ok(table)
}

/// Describes the failure of a queue, with the remedy.
fn queue_error(queue: &StorageQueue, poison: bool, error: &CloudError) -> String {
    let name = queue.name(poison);
    if error.code() == Some("QueueNotFound") {
        format!(
            "there is no queue `{name}`. STORAGE_QUEUE_URL must name the one of `serve` and `watch`, which create it."
        )
    } else {
        format!(
            "the queue `{name}` cannot be used: {error}. The principal of this program needs the role Storage Queue Data \
             Contributor."
        )
    }
}

/// Prints one line of JSON for each message.
async fn peek(queue: &StorageQueue, poison: bool) -> Result<(), BoxError> {
    let messages = queue.peek(poison).await;
    for message in messages.map_err(|error| queue_error(queue, poison, &error))? {
        let inserted = message.insertion_time.map(|time| time.format(&Rfc3339)).transpose()?;
        let line = json!({
            "id": message.message_id,
            "inserted": inserted,
            "dequeue_count": message.dequeue_count,
            "text": message.message_text,
        });
        writeln!(io::stdout(), "{line}")
            .map_err(|error| format!("the messages cannot be printed on stdout: {error}."))?;
    }
    Ok(())
}

/// Returns a token that SIGTERM and Ctrl-C cancel.
fn stop_signal() -> Result<CancellationToken, BoxError> {
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
        signalled.cancel();
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    fn parse(arguments: &[&str]) -> Result<Arguments, ErrorKind> {
        let arguments = ["verification_codes"].iter().chain(arguments);
        Arguments::try_parse_from(arguments).map_err(|error| error.kind())
    }

    #[test]
    fn default_command_is_serve() {
        let options = parse(&["--open", "--no-watcher"]).unwrap();
        assert!(options.command.is_none() && options.serve.open && options.serve.no_watcher);
        let options = parse(&["serve", "--open"]).unwrap();
        let Some(Command::Serve(serve)) = options.command else {
            panic!("it is another command");
        };
        assert!(serve.open && !serve.no_watcher);
    }

    #[test]
    fn option_before_a_command_is_refused() {
        for option in ["--open", "--no-watcher"] {
            for command in ["serve", "watch", "peek", "clear"] {
                let refused = parse(&[option, command]).err();
                assert_eq!(refused, Some(ErrorKind::ArgumentConflict), "{option} {command}");
            }
        }
    }

    #[test]
    fn version_is_printed() {
        assert_eq!(parse(&["--version"]).err(), Some(ErrorKind::DisplayVersion));
    }
}
