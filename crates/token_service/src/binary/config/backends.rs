//! `[acs]`, `[database]` and `[sidecar]`: the services that this one calls.

use super::sections::{AcsSection, CredentialKind, DatabaseCredentialKind, DatabaseSection, Sections, SidecarSection};
use crate::certificate::ClientCertificate;
use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
use azure_core::{
    credentials::Secret,
    http::{ClientOptions, Transport},
};
use client_core::host::is_loopback;
use entra_sidecar::{SidecarClient, SidecarClientOptions};
use settings::{Report, Whole};
use std::{mem, num::NonZeroU32, sync::Arc};
use token_service::{Store, TraceHeaders};

/// The [scope of Azure's databases][scope]. Each national cloud has its own.
///
/// [scope]: https://learn.microsoft.com/azure/postgresql/security/security-entra-configure
const DATABASE_SCOPE: &str = "https://ossrdbms-aad.database.windows.net/.default";

/// The Communication Services resource and its limits.
#[derive(Debug)]
pub(crate) struct Acs {
    pub(crate) authentication: Authentication,
    /// The number of replicas that share the limits of the resource.
    pub(crate) replicas: NonZeroU32,
    /// The most requests that may wait for the limits.
    pub(crate) queue: usize,
}

/// The credentials that the resource accepts.
#[derive(Debug)]
pub(crate) enum Authentication {
    ConnectionString {
        text: Secret,
        /// Set for an emulator on this machine.
        on_loopback: bool,
        /// Set for https.
        is_encrypted: bool,
    },
    Entra {
        endpoint: String,
        credential: Credential,
    },
}

/// The source of Entra ID's tokens.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    ManagedIdentity {
        client_id: Option<String>,
    },
    WorkloadIdentity,
    Sidecar {
        api: String,
    },
    ClientSecret {
        application: Application,
        secret: Secret,
    },
    ClientCertificate {
        application: Application,
        certificate: ClientCertificate,
    },
}

/// The service's own registration in Entra ID.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Application {
    pub(crate) tenant_id: String,
    pub(crate) client_id: String,
}

/// The credentials of `[application]`.
pub(super) struct Applications {
    application: Option<Application>,
    secret: Option<Secret>,
    certificate: Option<ClientCertificate>,
}

impl Applications {
    /// Checks the section, which the credentials of `[acs]` and `[database]` may need.
    pub(super) fn of(sections: &mut Sections, report: &mut Report<'_>) -> Self {
        let kinds = [sections.acs.credential, sections.database.credential.map(Into::into)];
        let needs = |kind| kinds.contains(&Some(kind));
        let (needs_secret, needs_certificate) = (
            needs(CredentialKind::ClientSecret),
            needs(CredentialKind::ClientCertificate),
        );
        let section = mem::take(&mut sections.application);
        if needs_secret || needs_certificate {
            report.missing("application.tenant_id", "it is the id of your directory (tenant)");
            report.missing(
                "application.client_id",
                "it is the application (client) id of this service's registration",
            );
        } else {
            for key in [
                "tenant_id",
                "client_id",
                "client_secret",
                "client_secret_file",
                "certificate",
            ] {
                report.unused(
                    &format!("application.{key}"),
                    "is for a credential of \"client_secret\" or \"client_certificate\" only; remove it",
                );
            }
        }
        if needs_secret && !report.has("application.client_secret_file") {
            report.missing(
                "application.client_secret",
                "it is a client secret of the registration; or give application.client_secret_file",
            );
        }
        let secret = report.secret(
            "application.client_secret",
            section.client_secret,
            section.client_secret_file.as_deref(),
        );
        if needs_certificate {
            report.missing(
                "application.certificate",
                "it is the PEM file with the certificate and its private key",
            );
        }
        let pem = report.file("application.certificate", section.certificate.as_deref());
        let certificate = match pem.map(|pem| ClientCertificate::from_pem(&pem)) {
            Some(Ok(certificate)) => Some(certificate),
            Some(Err(reason)) => {
                report.fault("application.certificate", reason);
                None
            }
            None => None,
        };
        Self {
            application: section
                .tenant_id
                .zip(section.client_id)
                .map(|(tenant, client)| Application {
                    tenant_id: tenant.0,
                    client_id: client.0,
                }),
            secret: secret.map(Secret::new),
            certificate,
        }
    }

    /// Returns the credential with the secret or the certificate, if they are complete.
    fn credential(&self, kind: CredentialKind) -> Option<Credential> {
        let application = self.application.clone()?;
        match kind {
            CredentialKind::ClientSecret => Some(Credential::ClientSecret {
                application,
                secret: self.secret.clone()?,
            }),
            CredentialKind::ClientCertificate => Some(Credential::ClientCertificate {
                application,
                certificate: self.certificate.clone()?,
            }),
            _ => None,
        }
    }
}

impl From<DatabaseCredentialKind> for CredentialKind {
    fn from(kind: DatabaseCredentialKind) -> Self {
        match kind {
            DatabaseCredentialKind::ManagedIdentity => Self::ManagedIdentity,
            DatabaseCredentialKind::WorkloadIdentity => Self::WorkloadIdentity,
            DatabaseCredentialKind::ClientSecret => Self::ClientSecret,
            DatabaseCredentialKind::ClientCertificate => Self::ClientCertificate,
        }
    }
}

impl Acs {
    /// Checks the section. `transport` sends nothing.
    pub(super) fn of(
        section: AcsSection,
        applications: &Applications,
        report: &mut Report<'_>,
        transport: &Transport,
    ) -> Option<Self> {
        let replicas = section.replicas.map_or(1, Whole::get);
        let queue = section.queue.map_or(1000, Whole::get);
        Some(Self {
            authentication: Authentication::of(section, applications, report, transport)?,
            replicas: NonZeroU32::new(replicas)?,
            queue: usize::try_from(queue).ok()?,
        })
    }
}

impl Authentication {
    /// Returns whether the resource is an emulator on this machine.
    pub(crate) fn is_on_loopback(&self) -> bool {
        matches!(self, Self::ConnectionString { on_loopback: true, .. })
    }

    /// Returns whether the resource is reached by https. A credential of Entra ID needs it.
    pub(super) fn is_encrypted(&self) -> bool {
        !matches!(
            self,
            Self::ConnectionString {
                is_encrypted: false,
                ..
            }
        )
    }

    fn of(
        section: AcsSection,
        applications: &Applications,
        report: &mut Report<'_>,
        transport: &Transport,
    ) -> Option<Self> {
        let key = ["acs.connection_string", "acs.connection_string_file"]
            .into_iter()
            .find(|key| report.has(key));
        match key {
            Some(key) => Self::connection_string(key, section, report, transport),
            None => Self::entra(section, applications, report),
        }
    }

    fn connection_string(
        key: &str,
        section: AcsSection,
        report: &mut Report<'_>,
        transport: &Transport,
    ) -> Option<Self> {
        for other in [
            "acs.endpoint",
            "acs.credential",
            "acs.managed_identity_client_id",
            "acs.sidecar_api",
        ] {
            report.contradiction(key, other);
        }
        let text = report.secret(
            "acs.connection_string",
            section.connection_string,
            section.connection_string_file.as_deref(),
        )?;
        let options = CommunicationIdentityClientOptions {
            client_options: ClientOptions {
                transport: Some(transport.clone()),
                ..ClientOptions::default()
            },
            ..CommunicationIdentityClientOptions::default()
        };
        // The error names the part that is wrong, and shows nothing of it.
        match CommunicationIdentityClient::with_connection_string(&text, Some(options)) {
            Ok(client) => Some(Self::ConnectionString {
                text: Secret::new(text),
                on_loopback: is_loopback(client.endpoint()),
                is_encrypted: client.endpoint().scheme() == "https",
            }),
            Err(error) => {
                report.fault(key, error.to_string());
                None
            }
        }
    }

    fn entra(section: AcsSection, applications: &Applications, report: &mut Report<'_>) -> Option<Self> {
        report.missing(
            "acs.endpoint",
            "it is the address of your resource, https://<resource>.communication.azure.com, to be used with \
             acs.credential; or give acs.connection_string or acs.connection_string_file",
        );
        let is_of_a_resource = section
            .endpoint
            .as_ref()
            .is_some_and(|endpoint| endpoint.url.scheme() == "https" && endpoint.url.path() == "/");
        if section.endpoint.is_some() && !is_of_a_resource {
            report.fault(
                "acs.endpoint",
                "must look like https://<resource>.communication.azure.com",
            );
        }
        let endpoint = section
            .endpoint
            .filter(|_| is_of_a_resource)
            .map(|endpoint| endpoint.text);
        if report.has("acs.endpoint") {
            report.missing(
                "acs.credential",
                "it is \"managed_identity\", \"workload_identity\", \"sidecar\", \"client_secret\" or \"client_certificate\"",
            );
        }
        let kind = section.credential?;
        for (key, of) in [
            ("acs.managed_identity_client_id", CredentialKind::ManagedIdentity),
            ("acs.sidecar_api", CredentialKind::Sidecar),
        ] {
            if kind != of {
                report.unused(key, "is for another acs.credential only; remove it");
            }
        }
        let credential = match kind {
            CredentialKind::ManagedIdentity => Credential::ManagedIdentity {
                client_id: section.managed_identity_client_id,
            },
            CredentialKind::WorkloadIdentity => Credential::WorkloadIdentity,
            kind @ (CredentialKind::ClientSecret | CredentialKind::ClientCertificate) => {
                applications.credential(kind)?
            }
            CredentialKind::Sidecar => {
                report.missing(
                    "acs.sidecar_api",
                    "it is the name under which the sidecar's configuration (DownstreamApis) has \
                     https://communication.azure.com/.default",
                );
                Credential::Sidecar {
                    api: section.sidecar_api?,
                }
            }
        };
        Some(Self::Entra {
            endpoint: endpoint?,
            credential,
        })
    }
}

/// The database and its limit of connections.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: Secret,
    /// The source of the password, if it is not in the URL.
    pub(crate) credential: Option<DatabaseCredential>,
    pub(crate) max_connections: u32,
    /// Set if the start creates and changes the tables.
    pub(crate) migrate: bool,
}

/// The source of tokens that are passwords of PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseCredential {
    pub(crate) credential: Credential,
    pub(crate) scope: String,
}

impl Database {
    pub(super) fn of(section: DatabaseSection, applications: &Applications, report: &mut Report<'_>) -> Option<Self> {
        let key = ["database.url", "database.url_file"]
            .into_iter()
            .find(|key| report.has(key));
        let credential = DatabaseCredential::of(&section, applications, report);
        let url = match key {
            Some(key) => {
                let url = report.secret("database.url", section.url, section.url_file.as_deref())?;
                let checked = if report.has("database.credential") {
                    Store::check_url_without_password(&url)
                } else {
                    Store::check_url(&url)
                };
                if let Err(error) = checked {
                    report.fault(key, error.detail());
                    return None;
                }
                url
            }
            None if report.has("database.credential") => {
                report.missing(
                    "database.url",
                    "it is postgres://<user>@<host>/<database>, to be used with database.credential",
                );
                return None;
            }
            None => "sqlite://token_service.db?mode=rwc".to_owned(),
        };
        Some(Self {
            url: Secret::new(url),
            credential: match section.credential {
                Some(_) => Some(credential?),
                None => None,
            },
            max_connections: section.max_connections.map_or(8, Whole::get),
            migrate: section.migrate != Some(false),
        })
    }

    /// Returns whether replicas can share the database.
    pub(super) fn is_shared(&self) -> bool {
        !self.url.secret().starts_with("sqlite:")
    }
}

impl DatabaseCredential {
    fn of(section: &DatabaseSection, applications: &Applications, report: &mut Report<'_>) -> Option<Self> {
        if !report.has("database.credential") {
            for key in ["database.managed_identity_client_id", "database.credential_scope"] {
                report.unused(key, "is to be used with database.credential only; remove it");
            }
        }
        let credential = match section.credential?.into() {
            CredentialKind::ManagedIdentity => Credential::ManagedIdentity {
                client_id: section.managed_identity_client_id.clone(),
            },
            CredentialKind::WorkloadIdentity => Credential::WorkloadIdentity,
            kind => applications.credential(kind)?,
        };
        let scope = section.credential_scope.clone();
        Some(Self {
            credential,
            scope: scope.unwrap_or_else(|| DATABASE_SCOPE.to_owned()),
        })
    }
}

/// The sidecar.
#[derive(Clone, Debug)]
pub(crate) struct Sidecar {
    url: String,
    allow_any_host: bool,
}

impl Sidecar {
    /// Checks the section, which can be left out. `transport` sends nothing.
    pub(super) fn of(section: SidecarSection, report: &mut Report<'_>, transport: &Transport) -> Option<Self> {
        let needed_for = ["acs.sidecar_api", "teams.sidecar_api", "teams.phone_sidecar_api"]
            .into_iter()
            .find(|key| report.has(key));
        if let Some(key) = needed_for {
            let reason = format!("it is the address of the sidecar that {key} is about, such as http://localhost:5000");
            report.missing("sidecar.url", &reason);
        }
        let sidecar = Self {
            url: section.url?,
            allow_any_host: section.allow_any_host == Some(true),
        };
        if sidecar.client(Some(transport.clone())).is_err() {
            report.fault(
                "sidecar.url",
                "must look like http://localhost:5000, without a user, a query or a fragment; on a host that is neither \
                 this machine nor a private address, only with sidecar.allow_any_host = true",
            );
            return None;
        }
        Some(sidecar)
    }

    /// Builds the client, which sends with this transport or else builds one. It sends the trace of a caller's request on.
    pub(crate) fn client(&self, transport: Option<Transport>) -> azure_core::Result<SidecarClient> {
        let mut options = SidecarClientOptions {
            allow_any_host: self.allow_any_host,
            ..SidecarClientOptions::default()
        };
        options.client_options.transport = transport;
        options.client_options.per_try_policies.push(Arc::new(TraceHeaders));
        SidecarClient::new(&self.url, Some(options))
    }
}
