//! Authentication with an Entra token.

use crate::{error::invalid_argument, service::ENTRA_SCOPE};
use azure_core::{
    Error, Result,
    cloud::CloudConfiguration,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::policies::{Policy, auth::BearerTokenAuthorizationPolicy},
};
use std::sync::Arc;

/// Creates the policy that puts an Entra token on every attempt.
pub(crate) fn bearer_token_policy(credential: Arc<dyn TokenCredential>, scope: &str) -> Arc<dyn Policy> {
    let credential = Arc::new(DistinctCredential(credential));
    Arc::new(BearerTokenAuthorizationPolicy::new(credential, [scope]))
}

/// Refuses to ask for a token of the public cloud when the client is said to be in another one.
pub(crate) fn check_scope(scope: &str, cloud: Option<&CloudConfiguration>) -> Result<()> {
    let public = matches!(cloud, None | Some(CloudConfiguration::AzurePublic));
    if scope == ENTRA_SCOPE && !public {
        return Err(invalid_argument(
            "client_options.cloud is not the public cloud, and the scope of this service is documented for that one \
             only; set entra_scope to the scope of your cloud",
        ));
    }
    Ok(())
}

/// A token credential whose failures cannot be taken for those of the service or of the connection to it: on the one a
/// caller would look for a [`CommunicationError`](crate::CommunicationError), after the other a creation may have been
/// executed.
#[derive(Debug)]
pub(crate) struct DistinctCredential(pub(crate) Arc<dyn TokenCredential>);

#[async_trait::async_trait]
impl TokenCredential for DistinctCredential {
    async fn get_token(&self, scopes: &[&str], options: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        self.0.get_token(scopes, options).await.map_err(|error| {
            let text = error.to_string();
            Error::with_error(ErrorKind::Credential, error, text)
        })
    }
}
