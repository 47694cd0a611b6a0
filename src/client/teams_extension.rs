//! Operations on assignments of Teams Phone extensibility.

use super::CommunicationIdentityClient;
use crate::{
    models::{
        CommunicationIdentityClientCreateOrReplaceTeamsExtensionAssignmentOptions,
        CommunicationIdentityClientDeleteTeamsExtensionAssignmentOptions,
        CommunicationIdentityClientGetTeamsExtensionAssignmentOptions, TeamsExtensionAssignment,
        TeamsExtensionAssignmentId, TeamsExtensionPrincipal,
    },
    requests,
};
use azure_core::{
    Result,
    http::{NoFormat, Response, StatusCode},
    tracing,
};

impl CommunicationIdentityClient {
    /// Creates an assignment of Teams Phone extensibility, or replaces it: it admits a Teams user or resource account to the
    /// resource. [How to set that up][teams-phone].
    ///
    /// The status of the answer is 201 if the assignment is new, and 200 if there was one.
    ///
    /// [teams-phone]: https://learn.microsoft.com/azure/communication-services/quickstarts/tpe/teams-phone-extensibility-access-teams-phone
    ///
    /// # Arguments
    ///
    /// * `assignment` - Which assignment.
    /// * `principal` - Whom it admits.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). API versions before 2025-06-30 do not have the operation.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// # let (tenant_id, object_id) = (azure_core::Uuid::new_v4(), azure_core::Uuid::new_v4());
    /// use azure_communication_identity::{
    ///     TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType,
    /// };
    ///
    /// let assignment = TeamsExtensionAssignmentId { tenant_id, object_id };
    /// let principal = TeamsExtensionPrincipal {
    ///     principal_type: TeamsExtensionPrincipalType::User,
    ///     client_ids: vec!["1d7e5dfb-7f3a-4a25-8bd8-9d2bd0e1a1b5".to_owned()],
    /// };
    /// client
    ///     .create_or_replace_teams_extension_assignment(&assignment, &principal, None)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.createOrReplaceTeamsExtensionAssignment")]
    pub async fn create_or_replace_teams_extension_assignment(
        &self,
        assignment: &TeamsExtensionAssignmentId,
        principal: &TeamsExtensionPrincipal,
        options: Option<CommunicationIdentityClientCreateOrReplaceTeamsExtensionAssignmentOptions<'_>>,
    ) -> Result<Response<TeamsExtensionAssignment>> {
        let options = options.unwrap_or_default();
        let request = requests::create_or_replace_assignment(&self.service, assignment, principal)?;
        let context = options.method_options.context;
        let success = &[StatusCode::Created, StatusCode::Ok];
        Ok(self.pipeline.send(context, request, success).await?.into())
    }

    /// Gets an assignment of Teams Phone extensibility.
    ///
    /// # Arguments
    ///
    /// * `assignment` - Which assignment.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). The service answers 404 if there is no such assignment. API versions before 2025-06-30
    /// do not have the operation.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// # let (tenant_id, object_id) = (azure_core::Uuid::new_v4(), azure_core::Uuid::new_v4());
    /// # use azure_communication_identity::{TeamsExtensionPrincipal, TeamsExtensionPrincipalType};
    /// use azure_communication_identity::TeamsExtensionAssignmentId;
    ///
    /// let assignment = TeamsExtensionAssignmentId { tenant_id, object_id };
    /// # let principal = TeamsExtensionPrincipal {
    /// #     principal_type: TeamsExtensionPrincipalType::User, client_ids: Vec::new(),
    /// # };
    /// # client.create_or_replace_teams_extension_assignment(&assignment, &principal, None).await?;
    /// let found = client
    ///     .get_teams_extension_assignment(&assignment, None)
    ///     .await?
    ///     .into_model()?;
    /// println!("admits a {}", found.principal.principal_type);
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.getTeamsExtensionAssignment")]
    pub async fn get_teams_extension_assignment(
        &self,
        assignment: &TeamsExtensionAssignmentId,
        options: Option<CommunicationIdentityClientGetTeamsExtensionAssignmentOptions<'_>>,
    ) -> Result<Response<TeamsExtensionAssignment>> {
        let options = options.unwrap_or_default();
        let request = requests::get_assignment(&self.service, assignment);
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::Ok]).await?;
        Ok(response.into())
    }

    /// Deletes an assignment of Teams Phone extensibility, and revokes the access tokens of its principal.
    ///
    /// # Arguments
    ///
    /// * `assignment` - Which assignment.
    /// * `options` - Options for the operation.
    ///
    /// # Errors
    ///
    /// See [the client](Self#errors). What the service answers if there is no such assignment is not documented. API versions
    /// before 2025-06-30 do not have the operation.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (emulator, client) = start().await?;
    /// # let (tenant_id, object_id) = (azure_core::Uuid::new_v4(), azure_core::Uuid::new_v4());
    /// # use azure_communication_identity::{TeamsExtensionPrincipal, TeamsExtensionPrincipalType};
    /// use azure_communication_identity::TeamsExtensionAssignmentId;
    ///
    /// let assignment = TeamsExtensionAssignmentId { tenant_id, object_id };
    /// # let principal = TeamsExtensionPrincipal {
    /// #     principal_type: TeamsExtensionPrincipalType::User, client_ids: Vec::new(),
    /// # };
    /// # client.create_or_replace_teams_extension_assignment(&assignment, &principal, None).await?;
    /// client.delete_teams_extension_assignment(&assignment, None).await?;
    /// # Ok(()) }
    /// ```
    #[tracing::function("CommunicationIdentity.deleteTeamsExtensionAssignment")]
    pub async fn delete_teams_extension_assignment(
        &self,
        assignment: &TeamsExtensionAssignmentId,
        options: Option<CommunicationIdentityClientDeleteTeamsExtensionAssignmentOptions<'_>>,
    ) -> Result<Response<(), NoFormat>> {
        let options = options.unwrap_or_default();
        let request = requests::delete_assignment(&self.service, assignment);
        let context = options.method_options.context;
        let response = self.pipeline.send(context, request, &[StatusCode::NoContent]).await?;
        Ok(response.into())
    }
}
