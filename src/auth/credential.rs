//! The credential of a client, and its tokens from Entra ID.

use super::AzureKeyCredential;
use crate::{constants::ENTRA_SCOPE, error::invalid_argument};
use azure_core::{
    Error, Result,
    cloud::CloudConfiguration,
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
};
use std::{fmt, sync::Arc};

/// The credential of a client.
#[derive(Clone)]
pub(crate) enum Credential {
    AccessKey(AzureKeyCredential),
    /// The tokens of a principal, from a token credential.
    Entra {
        credential: Arc<dyn TokenCredential>,
        scope: String,
    },
    /// The Entra token in the [`UserToken`] of each call.
    UserToken,
}

impl Credential {
    /// Creates the credential of a principal.
    ///
    /// # Errors
    ///
    /// The client is in a cloud other than the public one, and the scope is that of the public one.
    pub(crate) fn token_credential(
        credential: Arc<dyn TokenCredential>,
        scope: &str,
        cloud: Option<&CloudConfiguration>,
    ) -> Result<Self> {
        let is_public = matches!(cloud, None | Some(CloudConfiguration::AzurePublic));
        if scope == ENTRA_SCOPE && !is_public {
            return Err(invalid_argument(
                "client_options.cloud is not the public cloud, and the scope of this service is documented for that one \
                 only; set entra_scope to the scope of your cloud",
            ));
        }
        Ok(Self::Entra {
            credential: Arc::new(DistinctCredential(credential)),
            scope: scope.to_owned(),
        })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessKey(_) => "AccessKey",
            Self::Entra { .. } => "Entra",
            Self::UserToken => "UserToken",
        })
    }
}

/// In a call's [`Context`](azure_core::http::Context), the Entra token of the user on whose behalf it is made.
pub(crate) struct UserToken(pub(crate) Secret);

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
