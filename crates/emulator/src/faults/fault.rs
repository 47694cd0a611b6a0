//! A fault as the user describes it, and the names of the effects.

use crate::operation::Operation;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    error::Error,
    fmt::{self, Display, Formatter},
    ops::Not,
    time::Duration,
};

/// A fault to inject into requests to the service, which tests how a client reacts.
///
/// By default, it applies to every request to the service. [`times`](Self::times), [`share`](Self::share) and
/// [`operation`](Self::operation) restrict it, alone or together. It never applies to the control surface.
///
/// A latency is added to any other fault. Of all others, the first that was injected and applies wins; the request does
/// not count for those behind it.
///
/// Its values are checked when it is [injected](crate::Emulator::inject). JSON is that of the control endpoint. Text is
/// that of the option `--fault`, and what `Display` writes:
///
/// ```
/// use std::time::Duration;
///
/// use acs_identity_emulator::{Fault, Operation};
///
/// let fault = Fault::status(503)
///     .retry_after(Duration::from_secs(2))
///     .after_commit()
///     .times(3)
///     .operation(Operation::CreateIdentity);
/// assert_eq!(fault.to_string(), "status=503,retry-after=2,after-commit,times=3,operation=createIdentity");
/// assert_eq!("status=503,retry-after=2,after-commit,times=3,operation=createIdentity".parse(), Ok(fault));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[must_use = "a fault has no effect until it is injected"]
pub struct Fault {
    pub(super) effect: EffectName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_after_seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "<&bool>::not")]
    pub(super) after_commit: bool,
    /// Of a latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) milliseconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) times: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operation: Option<Operation>,
}

/// The name of an effect. `Display` and JSON are in camel case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum EffectName {
    Status,
    Latency,
    ResetBeforeCommit,
    ResetAfterCommit,
    TruncatedBody,
    HtmlBody,
}

impl EffectName {
    pub(crate) const ALL: [Self; 6] = [
        Self::Status,
        Self::Latency,
        Self::ResetBeforeCommit,
        Self::ResetAfterCommit,
        Self::TruncatedBody,
        Self::HtmlBody,
    ];

    /// The name in the text of a fault.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Latency => "latency",
            Self::ResetBeforeCommit => "reset-before-commit",
            Self::ResetAfterCommit => "reset-after-commit",
            Self::TruncatedBody => "truncated-body",
            Self::HtmlBody => "html-body",
        }
    }

    /// The description on the control page.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Status => "respond with a status",
            Self::Latency => "respond late",
            Self::ResetBeforeCommit => "reset the connection, do nothing",
            Self::ResetAfterCommit => "do it, then reset the connection",
            Self::TruncatedBody => "send half of the body",
            Self::HtmlBody => "respond with a gateway's HTML page",
        }
    }
}

impl Display for EffectName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Fault {
    pub(super) fn new(effect: EffectName) -> Self {
        Self {
            effect,
            status: None,
            code: None,
            retry_after_seconds: None,
            after_commit: false,
            milliseconds: None,
            times: None,
            share: None,
            operation: None,
        }
    }

    /// Responds with this status, 400 to 599, and an error of the service's form that says that it was injected. The
    /// operation does not run, and the request is not authenticated; [`after_commit`](Self::after_commit) changes both.
    pub fn status(status: u16) -> Self {
        Self {
            status: Some(status),
            ..Self::new(EffectName::Status)
        }
    }

    /// Waits this long before anything else happens to the request: 1 millisecond to 10 minutes, in whole milliseconds.
    pub fn latency(latency: Duration) -> Self {
        Self {
            milliseconds: Some(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)),
            ..Self::new(EffectName::Latency)
        }
    }

    /// Resets the connection in place of running the operation.
    pub fn reset_before_commit() -> Self {
        Self::new(EffectName::ResetBeforeCommit)
    }

    /// Runs the operation, and then resets the connection in place of sending the response.
    pub fn reset_after_commit() -> Self {
        Self::new(EffectName::ResetAfterCommit)
    }

    /// Runs the operation, sends the head of its response with the length of the whole body, then the first half of the
    /// body, and closes the connection. A response without a body is sent unchanged.
    pub fn truncated_body() -> Self {
        Self::new(EffectName::TruncatedBody)
    }

    /// Responds with a page of HTML and 502, as a gateway in front of the service does, and without the service's
    /// headers. The operation does not run. For a page after it has run, use [`after_commit`](Self::after_commit).
    pub fn html_body() -> Self {
        Self::new(EffectName::HtmlBody)
    }

    /// Sets the status of an [`html_body`](Self::html_body), 400 to 599.
    pub fn with_status(self, status: u16) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    /// Sets the code of a [`status`](Self::status)'s error: 1 to 100 printable ASCII characters, without quotes and
    /// commas. The default is the name of the status, such as `ServiceUnavailable`.
    pub fn code(self, code: impl Into<String>) -> Self {
        Self {
            code: Some(code.into()),
            ..self
        }
    }

    /// Sends `Retry-After` with a [`status`](Self::status) or an [`html_body`](Self::html_body), in whole seconds,
    /// rounded up.
    pub fn retry_after(self, retry_after: Duration) -> Self {
        let seconds = retry_after
            .as_secs()
            .saturating_add(u64::from(retry_after.subsec_nanos() > 0));
        Self {
            retry_after_seconds: Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
            ..self
        }
    }

    /// Runs the operation first, and sends a [`status`](Self::status) in place of its response, like a gateway that did
    /// not get the response in time: the identity exists, but the client gets a 503. It comes with a page of HTML and
    /// without the service's headers; with a [`code`](Self::code), it has the service's form.
    ///
    /// The operation runs in full, including authentication and rate limits. If it is refused, nothing is committed,
    /// and the client still gets the status of the fault, as from a gateway. The log and the list of requests have the
    /// response that was not sent.
    pub fn after_commit(self) -> Self {
        Self {
            after_commit: true,
            ..self
        }
    }

    /// Applies to this number of requests, at least one: the next ones, unless a [`share`](Self::share) spreads them.
    pub fn times(self, times: u64) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    /// Applies to this share of the requests, from 0 to 1, in steps of a millionth.
    ///
    /// They are spread evenly, not at random, so that a test has the same outcome every time: a share of 0.05 means every
    /// twentieth request, and exactly 5 of any 100 in a row.
    pub fn share(self, share: f64) -> Self {
        Self {
            share: Some(share),
            ..self
        }
    }

    /// Applies to requests for this operation only. Others do not count.
    pub fn operation(self, operation: Operation) -> Self {
        Self {
            operation: Some(operation),
            ..self
        }
    }
}

/// The error of a fault that makes no sense, or whose text cannot be read. `Display` says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidFault(Cow<'static, str>);

impl InvalidFault {
    pub(super) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(message.into())
    }
}

impl Display for InvalidFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for InvalidFault {}
