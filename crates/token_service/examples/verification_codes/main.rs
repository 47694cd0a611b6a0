#![doc = include_str!("README.md")]
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod api;
mod cloud_error;
mod code;
mod config;
mod credential;
#[cfg(test)]
mod fake_queue;
mod hash;
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
    config::{Environment, QueueConfig},
    credential::credential,
    local::azurite,
    queue::StorageQueue,
    table::CodeTable,
    watcher::Watcher,
};
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use std::{
    env,
    error::Error,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Issues and checks verification codes, with Azure Key Vault and Azure Queue Storage; without configuration, with doubles
/// of them in this process and with Azurite
#[derive(Parser)]
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
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,verification_codes=info"));
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(filter)
        .init();
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Outcome {
    let mut environment = Environment::new(|name: &str| env::var(name).ok());
    let queue = environment.queue(OffsetDateTime::now_utc());
    let stop = stop_signal()?;
    match options.command.unwrap_or(Command::Serve(options.serve)) {
        Command::Serve(options) => {
            let database_url = environment.database_url(!options.no_watcher);
            let api = environment.api(options.open);
            let (queue, api) = environment.finish(queue.zip(api))?;
            let queue = Arc::new(open_queue(queue).await?);
            let table = CodeTable::open(&database_url).await?;
            serve::serve(&options, api, queue, table.clone(), stop).await?;
            table.close().await;
        }
        Command::Watch => {
            let table = CodeTable::open(&environment.database_url(false)).await?;
            let queue = Arc::new(open_queue(environment.finish(queue)?).await?);
            println!("The watcher handles messages until it is ended.");
            Watcher::new(queue, table.clone()).run(&stop).await;
            table.close().await;
        }
        Command::Peek(Which { poison }) => {
            let queue = open_queue(environment.finish(queue)?).await?;
            peek(&queue, poison).await?;
        }
        Command::Clear(Which { poison }) => {
            let queue = open_queue(environment.finish(queue)?).await?;
            queue.clear(poison).await?;
        }
    }
    Ok(())
}

/// The queues, which are created if there are none.
async fn open_queue(config: QueueConfig) -> Outcome<StorageQueue> {
    if azurite::is_azurite(&config.messages) {
        azurite::look_for(&config.messages).await?;
    }
    let queue = StorageQueue::new(config.messages, config.poison, credential(config.credential)?.as_ref())?;
    queue.create().await.map_err(|error| {
        format!(
            "the queues can be neither found nor created: {error}. STORAGE_QUEUE_URL has to name a queue, and whoever \
             this runs as has to have the role Storage Queue Data Contributor."
        )
    })?;
    Ok(queue)
}

/// Prints one line of JSON for each message.
async fn peek(queue: &StorageQueue, poison: bool) -> Outcome {
    for message in queue.peek(poison).await? {
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
