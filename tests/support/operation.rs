//! The operations of the client, as one type.

use super::fixtures::{SCOPES, teams_user, user};
use azure_communication_identity::{
    CommunicationAccessToken, CommunicationIdentityClient, CommunicationTokenCredential, CommunicationUserIdentifier,
    TeamsUserTokenRequest,
};
use azure_core::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    CreateUser,
    CreateUserAndToken,
    GetToken,
    RevokeTokens,
    DeleteUser,
    GetTokenForTeamsUser,
    /// A `CommunicationTokenCredential` gets the token of its user.
    RefreshToken,
}

/// The users that operations are about.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) user: CommunicationUserIdentifier,
    pub(crate) teams_user: TeamsUserTokenRequest,
}

impl Default for Subject {
    fn default() -> Self {
        Self {
            user: user(),
            teams_user: teams_user(),
        }
    }
}

/// The results of an operation.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) user: Option<CommunicationUserIdentifier>,
    pub(crate) token: Option<CommunicationAccessToken>,
}

impl Operation {
    pub(crate) const ALL: [Self; 7] = [
        Self::CreateUser,
        Self::CreateUserAndToken,
        Self::GetToken,
        Self::RevokeTokens,
        Self::DeleteUser,
        Self::GetTokenForTeamsUser,
        Self::RefreshToken,
    ];

    pub(crate) fn creates_user(self) -> bool {
        matches!(self, Self::CreateUser | Self::CreateUserAndToken)
    }

    /// Returns whether a success has a body.
    pub(crate) fn has_result(self) -> bool {
        !matches!(self, Self::RevokeTokens | Self::DeleteUser)
    }

    pub(crate) async fn call(self, client: &CommunicationIdentityClient, subject: &Subject) -> Result<Output> {
        let user = &subject.user;
        let (user, token) = match self {
            Self::CreateUser => (Some(client.create_user(None).await?.into_model()?), None),
            Self::CreateUserAndToken => {
                let created = client.create_user_and_token(&SCOPES, None).await?.into_model()?;
                (Some(created.user), Some(created.access_token))
            }
            Self::GetToken => (None, Some(client.get_token(user, &SCOPES, None).await?.into_model()?)),
            Self::RevokeTokens => {
                client.revoke_tokens(user, None).await?;
                (None, None)
            }
            Self::DeleteUser => {
                client.delete_user(user, None).await?;
                (None, None)
            }
            Self::GetTokenForTeamsUser => {
                let exchange = client.get_token_for_teams_user(subject.teams_user.clone(), None);
                (None, Some(exchange.await?.into_model()?))
            }
            Self::RefreshToken => {
                let credential = CommunicationTokenCredential::for_user(client.clone(), user.clone(), &SCOPES, None)?;
                (None, Some(credential.get_token().await?))
            }
        };
        Ok(Output { user, token })
    }
}
