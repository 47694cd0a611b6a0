//! Who asks for a code, or enters one.

use crate::api::Api;
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::request::Parts,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use token_guard::GuardError;

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Requester {
    /// The subject of a token.
    User(String),
    /// Anybody, where the API is open.
    Address(IpAddr),
}

impl Requester {
    /// Whose the codes are that they ask for.
    pub(crate) fn subject(&self) -> Option<&str> {
        match self {
            Self::User(subject) => Some(subject),
            Self::Address(_) => None,
        }
    }
}

impl FromRequestParts<Api> for Requester {
    type Rejection = GuardError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, GuardError> {
        if let Some(guard) = &api.guard {
            let caller = guard.authenticate(&parts.headers).await?;
            return Ok(Self::User(caller.subject().to_owned()));
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
        Ok(Self::Address(address))
    }
}
