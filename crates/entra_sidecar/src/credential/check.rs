//! Whether a token is the one that was asked for.

use super::scope::SidecarScope;
use crate::{
    agent::Agent,
    claims::{self, TokenClaims},
    error::{SidecarError, SidecarErrorKind},
    inbound_token::InboundToken,
    models::AuthorizationHeader,
};
use azure_core::{Error, Result, Uuid, credentials::AccessToken, error::ErrorKind, time::OffsetDateTime};

/// Makes an access token of a header, if it is for the scope, the agent and the caller.
pub(super) fn access_token(
    header: &AuthorizationHeader,
    scope: &SidecarScope,
    agent: Option<&Agent>,
    caller: Option<&InboundToken>,
) -> Result<AccessToken> {
    if !header.scheme().eq_ignore_ascii_case("Bearer") {
        return Err(unexpected(
            scope,
            "is no bearer token, and clients of Azure services take no other",
        ));
    }
    let claims = claims::read(header.token().secret())
        .ok_or_else(|| unexpected(scope, "is no JSON Web Token, so there is no telling what it is for"))?;
    if !claims.audiences.iter().any(|audience| scope.accepts(audience)) {
        return Err(unexpected(
            scope,
            "has another audience than the scope; check the API's Scopes in the sidecar's configuration, or add the \
             audience with SidecarScope::audience",
        ));
    }
    if let Some(agent) = agent {
        check_agent(&claims, agent).map_err(|fault| unexpected(scope, fault))?;
    }
    if let Some(caller) = caller.filter(|_| agent.is_none_or(|agent| matches!(agent, Agent::Autonomous { .. }))) {
        check_user(&claims, caller).map_err(|fault| unexpected(scope, fault))?;
    }
    let expires_on = claims
        .expires_on
        .ok_or_else(|| unexpected(scope, "does not say when it expires"))?;
    if expires_on <= OffsetDateTime::now_utc() {
        return Err(unexpected(
            scope,
            "has already expired; check the clocks of this machine and of the sidecar's",
        ));
    }
    Ok(AccessToken::new(header.token().clone(), expires_on))
}

/// The sidecar ignores agents where its configuration does not allow overrides.
fn check_agent(claims: &TokenClaims, agent: &Agent) -> std::result::Result<(), &'static str> {
    if !is_id(claims.application.as_deref(), agent.agent_id()) {
        return Err(
            "is not the agent's; allow overrides on the route in the sidecar's configuration (Sidecar:AllowOverrides)",
        );
    }
    let is_right_user = match agent {
        Agent::Autonomous { .. } => true,
        Agent::UserById { user_id, .. } => is_id(claims.object_id.as_deref(), *user_id),
        Agent::UserByName { username, .. } => {
            let found = claims.username.as_deref().unwrap_or_default();
            found.to_lowercase() == username.to_lowercase()
        }
    };
    if is_right_user {
        Ok(())
    } else {
        Err("is another user's than the agent's")
    }
}

/// An API that is configured with `RequestAppToken` gets a token of the application, which may do more than the caller.
fn check_user(claims: &TokenClaims, caller: &InboundToken) -> std::result::Result<(), &'static str> {
    let Some(user) = claims::read(caller.token().secret()).and_then(|claims| claims.object_id) else {
        return Err("cannot be told to be the caller's, because the caller's token names no user (`oid`)");
    };
    let Some(found) = &claims.object_id else {
        return Err("names no user (`oid`), so there is no telling whether it is the caller's");
    };
    if user == *found {
        Ok(())
    } else {
        Err("is not the caller's; check that the API's RequestAppToken is not set in the sidecar's configuration")
    }
}

fn is_id(text: Option<&str>, id: Uuid) -> bool {
    text.and_then(|text| Uuid::parse_str(text).ok()) == Some(id)
}

fn unexpected(scope: &SidecarScope, fault: &str) -> Error {
    let text = format!("the token that the sidecar gave for {} {fault}", scope.api_name);
    SidecarError::new(SidecarErrorKind::UnexpectedToken, text).into_error(ErrorKind::Credential)
}
