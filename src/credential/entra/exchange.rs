//! The exchange of an Entra token for one of Communication Services.

use super::EntraCommunicationTokenCredentialOptions;
use crate::{
    auth::{AuthenticationPolicy, Clock},
    client::CommunicationIdentityClientOptions,
    error::invalid_argument,
    models::{CommunicationAccessToken, ExchangedAccessToken},
    pipeline::ServicePipeline,
    requests::{self, Service},
    service::{API_VERSION, ENTRA_EXCHANGE_API_VERSION},
};
use azure_core::{
    Result,
    credentials::Secret,
    http::{Context, Response, Url},
};

/// What the scopes of an Entra user start with.
const CLIENTS: &str = "https://communication.azure.com/clients/";

/// What the scopes of Teams Phone extensibility start with.
const TEAMS_EXTENSION: &str = "https://auth.msft.communication.azure.com/";

/// The same in the cloud of the United States government.
const TEAMS_EXTENSION_US: &str = "https://auth.msft.communication.azure.us/";

/// Which of the service's exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    EntraUser,
    TeamsExtensionUser,
}

impl Operation {
    /// The operation that all scopes belong to.
    fn of(scopes: &[String]) -> Result<Self> {
        let all = |prefixes: &[&str]| {
            !scopes.is_empty()
                && scopes
                    .iter()
                    .all(|scope| prefixes.iter().any(|prefix| scope.starts_with(prefix)))
        };
        if all(&[CLIENTS]) {
            Ok(Self::EntraUser)
        } else if all(&[TEAMS_EXTENSION, TEAMS_EXTENSION_US]) {
            Ok(Self::TeamsExtensionUser)
        } else {
            Err(invalid_argument(format!(
                "scopes must not be empty, and must all start with {CLIENTS}, or all with {TEAMS_EXTENSION} or \
                 {TEAMS_EXTENSION_US}"
            )))
        }
    }

    fn api_version(self) -> &'static str {
        match self {
            Self::EntraUser => ENTRA_EXCHANGE_API_VERSION,
            Self::TeamsExtensionUser => API_VERSION,
        }
    }
}

/// Exchanges Entra tokens at a resource.
#[derive(Debug)]
pub(super) struct Exchange {
    operation: Operation,
    service: Service,
    pipeline: ServicePipeline,
}

impl Exchange {
    pub(super) fn new(
        endpoint: &Url,
        options: &EntraCommunicationTokenCredentialOptions,
        clock: Clock,
    ) -> Result<Self> {
        let operation = Operation::of(&options.scopes)?;
        let options = CommunicationIdentityClientOptions {
            api_version: operation.api_version().to_owned(),
            timeout: options.timeout,
            max_retry_after: options.max_retry_after,
            client_options: options.client_options.clone(),
            ..Default::default()
        };
        Ok(Self {
            operation,
            service: Service::new(endpoint, &options.api_version)?,
            pipeline: ServicePipeline::new(AuthenticationPolicy::UserToken, &options, clock)?,
        })
    }

    pub(super) async fn exchange(&self, entra_token: &Secret) -> Result<CommunicationAccessToken> {
        let request = match self.operation {
            Operation::EntraUser => requests::exchange_entra_token(&self.service),
            Operation::TeamsExtensionUser => requests::exchange_teams_extension_token(&self.service),
        };
        let answer = self
            .pipeline
            .send_for_user(Context::new(), request?, entra_token.clone());
        let answer: Response<ExchangedAccessToken> = answer.await?.into();
        Ok(answer.into_model()?.access_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(scopes: &[&str]) -> Result<Operation> {
        Operation::of(&scopes.iter().map(|&scope| scope.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_scopes_tell_the_operation() {
        for scopes in [
            &["https://communication.azure.com/clients/.default"][..],
            &[
                "https://communication.azure.com/clients/Chat",
                "https://communication.azure.com/clients/VoIP",
            ],
        ] {
            assert_eq!(operation(scopes).unwrap(), Operation::EntraUser);
        }
        for scopes in [
            &["https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls"][..],
            &["https://auth.msft.communication.azure.us/TeamsExtension.ManageCalls"],
        ] {
            assert_eq!(operation(scopes).unwrap(), Operation::TeamsExtensionUser);
        }
    }

    #[test]
    fn other_scopes_are_refused_with_those_that_there_are() {
        for scopes in [
            &[][..],
            &[""],
            &["https://communication.azure.com/clients"],
            &["https://communication.azure.com//.default"],
            &["https://auth.msft.communication.azure.com.contoso.com/.default"],
            &[
                "https://communication.azure.com/clients/Chat",
                "https://graph.microsoft.com/.default",
            ],
            &[
                "https://communication.azure.com/clients/Chat",
                "https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls",
            ],
        ] {
            let error = operation(scopes).unwrap_err().to_string();
            for prefix in [CLIENTS, TEAMS_EXTENSION] {
                assert!(error.contains(prefix), "{error}");
            }
        }
    }
}
