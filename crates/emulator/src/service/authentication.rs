//! Authentication of requests, by access key or by Entra ID token.

use crate::{
    auth::{
        KeyNumber, NumberedKey,
        signature::{Explanation, SignatureError, SignedRequest, explain_for_any, verify},
    },
    endpoint::Endpoint,
    header,
    resource::Resource,
    service::{RequestBody, ServiceError, bearer},
    tokens::SERVICE_AUDIENCES,
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::request::Parts;

/// Lets a request of the resource's owner pass. The number of the access key becomes an extension of the request.
pub(super) async fn require(
    State(endpoint): State<Endpoint>,
    request: Request,
    next: Next,
) -> Result<Response, ServiceError> {
    let (mut head, body) = request.into_parts();
    let RequestBody(body) = RequestBody::read(body).await?;
    let authenticated = if let Some(token) = bearer::token(&head.headers) {
        let claims = bearer::accept(&endpoint, token, SERVICE_AUDIENCES, ServiceError::denied).await;
        claims.map(|_| KeyNumber::NONE)
    } else {
        check_signature(&endpoint.resource, &head, &body)
    };
    let key = authenticated.map_err(|error| explained(error, &endpoint.resource))?;
    head.extensions.insert(key);
    Ok(next.run(Request::from_parts(head, body.into())).await)
}

/// Adds the explanation to a refusal if the resource's owner wants it.
pub(super) fn explained(error: ServiceError, resource: &Resource) -> ServiceError {
    if resource.explain { error.explained() } else { error }
}

/// The number of the access key that the request is signed with.
fn check_signature(resource: &Resource, head: &Parts, body: &[u8]) -> Result<KeyNumber, ServiceError> {
    let header = |name| header::text(&head.headers, name);
    let request = SignedRequest {
        method: head.method.as_str(),
        target: head.uri.path_and_query().map_or("", |target| target.as_str()),
        host: header("host"),
        x_ms_date: header("x-ms-date"),
        date: header("date"),
        content_sha256: header("x-ms-content-sha256"),
        authorization: header("authorization"),
        body,
    };
    let (now, tolerance) = (resource.clock.now(), resource.tolerance);
    let keys = resource.access_keys.both();
    let verify = |NumberedKey { number, key }: &NumberedKey| verify(&request, key, now, tolerance).map(|()| *number);
    let [primary, secondary] = &keys;
    let error = match verify(primary) {
        // Whatever else is wrong does not depend on the key.
        Err(SignatureError::SignatureMismatch) => match verify(secondary) {
            Ok(number) => return Ok(number),
            Err(error) => error,
        },
        Err(error) => error,
        Ok(number) => return Ok(number),
    };
    let answer = match error {
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
    let offset = resource.clock.offset().whole_seconds();
    Err(match explain_for_any(&request, &keys, now, tolerance) {
        Some(explanation) if offset != 0 && matches!(error, SignatureError::ClockSkew { .. }) => {
            answer.because_of("date", format_args!("{error}. {}", own_clock(offset, &explanation)))
        }
        Some(explanation) => answer.because(&explanation),
        None => answer.because(&error),
    })
}

/// Why a date is refused although the client's clock may be right.
fn own_clock(offset: i64, explanation: &Explanation) -> String {
    let (seconds, direction) = (offset.abs(), if offset < 0 { "behind" } else { "ahead of" });
    format!(
        "This emulator's clock is set {seconds} s {direction} the machine's. Let the client follow the header `Date` of the \
         responses, or reset the emulator's clock: `PATCH /_emulator/settings` with `{{\"clockOffsetSeconds\":0}}`. The \
         string to sign is `{}`.",
        explanation.string_to_sign()
    )
}
