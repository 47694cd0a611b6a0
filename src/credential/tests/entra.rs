//! A credential that exchanges Entra tokens.

use super::{super::Source, *};
use crate::{
    EntraCommunicationTokenCredentialOptions,
    credential::entra::EntraSource,
    error::{CommunicationError, CommunicationErrorCode},
    fake_service::{AttemptResponse, FakeService, respond, status},
};
use azure_core::{
    Bytes,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{Method, Request, StatusCode, headers::AUTHORIZATION},
    time::{Duration, parse_rfc3339},
};
use futures::future::join_all;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::{Instant, sleep};

/// Longer than any exchange of these tests takes.
const LONG: std::time::Duration = std::time::Duration::from_secs(100);

const NOW: &str = "2026-08-01T00:00:00Z";

fn manual_time() -> ManualTime {
    ManualTime::new(parse_rfc3339(NOW).unwrap())
}

/// Returns the Entra token that a test has set; without one it fails.
#[derive(Debug, Default)]
struct FakeEntra {
    token: Mutex<Option<&'static str>>,
    scopes: Mutex<Vec<String>>,
    calls: AtomicUsize,
}

impl FakeEntra {
    fn new(token: &'static str) -> Arc<Self> {
        let entra = Self::default();
        entra.give(token);
        Arc::new(entra)
    }

    fn give(&self, token: &'static str) {
        *self.token.lock().unwrap() = Some(token);
    }
}

#[async_trait::async_trait]
impl TokenCredential for FakeEntra {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        *self.scopes.lock().unwrap() = scopes.iter().map(|&scope| scope.to_owned()).collect();
        // Other callers can come meanwhile; the clock does not move.
        sleep(std::time::Duration::from_secs(1)).await;
        let token = self.token.lock().unwrap();
        let token = token.ok_or_else(|| Error::with_message(ErrorKind::Io, "no user has signed in"))?;
        Ok(AccessToken::new(token, parse_rfc3339(NOW).unwrap()))
    }
}

fn credential(
    service: &Arc<FakeService>,
    entra: &Arc<FakeEntra>,
    clock: &ManualTime,
    scopes: Option<&[&str]>,
) -> CommunicationTokenCredential {
    let mut options = EntraCommunicationTokenCredentialOptions {
        client_options: service.client_options(),
        ..Default::default()
    };
    if let Some(scopes) = scopes {
        options.scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    }
    // A trailing slash must not double the path's.
    let source = EntraSource::new(
        "https://contoso.communication.azure.com/",
        entra.clone(),
        options,
        clock.clock(),
        || 0.0,
    );
    CommunicationTokenCredential(Source::Entra(Arc::new(source.unwrap())))
}

/// The documented response, with a token that expires at a time of the first of August.
fn exchanged(token: &str, time: &str) -> AttemptResponse {
    let body = format!(
        r#"{{"identity":{{"id":"8:acs:resource_wf_tenant_user"}},
            "accessToken":{{"token":"{token}","expiresOn":"2026-08-01T{time}Z"}}}}"#
    );
    respond(StatusCode::Ok, &[], body)
}

fn unavailable() -> impl Iterator<Item = AttemptResponse> {
    (0..3).map(|_| status(StatusCode::ServiceUnavailable))
}

async fn get(credential: &CommunicationTokenCredential) -> String {
    credential.get_token().await.unwrap().token.secret().to_owned()
}

fn authorization(request: &Request) -> &str {
    request.headers().get_str(&AUTHORIZATION).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_scopes_select_the_exchange() {
    for (scopes, target) in [
        (
            None,
            "/access/entra/:exchangeAccessToken?api-version=2025-03-02-preview",
        ),
        (
            Some(&["https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls"][..]),
            "/access/teamsExtension/:exchangeAccessToken?api-version=2026-09-23",
        ),
    ] {
        let service = FakeService::new([exchanged("acs", "01:00:00")]);
        let entra = FakeEntra::new("entra");
        let credential = credential(&service, &entra, &manual_time(), scopes);
        assert_eq!(get(&credential).await, "acs");
        let [request] = &service.requests()[..] else {
            panic!("not one request")
        };
        assert_eq!(request.method(), Method::Post);
        assert_eq!(request.path_and_query(), target);
        assert_eq!(Bytes::from(request.body()), "{}");
        assert_eq!(authorization(request), "Bearer entra");
        let asked = scopes.unwrap_or(&["https://communication.azure.com/clients/.default"]);
        assert_eq!(*entra.scopes.lock().unwrap(), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn each_token_is_exchanged_once() {
    let service = FakeService::new([exchanged("first", "01:00:00"), exchanged("second", "02:00:00")]);
    let entra = FakeEntra::new("entra 1");
    let credential = credential(&service, &entra, &manual_time(), None);
    for _ in 0..3 {
        assert_eq!(get(&credential).await, "first");
    }
    assert_eq!(entra.calls.load(Ordering::SeqCst), 3);
    entra.give("entra 2");
    for _ in 0..3 {
        assert_eq!(get(&credential).await, "second");
    }
    let requests = service.requests();
    assert!(
        requests
            .iter()
            .map(authorization)
            .eq(["Bearer entra 1", "Bearer entra 2"])
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_is_exchanged_again_near_its_expiry() {
    let clock = manual_time();
    let service = FakeService::new((0..20).map(|_| exchanged("same", "01:00:00")));
    let credential = credential(&service, &FakeEntra::new("entra"), &clock, None);
    let mut asked = Vec::new();
    for second in 0..3600 {
        let before = service.requests().len();
        assert_eq!(get(&credential).await, "same");
        // The paused time moves on when an exchange in the background has nothing more to do.
        sleep(std::time::Duration::from_millis(1)).await;
        if service.requests().len() > before {
            asked.push(second);
        }
        clock.advance(Duration::SECOND);
    }
    // With two minutes left, and from then on after half of what is left.
    assert_eq!(asked, [0, 3480, 3540, 3570, 3585, 3593, 3597, 3599]);
    let error = credential.get_token().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Credential);
    assert!(error.to_string().contains("already expired"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_valid_token_is_returned_without_waiting() {
    let clock = manual_time();
    let responses = [exchanged("first", "01:00:00")].into_iter().chain(unavailable());
    let service = FakeService::new(responses.chain(unavailable()).chain([exchanged("second", "02:00:00")]));
    let entra = FakeEntra::new("entra");
    let credential = credential(&service, &entra, &clock, None);
    get(&credential).await;

    // In the last two minutes: an exchange in the background takes twenty seconds and fails.
    clock.advance(Duration::minutes(59));
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(get(&credential).await, "first");
    }
    // A second each for the Entra credential.
    assert_eq!(start.elapsed().as_secs(), 3);
    sleep(LONG).await;
    assert_eq!(service.requests().len(), 4);

    // Tried again after a second, and not before.
    assert_eq!(get(&credential).await, "first");
    sleep(LONG).await;
    assert_eq!(service.requests().len(), 4);
    clock.advance(Duration::SECOND);
    assert_eq!(get(&credential).await, "first");
    sleep(LONG).await;
    assert_eq!(service.requests().len(), 7);

    // The next time is after two more, and succeeds.
    clock.advance(Duration::seconds(2));
    assert_eq!(get(&credential).await, "first");
    sleep(LONG).await;
    assert_eq!(get(&credential).await, "second");
    assert_eq!(service.requests().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn another_entra_tokens_result_is_not_returned() {
    let responses = [exchanged("first", "01:00:00")].into_iter().chain(unavailable());
    let service = FakeService::new(responses);
    let entra = FakeEntra::new("entra");
    let credential = credential(&service, &entra, &manual_time(), None);
    get(&credential).await;
    // It could be another user's.
    entra.give("another");
    let error = credential.get_token().await.unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::ServiceUnavailable));
}

#[tokio::test(start_paused = true)]
async fn callers_get_a_failure_until_retry_after() {
    let clock = manual_time();
    let throttled = respond(StatusCode::TooManyRequests, &[("retry-after", "120")], "");
    let service = FakeService::new([throttled, exchanged("acs", "01:00:00")]);
    let credential = credential(&service, &FakeEntra::new("entra"), &clock, None);
    for seconds in [0, 60, 59] {
        clock.advance(Duration::seconds(seconds));
        let error = credential.get_token().await.unwrap_err();
        assert_eq!(error.http_status(), Some(StatusCode::TooManyRequests));
    }
    assert_eq!(service.requests().len(), 1);
    clock.advance(Duration::SECOND);
    assert_eq!(get(&credential).await, "acs");
}

/// A `Retry-After` of an exchange in the background holds when the access token has expired.
#[tokio::test(start_paused = true)]
async fn a_background_retry_after_is_kept_after_expiry() {
    let time = manual_time();
    let throttled = respond(StatusCode::TooManyRequests, &[("retry-after", "600")], "");
    let service = FakeService::new([
        exchanged("first", "00:02:01"),
        throttled,
        exchanged("second", "01:00:00"),
    ]);
    let credential = credential(&service, &FakeEntra::new("entra"), &time, None);
    get(&credential).await;
    time.advance(Duration::minutes(2));
    assert_eq!(get(&credential).await, "first");
    sleep(LONG).await;
    assert_eq!(service.requests().len(), 2);
    for seconds in [1, 598] {
        time.advance(Duration::seconds(seconds));
        let error = credential.get_token().await.unwrap_err();
        assert_eq!(error.http_status(), Some(StatusCode::TooManyRequests));
    }
    assert_eq!(service.requests().len(), 2);
    time.advance(Duration::SECOND);
    assert_eq!(get(&credential).await, "second");
}

/// The runtime of the task that exchanges a token again is shut down before the task has run.
#[cfg(feature = "tokio")]
#[test]
fn an_exchange_whose_runtime_ended_is_restarted() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let clock = manual_time();
    let service = FakeService::new([exchanged("first", "01:00:00"), exchanged("second", "02:00:00")]);
    let credential = credential(&service, &FakeEntra::new("entra"), &clock, None);
    runtime().block_on(async {
        assert_eq!(get(&credential).await, "first");
        clock.advance(Duration::minutes(59));
        // Starts the task, and ends before it is polled.
        assert_eq!(get(&credential).await, "first");
    });
    runtime().block_on(async {
        assert_eq!(get(&credential).await, "first");
        sleep(LONG).await;
        assert_eq!(get(&credential).await, "second");
    });
}

#[tokio::test(start_paused = true)]
async fn callers_share_one_exchange() {
    let service = FakeService::new([exchanged("acs", "01:00:00")]);
    let entra = FakeEntra::new("entra");
    let credential = credential(&service, &entra, &manual_time(), None);
    let tokens = join_all((0..20).map(|_| get(&credential))).await;
    assert!(tokens.iter().all(|token| token == "acs"));
    assert_eq!(service.requests().len(), 1);
    assert_eq!(entra.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_caller_leaves_no_token_behind() {
    let service = FakeService::new([status(StatusCode::ServiceUnavailable), exchanged("acs", "01:00:00")]);
    let credential = credential(&service, &FakeEntra::new("entra"), &manual_time(), None);
    // While the exchange waits for its second try.
    let wait = std::time::Duration::from_secs(5);
    assert!(tokio::time::timeout(wait, credential.get_token()).await.is_err());
    assert_eq!(service.requests().len(), 1);
    assert_eq!(get(&credential).await, "acs");
    assert_eq!(service.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn failures_have_distinct_kinds() {
    let clock = manual_time();
    let signed_out = Arc::new(FakeEntra::default());
    let error = credential(&FakeService::new([]), &signed_out, &clock, None)
        .get_token()
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (&ErrorKind::Credential, "no user has signed in")
    );

    let error = credential(&FakeService::new([]), &FakeEntra::new(""), &clock, None)
        .get_token()
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the Entra credential gave an empty token");

    let denied = r#"{"error":{"code":"Denied","message":"Denied by the resource provider."}}"#;
    let service = FakeService::new([respond(StatusCode::Unauthorized, &[], denied)]);
    let error = credential(&service, &FakeEntra::new("entra"), &clock, None)
        .get_token()
        .await
        .unwrap_err();
    let found = CommunicationError::from_error(&error).unwrap();
    assert_eq!(found.error_code(), Some(CommunicationErrorCode::Denied));
    assert!(found.remedy.as_ref().unwrap().contains("Entra token"), "{error}");

    for (response, reason) in [
        (exchanged("", "01:00:00"), "has no `accessToken.token`"),
        (exchanged("SECRET", "00:00:00"), "already expired"),
        (respond(StatusCode::Ok, &[], "{}"), "has no `"),
        (respond(StatusCode::Ok, &[], ""), "ends too early"),
    ] {
        let service = FakeService::new([response]);
        let error = credential(&service, &FakeEntra::new("entra"), &clock, None)
            .get_token()
            .await
            .unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
    }
}

#[test]
fn wrong_options_are_refused_at_once() {
    let new = |endpoint, scopes: &[&str]| {
        let options = EntraCommunicationTokenCredentialOptions {
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            ..Default::default()
        };
        let entra = FakeEntra::new("entra");
        CommunicationTokenCredential::with_entra_credential(endpoint, entra, Some(options)).map(drop)
    };
    let scope = "https://communication.azure.com/clients/Chat";
    let refused = |result: Result<()>| result.unwrap_err().to_string();
    assert!(refused(new("http://localhost", &[scope])).contains("must use https"));
    assert!(refused(new("https://contoso", &[])).contains("scopes must not be empty"));
    #[cfg(feature = "reqwest")]
    new("https://contoso", &[scope]).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_exchange_is_bounded_by_the_timeout() {
    let service = FakeService::new(unavailable());
    let options = EntraCommunicationTokenCredentialOptions {
        // The tries are ten seconds apart.
        timeout: Some(Duration::seconds(5)),
        client_options: service.client_options(),
        ..Default::default()
    };
    let endpoint = "https://contoso.communication.azure.com";
    let credential =
        CommunicationTokenCredential::with_entra_credential(endpoint, FakeEntra::new("entra"), Some(options)).unwrap();
    let start = Instant::now();
    let error = credential.get_token().await.unwrap_err();
    // After a second that the Entra credential takes.
    assert_eq!(start.elapsed().as_secs(), 6);
    assert!(error.to_string().contains("given up after 5s"), "{error}");
}
