//! The http and https endpoints of the resource.

use crate::resource::Resource;
use std::{
    fmt::{self, Display, Formatter},
    sync::Arc,
};

/// The resource as one listener serves it.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) scheme: Scheme,
    pub(crate) ports: Ports,
    pub(crate) resource: Arc<Resource>,
}

/// The ports of both endpoints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) http: u16,
    pub(crate) https: u16,
}

impl Ports {
    /// The endpoint with this protocol, such as `http://127.0.0.1:49152/`.
    pub(crate) fn endpoint(self, scheme: Scheme) -> String {
        let port = match scheme {
            Scheme::Http => self.http,
            Scheme::Https => self.https,
        };
        format!("{scheme}://127.0.0.1:{port}/")
    }
}

/// The protocol of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Display for Scheme {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// The connection string of an endpoint.
pub(crate) fn connection_string(endpoint: &str, access_key: &str) -> String {
    format!("endpoint={endpoint};accesskey={access_key}")
}
