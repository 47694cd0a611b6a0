//! Which scopes a request asks for.

use crate::error::ApiError;
use axum::{
    Json, RequestExt,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{StatusCode, request::Parts},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// The scopes of a query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Scopes {
    /// The scopes of the token, separated by commas: `chat`, `chat.join`, `chat.join.limited`, `voip`, `voip.join`.
    #[param(example = "chat,voip")]
    scope: Option<String>,
}

/// The scopes of a body, which come before those of the query.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ScopesBody {
    /// The scopes of the token, separated by commas.
    #[schema(example = "chat,voip")]
    scope: Option<String>,
}

/// The scopes of a request that may have a body.
pub(super) struct PostedScopes(Scopes);

impl Scopes {
    pub(super) fn asked(&self) -> Option<&str> {
        self.scope.as_deref()
    }
}

impl PostedScopes {
    pub(super) fn asked(&self) -> Option<&str> {
        self.0.asked()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Scopes {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = Query::try_from_uri(&parts.uri);
        let Query(scopes) =
            query.map_err(|_| ApiError::bad_request("the query has to be ?scope=chat,voip, or nothing"))?;
        Ok(scopes)
    }
}

impl<S: Send + Sync> FromRequest<S> for PostedScopes {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, _: &S) -> Result<Self, ApiError> {
        let mut scopes: Scopes = request.extract_parts().await?;
        let body: Option<Json<ScopesBody>> =
            request
                .extract()
                .await
                .map_err(|rejection: axum::extract::rejection::JsonRejection| {
                    let message = match rejection.status() {
                        StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
                        _ => "the body has to be JSON, such as {\"scope\":\"chat,voip\"}, or nothing",
                    };
                    ApiError::new(rejection.status(), "bad_body", message)
                })?;
        if let Some(Json(ScopesBody { scope: Some(scope) })) = body {
            scopes.scope = Some(scope);
        }
        Ok(Self(scopes))
    }
}
