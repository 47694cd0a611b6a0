//! `token_service check`: the configuration and its dependencies, without a change.

use crate::{
    config::{Authentication, Config, Credential, Database, DatabaseCredential},
    http,
    service::{self, identity_client},
};
use azure_communication_identity::{CommunicationError, CommunicationIdentityClient, TeamsExtensionAssignmentId};
use azure_core::Uuid;
use client_core::error::chain;
use entra_sidecar::SidecarClient;
use std::{
    error::Error,
    io::{self, Write},
};
use token_guard::{GuardError, TokenGuard};
use token_service::{ServiceLimits, Store, StoreErrorKind};
use tokio::join;

/// The tenant and the object id of an assignment that does not exist.
const NO_PRINCIPAL: TeamsExtensionAssignmentId = TeamsExtensionAssignmentId {
    tenant_id: Uuid::nil(),
    object_id: Uuid::nil(),
};

/// The result of one check.
struct Finding {
    verdict: Verdict,
    subject: String,
    text: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Good,
    /// The check would have to change something.
    Unknown,
    Fault,
}

/// Checks everything, and prints a line for each result.
///
/// # Errors
///
/// If there is a fault.
pub(crate) async fn run(config: &Config) -> Result<(), Box<dyn Error>> {
    let limits = ServiceLimits::new(config.acs.replicas, config.acs.queue);
    let transport = http::transport(http::client(config.acs.authentication.is_on_loopback())?);
    let sidecar = match &config.sidecar {
        Some(sidecar) => Some(sidecar.client(None)?),
        None => None,
    };
    let identities = identity_client(config, &limits, transport, sidecar.as_ref())?;
    let guards = config.issuers.guards(None)?;
    let (stored, resource, issuers, sidecar) = join!(
        check_database(&config.database, &identities),
        check_resource(&identities, &config.acs.authentication),
        check_issuers(&guards.each),
        check_sidecar(sidecar.as_ref()),
    );
    let configuration = Finding::new(Verdict::Good, "configuration", "every key can be used");
    let findings: Vec<_> = [configuration]
        .into_iter()
        .chain(stored)
        .chain([resource])
        .chain(issuers)
        .chain(sidecar)
        .collect();
    let mut stdout = io::stdout().lock();
    for Finding { verdict, subject, text } in &findings {
        let verdict = match verdict {
            Verdict::Good => "ok",
            Verdict::Unknown => "unknown",
            Verdict::Fault => "fault",
        };
        writeln!(stdout, "{verdict}: {subject}: {text}")?;
    }
    stdout.flush()?;
    match findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fault)
        .count()
    {
        0 => Ok(()),
        1 => Err("there is a fault".into()),
        faults => Err(format!("there are {faults} faults").into()),
    }
}

impl Finding {
    fn new(verdict: Verdict, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            verdict,
            subject: subject.into(),
            text: text.into(),
        }
    }

    /// A fault, with the sources of its error.
    fn fault(subject: &str, error: &(dyn Error + 'static)) -> Self {
        let reasons: Vec<_> = chain(error).map(ToString::to_string).collect();
        Self::new(Verdict::Fault, subject, reasons.join(": "))
    }
}

/// Checks the tables, and that the database is of the resource.
async fn check_database(database: &Database, identities: &CommunicationIdentityClient) -> Vec<Finding> {
    const SUBJECT: &str = "database";
    let store = match connect(database).await {
        Ok(store) => store,
        Err(error) => {
            let outdated = error
                .downcast_ref::<token_service::StoreError>()
                .filter(|error| error.kind() == StoreErrorKind::OutdatedTables);
            return vec![match outdated {
                Some(error) if database.migrate => {
                    let text = format!(
                        "the service will create or change its tables when it starts, as {}",
                        error.detail()
                    );
                    Finding::new(Verdict::Good, SUBJECT, text)
                }
                _ => Finding::fault(SUBJECT, &*error),
            }];
        }
    };
    let known = store.knows_endpoint(identities.endpoint()).await;
    store.close().await;
    let (verdict, text) = match known {
        Ok(Some(true)) => (Verdict::Good, "it belongs to the resource of acs.*"),
        Ok(None) => (Verdict::Good, "it has no identity yet, and takes any resource"),
        Ok(Some(false)) => (
            Verdict::Unknown,
            "only a new identity would show whether it belongs to the resource of acs.*; the service finds out when it starts",
        ),
        Err(error) => return vec![Finding::fault(SUBJECT, &error)],
    };
    vec![
        Finding::new(Verdict::Good, SUBJECT, "its tables are up to date"),
        Finding::new(verdict, SUBJECT, text),
    ]
}

/// Connects once, and creates nothing.
async fn connect(database: &Database) -> Result<Store, Box<dyn Error>> {
    let url = database.url.secret();
    let Some(DatabaseCredential { credential, scope }) = &database.credential else {
        return Ok(Store::connect_without_changes(url, 1).await?);
    };
    let credential = service::token_credential(credential, http::transport(http::client(false)?), None)?;
    Ok(Store::connect_with_credential(url, 1, false, credential, scope).await?)
}

/// Reads an assignment that does not exist, which needs the credential and changes nothing.
async fn check_resource(identities: &CommunicationIdentityClient, authentication: &Authentication) -> Finding {
    const SUBJECT: &str = "resource";
    let accepted = || match authentication {
        Authentication::ConnectionString { .. } => "it accepts the access key",
        Authentication::Entra {
            credential: Credential::Sidecar { .. },
            ..
        } => "it accepts the tokens of the sidecar",
        Authentication::Entra { .. } => "it accepts the credential",
    };
    let Err(error) = identities.get_teams_extension_assignment(&NO_PRINCIPAL, None).await else {
        return Finding::new(Verdict::Good, SUBJECT, accepted());
    };
    let Some(refusal) = CommunicationError::from_error(&error) else {
        // The outer errors can show the URL.
        let cause = chain(&error).last().map(ToString::to_string).unwrap_or_default();
        return Finding::new(Verdict::Fault, SUBJECT, format!("it gave no answer: {cause}"));
    };
    match (u16::from(refusal.status), &refusal.code) {
        (404, Some(_)) => Finding::new(Verdict::Good, SUBJECT, accepted()),
        (401, _) => {
            let text = "it refused the credential: correct acs.*, or the role of this service in the resource";
            Finding::new(Verdict::Fault, SUBJECT, text)
        }
        (status @ (400..=499), _) if status != 429 => {
            let text = format!("it answered a read with status {status}, which says nothing about identities");
            Finding::new(Verdict::Unknown, SUBJECT, text)
        }
        (status, _) => Finding::new(Verdict::Fault, SUBJECT, format!("it answered with status {status}")),
    }
}

/// Fetches the keys of each issuer.
async fn check_issuers(issuers: &[(String, TokenGuard)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, guard) in issuers {
        findings.push(match guard.load_keys().await {
            Ok(()) => Finding::new(Verdict::Good, name, "its keys are available"),
            Err(error) => issuer_fault(name, &error),
        });
    }
    findings
}

/// A fault of an issuer. The error itself is for callers, and its sources say why.
fn issuer_fault(name: &str, error: &GuardError) -> Finding {
    let reasons: Vec<_> = chain(error).skip(1).map(ToString::to_string).collect();
    let text = format!("its keys are not available: {}", reasons.join(": "));
    Finding::new(Verdict::Fault, name, text)
}

/// Checks the health of the sidecar, if it is configured.
async fn check_sidecar(sidecar: Option<&SidecarClient>) -> Option<Finding> {
    const SUBJECT: &str = "sidecar";
    Some(match sidecar?.health(None).await {
        Ok(_) => Finding::new(Verdict::Good, SUBJECT, "it is healthy"),
        Err(error) => Finding::fault(SUBJECT, &error),
    })
}
