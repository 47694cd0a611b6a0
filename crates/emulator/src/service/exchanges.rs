//! The exchange of Entra ID tokens by the users themselves.

use crate::{
    assigned_user::Access,
    endpoint::Endpoint,
    rate_limits::Operation,
    resource::Resource,
    service::{
        Answer, ServiceError,
        body::Json,
        identity::{Identity, IdentityAndToken},
    },
    tokens::EntraUserClaims,
};
use axum::extract::{Extension, State};
use http::StatusCode;
use serde::Deserialize;

/// An object without members.
#[derive(Deserialize)]
pub(super) struct ExchangeRequest {}

/// `POST /access/teamsExtension/:exchangeAccessToken`
pub(super) async fn teams_extension(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Extension(user): Extension<EntraUserClaims>,
    _: Json<ExchangeRequest>,
) -> Result<Answer<IdentityAndToken>, ServiceError> {
    resource.count(Operation::ExchangeToken)?;
    if !user.permissions().any(|name| name == "TeamsExtension.ManageCalls") {
        return Err(ServiceError::forbidden(
            "The token lacks the permission TeamsExtension.ManageCalls.",
        ));
    }
    exchange(&resource, Access::TeamsExtension, &user, &["voip"]).await
}

async fn exchange(
    resource: &Resource,
    access: Access,
    user: &EntraUserClaims,
    scopes: &[&str],
) -> Result<Answer<IdentityAndToken>, ServiceError> {
    let issued = resource.issue_assigned_user_token(access, user, scopes).await?;
    let not_assigned = || ServiceError::forbidden("No assignment admits the user with this application.");
    let (user, access_token) = issued.ok_or_else(not_assigned)?;
    let answer = IdentityAndToken {
        identity: Identity::of_id(user.to_string()),
        access_token: Some(access_token),
    };
    Ok(Answer(StatusCode::OK, answer))
}
