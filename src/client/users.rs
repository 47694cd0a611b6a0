//! Operations on users.

use super::CommunicationIdentityClient;
use crate::{
    identifier::CommunicationUserIdentifier,
    models::{
        CommunicationIdentityClientCreateUserAndTokenOptions, CommunicationIdentityClientCreateUserOptions,
        CommunicationIdentityClientDeleteUserOptions, CommunicationTokenScope, CommunicationUserAndToken,
        IdentityFormat,
    },
    requests,
};
use azure_core::{
    Result,
    http::{NoFormat, Response, StatusCode},
    tracing,
};

impl CommunicationIdentityClient {
    /// Creates a user.
    ///
    /// The request is executed at most once, unless
    /// [`retry_uncertain_creation`](crate::CommunicationIdentityClientOptions::retry_uncertain_creation) says otherwise.
    ///
    /// # Arguments
    ///
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). After some errors a user may exist all the same:
    /// [`creation_outcome_unknown`](crate::creation_outcome_unknown) says so.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// let user = client.create_user(None).await?.into_model()?;
    /// println!("{user}");
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.createUser")]
    pub async fn create_user(
        &self,
        options: Option<CommunicationIdentityClientCreateUserOptions<'_>>,
    ) -> Result<Response<CommunicationUserIdentifier, IdentityFormat>> {
        let options = options.unwrap_or_default();
        let request = requests::create_user(&self.service);
        let context = options.method_options.context;
        Ok(self.pipeline.create(context, request).await?.into())
    }

    /// Creates a user and a token of theirs with one request.
    ///
    /// The request is executed at most once, unless
    /// [`retry_uncertain_creation`](crate::CommunicationIdentityClientOptions::retry_uncertain_creation) says otherwise.
    ///
    /// # Arguments
    ///
    /// * `scopes` - What the token is for; at least one.
    /// * `options` - Options for the operation, with the token's lifetime.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). `scopes` is empty, or the lifetime is not a whole number of minutes from 60 to
    /// 1440. After some errors a user may exist all the same:
    /// [`creation_outcome_unknown`](crate::creation_outcome_unknown) says so. If the answer holds no token, the source of
    /// [`into_model`](Response::into_model)'s error is a [`UserWithoutToken`](crate::UserWithoutToken), which names the
    /// user.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// use azure_communication_identity::{
    ///     CommunicationTokenScope, models::CommunicationIdentityClientCreateUserAndTokenOptions,
    /// };
    /// use azure_core::time::Duration;
    ///
    /// let options = CommunicationIdentityClientCreateUserAndTokenOptions {
    ///     token_expires_in: Some(Duration::hours(1)),
    ///     ..Default::default()
    /// };
    /// let created = client
    ///     .create_user_and_token(&[CommunicationTokenScope::Voip], Some(options))
    ///     .await?
    ///     .into_model()?;
    /// println!("{} may call until {}", created.user, created.access_token.expires_on);
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.createUserAndToken")]
    pub async fn create_user_and_token(
        &self,
        scopes: &[CommunicationTokenScope],
        options: Option<CommunicationIdentityClientCreateUserAndTokenOptions<'_>>,
    ) -> Result<Response<CommunicationUserAndToken>> {
        let options = options.unwrap_or_default();
        let request = requests::create_user_and_token(&self.service, scopes, options.token_expires_in)?;
        let context = options.method_options.context;
        Ok(self.pipeline.create(context, request).await?.into())
    }

    /// Deletes a user, revokes their tokens, and deletes what they left in the service, such as chat messages.
    ///
    /// # Arguments
    ///
    /// * `user` - The user.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). For a user of another resource the service answers
    /// [`IdentityNotOwned`](crate::CommunicationErrorCode::IdentityNotOwned); what it answers for a deleted one is not
    /// documented. A call that is retried after it was executed is one for a deleted user.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// # let user = client.create_user(None).await?.into_model()?;
    /// client.delete_user(&user, None).await?;
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.deleteUser")]
    pub async fn delete_user(
        &self,
        user: &CommunicationUserIdentifier,
        options: Option<CommunicationIdentityClientDeleteUserOptions<'_>>,
    ) -> Result<Response<(), NoFormat>> {
        let options = options.unwrap_or_default();
        let request = requests::delete_user(&self.service, user);
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::NoContent]).await?;
        Ok(response.into())
    }
}
