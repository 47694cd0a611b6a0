//! The error of a call that failed, with its remedy.

use crate::{
    auth::Credential,
    constants::{CLOCK_MARGIN_MINUTES, SUPPORTED_VERSIONS},
    error::{CommunicationError, CommunicationErrorCode as Code, OutcomeUnknown, service_error},
};
use azure_core::{
    Error,
    http::{
        RawResponse, Request, StatusCode,
        headers::{CLIENT_REQUEST_ID, MS_DATE},
    },
    time::{Duration, OffsetDateTime, parse_rfc7231},
};
use client_core::headers::{date, header};

/// A call that failed.
pub(super) struct FailedCall<'a> {
    pub(super) request: &'a Request,
    pub(super) credential: &'a Credential,
    pub(super) api_version: &'a str,
    /// The text about a user who may exist, after a creation that may have been executed.
    pub(super) outcome_unknown: Option<&'static str>,
}

impl FailedCall<'_> {
    /// Creates the error of a response that is not the expected success.
    pub(super) fn with_response(&self, response: RawResponse) -> Error {
        let request_id = header(self.request.headers(), &CLIENT_REQUEST_ID);
        let mut error = CommunicationError::from_response(&response);
        error.client_request_id = request_id.map(str::to_owned);
        error.outcome_unknown = self.outcome_unknown.is_some();
        let remedies = [self.outcome_unknown.map(str::to_owned), self.remedy(&error, &response)];
        error.remedy = remedies
            .into_iter()
            .flatten()
            .reduce(|first, second| format!("{first}. {second}"));
        error.into_error(Some(Box::new(response)))
    }

    /// Adds to an error without a response that a user may exist.
    pub(super) fn without_response(&self, error: Error) -> Error {
        match self.outcome_unknown {
            Some(text) => OutcomeUnknown::wrap(error, text),
            None => error,
        }
    }

    /// Returns what to check or change, if there is more to say than the service did.
    fn remedy(&self, error: &CommunicationError, response: &RawResponse) -> Option<String> {
        let text = match (error.error_code(), error.status) {
            (Some(Code::IdentityNotOwned), _) => {
                "The identity is not one of this resource: another resource created it, or it has been deleted, perhaps by \
                 an earlier attempt of this same call"
            }
            (Some(Code::InvalidAccessToken), _) if !matches!(self.credential, Credential::UserToken) => {
                "The Teams user's Entra token is malformed, expired or for another audience: it needs the scopes \
                 Teams.ManageCalls and Teams.ManageChats of https://auth.msft.communication.azure.com"
            }
            (Some(Code::UnsupportedApiVersion), _) => return Some(self.unsupported_version(response)),
            (_, StatusCode::Unauthorized | StatusCode::Forbidden) => match self.credential {
                Credential::AccessKey(_) => return Some(self.refused_key(error, response)),
                Credential::Entra { .. } => {
                    "Check that the principal behind the token credential has a role on this Communication Services \
                     resource, such as Contributor or Communication and Email Service Owner (a new assignment takes some \
                     minutes), that it belongs to the resource's tenant, and that the endpoint is this resource's"
                }
                Credential::UserToken => {
                    "Check that the user's Entra token has not expired and is for the scope that the operation documents, \
                     that an assignment of this resource admits its user (or their group or tenant) and the application it \
                     was issued to, and that the endpoint is this resource's"
                }
            },
            (_, StatusCode::TooManyRequests) => return Some(too_many_requests(error.retry_after)),
            (_, status) if status.is_redirection() => {
                "The service never redirects: check the endpoint, and any proxy in between"
            }
            (_, status) if status.is_success() => {
                "The service does not document this status for the operation: check any proxy in between"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn unsupported_version(&self, response: &RawResponse) -> String {
        let mut text = match self.credential {
            // An Entra exchange has one version that it is known to work with.
            Credential::UserToken => format!(
                "This crate exchanges the token with API version {}: update the crate",
                self.api_version
            ),
            _ => "Set api_version in CommunicationIdentityClientOptions to a supported version".to_owned(),
        };
        if let Some(versions) = header(response.headers(), &SUPPORTED_VERSIONS) {
            text.push_str(match self.credential {
                Credential::UserToken => ". The service supports ",
                _ => ": ",
            });
            text.push_str(versions);
        }
        text
    }

    /// Names the key, the endpoint and the clock, for all of which the service says the same. The clock is blamed only if the
    /// service's own response has another date.
    fn refused_key(&self, error: &CommunicationError, response: &RawResponse) -> String {
        let message = error.message.as_deref().unwrap_or_default();
        if message.contains("x-ms-content-sha256") {
            return "The body was changed after it was signed: look for a policy in ClientOptions::per_try_policies, or a \
                    proxy, that rewrites it"
                .to_owned();
        }
        match self.clock_skew(response) {
            Some(skew) if skew.abs() > Duration::minutes(CLOCK_MARGIN_MINUTES) => format!(
                "This machine's clock is {} {} the service's, and {CLOCK_MARGIN_MINUTES}m is the most that it accepts: set \
                 the clock. If it is right, a proxy wrote the response's date: check the access key",
                skew.abs(),
                if skew.is_negative() { "behind" } else { "ahead of" },
            ),
            _ => "Check that the access key is a current key of this resource (regenerating a key replaces it), that the \
                  endpoint is the same resource's, and that this machine's clock is right"
                .to_owned(),
        }
    }

    /// Returns how far the date of the last request is ahead of the service's. A gateway's response says nothing about it.
    fn clock_skew(&self, response: &RawResponse) -> Option<Duration> {
        service_error(response.body())?;
        let signed: OffsetDateTime = parse_rfc7231(header(self.request.headers(), &MS_DATE)?).ok()?;
        Some(signed - date(response.headers())?)
    }
}

fn too_many_requests(retry_after: Option<Duration>) -> String {
    let wait = retry_after.map(|wait| format!("wait {wait}, and ")).unwrap_or_default();
    format!(
        "Too many requests: {wait}send fewer of them. Retries count as well; the limits are listed in \
         https://learn.microsoft.com/azure/communication-services/concepts/service-limits"
    )
}
