//! What the caller can do about a failure.

use super::{CommunicationError, CommunicationErrorCode as Code, header};
use crate::{
    auth::CredentialKind,
    service::{CLOCK_MARGIN_MINUTES, DATE, SUPPORTED_VERSIONS},
};
use azure_core::{
    http::{StatusCode, headers::Headers},
    time::{Duration, parse_rfc7231},
};

/// The circumstances of a failed call, beside its response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) credential: CredentialKind,
    pub(crate) client_request_id: Option<&'a str>,
    /// The `x-ms-date` of the last request.
    pub(crate) signed_date: Option<&'a str>,
    /// The text about a user who may have been created all the same.
    pub(crate) outcome_unknown: Option<&'static str>,
}

/// Returns a sentence or two on what to check or change, if there is more to say than the service did.
pub(super) fn remedy(error: &CommunicationError, headers: &Headers, failure: &Failure<'_>) -> Option<String> {
    if let Some(text) = failure.outcome_unknown {
        return Some(text.to_owned());
    }
    match (error.error_code(), error.status) {
        (Some(Code::IdentityNotOwned), _) => Some(
            "The identity is not one of this resource: another resource created it, or it has been deleted, perhaps by \
             an earlier attempt of this same call"
                .to_owned(),
        ),
        (Some(Code::InvalidAccessToken), _) if failure.credential != CredentialKind::UserToken => Some(
            "The Teams user's Entra token is malformed, expired or for another audience: it needs the scopes \
             Teams.ManageCalls and Teams.ManageChats of https://auth.msft.communication.azure.com"
                .to_owned(),
        ),
        (Some(Code::UnsupportedApiVersion), _) => Some(unsupported_version(headers)),
        (_, StatusCode::Unauthorized | StatusCode::Forbidden) => Some(match failure.credential {
            CredentialKind::AccessKey => refused_key(error, headers, failure.signed_date),
            CredentialKind::TokenCredential => refused_principal(),
            CredentialKind::UserToken => refused_user(),
        }),
        (_, StatusCode::TooManyRequests) => Some(too_many_requests(error.retry_after)),
        (_, status) if status.is_redirection() => {
            Some("The service never redirects: check the endpoint, and any proxy in between".to_owned())
        }
        (_, status) if status.is_success() => {
            Some("The service does not document this status for the operation: check any proxy in between".to_owned())
        }
        _ => None,
    }
}

fn unsupported_version(headers: &Headers) -> String {
    let mut text = "Set api_version in CommunicationIdentityClientOptions to a supported version".to_owned();
    if let Some(versions) = header(headers, &SUPPORTED_VERSIONS) {
        text.push_str(": ");
        text.push_str(versions);
    }
    text
}

/// The service says the same for a wrong key, a wrong endpoint and a wrong clock, so all three are named; the clock is
/// accused only if the answer's date convicts it.
fn refused_key(error: &CommunicationError, headers: &Headers, signed_date: Option<&str>) -> String {
    let message = error.message.as_deref().unwrap_or_default();
    if message.contains("x-ms-content-sha256") {
        return "The body was changed after it was signed: look for a policy in ClientOptions::per_try_policies, or a \
                proxy, that rewrites it"
            .to_owned();
    }
    let skew = signed_date
        .and_then(|date| parse_rfc7231(date).ok())
        .zip(header(headers, &DATE).and_then(|date| parse_rfc7231(date).ok()))
        .map(|(ours, theirs)| ours - theirs);
    match skew {
        Some(skew) if skew.abs() > Duration::minutes(CLOCK_MARGIN_MINUTES) => format!(
            "This machine's clock is {} {} the service's, and {CLOCK_MARGIN_MINUTES}m is the most that it accepts: set \
             the clock",
            skew.abs(),
            if skew.is_negative() { "behind" } else { "ahead of" },
        ),
        _ => "Check that the access key is a current key of this resource (regenerating a key replaces it), that the \
              endpoint is the same resource's, and that this machine's clock is right"
            .to_owned(),
    }
}

fn refused_principal() -> String {
    "Check that the principal behind the token credential has a role on this Communication Services resource, such as \
     Contributor or Communication and Email Service Owner (a new assignment takes some minutes), that it belongs to the \
     resource's tenant, and that the endpoint is this resource's"
        .to_owned()
}

fn refused_user() -> String {
    "Check that the user's Entra token has not expired and is for the scope that the operation documents, that an \
     assignment of this resource admits its user (or their group or tenant) and the application it was issued to, and that \
     the endpoint is this resource's"
        .to_owned()
}

fn too_many_requests(retry_after: Option<Duration>) -> String {
    let wait = retry_after.map(|wait| format!("wait {wait}, and ")).unwrap_or_default();
    format!(
        "Too many requests: {wait}send fewer of them. Retries count as well; the limits are listed in \
         https://learn.microsoft.com/azure/communication-services/concepts/service-limits"
    )
}
