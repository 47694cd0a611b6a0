//! The policies that authenticate each attempt: by a signature, whose date follows the service's clock, or by an Entra token.

use super::{
    AzureKeyCredential, Credential, UserToken,
    signature::{Unsigned, header_date},
};
use crate::{
    constants::{BODY_LIMIT, CLOCK_MARGIN_MINUTES, CONTENT_SHA256},
    error::{CommunicationErrorCode, invalid_argument, service_error},
};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{
        Body, Context, RawResponse, Request, StatusCode,
        headers::{AUTHORIZATION, MS_DATE},
        policies::{Policy, PolicyResult, auth::BearerTokenAuthorizationPolicy},
    },
    time::{Duration, OffsetDateTime},
};
use client_core::{
    call::{buffered, into_stream, next_policy},
    clock::Clock,
    headers::date,
    host::is_loopback,
};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::warn;

impl Credential {
    /// Creates the policy that authenticates each attempt. Signatures are dated by `clock`, which follows the service's if
    /// `corrects_clock`.
    pub(crate) fn policy(&self, clock: &Clock, corrects_clock: bool) -> Arc<dyn Policy> {
        match self {
            Self::AccessKey(key) => Arc::new(SignaturePolicy::new(key.clone(), clock.clone(), corrects_clock)),
            Self::Entra { credential, scope } => {
                Arc::new(BearerTokenAuthorizationPolicy::new(credential.clone(), [scope.clone()]))
            }
            Self::UserToken => Arc::new(UserTokenPolicy),
        }
    }
}

/// Authenticates an attempt by the [`UserToken`] of its call.
#[derive(Debug)]
struct UserTokenPolicy;

#[async_trait::async_trait]
impl Policy for UserTokenPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let Some(UserToken(token)) = ctx.value() else {
            return Err(Error::with_message(ErrorKind::Credential, "the call has no user token"));
        };
        request.insert_header(AUTHORIZATION, format!("Bearer {}", token.secret()));
        let (policy, next) = next_policy(next)?;
        policy.send(ctx, request, next).await
    }
}

/// Creates a pipeline policy that signs requests with an access key, for REST calls to Communication Services that this
/// library has no operation for, such as those of Call Automation, SMS or Rooms.
///
/// Put it into the per-try policies of an `azure_core` pipeline, behind every policy that changes the method, the URL, the
/// host or the body: the signature covers these. Each attempt is signed anew, with the key of that moment and the current
/// date. When the service refuses the date, the policy sends the request once more with the service's date, up to 24 hours
/// away, as [`CommunicationIdentityClientOptions::correct_clock_skew`](crate::CommunicationIdentityClientOptions) describes.
/// All requests of one policy share the correction.
///
/// # Arguments
///
/// * `credential` - The access key. [`ConnectionString::credential`](crate::ConnectionString::credential) has that of a
///   connection string.
///
/// # Errors
///
/// The policy fails with kind `Other`, and sends nothing, if the URL is plain http to a host that is not loopback, or if
/// the body is a stream, which cannot be hashed.
///
/// # Examples
///
/// ```no_run
/// use azure_communication_identity::{ConnectionString, access_key_policy};
/// use azure_core::http::{ClientOptions, Context, Method, Pipeline, Request};
///
/// # async fn hang_up(connection_string: &str, call_connection_id: &str) -> azure_core::Result<()> {
/// let resource = ConnectionString::parse(connection_string)?;
/// let policy = access_key_policy(resource.credential().clone());
/// let pipeline = Pipeline::new(Some("my_app"), Some("1.0.0"), ClientOptions::default(), Vec::new(), vec![policy], None);
///
/// let mut url = resource.endpoint().clone();
/// url.set_path(&format!("/calling/callConnections/{call_connection_id}"));
/// url.query_pairs_mut().append_pair("api-version", "2025-05-15");
/// let mut request = Request::new(url, Method::Delete);
/// pipeline.send(&Context::new(), &mut request, None).await?;
/// # Ok(()) }
/// ```
///
/// The signature is specified in [Authenticate to Azure Communication Services][rule].
///
/// [rule]: https://learn.microsoft.com/rest/api/communication/authentication
#[must_use]
pub fn access_key_policy(credential: AzureKeyCredential) -> Arc<dyn Policy> {
    Arc::new(SignaturePolicy::new(credential, Clock::system(), true))
}

/// The largest correction of a machine's clock: more than any mistaken time zone. It bounds the dates that a server in the
/// service's place can have requests signed for.
const MAX_CORRECTION: Duration = Duration::hours(24);

/// The seconds within which corrections are the same one: the service's date is in whole seconds, and responses take their
/// time.
const SAME_CORRECTION_SECONDS: i64 = 30;

/// The time for which a correction that did not help is not tried again.
const REJECTION_TTL: Duration = Duration::minutes(1);

/// The part of the service's message about a refused date (reported on Microsoft Q&A).
const REFUSED_DATE: &str = "time difference between the originating client and the server";

/// Signs a request, anew for every attempt: a signature is valid for five minutes, and retries can take longer.
///
/// A refusal that can be about the date is followed by a second request with the service's date. The clock is moved only when
/// the service accepts that signature. If it does not, the caller gets the first response: its date was a proxy's, or the key
/// is wrong.
#[derive(Debug)]
struct SignaturePolicy {
    credential: AzureKeyCredential,
    clock: Clock,
    corrects_clock: bool,
    rejected: Mutex<Option<Rejection>>,
}

/// A correction that did not help.
#[derive(Clone, Copy, Debug)]
struct Rejection {
    offset_seconds: i64,
    /// By the monotonic clock.
    at: Duration,
}

impl SignaturePolicy {
    fn new(credential: AzureKeyCredential, clock: Clock, corrects_clock: bool) -> Self {
        Self {
            credential,
            clock,
            corrects_clock,
            rejected: Mutex::default(),
        }
    }

    /// Signs a request for the machine's time plus an offset, and returns the sum.
    fn sign(&self, request: &mut Request, offset_seconds: i64) -> Result<OffsetDateTime> {
        let Body::Bytes(body) = request.body() else {
            return Err(invalid_argument("a request whose body is a stream cannot be signed"));
        };
        if request.url().scheme() != "https" && !is_loopback(request.url()) {
            return Err(invalid_argument(
                "a signed request must use https; http is for loopback hosts only",
            ));
        }
        let now = self.clock.machine().saturating_add(Duration::seconds(offset_seconds));
        let date = header_date(now);
        let signature = self.credential.sign(&Unsigned {
            method: request.method(),
            url: request.url(),
            date: &date,
            body,
        });
        request.insert_header(MS_DATE, date);
        request.insert_header(CONTENT_SHA256, signature.content_hash);
        request.insert_header(AUTHORIZATION, signature.authorization);
        Ok(now)
    }

    /// Returns the offset to try after a response with status 401, if it can be about the date of the request.
    fn correction(&self, signed_date: OffsetDateTime, response: &RawResponse) -> Option<i64> {
        // A gateway's refusal says nothing about the date.
        let refusal = service_error(response.body())?;
        if proves_signature(response) {
            return None;
        }
        let service_date = date(response.headers())?;
        let is_far_off = (service_date - signed_date).abs() > Duration::minutes(CLOCK_MARGIN_MINUTES);
        let names_date = refusal.message.is_some_and(|message| message.contains(REFUSED_DATE));
        if !is_far_off && !names_date {
            return None;
        }
        let offset = service_date - self.clock.machine();
        if offset.abs() > MAX_CORRECTION || self.was_rejected(offset.whole_seconds()) {
            return None;
        }
        // Another call may have corrected the clock since this request was signed.
        let current = self.clock.offset_seconds();
        Some(if is_same(offset.whole_seconds(), current) {
            current
        } else {
            offset.whole_seconds()
        })
    }

    /// Moves the clock of all requests, after the service has accepted a signature with this offset.
    fn accepted(&self, offset_seconds: i64) {
        if is_same(offset_seconds, self.clock.offset_seconds()) {
            return;
        }
        self.clock.set_offset_seconds(offset_seconds);
        warn!(
            offset_seconds,
            "the service refused the date of a request: requests now carry this machine's time plus the offset"
        );
    }

    fn rejected(&self, offset_seconds: i64) {
        let at = self.clock.elapsed();
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        *rejected = Some(Rejection { offset_seconds, at });
    }

    fn was_rejected(&self, offset_seconds: i64) -> bool {
        let rejected = *self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        rejected.is_some_and(|rejected| {
            is_same(rejected.offset_seconds, offset_seconds) && self.clock.elapsed() - rejected.at < REJECTION_TTL
        })
    }
}

#[async_trait::async_trait]
impl Policy for SignaturePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let (policy, next) = next_policy(next)?;
        let date = self.sign(request, self.clock.offset_seconds())?;
        let first = policy.send(ctx, request, next).await?;
        if !self.corrects_clock || first.status() != StatusCode::Unauthorized {
            return Ok(first);
        }
        let first = buffered(first, BODY_LIMIT, None).await?;
        let Some(offset) = self.correction(date, &first) else {
            return Ok(into_stream(first));
        };

        self.sign(request, offset)?;
        let second = policy.send(ctx, request, next).await?;
        if second.status().is_success() {
            self.accepted(offset);
            return Ok(second);
        }
        let second = buffered(second, BODY_LIMIT, None).await?;
        if proves_signature(&second) {
            self.accepted(offset);
        } else if second.status() == StatusCode::Unauthorized {
            self.rejected(offset);
            return Ok(into_stream(first));
        }
        Ok(into_stream(second))
    }
}

/// Returns whether two corrections are the same one.
fn is_same(offset_seconds: i64, other: i64) -> bool {
    offset_seconds.abs_diff(other) <= SAME_CORRECTION_SECONDS.unsigned_abs()
}

/// Returns whether a refusal is one that the service gives only after it has accepted the signature.
fn proves_signature(response: &RawResponse) -> bool {
    let Some(error) = service_error(response.body()) else {
        return false;
    };
    match response.status() {
        StatusCode::Unauthorized => matches!(
            error.code.as_deref().map(CommunicationErrorCode::from),
            Some(CommunicationErrorCode::IdentityNotOwned | CommunicationErrorCode::InvalidAccessToken)
        ),
        // The same request got a 401 with another date.
        StatusCode::BadRequest | StatusCode::Forbidden | StatusCode::NotFound | StatusCode::Conflict => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationTokenScope,
        fake_service::{AttemptResponse, FakeService, USER, busy, created, issued, respond},
    };
    use acs_identity_emulator::signature::{AccessKey, SignatureError, SignedRequest, Tolerance, verify};
    use azure_core::{
        http::{
            AsyncRawResponse, Method,
            headers::{HeaderName, Headers},
        },
        time::parse_rfc3339,
    };
    use client_core::{clock::ManualTime, headers::header};

    fn manual_time(now: &str) -> ManualTime {
        ManualTime::new(parse_rfc3339(now).unwrap())
    }

    const KEY: &str = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=";
    const OTHER_KEY: &str = "YW5vdGhlciBrZXk=";

    fn client(service: &Arc<FakeService>, key: &AzureKeyCredential, clock: &ManualTime) -> CommunicationIdentityClient {
        let options = CommunicationIdentityClientOptions {
            client_options: service.client_options(),
            ..Default::default()
        };
        CommunicationIdentityClient::build_with_key(
            "https://contoso.communication.azure.com:8443/".parse().unwrap(),
            key.clone(),
            &options,
            clock.clock(),
        )
        .unwrap()
    }

    /// Asks the emulator, which was written from the service's documents and not from this crate.
    fn verified(request: &Request, key: &str, now: OffsetDateTime) -> std::result::Result<(), SignatureError> {
        let header = |name| header(request.headers(), &HeaderName::from_static(name));
        let Body::Bytes(body) = request.body() else {
            panic!("a streaming body")
        };
        let key: AccessKey = key.parse().unwrap();
        let signed = SignedRequest {
            method: request.method().as_str(),
            target: &request.path_and_query(),
            host: Some("contoso.communication.azure.com:8443"),
            x_ms_date: header("x-ms-date"),
            date: None,
            content_sha256: header("x-ms-content-sha256"),
            authorization: header("authorization"),
            body,
        };
        verify(&signed, &key, now, Tolerance::Strict)
    }

    #[tokio::test(start_paused = true)]
    async fn each_attempt_is_signed_for_its_own_time() {
        let clock = manual_time("2026-08-01T00:00:00Z");
        let start = clock.clock().now();
        let slow = clock.clone();
        let service = FakeService::new([
            busy(),
            Box::new(move |_: &Request| {
                // Longer than a signature is valid.
                slow.advance(Duration::minutes(6));
                Ok(AsyncRawResponse::from_bytes(
                    StatusCode::ServiceUnavailable,
                    Headers::default(),
                    "",
                ))
            }),
            issued(),
        ]);
        let key = AzureKeyCredential::new(KEY).unwrap();
        client(&service, &key, &clock)
            .get_token(&USER.parse().unwrap(), &[CommunicationTokenScope::Chat], None)
            .await
            .unwrap();

        let [first, second, third] = <[Request; 3]>::try_from(service.requests()).unwrap();
        assert_eq!(verified(&first, KEY, start), Ok(()));
        assert_eq!(verified(&second, KEY, start), Ok(()));
        assert_eq!(verified(&third, KEY, clock.clock().now()), Ok(()));
        assert!(matches!(
            verified(&second, KEY, clock.clock().now()),
            Err(SignatureError::ClockSkew { .. })
        ));
        assert_eq!(
            verified(&third, OTHER_KEY, clock.clock().now()),
            Err(SignatureError::SignatureMismatch)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_updated_key_signs_the_next_attempt() {
        let clock = manual_time("2026-08-01T00:00:00Z");
        let key = AzureKeyCredential::new(KEY).unwrap();
        let rotated = key.clone();
        let service = FakeService::new([
            Box::new(move |_: &Request| {
                rotated.update(OTHER_KEY).unwrap();
                Ok(AsyncRawResponse::from_bytes(
                    StatusCode::BadGateway,
                    Headers::default(),
                    "",
                ))
            }),
            issued(),
        ]);
        client(&service, &key, &clock)
            .get_token(&USER.parse().unwrap(), &[CommunicationTokenScope::Voip], None)
            .await
            .unwrap();

        let [first, second] = <[Request; 2]>::try_from(service.requests()).unwrap();
        assert_eq!(verified(&first, KEY, clock.clock().now()), Ok(()));
        assert_eq!(verified(&second, OTHER_KEY, clock.clock().now()), Ok(()));
    }

    /// The machine's time.
    const NOW: &str = "2026-08-01T00:00:00Z";
    const NOW_AS_A_DATE: &str = "Sat, 01 Aug 2026 00:00:00 GMT";
    const TEN_MINUTES_LATER: &str = "Sat, 01 Aug 2026 00:10:00 GMT";

    fn dated_client(
        service: &Arc<FakeService>,
        clock: &ManualTime,
        correct_clock_skew: bool,
    ) -> CommunicationIdentityClient {
        let options = CommunicationIdentityClientOptions {
            client_options: service.client_options(),
            correct_clock_skew,
            ..Default::default()
        };
        CommunicationIdentityClient::build_with_key(
            "https://contoso.communication.azure.com/".parse().unwrap(),
            AzureKeyCredential::new("a2V5").unwrap(),
            &options,
            clock.clock(),
        )
        .unwrap()
    }

    fn denied(date: &'static str, message: &str) -> AttemptResponse {
        let body = format!(r#"{{"error":{{"code":"Denied","message":"{message}"}}}}"#);
        respond(StatusCode::Unauthorized, &[("date", date)], body)
    }

    fn dates(service: &FakeService) -> Vec<String> {
        let date = |request: &Request| header(request.headers(), &MS_DATE).unwrap().to_owned();
        service.requests().iter().map(date).collect()
    }

    #[tokio::test]
    async fn a_refused_date_is_corrected_for_all_clones() {
        let service = FakeService::new([
            denied(TEN_MINUTES_LATER, "Denied by the resource provider."),
            created(),
            created(),
        ]);
        let clock = manual_time(NOW);
        let client = dated_client(&service, &clock, true);
        client.create_user(None).await.unwrap();
        clock.advance(Duration::minutes(1));
        client.clone().create_user(None).await.unwrap();
        assert_eq!(
            dates(&service),
            [NOW_AS_A_DATE, TEN_MINUTES_LATER, "Sat, 01 Aug 2026 00:11:00 GMT"]
        );
    }

    #[tokio::test]
    async fn a_correction_ends_when_the_machine_is_right() {
        let service = FakeService::new([
            denied("Fri, 31 Jul 2026 23:50:00 GMT", ""),
            created(),
            denied(TEN_MINUTES_LATER, ""),
            created(),
        ]);
        let clock = manual_time(NOW);
        let client = dated_client(&service, &clock, true);
        client.create_user(None).await.unwrap();
        clock.advance(Duration::minutes(10));
        client.create_user(None).await.unwrap();
        assert_eq!(
            dates(&service),
            [
                NOW_AS_A_DATE,
                "Fri, 31 Jul 2026 23:50:00 GMT",
                NOW_AS_A_DATE,
                TEN_MINUTES_LATER
            ]
        );
    }

    #[tokio::test]
    async fn a_named_date_is_corrected_within_the_margin() {
        let date = "Sat, 01 Aug 2026 00:05:00 GMT";
        let message = "The given request could not be resolved. The time difference between the originating client and \
                       the server is greater than the allowed margin of 5 minutes.";
        let service = FakeService::new([denied(date, message), created()]);
        dated_client(&service, &manual_time(NOW), true)
            .create_user(None)
            .await
            .unwrap();
        assert_eq!(dates(&service), [NOW_AS_A_DATE, date]);
    }

    /// A refusal whose body is the service's error with this code.
    fn refused(code: &str, date: &'static str) -> AttemptResponse {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"Refused."}}}}"#);
        respond(StatusCode::Unauthorized, &[("date", date)], body)
    }

    #[tokio::test]
    async fn a_refusal_for_another_reason_is_final() {
        for response in [
            denied("Sat, 01 Aug 2026 00:05:00 GMT", "Denied by the resource provider."),
            // Further off than a clock is corrected.
            denied("Sun, 02 Aug 2026 00:00:01 GMT", ""),
            denied("Thu, 30 Jul 2026 23:59:59 GMT", ""),
            denied("yesterday", ""),
            respond(StatusCode::Unauthorized, &[], ""),
            respond(StatusCode::Forbidden, &[("date", TEN_MINUTES_LATER)], ""),
            // The signature was accepted, so the date was, too.
            refused("IdentityNotOwned", TEN_MINUTES_LATER),
            refused("InvalidAccessToken", TEN_MINUTES_LATER),
            // A gateway's.
            respond(StatusCode::Unauthorized, &[("date", TEN_MINUTES_LATER)], ""),
            respond(
                StatusCode::Unauthorized,
                &[("date", TEN_MINUTES_LATER)],
                "<html>time difference between the originating client and the server</html>",
            ),
            respond(
                StatusCode::Unauthorized,
                &[("date", TEN_MINUTES_LATER)],
                r#"{"error":{"code":"Denied","#,
            ),
        ] {
            let service = FakeService::new([response, created()]);
            let client = dated_client(&service, &manual_time(NOW), true);
            client.create_user(None).await.unwrap_err();
            client.create_user(None).await.unwrap();
            assert_eq!(dates(&service), [NOW_AS_A_DATE; 2]);
        }
    }

    /// A proxy's `Date` is ten minutes ahead, and the key is wrong.
    #[tokio::test]
    async fn a_correction_that_did_not_help_is_dropped() {
        for second in [
            denied(TEN_MINUTES_LATER, "The second."),
            respond(StatusCode::Unauthorized, &[], "The second."),
        ] {
            let service = FakeService::new([denied(TEN_MINUTES_LATER, "The first."), second, created()]);
            let client = dated_client(&service, &manual_time(NOW), true);
            let error = client.create_user(None).await.unwrap_err();
            assert!(error.to_string().contains("The first"), "{error}");
            assert!(error.to_string().contains("Check that the access key"), "{error}");
            client.create_user(None).await.unwrap();
            assert_eq!(dates(&service), [NOW_AS_A_DATE, TEN_MINUTES_LATER, NOW_AS_A_DATE]);
        }
    }

    #[tokio::test]
    async fn a_correction_that_helped_is_kept() {
        let service = FakeService::new([
            denied(TEN_MINUTES_LATER, ""),
            refused("IdentityNotOwned", TEN_MINUTES_LATER),
            created(),
        ]);
        let client = dated_client(&service, &manual_time(NOW), true);
        let error = client.create_user(None).await.unwrap_err();
        assert!(error.to_string().contains("IdentityNotOwned"), "{error}");
        client.create_user(None).await.unwrap();
        assert_eq!(dates(&service), [NOW_AS_A_DATE, TEN_MINUTES_LATER, TEN_MINUTES_LATER]);
    }

    #[tokio::test]
    async fn corrections_that_differ_by_seconds_are_one() {
        let date = "Sat, 01 Aug 2026 00:10:20 GMT";
        let service = FakeService::new([
            denied(TEN_MINUTES_LATER, ""),
            created(),
            denied(date, REFUSED_DATE),
            created(),
        ]);
        let client = dated_client(&service, &manual_time(NOW), true);
        client.create_user(None).await.unwrap();
        client.create_user(None).await.unwrap();
        assert_eq!(dates(&service)[1..], [TEN_MINUTES_LATER; 3]);
    }

    #[tokio::test]
    async fn plain_http_is_signed_for_loopback_only() {
        #[derive(Debug)]
        struct Answering;

        #[async_trait::async_trait]
        impl Policy for Answering {
            async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
                Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::default(), ""))
            }
        }

        let policy = access_key_policy(AzureKeyCredential::new(KEY).unwrap());
        let next: [Arc<dyn Policy>; 1] = [Arc::new(Answering)];
        for (url, signed) in [
            ("http://localhost:8080/calling", true),
            ("http://[::1]/calling", true),
            ("https://contoso.communication.azure.com/calling", true),
            ("http://contoso.communication.azure.com/calling", false),
        ] {
            let mut request = Request::new(url.parse().unwrap(), Method::Get);
            let result = policy.send(&Context::new(), &mut request, &next).await;
            assert_eq!(result.is_ok(), signed, "{url}");
            let authorization = header(request.headers(), &AUTHORIZATION);
            assert_eq!(authorization.is_some(), signed, "{url}");
        }
    }

    #[tokio::test]
    async fn a_day_is_the_most_that_a_clock_is_corrected() {
        let a_day_later = "Sun, 02 Aug 2026 00:00:00 GMT";
        let service = FakeService::new([denied(a_day_later, ""), created()]);
        dated_client(&service, &manual_time(NOW), true)
            .create_user(None)
            .await
            .unwrap();
        assert_eq!(dates(&service), [NOW_AS_A_DATE, a_day_later]);
    }

    #[tokio::test]
    async fn an_option_turns_the_correction_off() {
        let service = FakeService::new([denied(TEN_MINUTES_LATER, "")]);
        let error = dated_client(&service, &manual_time(NOW), false)
            .create_user(None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("clock is 10m behind"), "{error}");
    }
}
