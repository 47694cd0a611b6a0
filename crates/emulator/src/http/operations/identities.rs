//! Operations on identities and their access tokens: `/identities`.

use crate::{
    auth::KeyNumber,
    http::{
        JsonResponse, Service, ServiceError,
        authentication::explained,
        json_body::{FromMembers, Json, Members},
        rate_limits::Quota,
        request::path_parameter,
        response::{Identity, IdentityAndToken, ResponseIdentity},
    },
    identities::{AssignedUser, IdentityId},
    storage::Receipt,
    tokens::AccessToken,
};
use axum::extract::{Extension, FromRequestParts, State};
use http::{StatusCode, request::Parts};
use std::{collections::HashSet, convert::Infallible, sync::Arc};
use time::Duration;

const SCOPES: [&str; 5] = ["chat", "chat.join", "chat.join.limited", "voip", "voip.join"];

/// Bounds of a token's lifetime in minutes. The upper one is also the default.
const MIN_LIFETIME: i32 = 60;
const MAX_LIFETIME: i32 = 1440;

#[derive(Default)]
pub(super) struct CreateRequest {
    create_token_with_scopes: Option<Vec<String>>,
    expires_in_minutes: Option<i32>,
}

impl FromMembers for CreateRequest {
    fn from_members(members: &Members<'_>) -> Result<Self, ServiceError> {
        Ok(Self {
            create_token_with_scopes: members.get("createTokenWithScopes")?,
            expires_in_minutes: members.get_number("expiresInMinutes")?,
        })
    }
}

pub(super) async fn create(
    State(service): State<Arc<Service>>,
    Extension(key): Extension<KeyNumber>,
    Json(request): Json<CreateRequest>,
) -> Result<(Extension<ResponseIdentity>, JsonResponse<IdentityAndToken>), ServiceError> {
    let request = request.unwrap_or_default();
    let scopes = distinct(request.create_token_with_scopes.unwrap_or_default());
    service.count(if scopes.is_empty() {
        Quota::CreateIdentity
    } else {
        Quota::CreateIdentityAndToken
    })?;
    check_scopes(&scopes, "createTokenWithScopes")?;
    let lifetime = lifetime(request.expires_in_minutes)?;

    let (id, access_token) = service.resource.create_identity(&scopes, lifetime, key).await?;
    let id = id.to_string();
    let created = IdentityAndToken {
        identity: Identity { id: id.clone() },
        access_token,
    };
    Ok((
        Extension(ResponseIdentity(id)),
        JsonResponse(StatusCode::CREATED, created),
    ))
}

pub(super) async fn delete(State(service): State<Arc<Service>>, id: RawId) -> Result<StatusCode, ServiceError> {
    service.count(Quota::DeleteIdentity)?;
    let id = id.parse(&service)?;
    changed(&service, service.resource.registry.delete(id)).await
}

pub(super) async fn revoke_tokens(State(service): State<Arc<Service>>, id: RawId) -> Result<StatusCode, ServiceError> {
    service.count(Quota::RevokeTokens)?;
    let id = id.parse(&service)?;
    changed(&service, service.resource.revoke_tokens(id)).await
}

#[derive(Default)]
pub(super) struct IssueRequest {
    scopes: Option<Vec<String>>,
    expires_in_minutes: Option<i32>,
}

impl FromMembers for IssueRequest {
    fn from_members(members: &Members<'_>) -> Result<Self, ServiceError> {
        Ok(Self {
            scopes: members.get("scopes")?,
            expires_in_minutes: members.get_number("expiresInMinutes")?,
        })
    }
}

pub(super) async fn issue_token(
    State(service): State<Arc<Service>>,
    Extension(key): Extension<KeyNumber>,
    id: RawId,
    Json(request): Json<IssueRequest>,
) -> Result<JsonResponse<AccessToken>, ServiceError> {
    service.count(Quota::IssueToken)?;
    let request = request.unwrap_or_default();
    let scopes = distinct(request.scopes.ok_or_else(|| ServiceError::required("Scopes"))?);
    if scopes.is_empty() {
        return Err(ServiceError::validation(
            "scopes",
            "Invalid scopes - Scopes field is required.",
        ));
    }
    check_scopes(&scopes, "scopes")?;
    let lifetime = lifetime(request.expires_in_minutes)?;

    let id = id.parse(&service)?;
    let token = service.resource.issue_user_token(id, &scopes, lifetime, key).await?;
    Ok(JsonResponse(StatusCode::OK, existing(&service, token).await?))
}

/// Returns the scopes without those that were named before.
fn distinct(scopes: Vec<String>) -> Vec<String> {
    let mut known = HashSet::new();
    scopes.into_iter().filter(|scope| known.insert(scope.clone())).collect()
}

/// Checks that all scopes exist.
fn check_scopes(scopes: &[String], target: &'static str) -> Result<(), ServiceError> {
    if scopes.iter().all(|scope| SCOPES.contains(&scope.as_str())) {
        return Ok(());
    }
    let message = format!("Invalid scopes - Supported scopes are {}.", SCOPES.join(", "));
    Err(ServiceError::validation(target, message))
}

/// A lifetime of this many minutes, or the default.
fn lifetime(minutes: Option<i32>) -> Result<Duration, ServiceError> {
    let minutes = minutes.unwrap_or(MAX_LIFETIME);
    if (MIN_LIFETIME..=MAX_LIFETIME).contains(&minutes) {
        return Ok(Duration::minutes(minutes.into()));
    }
    let message = format!(
        "ExpiresInMinutes value {minutes} is invalid. Value must be within the [{MIN_LIFETIME}, {MAX_LIFETIME}] \
         interval."
    );
    Err(ServiceError::validation("ExpiresInMinutes", message))
}

/// The id in the path, percent-decoded; empty if that is not UTF-8.
pub(super) struct RawId(String);

impl<S: Send + Sync> FromRequestParts<S> for RawId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(path_parameter(parts, "id")))
    }
}

impl RawId {
    /// Parses the id of an identity of the resource, which need not exist.
    fn parse(&self, service: &Service) -> Result<IdentityId, ServiceError> {
        let reason = match IdentityId::parse(&self.0) {
            Some(id) if id.resource == service.resource.id => return Ok(id),
            Some(id) => format!(
                "the id is one of the resource {}, and this emulator's resource is {}. Use an id that was created here. \
                 Ids of an earlier run contain the id of that run's resource, unless `--data` or `--resource-id` keeps it.",
                id.resource, service.resource.id
            ),
            None if AssignedUser::is_raw_id(&self.0) => {
                "the id is that of an assigned user, not of an identity. Let the users exchange their own tokens, and \
                 delete the assignment to end their access."
                    .to_owned()
            }
            None => {
                "the path does not contain the id of an identity, which is `8:acs:<resource>_<user>` with two GUIDs in \
                     lower case. Send the id as it was returned, percent-encoded once at most."
                    .to_owned()
            }
        };
        Err(not_owned(service, &reason))
    }
}

/// The value that the registry found; an error if there is no such identity.
async fn existing<T>(service: &Service, found: Option<T>) -> Result<T, ServiceError> {
    if found.is_none() {
        service.resource.store.wait_for_all().await?;
    }
    found.ok_or_else(|| {
        let reason = "it was deleted, or never created here. Create an identity, and use its id. `--data` keeps the \
                      identities of earlier runs.";
        not_owned(service, reason)
    })
}

/// Waits for a change of an identity, and responds without a body; an error if there is no such identity.
async fn changed(service: &Service, receipt: Option<Receipt>) -> Result<StatusCode, ServiceError> {
    let receipt = existing(service, receipt).await?;
    service.resource.store.wait(receipt).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn not_owned(service: &Service, reason: &str) -> ServiceError {
    explained(
        ServiceError::identity_not_owned().because_of("identity", reason),
        service,
    )
}
