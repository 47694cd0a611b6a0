//! Authentication: of the resource's owner by access key or Entra ID token, and of users by Entra ID token.

use crate::{
    auth::{
        ControlToken, KeyNumber, NumberedKey,
        signature::{Explanation, SignatureError, SignedRequest, explain_for_any, verify},
    },
    http::{Endpoint, RequestBody, Scheme, Service, ServiceError, header_text, request::sent_uri},
    tokens::{EntraTokenError, EntraUserClaims, Jwt, SERVICE_AUDIENCES, Signatures, validate},
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, header::AUTHORIZATION, request::Parts};

/// The audiences that a token may have.
pub(super) type Audiences = &'static [&'static str];

/// The part of a request that the explanation of a refused bearer token names.
const BEARER_TOKEN: &str = "bearer token";

/// Passes a request of the resource's owner on. The number of the access key becomes an extension of the request.
pub(super) async fn require_owner(
    State(endpoint): State<Endpoint>,
    request: Request,
    next: Next,
) -> Result<Response, ServiceError> {
    let (mut head, body) = request.into_parts();
    let RequestBody(body) = RequestBody::read(body).await?;
    let authenticated = if let Some(token) = bearer_token(&head.headers) {
        let token = check_bearer_token(&endpoint, token, SERVICE_AUDIENCES, ServiceError::denied).await;
        token.map(|_| KeyNumber::NONE)
    } else {
        check_signature(&endpoint.service, &head, &body)
    };
    let key = authenticated.map_err(|error| explained(error, &endpoint.service))?;
    head.extensions.insert(key);
    Ok(next.run(Request::from_parts(head, body.into())).await)
}

/// Passes a user's request on. The claims of the token become an extension of the request.
pub(super) async fn require_user(
    State((endpoint, audiences)): State<(Endpoint, Audiences)>,
    request: Request,
    next: Next,
) -> Result<Response, ServiceError> {
    let (mut head, body) = request.into_parts();
    let RequestBody(body) = RequestBody::read(body).await?;
    let user = user(&endpoint, audiences, &head.headers)
        .await
        .map_err(|error| explained(error, &endpoint.service))?;
    head.extensions.insert(user);
    Ok(next.run(Request::from_parts(head, body.into())).await)
}

/// Adds the explanation to a refusal if the emulator is started so.
pub(super) fn explained(error: ServiceError, service: &Service) -> ServiceError {
    if service.explain { error.explained() } else { error }
}

/// Returns the number of the access key that the request is signed with.
fn check_signature(service: &Service, head: &Parts, body: &[u8]) -> Result<KeyNumber, ServiceError> {
    let header = |name| header_text(&head.headers, name);
    let request = SignedRequest {
        method: head.method.as_str(),
        target: sent_uri(&head.uri, &head.extensions)
            .path_and_query()
            .map_or("", |target| target.as_str()),
        host: header("host"),
        x_ms_date: header("x-ms-date"),
        date: header("date"),
        content_sha256: header("x-ms-content-sha256"),
        authorization: header("authorization"),
        body,
    };
    let (now, tolerance) = (service.resource.clock.now(), service.tolerance);
    let keys = service.resource.access_keys.both();
    let verify = |NumberedKey { number, key }: &NumberedKey| verify(&request, key, now, tolerance).map(|()| *number);
    let [primary, secondary] = &keys;
    let error = match verify(primary) {
        // No other error depends on the key.
        Err(SignatureError::SignatureMismatch) => match verify(secondary) {
            Ok(number) => return Ok(number),
            Err(error) => error,
        },
        Err(error) => error,
        Ok(number) => return Ok(number),
    };
    let denied = match error {
        SignatureError::BodyHashMismatch => {
            ServiceError::denied_with("Request 'x-ms-content-sha256' differs from generated content hash.")
        }
        SignatureError::ClockSkew { .. } => ServiceError::denied_with(
            "The given request could not be resolved. The time difference between the originating client and the \
             server is greater than the allowed margin of 5 minutes.",
        ),
        _ => ServiceError::denied(),
    };
    let keys = keys.each_ref().map(|numbered| &numbered.key);
    let offset = service.resource.clock.offset().whole_seconds();
    let control_token = service.control_token.as_ref().map(ControlToken::as_str);
    Err(match explain_for_any(&request, &keys, control_token, now, tolerance) {
        Some(explanation) if offset != 0 && matches!(error, SignatureError::ClockSkew { .. }) => {
            denied.because_of("date", format_args!("{error}. {}", clock_offset(offset, &explanation)))
        }
        Some(explanation) => denied.because(&explanation),
        None => denied.because(&error),
    })
}

/// Explains that a date is refused because the emulator's own clock is set.
fn clock_offset(offset: i64, explanation: &Explanation) -> String {
    let (seconds, direction) = (offset.abs(), if offset < 0 { "behind" } else { "ahead of" });
    format!(
        "This emulator's clock is set {seconds} s {direction} the machine's. Let the client follow the header `Date` of the \
         responses, or reset the emulator's clock: `PATCH /_emulator/settings` with `{{\"clockOffsetSeconds\":0}}`. The \
         string to sign is `{}`.",
        explanation.string_to_sign()
    )
}

async fn user(endpoint: &Endpoint, audiences: Audiences, headers: &HeaderMap) -> Result<EntraUserClaims, ServiceError> {
    let Some(token) = bearer_token(headers) else {
        return Err(ServiceError::denied().because_of(
            BEARER_TOKEN,
            "the user's Entra ID token is missing. Send it as `Authorization: Bearer <token>`; the access key does not count here.",
        ));
    };
    let token = check_bearer_token(endpoint, token, audiences, ServiceError::invalid_access_token).await?;
    let malformed = || ServiceError::invalid_access_token().because_of(BEARER_TOKEN, EntraTokenError::Malformed);
    token.payload().claims().ok_or_else(malformed)
}

/// The bearer token of a request; `None` if it has none.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = header_text(headers, AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// Checks a bearer token. `refusal` is the error for one that is not valid.
async fn check_bearer_token<'a>(
    endpoint: &Endpoint,
    token: &'a str,
    audiences: &[&str],
    refusal: fn() -> ServiceError,
) -> Result<Jwt<'a>, ServiceError> {
    if endpoint.scheme == Scheme::Http {
        let reason = "it is accepted only over https. Use the https endpoint, or sign with the access key.";
        return Err(ServiceError::denied().because_of(BEARER_TOKEN, reason));
    }
    let resource = &endpoint.service.resource;
    let signatures = if endpoint.service.accept_unverified_bearer {
        Signatures::Unverified
    } else {
        Signatures::Of(resource.token_key.wait().await?)
    };
    validate(token, audiences, signatures, resource.clock.now())
        .map_err(|error| refusal().because_of(BEARER_TOKEN, error))
}
