//! Which scopes a request asks for.

use crate::error::ApiError;
use axum::{
    Json, RequestExt,
    body::HttpBody,
    extract::{FromRequest, FromRequestParts, Query, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
};
use azure_communication_identity::CommunicationTokenScope;
use serde::Deserialize;
use std::collections::BTreeSet;
use utoipa::{IntoParams, ToSchema};

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

/// The scopes that the query asks for, if it does.
pub(super) struct Scopes(Option<BTreeSet<CommunicationTokenScope>>);

/// The scopes that the body asks for or, if it does not, the query.
pub(super) struct PostedScopes(pub(super) Scopes);

impl Scopes {
    pub(super) fn asked(&self) -> Option<&BTreeSet<CommunicationTokenScope>> {
        self.0.as_ref()
    }
}

impl TryFrom<ScopeList> for Scopes {
    type Error = ApiError;

    fn try_from(list: ScopeList) -> Result<Self, ApiError> {
        let list = list.scope.unwrap_or_default();
        let scopes = list.split([',', ' ']).filter(|scope| !scope.is_empty());
        let scopes: BTreeSet<_> = scopes.map(CommunicationTokenScope::from).collect();
        if scopes
            .iter()
            .any(|scope| matches!(scope, CommunicationTokenScope::UnknownValue(_)))
        {
            let message = "a scope is unknown: there are chat, chat.join, chat.join.limited, voip and voip.join";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "unknown_scope", message));
        }
        Ok(Self(Some(scopes).filter(|scopes| !scopes.is_empty())))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Scopes {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query: Result<Query<ScopeList>, _> = Query::try_from_uri(&parts.uri);
        let Query(list) =
            query.map_err(|_| ApiError::bad_request("the query has to be ?scope=chat,voip, or nothing"))?;
        list.try_into()
    }
}

impl<S: Send + Sync> FromRequest<S> for PostedScopes {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, _: &S) -> Result<Self, ApiError> {
        let in_query: Scopes = request.extract_parts().await?;
        // Some clients name a type for a body that there is not.
        if request.body().is_end_stream() {
            return Ok(Self(in_query));
        }
        let body: Option<Json<Option<ScopeList>>> =
            request.extract().await.map_err(|rejection| bad_body(&rejection))?;
        match body {
            Some(Json(Some(list))) => {
                let in_body = Scopes::try_from(list)?;
                Ok(Self(Scopes(in_body.0.or(in_query.0))))
            }
            _ => Ok(Self(in_query)),
        }
    }
}

fn bad_body(rejection: &JsonRejection) -> ApiError {
    let message = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
        _ => r#"the body has to be JSON, such as {"scope":"chat,voip"}, or nothing"#,
    };
    ApiError::new(rejection.status(), "bad_body", message)
}
