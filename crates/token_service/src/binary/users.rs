//! The subcommands about users. They print lines of JSON on stdout, and write to the audit log on stderr.

use azure_communication_identity::{TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::json;
use std::{
    env,
    error::Error,
    io::{self, Write},
    num::NonZeroU16,
};
use token_service::{Admin, TokenService};
use uuid::Uuid;

/// The variables with the name of the system's user. sudo sets the first one.
const USER_VARIABLES: [&str; 4] = ["SUDO_USER", "USER", "LOGNAME", "USERNAME"];

/// The name of a user of the system whose environment has none.
const UNKNOWN_USER: &str = "command";

/// An operation on users, or on an assignment of Teams Phone.
#[derive(Subcommand)]
pub(crate) enum UsersCommand {
    /// Prints a user
    Show(Id),
    /// Prints a page of users, in the order of their ids
    List(Page),
    /// Prints all users
    Export,
    /// Revokes all tokens of a user, which signs them out everywhere
    Revoke(Id),
    /// Deletes a user, then their identity
    Delete(Id),
    /// Prints a page of the identities that are due for deletion, the oldest first
    Deletions(Page),
    /// Prints the text that stands for an id in the audit log
    Hash(Id),
    /// Prints, creates or deletes the assignment of Teams Phone of a principal
    #[command(subcommand)]
    TeamsPhone(TeamsPhoneCommand),
}

/// An operation on an assignment of Teams Phone.
#[derive(Subcommand)]
pub(crate) enum TeamsPhoneCommand {
    /// Prints the assignment
    Get(Principal),
    /// Creates or replaces the assignment
    Put {
        #[command(flatten)]
        principal: Principal,
        /// The kind of the principal. Microsoft's documents have two names for a resource account
        #[arg(long, value_enum, default_value_t = PrincipalKind::User)]
        principal_type: PrincipalKind,
        /// An application that a user may sign in with; can be repeated
        #[arg(long = "client-id", value_name = "GUID")]
        client_ids: Vec<Uuid>,
    },
    /// Deletes the assignment, and revokes the principal's tokens
    Delete(Principal),
}

/// A user of any issuer.
#[derive(Args)]
pub(crate) struct Id {
    /// The user's id in quotes: issuer and subject, or tenant and object id, with a space between them. Or the identity
    id: String,
}

/// A page of a list.
#[derive(Args)]
pub(crate) struct Page {
    /// The most lines, 1 to 1000
    #[arg(long, default_value = "100", value_parser = limit)]
    limit: NonZeroU16,
    /// The place that the page before has named on stderr
    #[arg(long)]
    after: Option<String>,
}

/// A principal in Entra ID.
#[derive(Args)]
pub(crate) struct Principal {
    /// The tenant
    #[arg(value_name = "TENANT")]
    tenant_id: Uuid,
    /// The object id of a user or a resource account
    #[arg(value_name = "OBJECT")]
    object_id: Uuid,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "camelCase")]
pub(crate) enum PrincipalKind {
    User,
    ResourceAccount,
    TeamsResourceAccount,
}

impl UsersCommand {
    /// Returns whether the command changes the database or the resource.
    pub(crate) fn has_effects(&self) -> bool {
        match self {
            Self::Revoke(_)
            | Self::Delete(_)
            | Self::TeamsPhone(TeamsPhoneCommand::Put { .. } | TeamsPhoneCommand::Delete(_)) => true,
            Self::Show(_)
            | Self::List(_)
            | Self::Export
            | Self::Deletions(_)
            | Self::Hash(_)
            | Self::TeamsPhone(TeamsPhoneCommand::Get(_)) => false,
        }
    }

    /// Runs the command in the name of the system's user.
    pub(crate) async fn run(self, service: &TokenService) -> Result<(), Box<dyn Error>> {
        let admin = service.admin(&system_user());
        match self {
            Self::Show(Id { id }) => print(&admin.user(&id).await?),
            Self::List(Page { limit, after }) => {
                let page = admin.users(after.as_deref(), limit).await?;
                print_page(&page.users, page.next.as_deref())
            }
            Self::Export => export(&admin).await,
            Self::Revoke(Id { id }) => {
                admin.revoke_tokens(&id).await?;
                print(&json!({ "revoked": id }))
            }
            Self::Delete(Id { id }) => {
                admin.delete_user(&id).await?;
                print(&json!({ "deleted": id }))
            }
            Self::Deletions(Page { limit, after }) => {
                let page = admin.deletions(after.as_deref(), limit).await?;
                print_page(&page.deletions, page.next.as_deref())
            }
            Self::Hash(Id { id }) => print(&json!({ "id": id, "hash": admin.hash(&id).await? })),
            Self::TeamsPhone(command) => command.run(&admin).await,
        }
    }
}

impl TeamsPhoneCommand {
    async fn run(self, admin: &Admin) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Get(principal) => print(&admin.assignment(&principal.into()).await?),
            Self::Put {
                principal,
                principal_type,
                client_ids,
            } => {
                let admitted = TeamsExtensionPrincipal {
                    principal_type: principal_type.into(),
                    client_ids: client_ids.iter().map(Uuid::to_string).collect(),
                };
                let (assignment, _) = admin.put_assignment(&principal.into(), &admitted).await?;
                print(&assignment)
            }
            Self::Delete(principal) => {
                let deleted = json!({ "tenantId": principal.tenant_id, "objectId": principal.object_id });
                admin.delete_assignment(&principal.into()).await?;
                print(&json!({ "deleted": deleted }))
            }
        }
    }
}

impl From<Principal> for TeamsExtensionAssignmentId {
    fn from(principal: Principal) -> Self {
        Self {
            tenant_id: principal.tenant_id,
            object_id: principal.object_id,
        }
    }
}

impl From<PrincipalKind> for TeamsExtensionPrincipalType {
    fn from(kind: PrincipalKind) -> Self {
        match kind {
            PrincipalKind::User => Self::User,
            PrincipalKind::ResourceAccount => Self::ResourceAccount,
            PrincipalKind::TeamsResourceAccount => Self::TeamsResourceAccount,
        }
    }
}

async fn export(admin: &Admin) -> Result<(), Box<dyn Error>> {
    let mut export = admin.export().await;
    while let Some(users) = export.next_page().await? {
        for user in &users {
            print(user)?;
        }
    }
    Ok(())
}

fn print_page<T: Serialize>(records: &[T], next: Option<&str>) -> Result<(), Box<dyn Error>> {
    for record in records {
        print(record)?;
    }
    if let Some(next) = next {
        writeln!(io::stderr(), "there are more: add --after {next:?}")?;
    }
    Ok(())
}

/// Prints a line of JSON.
fn print(record: &impl Serialize) -> Result<(), Box<dyn Error>> {
    let line = serde_json::to_string(record)?;
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}

fn limit(text: &str) -> Result<NonZeroU16, String> {
    let limit = text.parse::<NonZeroU16>().ok().filter(|limit| limit.get() <= 1000);
    limit.ok_or_else(|| "it is a number, 1 to 1000".to_owned())
}

/// Returns the name of the system's user, as the environment has it.
fn system_user() -> String {
    let names = USER_VARIABLES.iter().filter_map(|name| env::var(name).ok());
    names
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| UNKNOWN_USER.to_owned())
}
