//! The kinds of failure.

/// What kind of failure a [`SidecarError`](crate::SidecarError) is.
///
/// The first three are about those who call, the others about the sidecar, its configuration and what lies in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SidecarErrorKind {
    /// The sidecar did not accept the caller's token: it has expired, is for another API, or is no token at all. (A 401
    /// without a body, with a challenge.)
    CallerTokenRejected,
    /// Entra ID gave no token before the user does something: consents, proves who they are once more, or signs in
    /// again. (A 401 with a problem that names one of Entra ID's errors of this kind.)
    InteractionRequired,
    /// The caller's token does not have the scope that the sidecar asks for in `validate`. (403 with a body.)
    MissingScope,
    /// Entra ID gave no token, for a reason that the user can do nothing about, such as a wrong client secret. (A 401 with
    /// another problem.)
    AcquisitionFailed,
    /// The sidecar does not know the API, or has no scopes for it, or does not take a parameter, or the host name that it
    /// is addressed by, or the request is longer than it takes. (400, 413, 414, 431.)
    BadRequest,
    /// The sidecar answers callers on its own machine only. (403 without a body, or on another route than that of
    /// `validate`.)
    Forbidden,
    /// The route is there, but not for this verb. (405.)
    WrongMethod,
    /// Something went wrong in the sidecar, or between it and the downstream API. (500.)
    SidecarFailed,
    /// The sidecar could not be reached, did not answer in time, or was busy. (No answer, 408, 429, 502, 503, 504.)
    Unavailable,
    /// The answer is not one that the sidecar gives: check the base URL, and any proxy in between.
    Protocol,
    /// The sidecar gave a token for something else than what was asked for, as it does where its configuration does not
    /// let a request choose.
    UnexpectedToken,
}
