//! What an answer other than success means.

use super::{ProblemDetails, SidecarError, SidecarErrorKind, interaction};
use crate::requests::Route;
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        RawResponse, StatusCode,
        headers::{Headers, RETRY_AFTER, RETRY_AFTER_MS, WWW_AUTHENTICATE, X_MS_RETRY_AFTER_MS},
        policies::get_retry_after,
    },
    time::{Duration, OffsetDateTime},
};

/// An answer other than success, and what it answers.
pub(crate) struct Failure {
    pub(crate) route: Route,
    /// Whether the request was not to be executed twice.
    pub(crate) at_most_once: bool,
}

impl Failure {
    /// The error that a response is.
    pub(crate) fn into_error(self, response: RawResponse) -> Error {
        let status = response.status();
        let problem = ProblemDetails::parse(response.body());
        let (kind, remedy) = self.kind(&response, problem.as_ref());
        let title = problem.as_ref().and_then(ProblemDetails::safe_title);
        let title = title.unwrap_or_else(|| status.canonical_reason().into_owned());
        let error = SidecarError {
            status: Some(status),
            problem,
            retry_after: retry_after(response.headers()),
            may_have_been_executed: self.at_most_once && may_have_been_executed(status),
            ..SidecarError::new(
                kind,
                format!("the sidecar answered {} {title}: {remedy}", u16::from(status)),
            )
        };
        error.into_error(ErrorKind::HttpResponse {
            status,
            error_code: None,
            raw_response: Some(Box::new(response)),
        })
    }

    /// The kind of an answer, and what to do about it.
    fn kind(&self, response: &RawResponse, problem: Option<&ProblemDetails>) -> (SidecarErrorKind, &'static str) {
        let body: &[u8] = response.body();
        match response.status() {
            StatusCode::Unauthorized => self.unauthorized(response, problem),
            StatusCode::BadRequest if contains(body, b"Invalid Hostname") => (
                SidecarErrorKind::BadRequest,
                "it does not take the host name that it was addressed by; use localhost in the base URL",
            ),
            StatusCode::PayloadTooLarge => (
                SidecarErrorKind::BadRequest,
                "the body is longer than it takes; send less at once, or raise its limit",
            ),
            StatusCode::UriTooLong | StatusCode::RequestHeaderFieldsTooLarge => (
                SidecarErrorKind::BadRequest,
                "the caller's token, or what is sent in the query, is longer than it takes; send less of paths, headers and \
                 parameters, or raise its limits",
            ),
            StatusCode::BadRequest => (
                SidecarErrorKind::BadRequest,
                "the API is not in its configuration (DownstreamApis), has no scopes there, or a parameter is not valid",
            ),
            // Without a body it is the answer to a caller on another machine.
            StatusCode::Forbidden if self.route == Route::Validate && !body.is_empty() => (
                SidecarErrorKind::MissingScope,
                "the caller's token does not have the scope that it is configured to ask for (AzureAd:Scopes)",
            ),
            StatusCode::Forbidden => (
                SidecarErrorKind::Forbidden,
                "it answers callers on its own machine only; run it beside the application",
            ),
            StatusCode::MethodNotAllowed => (
                SidecarErrorKind::WrongMethod,
                "its route does not take this verb; check its version, and any proxy in between",
            ),
            StatusCode::InternalServerError => (
                SidecarErrorKind::SidecarFailed,
                "its log says why; it may not have reached the downstream API",
            ),
            StatusCode::RequestTimeout
            | StatusCode::TooManyRequests
            | StatusCode::BadGateway
            | StatusCode::ServiceUnavailable
            | StatusCode::GatewayTimeout => (
                SidecarErrorKind::Unavailable,
                "it is busy, or cannot be reached behind a proxy; try again later",
            ),
            _ => (
                SidecarErrorKind::Protocol,
                "it does not give such an answer; check the base URL, and any proxy in between",
            ),
        }
    }

    /// The two kinds of 401 that the sidecar has: one without a body but with a challenge for the caller's token, and a
    /// problem for the one that it could not acquire.
    fn unauthorized(
        &self,
        response: &RawResponse,
        problem: Option<&ProblemDetails>,
    ) -> (SidecarErrorKind, &'static str) {
        let names_a_caller = self.route.names_a_caller();
        match problem {
            None if names_a_caller && response.body().is_empty() && challenges(response.headers()) => (
                SidecarErrorKind::CallerTokenRejected,
                "the caller's token has expired, is for another API, or is not valid",
            ),
            None => (
                SidecarErrorKind::Protocol,
                "it does not give such an answer; check the base URL, and any proxy in between",
            ),
            Some(problem) if names_a_caller && problem.detail.as_deref().is_some_and(interaction::is_required) => (
                SidecarErrorKind::InteractionRequired,
                "Entra ID gave no token; the user has to sign in again, prove who they are, or consent",
            ),
            Some(_) => (
                SidecarErrorKind::AcquisitionFailed,
                "Entra ID gave no token; the problem's detail says why, such as a wrong secret, tenant or kind of token",
            ),
        }
    }
}

/// Whether an answer with this status leaves open what the downstream API did.
fn may_have_been_executed(status: StatusCode) -> bool {
    status == StatusCode::RequestTimeout || status.is_server_error() || status.is_success()
}

/// Whether an answer asks for a token of one of the schemes that the sidecar takes.
fn challenges(headers: &Headers) -> bool {
    let challenge = headers.get_optional_str(&WWW_AUTHENTICATE).unwrap_or_default();
    let mut schemes = challenge.split(',').filter_map(|part| part.split_whitespace().next());
    schemes.any(|scheme| scheme.eq_ignore_ascii_case("Bearer") || scheme.eq_ignore_ascii_case("PoP"))
}

/// How long an answer asks to wait before the next request, as core reads it; never a negative time.
pub(crate) fn retry_after(headers: &Headers) -> Option<Duration> {
    let wait = get_retry_after(
        headers,
        OffsetDateTime::now_utc,
        &[X_MS_RETRY_AFTER_MS, RETRY_AFTER_MS, RETRY_AFTER],
    );
    wait.map(|wait| wait.max(Duration::ZERO))
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len()).any(|window| window == text)
}
