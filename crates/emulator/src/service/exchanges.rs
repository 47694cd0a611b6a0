//! The exchange of Entra ID tokens by the users themselves.

use crate::{
    endpoint::Endpoint,
    identities::Access,
    rate_limits::Quota,
    resource::Resource,
    service::{
        Answer, ConcernedIdentity, ServiceError,
        body::Json,
        identity::{Identity, IdentityAndToken},
    },
    tokens::EntraUserClaims,
};
use axum::extract::{Extension, State};
use http::StatusCode;
use serde::Deserialize;

type Exchanged = (Extension<ConcernedIdentity>, Answer<IdentityAndToken>);

/// An object without members.
#[derive(Deserialize)]
pub(super) struct ExchangeRequest {}

/// `POST /access/teamsExtension/:exchangeAccessToken`
pub(super) async fn teams_extension(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Extension(user): Extension<EntraUserClaims>,
    _: Json<ExchangeRequest>,
) -> Result<Exchanged, ServiceError> {
    resource.count(Quota::ExchangeToken)?;
    if !user.permissions.include("TeamsExtension.ManageCalls") {
        return Err(ServiceError::forbidden(
            "The token lacks the permission TeamsExtension.ManageCalls.",
        ));
    }
    exchange(&resource, Access::TeamsExtension, &user, &["voip"]).await
}

/// `POST /access/entra/:exchangeAccessToken`
pub(super) async fn entra(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Extension(user): Extension<EntraUserClaims>,
    _: Json<ExchangeRequest>,
) -> Result<Exchanged, ServiceError> {
    resource.count(Quota::ExchangeToken)?;
    let mut scopes = Vec::new();
    for scope in user.permissions.names().filter_map(scope) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return Err(ServiceError::forbidden(
            "The token has none of the permissions Chat, Chat.Join, Chat.Join.Limited, VoIP and VoIP.Join.",
        ));
    }
    exchange(&resource, Access::Entra, &user, &scopes).await
}

/// The scope that corresponds to a permission.
fn scope(permission: &str) -> Option<&'static str> {
    match permission {
        "Chat" => Some("chat"),
        "Chat.Join" => Some("chat.join"),
        "Chat.Join.Limited" => Some("chat.join.limited"),
        "VoIP" => Some("voip"),
        "VoIP.Join" => Some("voip.join"),
        _ => None,
    }
}

async fn exchange(
    resource: &Resource,
    access: Access,
    user: &EntraUserClaims,
    scopes: &[&str],
) -> Result<Exchanged, ServiceError> {
    let issued = resource.issue_assigned_user_token(access, user, scopes).await?;
    let Some((user, access_token)) = issued else {
        resource.store.wait_for_all().await?;
        return Err(ServiceError::forbidden(
            "No assignment admits the user with this application.",
        ));
    };
    let id = user.to_string();
    let answer = IdentityAndToken {
        identity: Identity { id: id.clone() },
        access_token: Some(access_token),
    };
    Ok((Extension(ConcernedIdentity(id)), Answer(StatusCode::OK, answer)))
}
