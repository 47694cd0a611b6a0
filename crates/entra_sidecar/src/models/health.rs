//! What the sidecar says of itself.

use azure_core::http::StatusCode;

/// The health of a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidecarHealth {
    /// It answers requests.
    Healthy,
    /// It answers requests, but something that it needs does not work as it should.
    Degraded,
    /// It says that it does not work.
    Unhealthy,
}

impl SidecarHealth {
    /// Reads the answer of `/healthz`, as ASP.NET Core's health checks write it; `None` if it is something else.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Option<Self> {
        match (status, body.trim_ascii()) {
            (StatusCode::Ok, b"Healthy") => Some(Self::Healthy),
            (StatusCode::Ok, b"Degraded") => Some(Self::Degraded),
            (StatusCode::ServiceUnavailable, b"Unhealthy") => Some(Self::Unhealthy),
            _ => None,
        }
    }
}
