#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, reason = "the program prints what it does and how to use it")]

mod api;
mod cloud_error;
mod code;
mod config;
mod credential;
#[cfg(test)]
mod fake_queue;
mod hash;
mod http;
mod limit;
mod local;
mod message;
mod numbers;
mod poison;
mod problem;
mod queue;
mod requester;
mod serve;
mod table;
mod vault;
mod watcher;

use crate::{
    cloud_error::CloudError,
    config::{CLOUD, Environment, QueueConfig},
    credential::credential,
    local::azurite,
    queue::StorageQueue,
    table::CodeTable,
    watcher::Watcher,
};
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use std::{
    env,
    error::Error,
    io::{self, IsTerminal, Write},
    path,
    process::ExitCode,
    sync::Arc,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio_util::sync::CancellationToken;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Issues and checks verification codes, with Azure Key Vault and Azure Queue Storage; without configuration, with doubles
/// of them in this process and with Azurite
#[derive(Parser)]
#[command(name = "verification_codes", version, args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// The API and a watcher of the queue, unless told otherwise
    Serve(Serve),
    /// A watcher of the queue alone; there can be several
    Watch,
    /// Shows the messages at the front of the queue
    Peek(Which),
    /// Empties the queue
    Clear(Which),
}

#[derive(Args)]
struct Serve {
    /// Anybody may ask for codes, without a token
    #[arg(long)]
    open: bool,
    /// The API alone
    #[arg(long)]
    no_watcher: bool,
}

#[derive(Args)]
struct Which {
    /// The queue of the messages that could not be handled
    #[arg(long)]
    poison: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let variables =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut environment = Environment::new(variables);
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(environment.log_filter())
        .init();
    match run(options, environment).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options, mut environment: Environment) -> Outcome {
    let queue = environment.queue(OffsetDateTime::now_utc());
    let stop = stop_signal()?;
    match options.command.unwrap_or(Command::Serve(options.serve)) {
        Command::Serve(Serve { open, no_watcher }) => {
            let database = environment.database();
            let api = environment.api(open);
            let ((queue, database), api) = environment.finish(queue.zip(database).zip(api))?;
            if api.cloud.is_none() {
                let ends = CLOUD.join(", ");
                println!("Without configuration: doubles in this process, until one of {ends} is set.");
            }
            let longest_wait = queue.longest_wait();
            let queue = Arc::new(create_queues(queue).await?);
            let table = open_table(database).await?;
            let watcher = (!no_watcher).then(|| Watcher::new(queue.clone(), table.clone(), longest_wait));
            serve::serve(open, api, queue, table.clone(), watcher, stop).await?;
            table.close().await;
        }
        Command::Watch => {
            let database = environment.database();
            let (queue, database) = environment.finish(queue.zip(database))?;
            let longest_wait = queue.longest_wait();
            let queue = Arc::new(create_queues(queue).await?);
            let table = open_table(database).await?;
            println!("The watcher handles messages until it is ended.");
            Watcher::new(queue, table.clone(), longest_wait).run(&stop).await;
            table.close().await;
        }
        Command::Peek(Which { poison }) => {
            let queue = open_queues(environment.finish(queue)?).await?;
            peek(&queue, poison).await?;
        }
        Command::Clear(Which { poison }) => {
            let queue = open_queues(environment.finish(queue)?).await?;
            queue
                .clear(poison)
                .await
                .map_err(|error| unusable(&queue, poison, &error))?;
            println!("All messages of the queue `{}` were removed.", queue.name(poison));
        }
    }
    Ok(())
}

/// The queues, whether there are such or not.
async fn open_queues(config: QueueConfig) -> Outcome<StorageQueue> {
    if azurite::is_azurite(&config.messages) {
        azurite::look_for(&config.messages).await?;
    }
    let options = http::options(&config.messages)?;
    let credential = credential(config.credential, options.clone())?;
    Ok(StorageQueue::new(
        config.messages,
        config.poison,
        credential.as_ref(),
        &options,
    )?)
}

/// The queues, which are created if there are none.
async fn create_queues(config: QueueConfig) -> Outcome<StorageQueue> {
    let queue = open_queues(config).await?;
    queue.create().await.map_err(|error| {
        format!(
            "the queues can be neither found nor created: {error}. STORAGE_QUEUE_URL has to name a queue, and whoever \
             this runs as has to have the role Storage Queue Data Contributor."
        )
    })?;
    Ok(queue)
}

/// The table, of which it says where it is: those who are to share it have to name the same file.
async fn open_table(database: SqliteConnectOptions) -> Outcome<CodeTable> {
    let file = path::absolute(database.get_filename())?;
    let file = file.display();
    let table = CodeTable::open(database).await.map_err(|error| {
        format!(
            "the table cannot be opened in {file}: {error}. DATABASE_URL has to name a file that can be written, with \
             ?mode=rwc at its end if it is to be created."
        )
    })?;
    println!("The table of codes is in {file}");
    Ok(table)
}

/// Why a queue cannot be looked into.
fn unusable(queue: &StorageQueue, poison: bool, error: &CloudError) -> String {
    let name = queue.name(poison);
    if error.code() == Some("QueueNotFound") {
        format!(
            "there is no queue `{name}`. STORAGE_QUEUE_URL has to name the one of `serve` and `watch`, which create it."
        )
    } else {
        format!(
            "the queue `{name}` cannot be used: {error}. Whoever this runs as has to have the role Storage Queue Data \
             Contributor."
        )
    }
}

/// Prints one line of JSON for each message.
async fn peek(queue: &StorageQueue, poison: bool) -> Outcome {
    let messages = queue.peek(poison).await;
    for message in messages.map_err(|error| unusable(queue, poison, &error))? {
        let inserted = message.insertion_time.map(|time| time.format(&Rfc3339)).transpose()?;
        let line = json!({
            "id": message.message_id,
            "inserted": inserted,
            "dequeue_count": message.dequeue_count,
            "text": message.message_text,
        });
        println!("{line}");
    }
    Ok(())
}

/// Is cancelled when the process is told to end.
fn stop_signal() -> Outcome<CancellationToken> {
    let stop = CancellationToken::new();
    let told = stop.clone();
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
        told.cancel();
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    fn parse(arguments: &[&str]) -> Result<Options, ErrorKind> {
        let arguments = ["verification_codes"].iter().chain(arguments);
        Options::try_parse_from(arguments).map_err(|error| error.kind())
    }

    #[test]
    fn without_a_command_it_serves_as_it_is_told() {
        let options = parse(&["--open", "--no-watcher"]).unwrap();
        assert!(options.command.is_none() && options.serve.open && options.serve.no_watcher);
        let options = parse(&["serve", "--open"]).unwrap();
        let Some(Command::Serve(serve)) = options.command else {
            panic!("it is another command");
        };
        assert!(serve.open && !serve.no_watcher);
    }

    #[test]
    fn an_option_before_a_command_is_not_dropped() {
        for option in ["--open", "--no-watcher"] {
            for command in ["serve", "watch", "peek", "clear"] {
                let refused = parse(&[option, command]).err();
                assert_eq!(refused, Some(ErrorKind::ArgumentConflict), "{option} {command}");
            }
        }
    }

    #[test]
    fn it_says_its_version() {
        assert_eq!(parse(&["--version"]).err(), Some(ErrorKind::DisplayVersion));
    }
}
