//! Credentials: the tokens that they accept, and their requests for them.

use crate::{
    log::Log,
    setup::{Setup, USER, scripted},
};
use azure_core::{
    Error, Uuid,
    credentials::TokenCredential as _,
    error::ErrorKind,
    time::{Duration, OffsetDateTime},
};
use entra_sidecar::{
    Agent, InboundToken, SidecarClient, SidecarClientOptions, SidecarCredential, SidecarCredentialOptions,
    SidecarError, SidecarErrorKind, SidecarOnBehalfOfCredential, SidecarScope,
};
use fake_entra_sidecar::{
    AllowOverrides, CLIENT_ID, DownstreamApi, FakeSidecar, FakeSidecarBuilder, Fault, unsigned_token,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

const SCOPE: &str = "https://storage.azure.com/.default";
const AGENT: &str = "a9a8f3de-6a8d-4c52-a1c6-91f3d3ab4f10";
/// In the year 2100.
const FAR: i64 = 4_102_444_800;

fn storage(api: DownstreamApi) -> FakeSidecarBuilder {
    FakeSidecar::builder().api("Storage", api)
}

fn app_api() -> DownstreamApi {
    DownstreamApi::new([SCOPE]).request_app_token()
}

/// An API whose tokens have these claims.
fn with_claims(claims: Value) -> DownstreamApi {
    app_api().tokens(move |_| Ok(unsigned_token(&claims)))
}

fn scope() -> [SidecarScope; 1] {
    [SidecarScope::new(SCOPE, "Storage")]
}

fn agent() -> Uuid {
    Uuid::parse_str(AGENT).unwrap()
}

fn kind(error: &Error) -> Option<SidecarErrorKind> {
    assert_eq!(error.kind(), &ErrorKind::Credential);
    SidecarError::from_error(error).map(SidecarError::kind)
}

#[tokio::test]
async fn an_applications_token_is_cached() {
    let setup = Setup::of(storage(with_claims(
        json!({ "aud": "https://storage.azure.com", "exp": FAR }),
    )))
    .await;
    let credential = SidecarCredential::new(setup.client.clone(), scope(), None).unwrap();
    let token = credential.get_token(&[SCOPE], None).await.unwrap();
    assert_eq!(token.expires_on, OffsetDateTime::UNIX_EPOCH + Duration::seconds(FAR));
    let again = credential.get_token(&[SCOPE], None).await.unwrap();
    assert_eq!(again.token, token.token);
    let request = &setup.sidecar.requests()[..];
    assert_eq!(request.len(), 1);
    assert_eq!(request[0].path, "/AuthorizationHeaderUnauthenticated/Storage");
    assert!(request[0].query.is_empty());
}

#[tokio::test]
async fn expired_tokens_are_refused() {
    let setup = Setup::of(storage(with_claims(
        json!({ "aud": "https://storage.azure.com", "exp": 1 }),
    )))
    .await;
    let credential = SidecarCredential::new(setup.client.clone(), scope(), None).unwrap();
    let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
    assert_eq!(kind(&error), Some(SidecarErrorKind::UnexpectedToken));
    assert!(error.to_string().contains("has already expired"), "{error}");
}

/// An API with distinct tokens, which are due for a refresh at once.
fn expiring() -> DownstreamApi {
    let issued = AtomicUsize::new(0);
    app_api().tokens(move |_| {
        let expires_on = OffsetDateTime::now_utc() + Duration::minutes(4);
        let number = issued.fetch_add(1, Ordering::Relaxed);
        let claims = json!({ "aud": "https://storage.azure.com", "exp": expires_on.unix_timestamp(), "jti": number });
        Ok(unsigned_token(&claims))
    })
}

/// A client with a short timeout.
fn client_with_short_timeout(setup: &Setup) -> SidecarClient {
    let options = SidecarClientOptions {
        timeout: Some(Duration::seconds(1)),
        ..crate::setup::options()
    };
    SidecarClient::new(&setup.sidecar.url(), Some(options)).unwrap()
}

#[tokio::test]
async fn a_silent_sidecar_delays_no_caller_with_a_token() {
    let setup = Setup::of(storage(expiring())).await;
    let credential = SidecarCredential::new(setup.client.clone(), scope(), None).unwrap();
    let first = credential.get_token(&[SCOPE], None).await.unwrap().token;
    setup.sidecar.inject([Fault::silence()]);
    let mut refresh = credential.get_token(&[SCOPE], None);
    let other = tokio::select! {
        biased;
        _ = &mut refresh => panic!("the sidecar is silent"),
        other = credential.get_token(&[SCOPE], None) => other.unwrap().token,
    };
    assert_eq!(other, first);
    drop(refresh);

    // A refresh that timed out is not followed by another at once.
    let setup = Setup::of(storage(expiring())).await;
    let credential = SidecarCredential::new(client_with_short_timeout(&setup), scope(), None).unwrap();
    let first = credential.get_token(&[SCOPE], None).await.unwrap().token;
    setup.sidecar.inject([Fault::silence()]);
    for _ in 0..3 {
        assert_eq!(credential.get_token(&[SCOPE], None).await.unwrap().token, first);
    }
}

#[tokio::test]
async fn callers_share_the_failure_of_a_first_token() {
    let setup = Setup::of(storage(app_api())).await;
    let credential = SidecarCredential::new(client_with_short_timeout(&setup), scope(), None).unwrap();
    setup.sidecar.inject([Fault::silence()]);
    let ask = || credential.get_token(&[SCOPE], None);
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    for result in [a, b, c] {
        let error = result.unwrap_err();
        assert_eq!(kind(&error), Some(SidecarErrorKind::Unavailable));
        assert!(error.to_string().contains("given up after 1s"), "{error}");
    }
    ask().await.unwrap();
}

#[tokio::test]
async fn a_panic_is_a_credential_error() {
    // Without a response, the transport panics.
    let (_, client) = scripted([]);
    let credential = SidecarCredential::new(client, scope(), None).unwrap();
    let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
    assert_eq!(kind(&error), None);
    assert!(error.to_string().contains("panicked"), "{error}");
}

#[tokio::test]
async fn unknown_scopes_are_refused_before_sending() {
    let setup = Setup::of(storage(app_api())).await;
    let credential = SidecarCredential::new(setup.client.clone(), scope(), None).unwrap();
    for scopes in [
        &["https://vault.azure.net/.default"][..],
        &[],
        &[SCOPE, SCOPE],
        &["https://storage.azure.com"],
    ] {
        let error = credential.get_token(scopes, None).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Credential);
    }
    assert!(setup.sidecar.requests().is_empty());
}

#[tokio::test]
async fn tokens_for_something_else_are_refused() {
    for claims in [
        json!({ "aud": "https://graph.microsoft.com", "exp": FAR }),
        json!({ "aud": [], "exp": FAR }),
        json!({ "exp": FAR }),
        json!({ "aud": "https://storage.azure.com" }),
        json!({ "aud": "https://storage.azure.com", "exp": "soon" }),
    ] {
        let setup = Setup::of(storage(with_claims(claims.clone()))).await;
        let credential = SidecarCredential::new(setup.client.clone(), scope(), None).unwrap();
        let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
        assert_eq!(kind(&error), Some(SidecarErrorKind::UnexpectedToken), "{claims}");
    }
    for api in [app_api().scheme("PoP"), app_api().tokens(|_| Ok("opaque".to_owned()))] {
        let setup = Setup::of(storage(api)).await;
        let credential = SidecarCredential::new(setup.client.clone(), scope(), None).unwrap();
        let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
        assert_eq!(kind(&error), Some(SidecarErrorKind::UnexpectedToken));
    }
    // Tokens of version 2 name the API by its ID, which must be added.
    let setup = Setup::of(storage(with_claims(json!({ "aud": CLIENT_ID, "exp": FAR })))).await;
    let credential = SidecarCredential::new(
        setup.client.clone(),
        scope().map(|scope| scope.audience(CLIENT_ID)),
        None,
    )
    .unwrap();
    credential.get_token(&[SCOPE], None).await.unwrap();
}

#[tokio::test]
async fn other_tokens_than_the_agents_are_refused() {
    let (agent_id, user_id) = (agent(), Uuid::parse_str(USER).unwrap());
    let agents = [
        Agent::Autonomous { agent_id },
        Agent::UserById { agent_id, user_id },
        Agent::UserByName {
            agent_id,
            username: "Agent@contoso.com".to_owned(),
        },
    ];
    for agent in agents {
        let options = || {
            Some(SidecarCredentialOptions {
                agent: Some(agent.clone()),
            })
        };
        // By default, the sidecar ignores agents on this route.
        let setup = Setup::of(storage(app_api())).await;
        let credential = SidecarCredential::new(setup.client.clone(), scope(), options()).unwrap();
        let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
        assert_eq!(kind(&error), Some(SidecarErrorKind::UnexpectedToken));
        assert!(error.to_string().contains("AllowOverrides"), "{error}");

        let setup = Setup::of(storage(app_api()).allow_overrides(AllowOverrides::everywhere())).await;
        let credential = SidecarCredential::new(setup.client.clone(), scope(), options()).unwrap();
        credential.get_token(&[SCOPE], None).await.unwrap();
    }

    let other =
        json!({ "aud": "https://storage.azure.com", "exp": FAR, "azp": AGENT, "oid": AGENT, "upn": "x@contoso.com" });
    let setup = Setup::of(storage(with_claims(other))).await;
    for agent in [
        Agent::UserById { agent_id, user_id },
        Agent::UserByName {
            agent_id,
            username: "y@contoso.com".to_owned(),
        },
    ] {
        let options = SidecarCredentialOptions { agent: Some(agent) };
        let credential = SidecarCredential::new(setup.client.clone(), scope(), Some(options)).unwrap();
        let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
        assert!(error.to_string().contains("another user's"), "{error}");
    }
}

#[tokio::test]
async fn other_tokens_than_the_callers_are_refused() {
    let setup = Setup::of(storage(DownstreamApi::new([
        "https://storage.azure.com/user_impersonation",
    ])))
    .await;
    let credential =
        SidecarOnBehalfOfCredential::new(setup.client.clone(), setup.caller.clone(), scope(), None).unwrap();
    credential.get_token(&[SCOPE], None).await.unwrap();
    credential.get_token(&[SCOPE], None).await.unwrap();
    let acquisitions = setup.sidecar.acquisitions();
    assert_eq!(acquisitions.len(), 1);
    assert_eq!(acquisitions[0].caller.as_deref(), Some(setup.caller.token().secret()));

    // One of the application would lend its rights to the caller.
    let setup = Setup::of(storage(app_api())).await;
    let credential =
        SidecarOnBehalfOfCredential::new(setup.client.clone(), setup.caller.clone(), scope(), None).unwrap();
    let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
    assert_eq!(kind(&error), Some(SidecarErrorKind::UnexpectedToken));
    assert!(error.to_string().contains("RequestAppToken"), "{error}");

    // A token without a user may be any caller's.
    let anonymous = unsigned_token(&json!({ "aud": "https://storage.azure.com", "exp": FAR }));
    let accepted = anonymous.clone();
    let of_user = with_claims(json!({ "aud": "https://storage.azure.com", "exp": FAR, "oid": USER }));
    for (api, caller, text) in [
        (of_user, Some(anonymous.clone()), "the caller's token names no user"),
        (
            app_api().tokens(move |_| Ok(anonymous.clone())),
            None,
            "Storage names no user",
        ),
    ] {
        let accepted = accepted.clone();
        let setup = Setup::of(storage(api).accept_callers(move |token| token == accepted)).await;
        let caller = caller.map_or(setup.caller.clone(), |token| InboundToken::bearer(token).unwrap());
        let credential = SidecarOnBehalfOfCredential::new(setup.client.clone(), caller, scope(), None).unwrap();
        let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
        assert_eq!(kind(&error), Some(SidecarErrorKind::UnexpectedToken));
        assert!(error.to_string().contains(text), "{error}");
    }

    // An agent acts in the name of the caller, or as its own user.
    let (agent_id, user_id) = (agent(), Uuid::parse_str(AGENT).unwrap());
    for agent in [Agent::Autonomous { agent_id }, Agent::UserById { agent_id, user_id }] {
        let setup = Setup::of(storage(DownstreamApi::new([
            "https://storage.azure.com/user_impersonation",
        ])))
        .await;
        let options = SidecarCredentialOptions { agent: Some(agent) };
        let caller = setup.caller.clone();
        let credential =
            SidecarOnBehalfOfCredential::new(setup.client.clone(), caller, scope(), Some(options)).unwrap();
        credential.get_token(&[SCOPE], None).await.unwrap();
    }
}

/// An API with distinct tokens, which the sidecar caches.
fn numbered(api: DownstreamApi) -> DownstreamApi {
    let issued = AtomicUsize::new(0);
    api.tokens(move |_| {
        let number = issued.fetch_add(1, Ordering::Relaxed);
        let claims = json!({ "aud": "https://storage.azure.com", "exp": FAR, "oid": USER, "jti": number });
        Ok(unsigned_token(&claims))
    })
}

#[tokio::test]
async fn invalidated_tokens_are_acquired_anew() {
    let force = ("optionsOverride.AcquireTokenOptions.ForceRefresh", "true");
    let everywhere = AllowOverrides::everywhere();
    let setup = Setup::of(storage(numbered(app_api())).allow_overrides(everywhere)).await;
    let credential = SidecarCredential::new(setup.client.clone(), scope(), None).unwrap();
    let first = credential.get_token(&[SCOPE], None).await.unwrap().token;
    credential.invalidate(&first);
    let second = credential.get_token(&[SCOPE], None).await.unwrap().token;
    assert_ne!(second, first);
    assert_eq!(credential.get_token(&[SCOPE], None).await.unwrap().token, second);
    let requests = setup.sidecar.requests();
    assert_eq!(requests.len(), 2);
    let has_force = |index: usize| {
        requests[index]
            .query
            .iter()
            .any(|(name, value)| (&**name, &**value) == force)
    };
    assert_eq!((has_force(0), has_force(1)), (false, true));

    // In the name of a caller, the sidecar allows overrides by default.
    let setup = Setup::of(storage(numbered(DownstreamApi::new([SCOPE])))).await;
    let caller = setup.caller.clone();
    let credential = SidecarOnBehalfOfCredential::new(setup.client.clone(), caller, scope(), None).unwrap();
    let first = credential.get_token(&[SCOPE], None).await.unwrap().token;
    credential.invalidate(&first);
    assert_ne!(credential.get_token(&[SCOPE], None).await.unwrap().token, first);
}

#[tokio::test]
async fn ignored_force_is_a_warning() {
    use tracing_subscriber::util::SubscriberInitExt as _;

    let log = Log::default();
    let _guard = log.subscriber().set_default();
    let setup = Setup::of(storage(numbered(app_api()))).await;
    let credential = SidecarCredential::new(setup.client.clone(), scope(), None).unwrap();
    let first = credential.get_token(&[SCOPE], None).await.unwrap().token;
    for _ in 0..3 {
        credential.invalidate(&first);
        assert_eq!(credential.get_token(&[SCOPE], None).await.unwrap().token, first);
    }
    assert_eq!(setup.sidecar.requests().len(), 2);
    let log = log.text();
    assert_eq!(log.matches("Sidecar:AllowOverrides").count(), 1, "{log}");
    assert!(!log.contains(first.secret()), "{log}");
}

#[tokio::test]
async fn refusals_are_credential_errors_with_their_reason() {
    let setup = Setup::of(storage(app_api())).await;
    let credential = SidecarCredential::new(setup.client.clone(), scope(), None).unwrap();
    setup.sidecar.inject([Fault::not_local()]);
    let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
    assert_eq!(kind(&error), Some(SidecarErrorKind::Forbidden));
    assert!(error.to_string().contains("on its own machine"), "{error}");

    let stranger = InboundToken::bearer("t").unwrap();
    let credential = SidecarOnBehalfOfCredential::new(setup.client.clone(), stranger, scope(), None).unwrap();
    let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
    assert_eq!(kind(&error), Some(SidecarErrorKind::CallerTokenRejected));
    let unknown = [SidecarScope::new(SCOPE, "NotConfigured")];
    let credential = SidecarCredential::new(setup.client.clone(), unknown, None).unwrap();
    let error = credential.get_token(&[SCOPE], None).await.unwrap_err();
    assert_eq!(kind(&error), Some(SidecarErrorKind::BadRequest));
}
