//! The policy that signs every attempt with an access key, and corrects the clock that dates the signatures.

use super::{AzureKeyCredential, Clock, date::header_date, endpoint::is_protected, signing::Unsigned};
use crate::{
    error::{CommunicationErrorCode, header, invalid_argument, service_error},
    policies::{buffered, into_stream, next_policy},
    service::{CLOCK_MARGIN_MINUTES, CONTENT_SHA256, DATE},
};
use azure_core::{
    Result,
    http::{
        Body, Context, RawResponse, Request, StatusCode,
        headers::{AUTHORIZATION, MS_DATE},
        policies::{Policy, PolicyResult},
    },
    time::{Duration, OffsetDateTime, parse_rfc7231},
};
use std::sync::Arc;
use tracing::warn;

/// The largest correction of a machine's clock: more than any mistaken time zone. It bounds the dates that a server in the
/// service's place can have requests signed for.
const MAX_CORRECTION: Duration = Duration::hours(24);

/// Corrections that differ by less are the same one: the service's date is in whole seconds, and responses take their time.
const SAME_CORRECTION_SECONDS: i64 = 30;

/// The part of the service's message about a refused date (Azure question 2224395 on learn.microsoft.com).
const REFUSED_DATE: &str = "time difference between the originating client and the server";

/// Creates a pipeline policy that signs requests with an access key, for REST calls to Communication Services that this
/// library has no operation for, such as those of Call Automation, SMS or Rooms.
///
/// Put it into the per-try policies of an `azure_core` pipeline, behind every policy that changes the method, the URL, the
/// host or the body: the signature covers these. Each attempt is signed anew, with the key of that moment and the current
/// date. When the service refuses the date, the policy follows the service's clock, up to 24 hours, and sends the request
/// once more, as [`CommunicationIdentityClientOptions::correct_clock_skew`](crate::CommunicationIdentityClientOptions)
/// describes. All requests of one policy share the correction.
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

/// Signs a request, anew for every attempt: a signature is valid for five minutes, and retries can take longer.
///
/// A refusal that can be about the date moves the clock to the service's, and the request is sent once more. If that does
/// not help, the clock is put back and the caller gets the first response: its date was a proxy's, or the key is wrong.
#[derive(Debug)]
pub(crate) struct SignaturePolicy {
    credential: AzureKeyCredential,
    clock: Clock,
    corrects_clock: bool,
}

impl SignaturePolicy {
    pub(crate) fn new(credential: AzureKeyCredential, clock: Clock, corrects_clock: bool) -> Self {
        Self {
            credential,
            clock,
            corrects_clock,
        }
    }

    /// Signs a request for the current time, which it returns.
    fn sign(&self, request: &mut Request) -> Result<OffsetDateTime> {
        let Body::Bytes(body) = request.body() else {
            return Err(invalid_argument("a request whose body is a stream cannot be signed"));
        };
        if !is_protected(request.url()) {
            return Err(invalid_argument(
                "a signed request must use https; http is for loopback hosts only",
            ));
        }
        let now = self.clock.now();
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

    /// Moves the clock to the service's if a refusal can be about the date of a request. Returns the offset before, or
    /// `None` if there is nothing to correct.
    fn correct(&self, signed_date: OffsetDateTime, refusal: &Refusal) -> Option<i64> {
        let service_date = refusal.date?;
        let is_far_off = (service_date - signed_date).abs() > Duration::minutes(CLOCK_MARGIN_MINUTES);
        if !is_far_off && !refusal.names_the_date {
            return None;
        }
        let offset = service_date - self.clock.machine();
        if offset.abs() > MAX_CORRECTION {
            return None;
        }
        let before = self.clock.offset_seconds();
        let offset = offset.whole_seconds();
        // Another call may have corrected the clock since this request was signed.
        if (offset - before).abs() > SAME_CORRECTION_SECONDS {
            self.clock.set_offset_seconds(offset);
        }
        Some(before)
    }

    /// Sends a request signed, and once more if that may help.
    pub(super) async fn send_signed(
        &self,
        ctx: &Context<'_>,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let (policy, next) = next_policy(next)?;
        let date = self.sign(request)?;
        let first = policy.send(ctx, request, next).await?;
        if !self.corrects_clock || first.status() != StatusCode::Unauthorized {
            return Ok(first);
        }
        let first = buffered(first).await?;
        let Some(before) = Refusal::of(&first).and_then(|refusal| self.correct(date, &refusal)) else {
            return Ok(into_stream(first));
        };

        let corrected = self.clock.offset_seconds();
        self.sign(request)?;
        let second = policy.send(ctx, request, next).await?;
        if second.status() == StatusCode::Unauthorized {
            let second = buffered(second).await?;
            if proves_signature(&second) {
                return Ok(into_stream(second));
            }
            self.clock.replace_offset_seconds(corrected, before);
            return Ok(into_stream(first));
        }
        if corrected != before {
            warn!(
                offset_seconds = corrected,
                "the service refused the date of a request: requests now carry this machine's time plus the offset"
            );
        }
        Ok(second)
    }
}

#[async_trait::async_trait]
impl Policy for SignaturePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        self.send_signed(ctx, request, next).await
    }
}

/// A refusal by the service itself that does not prove that it accepted the signature.
struct Refusal {
    /// The time of the response.
    date: Option<OffsetDateTime>,
    /// Whether the message says that the date was refused.
    names_the_date: bool,
}

impl Refusal {
    /// Reads a response with status 401. A gateway's is none: it says nothing about the date.
    fn of(response: &RawResponse) -> Option<Self> {
        let error = service_error(response.body())?;
        if proves_signature(response) {
            return None;
        }
        Some(Self {
            date: header(response.headers(), &DATE).and_then(|date| parse_rfc7231(date).ok()),
            names_the_date: error.message.is_some_and(|message| message.contains(REFUSED_DATE)),
        })
    }
}

/// Returns whether a refusal is one that the service gives only after it has accepted the signature.
fn proves_signature(response: &RawResponse) -> bool {
    let code = service_error(response.body()).and_then(|error| error.code);
    matches!(
        code.as_deref().map(CommunicationErrorCode::from),
        Some(CommunicationErrorCode::IdentityNotOwned | CommunicationErrorCode::InvalidAccessToken)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationTokenScope,
        auth::MovedClock,
        fake_service::{Answer, FakeService, USER, busy, created, issued, respond},
    };
    use acs_identity_emulator::signature::{AccessKey, SignatureError, SignedRequest, Tolerance, verify};
    use azure_core::http::{
        AsyncRawResponse,
        headers::{HeaderName, Headers},
    };

    const KEY: &str = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=";
    const OTHER_KEY: &str = "YW5vdGhlciBrZXk=";

    fn client(service: &Arc<FakeService>, key: &AzureKeyCredential, clock: &MovedClock) -> CommunicationIdentityClient {
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
    async fn every_attempt_is_signed_for_its_own_time() {
        let clock = MovedClock::new("2026-08-01T00:00:00Z");
        let start = clock.now();
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
        assert_eq!(verified(&third, KEY, clock.now()), Ok(()));
        assert!(matches!(
            verified(&second, KEY, clock.now()),
            Err(SignatureError::ClockSkew { .. })
        ));
        assert_eq!(
            verified(&third, OTHER_KEY, clock.now()),
            Err(SignatureError::SignatureMismatch)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_replaced_between_two_attempts_signs_the_second() {
        let clock = MovedClock::new("2026-08-01T00:00:00Z");
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
        assert_eq!(verified(&first, KEY, clock.now()), Ok(()));
        assert_eq!(verified(&second, OTHER_KEY, clock.now()), Ok(()));
    }

    /// The machine's time.
    const NOW: &str = "2026-08-01T00:00:00Z";
    const NOW_AS_A_DATE: &str = "Sat, 01 Aug 2026 00:00:00 GMT";
    const TEN_MINUTES_LATER: &str = "Sat, 01 Aug 2026 00:10:00 GMT";

    fn dated_client(
        service: &Arc<FakeService>,
        clock: &MovedClock,
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

    fn denied(date: &'static str, message: &str) -> Answer {
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
        let clock = MovedClock::new(NOW);
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
    async fn a_correction_ends_when_the_machine_is_set_right() {
        let service = FakeService::new([
            denied("Fri, 31 Jul 2026 23:50:00 GMT", ""),
            created(),
            denied(TEN_MINUTES_LATER, ""),
            created(),
        ]);
        let clock = MovedClock::new(NOW);
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
    async fn the_services_word_is_taken_at_the_edge_of_the_margin() {
        let date = "Sat, 01 Aug 2026 00:05:00 GMT";
        let message = "The given request could not be resolved. The time difference between the originating client and \
                       the server is greater than the allowed margin of 5 minutes.";
        let service = FakeService::new([denied(date, message), created()]);
        dated_client(&service, &MovedClock::new(NOW), true)
            .create_user(None)
            .await
            .unwrap();
        assert_eq!(dates(&service), [NOW_AS_A_DATE, date]);
    }

    /// A refusal whose body is the service's error with this code.
    fn refused(code: &str, date: &'static str) -> Answer {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"Refused."}}}}"#);
        respond(StatusCode::Unauthorized, &[("date", date)], body)
    }

    #[tokio::test]
    async fn a_refusal_for_another_reason_is_not_repeated() {
        for answer in [
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
            let service = FakeService::new([answer, created()]);
            let client = dated_client(&service, &MovedClock::new(NOW), true);
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
            let client = dated_client(&service, &MovedClock::new(NOW), true);
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
        let client = dated_client(&service, &MovedClock::new(NOW), true);
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
        let client = dated_client(&service, &MovedClock::new(NOW), true);
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
            let mut request = Request::new(url.parse().unwrap(), azure_core::http::Method::Get);
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
        dated_client(&service, &MovedClock::new(NOW), true)
            .create_user(None)
            .await
            .unwrap();
        assert_eq!(dates(&service), [NOW_AS_A_DATE, a_day_later]);
    }

    #[tokio::test]
    async fn an_option_turns_it_off() {
        let service = FakeService::new([denied(TEN_MINUTES_LATER, "")]);
        let error = dated_client(&service, &MovedClock::new(NOW), false)
            .create_user(None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("clock is 10m behind"), "{error}");
    }
}
