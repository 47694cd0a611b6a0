//! Many users at once, within the service's limit of 1000 in 30 seconds. A journal has each of them when it is created, so
//! that a run that was interrupted goes on where it stopped, and loses none.
//!
//! ```sh
//! cargo run --example bulk_provision
//! cargo run --example bulk_provision -- 5000 users.txt
//! ```
//!
//! The second form resumes if it is given the same file again. Ctrl-C lets the creations in flight finish; if the process is
//! killed outright, their users are not in the file, and cannot be found again.

#![allow(clippy::print_stdout, reason = "a sample shows what it does")]

mod support;

use azure_communication_identity::{
    CommunicationIdentityClient, CommunicationUserIdentifier, creation_outcome_unknown,
};
use azure_core::{Error, http::Response};
use futures::{StreamExt as _, future::ready, stream};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    cell::Cell,
    env,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    pin::pin,
    process::{self, ExitCode},
};
use support::{Outcome, Service, Usage};
use tokio::{
    signal::ctrl_c,
    time::{Duration, MissedTickBehavior, interval},
};

/// Creations that are under way at the same time.
const CONCURRENCY: usize = 64;

/// The least time from the start of one creation to that of the next. The service documents a limit of 1000 in 30 seconds,
/// and this is a tenth slower.
/// <https://learn.microsoft.com/azure/communication-services/concepts/service-limits>
const PACE: Duration = Duration::from_millis(33);

const USAGE: Usage = Usage {
    command: "bulk_provision -- [COUNT] [FILE]",
    uses_azure: true,
    about: "Creates COUNT users, 100 by default, and writes their IDs to FILE, from which it resumes.",
};

#[tokio::main]
async fn main() -> ExitCode {
    support::run(USAGE, sample).await
}

async fn sample(arguments: Vec<String>) -> Outcome {
    let count = match arguments.first() {
        Some(count) => count
            .parse()
            .map_err(|_| USAGE.refuse(&format!("COUNT is not a number: {count:?}")))?,
        None => 100,
    };
    let service = Service::find().await?;
    let client = service.client()?;
    if let Some(path) = arguments.get(1) {
        let mut journal = Journal::open(Path::new(path))?;
        return provision(&client, &mut journal, count, count).await;
    }

    // Without a file, show an interruption and what comes after it.
    let path = env::temp_dir().join(format!("bulk_provision-{}.txt", process::id()));
    println!("A first run, which is interrupted:");
    provision(&client, &mut Journal::open(&path)?, count, count / 3).await?;
    println!("A second run with the same journal:");
    let mut journal = Journal::open(&path)?;
    provision(&client, &mut journal, count, count).await?;
    for user in &journal.users {
        client.delete_user(user, None).await?;
    }
    println!("Deleted the users again.");
    Ok(fs::remove_file(path)?)
}

/// Creates users until there are `count`, but starts to create none after the first `stop_at`.
async fn provision(
    client: &CommunicationIdentityClient,
    journal: &mut Journal,
    count: usize,
    stop_at: usize,
) -> Outcome {
    let bar = ProgressBar::new(count as u64)
        .with_style(ProgressStyle::with_template(
            "{bar:40} {pos}/{len} users, {per_sec}, {eta} left",
        )?)
        .with_position(journal.users.len() as u64);
    let failed = Cell::new(false);
    let mut pace = interval(PACE);
    // After a stall, go on at the pace instead of making up for lost time.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let starts = stream::unfold(pace, |mut pace| async {
        pace.tick().await;
        Some(((), pace))
    });
    let mut creations = pin!(
        starts
            .take(stop_at.saturating_sub(journal.users.len()))
            .take_while(|()| ready(!failed.get()))
            .take_until(ctrl_c())
            .map(|()| client.create_user(None))
            .buffer_unordered(CONCURRENCY)
    );

    let mut failure: Option<Box<dyn std::error::Error>> = None;
    // To the end, also after a failure: dropping a creation could lose its user.
    while let Some(result) = creations.next().await {
        let recorded = match result.and_then(Response::into_model) {
            Ok(user) => journal.add(user).map_err(Into::into),
            Err(error) => {
                if creation_outcome_unknown(&error) {
                    journal.note(&error).ok();
                }
                Err(error.into())
            }
        };
        match recorded {
            Ok(()) => bar.inc(1),
            Err(error) => {
                failed.set(true);
                failure.get_or_insert(error);
            }
        }
    }
    bar.abandon();
    journal.file.sync_data()?;
    println!(
        "{} of {count} users are in {}\n",
        journal.users.len(),
        journal.path.display()
    );
    failure.map_or(Ok(()), Err)
}

/// The users that were created, one on each line of a file.
struct Journal {
    path: PathBuf,
    file: File,
    users: Vec<CommunicationUserIdentifier>,
}

impl Journal {
    fn open(path: &Path) -> Outcome<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        let lines = fs::read_to_string(path)?;
        if !lines.is_empty() && !lines.ends_with('\n') {
            return Err(format!("{}: the last line was cut off; complete or remove it", path.display()).into());
        }
        let users = lines.lines().filter(|line| !line.starts_with('#')).map(str::parse);
        Ok(Self {
            path: path.to_owned(),
            file,
            users: users.collect::<Result<_, _>>()?,
        })
    }

    fn add(&mut self, user: CommunicationUserIdentifier) -> Result<(), String> {
        // If the file does not take it any more, the error is where the user is kept.
        let written = self.file.write_all(format!("{user}\n").as_bytes());
        written.map_err(|error| format!("created {user}, but cannot write it down: {error}"))?;
        self.users.push(user);
        Ok(())
    }

    /// Keeps what an error says of a user that may have been created.
    fn note(&mut self, error: &Error) -> io::Result<()> {
        self.file.write_all(format!("# {error}\n").as_bytes())
    }
}
