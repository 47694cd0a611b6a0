//! Tokens: kept, sealed, revoked, and issued once however many ask.

use crate::setup::{DatabaseFile, Options, World};
use acs_identity_emulator::{Fault, TokenStatus};
use azure_communication_identity::CommunicationTokenScope as Scope;
use azure_core::time::Duration as AzureDuration;
use serde_json::json;
use std::{num::NonZeroU32, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use token_service::{RuleHolder, SealingKeys, ServiceLimits, TokenPolicy, TokenRule};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_KEY: &str = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=";

fn keys(keys: &[&str]) -> SealingKeys {
    SealingKeys::new(keys).unwrap()
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_its_end() {
    let world = World::start().await;
    world.post("/api/user", &world.caller("alice")).await.assert_status(201);
    let first = world.get("/api/token", &world.caller("alice")).await.text("/token");
    world.clock.advance(Duration::from_mins(24 * 60 - 16));
    assert_eq!(
        world.get("/api/token", &world.caller("alice")).await.text("/token"),
        first
    );
    // The clients of Azure ask for another one ten minutes before the end; this one would not last them.
    world.clock.advance(Duration::from_mins(2));
    assert_ne!(
        world.get("/api/token", &world.caller("alice")).await.text("/token"),
        first
    );
    assert_eq!(world.acs_requests("issueToken").await, 2);
}

#[tokio::test]
async fn each_set_of_scopes_has_a_token_of_its_own() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world.post("/api/user", &alice).await.assert_status(201);
    let token = async |scopes: &str| {
        world
            .get(&format!("/api/token?scope={scopes}"), &alice)
            .await
            .text("/token")
    };
    let both = token("chat,voip").await;
    assert_eq!(token("voip,chat").await, both);
    assert_ne!(token("chat").await, both);
    assert_eq!(world.acs_requests("issueToken").await, 2);
}

#[tokio::test]
async fn revoked_tokens_are_dropped() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world
        .delete("/api/token", &alice)
        .await
        .assert_error(404, "no_identity");
    world.post("/api/user", &alice).await.assert_status(201);
    let before = world.get("/api/token", &alice).await.text("/token");
    world.emulator.advance(Duration::from_secs(1));
    world.delete("/api/token", &alice).await.assert_status(204);
    assert_eq!(world.emulator.token_status(&before), TokenStatus::Revoked);
    world.emulator.advance(Duration::from_secs(1));
    let after = world.get("/api/token", &alice).await.text("/token");
    assert_ne!(after, before);
    assert_eq!(world.emulator.token_status(&after), TokenStatus::Active);
}

#[tokio::test]
async fn sealed_tokens_outlive_the_process_and_are_shared() {
    let file = DatabaseFile::new();
    let options = || Options {
        database: file.url(),
        ..Options::default()
    };
    let world = World::with(options(), |builder| builder.sealing_keys(keys(&[KEY]))).await;
    let alice = world.caller("alice");
    world.post("/api/user", &alice).await.assert_status(201);
    let token = world.get("/api/token", &alice).await.text("/token");

    let replica = world
        .replica(options(), |builder| builder.sealing_keys(keys(&[OTHER_KEY, KEY])))
        .await;
    assert_eq!(replica.get("/api/token", &alice).await.text("/token"), token);
    assert_eq!(world.acs_requests("issueToken").await, 1);

    let stranger = world
        .replica(options(), |builder| builder.sealing_keys(keys(&[OTHER_KEY])))
        .await;
    assert_ne!(stranger.get("/api/token", &alice).await.text("/token"), token);

    world.service.close().await;
    let contents = file.contents();
    for part in token.split('.') {
        let found = contents
            .windows(24)
            .any(|window| part.as_bytes().windows(24).any(|part| part == window));
        assert!(!found, "a part of the token stands in the file");
    }
}

#[tokio::test]
async fn a_revoked_token_is_not_found_in_the_database() {
    let file = DatabaseFile::new();
    let options = || Options {
        database: file.url(),
        ..Options::default()
    };
    let world = World::with(options(), |builder| builder.sealing_keys(keys(&[KEY]))).await;
    let alice = world.caller("alice");
    world.post("/api/user", &alice).await.assert_status(201);
    let before = world.get("/api/token", &alice).await.text("/token");
    world.delete("/api/token", &alice).await.assert_status(204);
    let replica = world
        .replica(options(), |builder| builder.sealing_keys(keys(&[KEY])))
        .await;
    assert_ne!(replica.get("/api/token", &alice).await.text("/token"), before);
}

#[tokio::test]
async fn callers_have_the_scopes_and_the_lifetime_that_the_policy_gives_them() {
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
    let world = World::with(Options::default(), |builder| builder.token_policy(policy)).await;
    let guest = world.caller("guest");
    world.post("/api/user", &guest).await.assert_status(201);
    let hours = |answer: &crate::setup::Answer| {
        let expires_on = OffsetDateTime::parse(&answer.text("/expiresOn"), &Rfc3339).unwrap();
        (expires_on - OffsetDateTime::now_utc()).as_seconds_f64() / 3600.0
    };
    let answer = world.get("/api/token", &guest).await;
    assert!((hours(&answer) - 1.0).abs() < 0.1);
    let claims = azure_communication_identity::UnverifiedTokenClaims::decode(&answer.text("/token")).unwrap();
    assert_eq!(claims.scopes, [Scope::ChatJoin]);
    world.get("/api/token?scope=voip.join", &guest).await.assert_status(201);
    world
        .get("/api/token?scope=chat", &guest)
        .await
        .assert_error(403, "scope_not_allowed");
    world
        .get("/api/token?scope=fax", &guest)
        .await
        .assert_error(400, "unknown_scope");

    let moderator = world.caller_with(&json!({ "sub": "moderator", "roles": ["moderator"] }));
    world.post("/api/user", &moderator).await.assert_status(201);
    let answer = world.get("/api/token", &moderator).await;
    assert!((hours(&answer) - 8.0).abs() < 0.1);
    world.get("/api/token?scope=chat", &moderator).await.assert_status(201);
    world
        .get("/api/token?scope=chat.join", &moderator)
        .await
        .assert_error(403, "scope_not_allowed");
}

#[tokio::test]
async fn an_identity_that_is_gone_is_said_to_be() {
    let world = World::start().await;
    let alice = world.caller("alice");
    let identity = world.post("/api/user", &alice).await.text("/acsUserIdentity");
    let client = azure_communication_identity::CommunicationIdentityClient::with_connection_string(
        &world.emulator.connection_string(),
        Some(crate::setup::direct()),
    )
    .unwrap();
    client.delete_user(&identity.parse().unwrap(), None).await.unwrap();
    world.get("/api/token", &alice).await.assert_error(409, "identity_gone");
    world.delete("/api/user", &alice).await.assert_status(204);
    world.post("/api/user", &alice).await.assert_status(201);
    world.get("/api/token", &alice).await.assert_status(201);
}

#[tokio::test]
async fn the_limits_of_the_service_are_kept_and_a_full_queue_says_when_to_come_back() {
    // A thousandth of the resource: one creation and one token in 30 seconds.
    let limits = ServiceLimits::new(NonZeroU32::new(1000).unwrap(), 0);
    let options = Options {
        limits: Some(limits),
        ..Options::default()
    };
    let world = World::with(options, |builder| builder).await;
    world.post("/api/user", &world.caller("alice")).await.assert_status(201);
    let answer = world.post("/api/user", &world.caller("bob")).await;
    answer.assert_error(429, "service_busy");
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert_eq!(world.emulator.identity_count(), 1);
    world.get("/api/token", &world.caller("alice")).await.assert_status(201);
}

#[tokio::test]
async fn what_azure_answers_is_told_apart() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world.post("/api/user", &alice).await.assert_status(201);
    let get = async |fault: Fault| {
        world.emulator.inject(fault.times(1)).unwrap();
        world.get("/api/token", &alice).await
    };
    let answer = get(Fault::status(429).retry_after(Duration::from_secs(7))).await;
    answer.assert_error(429, "service_busy");
    assert_eq!(answer.header("retry-after"), Some("7"));
    let answer = get(Fault::status(429)).await;
    answer.assert_error(429, "service_busy");
    assert_eq!(answer.header("retry-after"), Some("30"), "the window of the limits");
    let answer = get(Fault::status(503).retry_after(Duration::from_secs(9))).await;
    answer.assert_error(503, "acs_unavailable");
    assert_eq!(answer.header("retry-after"), Some("9"));
    for refusal in [400, 401, 403] {
        let answer = get(Fault::status(refusal)).await;
        answer.assert_error(502, "acs_refused");
        assert_eq!(answer.header("retry-after"), None);
    }
    get(Fault::html_body()).await.assert_error(503, "acs_unavailable");
    let answer = get(Fault::truncated_body()).await;
    answer.assert_error(503, "acs_unavailable");
    world.get("/api/token", &alice).await.assert_status(201);
}
