//! The subcommands.

use crate::{
    check,
    config::{Config, Database},
    service,
    users::UsersCommand,
};
use clap::Subcommand;
use serde_json::json;
use std::{
    error::Error,
    io::{self, Write},
};
use token_service::{Store, TokenService};

const NO_USER_OF_ISSUER: &str = "no user is renamed, and nothing was changed: the database has no user of the old issuer, which \
    is compared exactly, as to a final slash, too; in the lines of `token_service users list`, a userId begins with its \
    issuer, and with the new one if the users have been renamed before";

/// A task of an operator.
#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Database(DatabaseCommand),
    /// Shows, revokes and deletes users, and the assignments of Teams Phone
    #[command(subcommand)]
    Users(UsersCommand),
    /// Checks the configuration, the database, the resource, the issuers and the sidecar, and changes nothing
    Check,
}

/// A change of the whole database, which an operator decides on.
#[derive(Subcommand)]
pub(crate) enum DatabaseCommand {
    /// Creates the database's tables, or brings them up to date
    Migrate,
    /// Makes all services forget every token, which they issue anew when they are asked for one. It revokes none
    ForgetTokens,
    /// Gives the users of one issuer to another; they keep their identities. For issuers of the kinds oidc and logto
    RenameIssuer {
        /// The claim `iss` of older tokens, exactly
        old: String,
        /// The claim `iss` of newer tokens, exactly
        new: String,
        /// Lets a user who is there with both issuers keep the identity of the old one; the other one is deleted
        #[arg(long)]
        replace: bool,
    },
    /// Gives the database to another Azure Communication Services resource: every user gets another identity, without their
    /// chats. Stop every service first
    ///
    /// The identities stay in the old resource, and are printed on stdout, a line of JSON each.
    MoveResource {
        /// The id of the database's resource
        old: String,
        /// The id of the other resource
        new: String,
    },
}

impl Command {
    /// Runs the command, and prints what it did.
    pub(crate) async fn run(self, config: &Config) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Database(command) => command.run(&config.database).await,
            Self::Users(command) => {
                let service = service::assemble(config).await?;
                let outcome = run_users(command, &service).await;
                service.close().await;
                outcome
            }
            Self::Check => check::run(config).await,
        }
    }
}

/// Runs the command, if it changes nothing or the database is of the configured resource.
async fn run_users(command: UsersCommand, service: &TokenService) -> Result<(), Box<dyn Error>> {
    if command.has_effects() {
        service.verify_resource().await?;
    }
    command.run(service).await
}

impl DatabaseCommand {
    async fn run(self, database: &Database) -> Result<(), Box<dyn Error>> {
        let migrates = matches!(self, Self::Migrate);
        let store = service::connect(&Database {
            url: database.url.clone(),
            credential: database.credential.clone(),
            max_connections: if migrates { 1 } else { database.max_connections },
            migrate: migrates || database.migrate,
        })
        .await?;
        let outcome = self.change(&store).await;
        store.close().await;
        outcome
    }

    async fn change(self, store: &Store) -> Result<(), Box<dyn Error>> {
        let mut stdout = io::stdout().lock();
        match self {
            Self::Migrate => writeln!(stdout, "the tables are up to date")?,
            Self::ForgetTokens => {
                let tokens = store.forget_tokens().await?;
                writeln!(
                    stdout,
                    "{tokens} stored tokens are forgotten, and all in the memory of services"
                )?;
            }
            Self::RenameIssuer { old, new, replace } => {
                let users = store.rename_issuer(&old, &new, replace).await?;
                if users == 0 {
                    return Err(NO_USER_OF_ISSUER.into());
                }
                writeln!(stdout, "{users} users are renamed")?;
            }
            Self::MoveResource { old, new } => {
                for left in store.move_resource(&old, &new).await? {
                    let user = Some(&left.user_id).filter(|user| !user.is_empty());
                    writeln!(stdout, "{}", json!({ "userId": user, "identity": left.identity }))?;
                }
            }
        }
        stdout.flush()?;
        Ok(())
    }
}
