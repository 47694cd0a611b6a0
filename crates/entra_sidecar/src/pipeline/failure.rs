//! The error of a call that failed: its kind, and its remedy.

use crate::{
    claims::ClaimsChallenge,
    error::{ProblemDetails, SidecarError, SidecarErrorKind},
    requests::Route,
};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        RawResponse, StatusCode,
        headers::{Headers, WWW_AUTHENTICATE},
    },
};
use client_core::headers::{header, retry_after};

/// The remedy of a failure that a user can remove.
const SIGN_IN_AGAIN: &str = "Entra ID gave no token; the user must sign in again, prove who they are, or consent";

/// A call that failed.
#[derive(Clone, Copy)]
pub(super) struct FailedCall {
    pub(super) route: Route,
    pub(super) is_for_caller: bool,
    /// `true` if the call must not be executed twice, and may have been executed once.
    pub(super) may_have_been_executed: bool,
}

impl FailedCall {
    /// Creates the error of a response that is not a success.
    pub(super) fn with_response(self, response: RawResponse) -> Error {
        let status = response.status();
        let problem = ProblemDetails::parse(response.body());
        let claims_challenge = self.claims_challenge(&response);
        let (kind, remedy) = match claims_challenge {
            Some(_) => (SidecarErrorKind::InteractionRequired, SIGN_IN_AGAIN),
            None => self.kind(&response, problem.as_ref()),
        };
        let title = problem.as_ref().and_then(ProblemDetails::safe_title);
        let title = title.unwrap_or_else(|| status.canonical_reason().into_owned());
        let text = format!("the sidecar answered {} {title}: {remedy}", u16::from(status));
        let error = SidecarError {
            status: Some(status),
            problem,
            claims_challenge,
            retry_after: retry_after(response.headers()),
            ..self.failure(kind, text)
        };
        error.into_error(ErrorKind::HttpResponse {
            status,
            error_code: None,
            raw_response: Some(Box::new(response)),
        })
    }

    /// Creates the error of a success whose body cannot be read.
    pub(super) fn with_unreadable_response(self, error: &Error) -> Error {
        let text = format!("{error}; check the base URL, and any proxy in between");
        self.failure(SidecarErrorKind::Protocol, text)
            .into_error(ErrorKind::DataConversion)
    }

    /// Creates the error of a call without a whole response.
    pub(super) fn without_response(self, error: Error) -> Error {
        let kind = error.kind().clone();
        let failure = match kind {
            ErrorKind::Connection | ErrorKind::Io => self.failure(
                SidecarErrorKind::Unavailable,
                format!("the sidecar did not answer: {error}"),
            ),
            ErrorKind::DataConversion => self.failure(
                SidecarErrorKind::Protocol,
                format!("the sidecar's response cannot be read: {error}"),
            ),
            _ => {
                let failure = self.failure(SidecarErrorKind::PolicyFailed, error.to_string());
                SidecarError {
                    source: Some(error),
                    ..failure
                }
            }
        };
        failure.into_error(kind)
    }

    fn failure(self, kind: SidecarErrorKind, text: String) -> SidecarError {
        SidecarError {
            may_have_been_executed: self.may_have_been_executed,
            ..SidecarError::new(kind, text)
        }
    }

    /// Returns the kind of a failure, and its remedy.
    fn kind(self, response: &RawResponse, problem: Option<&ProblemDetails>) -> (SidecarErrorKind, &'static str) {
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
            // A 403 without a body is for a caller on another machine.
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

    /// Returns the claims that a 401 asks of the caller. The application and an agent's user cannot be asked.
    fn claims_challenge(self, response: &RawResponse) -> Option<ClaimsChallenge> {
        if !self.is_for_caller || response.status() != StatusCode::Unauthorized {
            return None;
        }
        ClaimsChallenge::from_header(header(response.headers(), &WWW_AUTHENTICATE)?)
    }

    /// Distinguishes the sidecar's two 401s: a challenge without a body for a caller's token, and a problem for a token that
    /// could not be acquired.
    fn unauthorized(
        self,
        response: &RawResponse,
        problem: Option<&ProblemDetails>,
    ) -> (SidecarErrorKind, &'static str) {
        let has_caller = self.route.has_caller();
        match problem {
            None if has_caller && response.body().is_empty() && challenges(response.headers()) => (
                SidecarErrorKind::CallerTokenRejected,
                "the caller's token has expired, is for another API, or is not valid",
            ),
            None => (
                SidecarErrorKind::Protocol,
                "it does not give such an answer; check the base URL, and any proxy in between",
            ),
            Some(problem) if has_caller && problem.detail.as_deref().is_some_and(requires_interaction) => {
                (SidecarErrorKind::InteractionRequired, SIGN_IN_AGAIN)
            }
            Some(_) => (
                SidecarErrorKind::AcquisitionFailed,
                "Entra ID gave no token; the problem's detail says why, such as a wrong secret, tenant or kind of token",
            ),
        }
    }
}

/// Returns whether a response has a challenge for a token of one of the sidecar's schemes.
fn challenges(headers: &Headers) -> bool {
    let challenge = header(headers, &WWW_AUTHENTICATE).unwrap_or_default();
    let mut schemes = challenge.split(',').filter_map(|part| part.split_whitespace().next());
    schemes.any(|scheme| scheme.eq_ignore_ascii_case("Bearer") || scheme.eq_ignore_ascii_case("PoP"))
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len()).any(|window| window == text)
}

/// Entra ID's errors that a user can remove: by consent, a new sign-in, or another proof of identity.
///
/// Source: learn.microsoft.com, "Microsoft Entra authentication and authorization error codes".
const BY_THE_USER: [u32; 26] = [
    16_000,  // InteractionRequired
    50_013,  // the assertion, which is the caller's token, is not valid
    50_055,  // InvalidPasswordExpiredPassword
    50_058,  // UserInformationNotProvided: the session is not enough
    50_072,  // UserStrongAuthEnrollmentRequiredInterrupt
    50_074,  // UserStrongAuthClientAuthNRequiredInterrupt
    50_076,  // UserStrongAuthClientAuthNRequired
    50_078,  // UserStrongAuthExpired
    50_079,  // UserStrongAuthEnrollmentRequired
    50_097,  // DeviceAuthenticationRequired
    50_125,  // PasswordResetRegistrationRequiredInterrupt
    50_132,  // SsoArtifactInvalidOrExpired
    50_133,  // SsoArtifactRevoked
    50_144,  // InvalidPasswordExpiredOnPremPassword
    50_158,  // ExternalSecurityChallenge
    50_173,  // FreshTokenNeeded
    53_000,  // DeviceNotCompliant
    53_001,  // DeviceNotDomainJoined
    53_003,  // BlockedByConditionalAccess
    53_004,  // ProofUpBlockedDueToRisk: the user has to register for multi-factor authentication
    65_001,  // DelegationDoesNotExist: no consent
    65_004,  // UserDeclinedConsent
    70_008,  // ExpiredOrRevokedGrant
    70_043,  // BadTokenDueToSignInFrequency
    500_133, // the assertion has expired
    700_082, // ExpiredOrRevokedGrantInactiveToken
];

/// OAuth's names of such errors.
const OAUTH_NAMES: [&str; 3] = ["interaction_required", "consent_required", "login_required"];

/// Returns whether the text of MSAL's error says that a user must act.
fn requires_interaction(detail: &str) -> bool {
    error_codes(detail).any(|code| BY_THE_USER.contains(&code)) || OAUTH_NAMES.iter().any(|name| detail.contains(name))
}

/// Returns the numbers of Entra ID's errors in a text.
fn error_codes(detail: &str) -> impl Iterator<Item = u32> {
    detail.split("AADSTS").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_a_user_can_remove_require_interaction() {
        for (detail, required) in [
            (
                "AADSTS65001: The user or administrator has not consented to use the application",
                true,
            ),
            (
                "A configuration issue: see inner. AADSTS50076: Due to a configuration change",
                true,
            ),
            ("AADSTS500133: Assertion is not within its valid time range.", true),
            ("error: interaction_required", true),
            ("AADSTS7000215: Invalid client secret provided.", false),
            ("AADSTS50055: The password is expired.", true),
            ("AADSTS50078: Presented multi-factor authentication has expired", true),
            ("AADSTS53004: ProofUpBlockedDueToRisk", true),
            ("AADSTS70008: The refresh token has expired due to inactivity.", true),
            ("AADSTS700082: The refresh token has expired due to inactivity.", true),
            // Another application is needed, or an administrator.
            ("AADSTS53002: The app used is not an approved app", false),
            ("AADSTS90094: Administrator consent is required.", false),
            ("AADSTS90002: Tenant 'x' not found.", false),
            ("AADSTS650010: not the code above", false),
            ("AADSTS", false),
            ("AADSTS99999999999999999999", false),
            ("65001", false),
            ("", false),
        ] {
            assert_eq!(requires_interaction(detail), required, "{detail}");
        }
    }
}
