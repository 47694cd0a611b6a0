//! Webhooks of Azure for axum and actix-web: the token is checked before the body is read, and the handshakes of Event Grid
//! are answered.

use crate::{
    bearer::BearerToken,
    bounded::bounded,
    caller::Caller,
    error::{GuardError, problem},
    guard::TokenGuard,
};
#[cfg(feature = "actix")]
use actix_web::{
    Error, FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder,
    dev::Payload,
    error::{ErrorInternalServerError, InternalError},
    web::Data,
};
#[cfg(feature = "axum")]
use axum_core::extract::{FromRef, FromRequest as FromAxumRequest, Request};
#[cfg(feature = "actix")]
use futures::{FutureExt, future::LocalBoxFuture};
use futures::{Stream, StreamExt};
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
};
use serde_json::{Value, json};
use std::{fmt, pin::pin, time::Duration};
use tokio::time::timeout;

/// The longest body of a handshake, in bytes. It is read without a token.
const HANDSHAKE_LIMIT: usize = 16 * 1024;

/// The longest code of a handshake, in bytes. It is a GUID.
const MAX_CODE_LEN: usize = 256;

/// The longest origin of a handshake, in bytes, which is that of a domain name.
const MAX_ORIGIN_LEN: usize = 253;

/// The timeout of a body. Event Grid gives up after as long.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The methods of a webhook that answers the handshakes of Event Grid.
const METHODS_WITH_HANDSHAKE: &str = "POST, OPTIONS";

const EVENT_TYPE: &str = "aeg-event-type";
const REQUEST_ORIGIN: &str = "webhook-request-origin";
const ALLOWED_ORIGIN: &str = "webhook-allowed-origin";
const ALLOWED_RATE: &str = "webhook-allowed-rate";
const VALIDATION: &str = "SubscriptionValidation";
const VALIDATION_EVENT: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

/// A webhook that a guard accepted: a `POST` with its body.
///
/// It is an extractor of axum and actix-web, and takes the guard from the same place as [`Caller`]. Before it reads the body,
/// it checks the token. Then it reads at most [`webhook_body_limit`](crate::TokenGuardBuilder::webhook_body_limit) bytes
/// within 30 seconds. It does not look at the content: parse it as the sender's documents say.
///
/// For a guard of [`TokenGuard::event_grid`] it also answers the handshakes of
/// [both](https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema)
/// [schemas](https://learn.microsoft.com/azure/event-grid/end-point-validation-cloud-events-schema). The handler is not
/// called then. Route all methods to it: `any` of axum, `to` of actix-web.
///
/// | request | response |
/// | --- | --- |
/// | `OPTIONS` with `WebHook-Request-Origin`, to a guard of Event Grid | 200 with `WebHook-Allowed-Origin` |
/// | `POST` with `aeg-event-type: SubscriptionValidation`, to a guard of Event Grid | 200 with the code as `validationResponse` |
/// | another handshake, to a guard of Event Grid | 400 `webhook.invalid_handshake` |
/// | `POST` without a token, or with one that is refused | that of the [`GuardError`] |
/// | `POST` with a longer body | 413 `webhook.body_too_large` |
/// | `POST` with a body that breaks off | 400 `webhook.body_incomplete` |
/// | `POST` with a body that takes longer than 30 seconds | 408 `webhook.body_timeout` |
/// | another method | 405 `webhook.method_not_allowed` |
///
/// A handshake without a token is answered for every subscription. The header `aeg-subscription-name` names the subscription:
/// to answer only your own, refuse others before this extractor.
///
/// # Examples
///
/// ```
/// use axum::{Router, http::StatusCode, routing::any};
/// use serde_json::Value;
/// use token_guard::{EntraApi, TokenGuard, Webhook};
///
/// async fn incoming_call(webhook: Webhook) -> StatusCode {
///     // An array of events, or one event of the CloudEvents schema.
///     match serde_json::from_slice::<Value>(&webhook.body) {
///         Ok(events) => StatusCode::OK,
///         Err(_) => StatusCode::BAD_REQUEST,
///     }
/// }
///
/// let api = EntraApi::new("aaaabbbb-0000-cccc-1111-dddd2222eeee", "00001111-aaaa-2222-bbbb-3333cccc4444");
/// let guard = TokenGuard::event_grid(api, "AzureEventGridSecureWebhookSubscriber").build()?;
/// let app: Router = Router::new().route("/incoming-call", any(incoming_call)).with_state(guard);
/// # Ok::<(), token_guard::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct Webhook {
    /// The sender. `None` only for a webhook without a token, which
    /// [`allow_unauthenticated_webhooks`](crate::TokenGuardBuilder::allow_unauthenticated_webhooks) allows.
    pub caller: Option<Caller>,
    /// The body.
    pub body: Vec<u8>,
}

/// Shows the length of the body only: events have phone numbers.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("caller", &self.caller)
            .field("body_len", &self.body.len())
            .finish()
    }
}

/// The head of a request.
struct Head {
    is_post: bool,
    is_options: bool,
    token: Result<BearerToken, GuardError>,
    /// The length of the body, if it is known before it is read.
    length: Option<usize>,
    /// The values of `aeg-event-type`.
    event_types: Vec<String>,
    /// The values of `WebHook-Request-Origin`.
    origins: Vec<String>,
}

impl Head {
    /// Creates the head of a request with this method and these headers.
    fn new<'a, I: Iterator<Item = &'a [u8]>>(method: &str, values: impl Fn(&'static str) -> I) -> Self {
        let texts = |name| -> Vec<String> {
            values(name)
                .map(|value| String::from_utf8_lossy(value).into_owned())
                .collect()
        };
        Self {
            is_post: method == "POST",
            is_options: method == "OPTIONS",
            token: BearerToken::from_values(values("authorization")),
            length: texts("content-length").first().and_then(|length| length.parse().ok()),
            event_types: texts(EVENT_TYPE),
            origins: texts(REQUEST_ORIGIN),
        }
    }

    /// Returns whether this is the handshake of the Event Grid schema.
    fn is_validation(&self) -> bool {
        matches!(self.event_types.as_slice(), [only] if only.eq_ignore_ascii_case(VALIDATION))
    }
}

/// A request whose token was checked. Its body is next.
enum Accepted {
    Validation,
    Notification(Option<Caller>),
}

/// Checks the head of a request, or answers it.
async fn accept(guard: &TokenGuard, head: Head) -> Result<Accepted, Response<String>> {
    let rules = guard.webhook_rules();
    let is_handshake = rules.handshakes && (head.is_options || head.is_post && head.is_validation());
    if !head.is_post && !is_handshake {
        return Err(not_allowed(rules.handshakes));
    }
    let is_validation = head.is_validation();
    let caller = match head.token {
        Ok(token) => Some(
            guard
                .authenticate_token(token)
                .await
                .map_err(|error| error.to_response())?,
        ),
        Err(GuardError::HeaderMissing) if is_handshake || rules.unauthenticated => None,
        Err(error) => return Err(error.to_response()),
    };
    match (is_handshake, is_validation) {
        (true, _) if head.is_options => Err(allow_origin(&head.origins)),
        (true, true) => Ok(Accepted::Validation),
        _ => Ok(Accepted::Notification(caller)),
    }
}

impl Accepted {
    /// Reads the body, and answers a handshake. A body that says that it is too long is not read at all.
    async fn read<B, E>(self, guard: &TokenGuard, length: Option<usize>, body: B) -> Result<Webhook, Response<String>>
    where
        B: Stream<Item = Result<E, ()>>,
        E: AsRef<[u8]>,
    {
        let limit = match self {
            Self::Validation => HANDSHAKE_LIMIT,
            Self::Notification(_) => guard.webhook_rules().body_limit,
        };
        if length.is_some_and(|length| length > limit) {
            return Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, "webhook.body_too_large"));
        }
        let Ok(body) = timeout(BODY_TIMEOUT, read(body, limit)).await else {
            return Err(refusal(StatusCode::REQUEST_TIMEOUT, "webhook.body_timeout"));
        };
        let body = body?;
        match self {
            Self::Validation => Err(validate(&body)),
            Self::Notification(caller) => Ok(Webhook { caller, body }),
        }
    }
}

async fn read<E: AsRef<[u8]>>(
    body: impl Stream<Item = Result<E, ()>>,
    limit: usize,
) -> Result<Vec<u8>, Response<String>> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|()| refusal(StatusCode::BAD_REQUEST, "webhook.body_incomplete"))?;
        if bytes.len() + chunk.as_ref().len() > limit {
            return Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, "webhook.body_too_large"));
        }
        bytes.extend_from_slice(chunk.as_ref());
    }
    Ok(bytes)
}

/// Answers the handshake of the Event Grid schema with its code.
fn validate(body: &[u8]) -> Response<String> {
    let events: Vec<Value> = serde_json::from_slice(body).unwrap_or_default();
    let code = match events.as_slice() {
        [event] if event.get("eventType").is_some_and(|kind| kind == VALIDATION_EVENT) => {
            event.pointer("/data/validationCode").and_then(Value::as_str)
        }
        _ => None,
    };
    let Some(code) = code.filter(|code| !code.is_empty() && code.len() <= MAX_CODE_LEN) else {
        return refusal(StatusCode::BAD_REQUEST, "webhook.invalid_handshake");
    };
    tracing::debug!("a handshake of Event Grid was answered");
    // The status must be 200: Event Grid treats 202 as no response.
    let mut response = Response::new(json!({ "validationResponse": code }).to_string());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Answers the handshake of the CloudEvents schema. It allows the origin, at any rate
/// ([specification](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection)).
fn allow_origin(origins: &[String]) -> Response<String> {
    let [origin] = origins else {
        return refusal(StatusCode::BAD_REQUEST, "webhook.invalid_handshake");
    };
    let value = HeaderValue::try_from(origin.as_str()).ok();
    let Some(value) = value.filter(|_| !origin.is_empty() && origin.len() <= MAX_ORIGIN_LEN) else {
        return refusal(StatusCode::BAD_REQUEST, "webhook.invalid_handshake");
    };
    tracing::debug!(origin = bounded(origin), "a handshake of CloudEvents was answered");
    let mut response = Response::new(String::new());
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(METHODS_WITH_HANDSHAKE));
    headers.insert(ALLOWED_ORIGIN, value);
    headers.insert(ALLOWED_RATE, HeaderValue::from_static("*"));
    response
}

fn not_allowed(handshakes: bool) -> Response<String> {
    let methods = if handshakes { METHODS_WITH_HANDSHAKE } else { "POST" };
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "webhook.method_not_allowed");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

/// Returns a response with a problem, which is not about the token.
fn refusal(status: StatusCode, code: &str) -> Response<String> {
    let detail = match status {
        StatusCode::METHOD_NOT_ALLOWED => "A webhook must be a POST.",
        StatusCode::PAYLOAD_TOO_LARGE => "The body is too long.",
        StatusCode::REQUEST_TIMEOUT => "The body did not arrive in time.",
        _ if code == "webhook.body_incomplete" => "The body broke off.",
        _ => "The handshake is not one of Event Grid.",
    };
    let mut response = Response::new(problem(status, code, detail));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Asks the guard in the router's state, or in a part of it ([`FromRef`]).
#[cfg(feature = "axum")]
impl<S> FromAxumRequest<S> for Webhook
where
    S: Send + Sync,
    TokenGuard: FromRef<S>,
{
    type Rejection = axum_core::response::Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let respond = |response: Response<String>| response.map(axum_core::body::Body::from);
        let guard = TokenGuard::from_ref(state);
        let headers = request.headers();
        let head = Head::new(request.method().as_str(), |name| {
            headers.get_all(name).into_iter().map(HeaderValue::as_bytes)
        });
        let length = head.length;
        let accepted = accept(&guard, head).await.map_err(respond)?;
        let body = request.into_body().into_data_stream();
        let body = body.map(|chunk| chunk.map_err(drop));
        accepted.read(&guard, length, body).await.map_err(respond)
    }
}

/// Asks the guard in the application's data. Without a guard, the response is a 500.
#[cfg(feature = "actix")]
impl FromRequest for Webhook {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let respond = |response: Response<String>| {
            let (parts, body) = response.into_parts();
            let mut response = HttpResponseBuilder::new(
                actix_web::http::StatusCode::from_u16(parts.status.as_u16())
                    .unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR),
            );
            for (name, value) in &parts.headers {
                response.append_header((name.as_str(), value.as_bytes()));
            }
            let response: HttpResponse = response.body(body);
            Error::from(InternalError::from_response("the webhook is answered", response))
        };
        let guard = request.app_data::<Data<TokenGuard>>().cloned();
        let head = Head::new(request.method().as_str(), |name| {
            request
                .headers()
                .get_all(name)
                .map(actix_web::http::header::HeaderValue::as_bytes)
        });
        let body = payload.take();
        async move {
            let guard = guard.ok_or_else(|| ErrorInternalServerError("the application has no Data<TokenGuard>"))?;
            let length = head.length;
            let accepted = accept(&guard, head).await.map_err(respond)?;
            let body = body.map(|chunk| chunk.map_err(drop));
            accepted.read(&guard, length, body).await.map_err(respond)
        }
        .boxed_local()
    }
}
