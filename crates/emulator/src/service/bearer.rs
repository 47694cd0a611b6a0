//! Bearer tokens: access tokens of Entra ID in `Authorization`.

use crate::{
    endpoint::{Endpoint, Scheme},
    header,
    service::ServiceError,
    tokens::{Jwt, Signatures, check},
};
use http::{HeaderMap, header::AUTHORIZATION};

/// The part of a request that is explained.
pub(super) const PART: &str = "bearer token";

/// The bearer token of a request; `None` if it has none.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = header::text(headers, AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// Checks a bearer token. `refusal` is the answer to one that is not valid.
pub(super) async fn accept<'a>(
    endpoint: &Endpoint,
    token: &'a str,
    audiences: &[&str],
    refusal: fn() -> ServiceError,
) -> Result<Jwt<'a>, ServiceError> {
    if endpoint.scheme == Scheme::Http {
        let reason = "it is accepted only over https. Use the https endpoint, or sign with the access key.";
        return Err(ServiceError::denied().because_of(PART, reason));
    }
    let resource = &endpoint.resource;
    let signatures = if resource.accept_unverified_bearer {
        Signatures::Unverified
    } else {
        Signatures::Of(resource.token_key.wait().await?)
    };
    check(token, audiences, signatures, resource.clock.now()).map_err(|error| refusal().because_of(PART, error))
}
