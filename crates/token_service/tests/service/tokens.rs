//! Tokens: cached, sealed, revoked, and limited by the policy and the service's limits.

use crate::setup::{DatabaseFile, Options, Setup, issued_with};
use acs_identity_emulator::{AccessKeyKind, Fault, TokenStatus};
use azure_communication_identity::CommunicationTokenScope as Scope;
use azure_core::time::Duration as AzureDuration;
use serde_json::json;
use std::{num::NonZeroU32, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use token_service::{CredentialFingerprint, RuleHolder, SealingKeys, ServiceLimits, TokenPolicy, TokenRule};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_KEY: &str = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=";

fn keys(keys: &[&str]) -> SealingKeys {
    SealingKeys::new(keys).unwrap()
}

#[tokio::test]
async fn token_is_cached_until_shortly_before_expiry() {
    let setup = Setup::start().await;
    setup.post("/api/user", &setup.caller("alice")).await.assert_status(201);
    let first = setup.get("/api/token", &setup.caller("alice")).await.text("/token");
    setup.clock.advance(Duration::from_mins(24 * 60 - 16));
    assert_eq!(
        setup.get("/api/token", &setup.caller("alice")).await.text("/token"),
        first
    );
    // Azure's clients refresh ten minutes before the expiry, so this token would not serve them.
    setup.clock.advance(Duration::from_mins(2));
    assert_ne!(
        setup.get("/api/token", &setup.caller("alice")).await.text("/token"),
        first
    );
    assert_eq!(setup.acs_requests("issueToken").await, 2);
}

#[tokio::test]
async fn each_set_of_scopes_has_its_token() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    let token = async |scopes: &str| {
        setup
            .get(&format!("/api/token?scope={scopes}"), &alice)
            .await
            .text("/token")
    };
    let both = token("chat,voip").await;
    assert_eq!(token("voip,chat").await, both);
    assert_ne!(token("chat").await, both);
    assert_eq!(setup.acs_requests("issueToken").await, 2);
}

#[tokio::test]
async fn revoked_tokens_leave_the_cache() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup
        .delete("/api/token", &alice)
        .await
        .assert_error(404, "no_identity");
    setup.post("/api/user", &alice).await.assert_status(201);
    let before = setup.get("/api/token", &alice).await.text("/token");
    setup.emulator.advance(Duration::from_secs(1));
    setup.delete("/api/token", &alice).await.assert_status(204);
    assert_eq!(setup.emulator.token_status(&before), TokenStatus::Revoked);
    setup.emulator.advance(Duration::from_secs(1));
    let after = setup.get("/api/token", &alice).await.text("/token");
    assert_ne!(after, before);
    assert_eq!(setup.emulator.token_status(&after), TokenStatus::Active);
}

#[tokio::test]
async fn sealed_tokens_are_shared_and_not_readable() {
    let file = DatabaseFile::new();
    let setup = Setup::with(Options::with_database(&file), |builder| {
        builder.sealing_keys(keys(&[KEY]), issued_with())
    })
    .await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    let token = setup.get("/api/token", &alice).await.text("/token");

    let replica = setup
        .replica(Options::with_database(&file), |builder| {
            builder.sealing_keys(keys(&[OTHER_KEY, KEY]), issued_with())
        })
        .await;
    assert_eq!(replica.get("/api/token", &alice).await.text("/token"), token);
    assert_eq!(setup.acs_requests("issueToken").await, 1);

    let stranger = setup
        .replica(Options::with_database(&file), |builder| {
            builder.sealing_keys(keys(&[OTHER_KEY]), issued_with())
        })
        .await;
    assert_ne!(stranger.get("/api/token", &alice).await.text("/token"), token);

    setup.service.close().await;
    let contents = file.contents();
    for part in token.split('.') {
        let found = contents
            .windows(24)
            .any(|window| part.as_bytes().windows(24).any(|part| part == window));
        assert!(!found, "the file contains a part of the token");
    }
}

#[tokio::test]
async fn revoked_tokens_leave_the_database() {
    let file = DatabaseFile::new();
    let setup = Setup::with(Options::with_database(&file), |builder| {
        builder.sealing_keys(keys(&[KEY]), issued_with())
    })
    .await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    let before = setup.get("/api/token", &alice).await.text("/token");
    setup.delete("/api/token", &alice).await.assert_status(204);
    let replica = setup
        .replica(Options::with_database(&file), |builder| {
            builder.sealing_keys(keys(&[KEY]), issued_with())
        })
        .await;
    assert_ne!(replica.get("/api/token", &alice).await.text("/token"), before);
}

#[tokio::test]
async fn policy_decides_scopes_and_lifetime() {
    let policy = TokenPolicy::new(
        [Scope::ChatJoin],
        [Scope::ChatJoin, Scope::VoipJoin],
        AzureDuration::hours(1),
    )
    .and_then(|policy| {
        policy.rule(TokenRule {
            holder: RuleHolder::Role("moderator".to_owned()),
            scopes: vec![Scope::Chat, Scope::Voip],
            lifetime: Some(AzureDuration::hours(8)),
        })
    })
    .unwrap();
    let setup = Setup::with(Options::default(), |builder| builder.token_policy(policy)).await;
    let guest = setup.caller("guest");
    setup.post("/api/user", &guest).await.assert_status(201);
    let hours = |reply: &crate::setup::Reply| {
        let expires_on = OffsetDateTime::parse(&reply.text("/expiresOn"), &Rfc3339).unwrap();
        (expires_on - OffsetDateTime::now_utc()).as_seconds_f64() / 3600.0
    };
    let reply = setup.get("/api/token", &guest).await;
    assert!((hours(&reply) - 1.0).abs() < 0.1);
    let claims = azure_communication_identity::UnverifiedTokenClaims::decode(&reply.text("/token")).unwrap();
    assert_eq!(claims.scopes, [Scope::ChatJoin]);
    setup.get("/api/token?scope=voip.join", &guest).await.assert_status(201);
    setup
        .get("/api/token?scope=chat", &guest)
        .await
        .assert_error(403, "scope_not_allowed");
    setup
        .get("/api/token?scope=fax", &guest)
        .await
        .assert_error(400, "unknown_scope");

    let moderator = setup.caller_with(&json!({ "sub": "moderator", "roles": ["moderator"] }));
    setup.post("/api/user", &moderator).await.assert_status(201);
    let reply = setup.get("/api/token", &moderator).await;
    assert!((hours(&reply) - 8.0).abs() < 0.1);
    setup.get("/api/token?scope=chat", &moderator).await.assert_status(201);
    setup
        .get("/api/token?scope=chat.join", &moderator)
        .await
        .assert_error(403, "scope_not_allowed");
}

#[tokio::test]
async fn stored_token_of_another_access_key_is_not_used() {
    let file = DatabaseFile::new();
    let of = |text: &str| CredentialFingerprint::of_connection_string(text);
    let primary = Setup::with(Options::with_database(&file), |builder| builder).await;
    let emulator = &primary.emulator;
    let first = emulator.connection_string();
    let second = first.replace(&emulator.access_key(), &emulator.secondary_access_key());
    let start = async |text: &str| {
        let options = Options {
            connection_string: Some(text.to_owned()),
            ..Options::with_database(&file)
        };
        let issued_with = of(text);
        primary
            .replica(options, |builder| builder.sealing_keys(keys(&[KEY]), issued_with))
            .await
    };
    let alice = primary.caller("alice");
    let before = start(&first).await;
    before.post("/api/user", &alice).await.assert_status(201);
    let token = before.get("/api/token", &alice).await.text("/token");
    // A restart with the same key uses what is stored.
    assert_eq!(
        start(&first).await.get("/api/token", &alice).await.text("/token"),
        token
    );

    let after = start(&second).await;
    let reissued = after.get("/api/token", &alice).await.text("/token");
    assert_ne!(reissued, token);
    emulator.regenerate_access_key(AccessKeyKind::Primary).await.unwrap();
    assert_ne!(emulator.token_status(&token), TokenStatus::Active);
    for service in [&after, &start(&second).await] {
        let token = service.get("/api/token", &alice).await.text("/token");
        assert_eq!(emulator.token_status(&token), TokenStatus::Active);
    }
}

#[tokio::test]
async fn fresh_token_replaces_the_cached_one() {
    let file = DatabaseFile::new();
    let setup = Setup::with(Options::with_database(&file), |builder| {
        builder.sealing_keys(keys(&[KEY]), issued_with())
    })
    .await;
    let alice = setup.caller("alice");
    setup
        .get("/api/token?fresh=true", &alice)
        .await
        .assert_error(404, "no_identity");
    let identity = setup.post("/api/user", &alice).await.text("/acsUserIdentity");
    let token = async |path: &str| setup.get(path, &alice).await.text("/token");
    let cached = token("/api/token").await;
    assert_eq!(token("/api/token?fresh=false").await, cached);
    let fresh = token("/api/token?scope=chat,voip&fresh=true").await;
    assert_ne!(fresh, cached);
    assert_eq!(token("/api/token").await, fresh);
    let refreshed = setup.post(&format!("/refreshToken/{identity}"), &alice).await;
    let refreshed = refreshed.assert_status(200).text("/token");
    assert_ne!(refreshed, fresh);
    assert_eq!(token("/api/token").await, refreshed);
    assert_eq!(setup.acs_calls("issue").await, 3);
    assert_eq!(setup.acs_calls("revoke").await, 0);
    setup
        .get("/api/token?fresh=maybe", &alice)
        .await
        .assert_error(400, "bad_request");
}

#[tokio::test]
async fn fresh_token_of_a_deleted_identity_is_refused() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    let identity = setup.post("/api/user", &alice).await.text("/acsUserIdentity");
    setup.get("/api/token", &alice).await.assert_status(201);
    let client = azure_communication_identity::CommunicationIdentityClient::with_connection_string(
        &setup.emulator.connection_string(),
        Some(crate::setup::direct()),
    )
    .unwrap();
    client.delete_user(&identity.parse().unwrap(), None).await.unwrap();
    setup
        .get("/api/token?fresh=true", &alice)
        .await
        .assert_error(409, "identity_gone");
    setup.get("/api/token", &alice).await.assert_error(409, "identity_gone");
}

#[tokio::test]
async fn fresh_tokens_have_a_limit_that_cached_ones_do_not_need() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    for _ in 0..10 {
        setup.get("/api/token?fresh=true", &alice).await.assert_status(201);
    }
    let refused = setup.get("/api/token?fresh=true", &alice).await;
    refused.assert_error(429, "fresh_limited");
    // One comes back every six minutes.
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((300..=360).contains(&wait), "{wait}");
    setup.get("/api/token", &alice).await.assert_status(201);
}

#[tokio::test]
async fn deleted_identity_is_reported_as_gone() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    let identity = setup.post("/api/user", &alice).await.text("/acsUserIdentity");
    let client = azure_communication_identity::CommunicationIdentityClient::with_connection_string(
        &setup.emulator.connection_string(),
        Some(crate::setup::direct()),
    )
    .unwrap();
    client.delete_user(&identity.parse().unwrap(), None).await.unwrap();
    setup.get("/api/token", &alice).await.assert_error(409, "identity_gone");
    setup.delete("/api/user", &alice).await.assert_status(204);
    setup.post("/api/user", &alice).await.assert_status(201);
    setup.get("/api/token", &alice).await.assert_status(201);
}

#[tokio::test]
async fn full_queue_of_the_limits_gets_retry_after() {
    // A thousandth of the service's limits: one creation and one token in 30 seconds.
    let limits = ServiceLimits::new(NonZeroU32::new(1000).unwrap(), 0);
    let options = Options {
        limits: Some(limits),
        ..Options::default()
    };
    let setup = Setup::with(options, |builder| builder).await;
    setup.post("/api/user", &setup.caller("alice")).await.assert_status(201);
    let reply = setup.post("/api/user", &setup.caller("bob")).await;
    reply.assert_error(429, "service_busy");
    assert_eq!(reply.header("retry-after"), Some("30"));
    assert_eq!(setup.emulator.identity_count(), 1);
    setup.get("/api/token", &setup.caller("alice")).await.assert_status(201);
}

#[tokio::test]
async fn failures_of_azure_are_distinguished() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    let get = async |fault: Fault| {
        setup.emulator.inject(fault.times(1)).unwrap();
        setup.get("/api/token", &alice).await
    };
    let reply = get(Fault::status(429).retry_after(Duration::from_secs(7))).await;
    reply.assert_error(429, "service_busy");
    assert_eq!(reply.header("retry-after"), Some("7"));
    let reply = get(Fault::status(429)).await;
    reply.assert_error(429, "service_busy");
    assert_eq!(reply.header("retry-after"), Some("30"), "the window of the limits");
    let reply = get(Fault::status(503).retry_after(Duration::from_secs(9))).await;
    reply.assert_error(503, "acs_unavailable");
    assert_eq!(reply.header("retry-after"), Some("9"));
    for refusal in [400, 401, 403] {
        let reply = get(Fault::status(refusal)).await;
        reply.assert_error(502, "acs_refused");
        assert_eq!(reply.header("retry-after"), None);
    }
    get(Fault::html_body()).await.assert_error(503, "acs_unavailable");
    let reply = get(Fault::truncated_body()).await;
    reply.assert_error(503, "acs_unavailable");
    setup.get("/api/token", &alice).await.assert_status(201);
}
