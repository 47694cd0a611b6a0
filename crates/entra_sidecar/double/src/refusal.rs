//! Answers other than success.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An answer other than success.
pub(crate) enum Refusal {
    /// To a caller whose token is missing or not valid: a challenge, and no body.
    Caller(&'static str),
    /// To a caller without the scope that `/Validate` asks for.
    Scope,
    /// `ProblemDetails`, with a detail.
    Problem(StatusCode, String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Caller(challenge) => {
                (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
            }
            Self::Scope => {
                let text = "IDW10203: The 'scope' or 'scp' claim does not contain the scopes that are required.";
                (StatusCode::FORBIDDEN, text).into_response()
            }
            Self::Problem(status, detail) => {
                // The type that ASP.NET Core has for the status.
                let section = match status {
                    StatusCode::BAD_REQUEST => "15.5.1",
                    StatusCode::UNAUTHORIZED => "15.5.2",
                    _ => "15.6.1",
                };
                let problem = json!({
                    "type": format!("https://tools.ietf.org/html/rfc9110#section-{section}"),
                    "title": status.canonical_reason(),
                    "status": status.as_u16(),
                    "detail": detail,
                });
                let content_type = (header::CONTENT_TYPE, "application/problem+json");
                (status, [content_type], problem.to_string()).into_response()
            }
        }
    }
}

pub(crate) fn no_scopes(api: &str) -> Refusal {
    let detail = format!(
        "No scopes found for the API '{api}' or in optionsOverride. 'scopes' needs to be either a single value or a list \
         of values."
    );
    problem(StatusCode::BAD_REQUEST, detail)
}

pub(crate) fn problem(status: StatusCode, detail: impl Into<String>) -> Refusal {
    Refusal::Problem(status, detail.into())
}
