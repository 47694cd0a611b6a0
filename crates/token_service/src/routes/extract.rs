//! Extractors of the handlers: the calling user, their rate limit, and the requested scopes.

use super::ApiState;
use crate::{error::ApiError, user::UserId};
use axum::{
    Json, RequestExt,
    body::HttpBody,
    extract::{FromRequest, FromRequestParts, Query, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
};
use azure_communication_identity::CommunicationTokenScope;
use serde::Deserialize;
use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc, time::Duration};
use token_guard::Caller;
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

/// The time for a body, which takes one packet or a few. Meanwhile, its connection is not closed for others.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The user who is calling, with a checked token and within their rate limit.
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) caller: Caller,
}

impl FromRequestParts<Arc<ApiState>> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<ApiState>) -> Result<Self, ApiError> {
        let caller = api.guard.authenticate(&parts.headers).await?;
        if caller.is_application() {
            let message = "an application calls for itself, and tokens are for users";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "not_a_user", message));
        }
        let id = api.user_id_claims.user_id(&caller, &api.issuer_aliases)?;
        api.rate_limit.charge(&id, NonZeroU32::MIN)?;
        Ok(Self { id, caller })
    }
}

/// The query of a request for a token that must be new.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Freshness {
    /// `true` issues a new token, and forgets those that are cached. Azure Communication Services has refused them.
    #[serde(default)]
    #[param(required = false)]
    fresh: bool,
}

/// Set if the query asks for a new token.
pub(super) struct QueryFresh(pub(super) bool);

impl<S: Send + Sync> FromRequestParts<S> for QueryFresh {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query: Result<Query<Freshness>, _> = Query::try_from_uri(&parts.uri);
        let Query(query) = query.map_err(|_| ApiError::bad_request("fresh must be true or false"))?;
        Ok(Self(query.fresh))
    }
}

/// The scopes of a token, in a query or in a body.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[schema(as = Scopes)]
pub(super) struct ScopeList {
    /// The scopes of the token, separated by commas: `chat`, `chat.join`, `chat.join.limited`, `voip`, `voip.join`.
    #[param(
        example = "chat,voip",
        pattern = r"^[ ,]*((chat|chat\.join|chat\.join\.limited|voip|voip\.join)([ ,]+|$))*$"
    )]
    #[schema(
        example = "chat,voip",
        pattern = r"^[ ,]*((chat|chat\.join|chat\.join\.limited|voip|voip\.join)([ ,]+|$))*$"
    )]
    scope: Option<String>,
}

/// The scopes of the query. `None` requests the default ones.
pub(super) struct QueryScopes(pub(super) Option<BTreeSet<CommunicationTokenScope>>);

/// The scopes of the body or else of the query. `None` requests the default ones.
pub(super) struct BodyScopes(pub(super) Option<BTreeSet<CommunicationTokenScope>>);

impl ScopeList {
    fn parse(self) -> Result<Option<BTreeSet<CommunicationTokenScope>>, ApiError> {
        let list = self.scope.unwrap_or_default();
        let scopes = list.split([',', ' ']).filter(|scope| !scope.is_empty());
        let scopes: BTreeSet<_> = scopes.map(CommunicationTokenScope::from).collect();
        if scopes
            .iter()
            .any(|scope| matches!(scope, CommunicationTokenScope::UnknownValue(_)))
        {
            let message = "a scope is unknown: there are chat, chat.join, chat.join.limited, voip and voip.join";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "unknown_scope", message));
        }
        Ok(Some(scopes).filter(|scopes| !scopes.is_empty()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for QueryScopes {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query: Result<Query<ScopeList>, _> = Query::try_from_uri(&parts.uri);
        let Query(list) = query.map_err(|_| ApiError::bad_request("the query must be ?scope=chat,voip, or nothing"))?;
        Ok(Self(list.parse()?))
    }
}

impl<S: Send + Sync> FromRequest<S> for BodyScopes {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, _: &S) -> Result<Self, ApiError> {
        let QueryScopes(in_query) = request.extract_parts().await?;
        // Some clients send a content type without a body.
        if request.body().is_end_stream() {
            return Ok(Self(in_query));
        }
        let body: Option<Json<Option<ScopeList>>> = in_time(request.extract())
            .await?
            .map_err(|rejection| bad_body(&rejection))?;
        match body {
            Some(Json(Some(list))) => Ok(Self(list.parse()?.or(in_query))),
            _ => Ok(Self(in_query)),
        }
    }
}

/// Limits the time in which a body is read.
pub(super) async fn in_time<T>(body: impl Future<Output = T>) -> Result<T, ApiError> {
    let read = timeout(BODY_TIMEOUT, body).await;
    read.map_err(|_| {
        let message = "the body did not arrive within 10 seconds: send the request again";
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "bad_body", message)
    })
}

fn bad_body(rejection: &JsonRejection) -> ApiError {
    let message = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
        _ => r#"the body must be JSON, such as {"scope":"chat,voip"}, or nothing"#,
    };
    ApiError::new(rejection.status(), "bad_body", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        body::{Body, Bytes},
        http::header::CONTENT_TYPE,
        response::IntoResponse,
    };
    use futures::{StreamExt, stream};
    use std::io;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn slow_body_times_out() {
        let second = Duration::from_secs(1);
        let bytes = stream::iter(br#"{"scope":"chat"}"#).then(move |byte| async move {
            sleep(second).await;
            Ok::<_, io::Error>(Bytes::from_static(std::slice::from_ref(byte)))
        });
        let request = Request::post("/token").header(CONTENT_TYPE, "application/json");
        let request = request.body(Body::from_stream(bytes)).unwrap();
        let started = Instant::now();
        let failed = BodyScopes::from_request(request, &()).await.err().unwrap();
        assert_eq!(failed.into_response().status(), StatusCode::REQUEST_TIMEOUT);
        let elapsed = started.elapsed();
        assert!(
            elapsed >= BODY_TIMEOUT && elapsed < BODY_TIMEOUT + second,
            "{elapsed:?}"
        );
    }
}
