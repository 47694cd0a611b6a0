//! Rate limits, which are off unless asked for.

use crate::client::{Answer, Client, PREVIEW, VERSION, builder, start};
use acs_identity_emulator::{Emulator, EntraTokenRequest, TokenAlgorithm, TokenKey};
use serde_json::json;
use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// How long a window lasts.
const WINDOW: Duration = Duration::from_secs(30);

/// Sends requests until one is refused, and asserts that it is the one after `limit` others.
///
/// The emulator's clock follows the machine's. Where sending takes longer than a window, the limit is of another one.
pub(crate) async fn exceed(limit: usize, send: impl AsyncFn() -> Answer) -> Answer {
    let start = Instant::now();
    let mut accepted = 0;
    loop {
        let answer = send().await;
        let is_refused = answer.status == 429;
        let is_another_window = accepted >= limit && start.elapsed() >= WINDOW;
        assert!(
            is_refused == (accepted == limit) || is_another_window,
            "{accepted}: {}",
            answer.status
        );
        if is_refused {
            return answer;
        }
        accepted += 1;
    }
}

/// Asserts the whole of a refusal, and returns when to come back.
#[track_caller]
fn assert_refused(answer: &Answer) -> Duration {
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=WINDOW.as_secs()).contains(&seconds), "{seconds}");
    let message = format!("There are too many requests of this kind. Retry after {seconds} seconds.");
    answer.assert_error(429, "TooManyRequests", &message, None);
    assert!(answer.header("api-supported-versions").is_some());
    Duration::from_secs(seconds)
}

/// An emulator with limits, whose tokens take little time to sign.
async fn start_limited() -> Emulator {
    let key = TokenKey::generate(TokenAlgorithm::Es256);
    builder().token_key(key).rate_limits(true).start().await.unwrap()
}

#[tokio::test]
async fn every_operation_has_a_limit_until_its_window_ends() {
    let emulator = start_limited().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    // The window of its creation.
    emulator.advance(WINDOW);
    let identity = format!("/identities/{id}");
    for (limit, method, path, body, status) in [
        (1000, "POST", "/identities".to_owned(), json!({}), 201),
        (
            1000,
            "POST",
            "/identities".to_owned(),
            json!({"createTokenWithScopes": ["chat"]}),
            201,
        ),
        (
            1000,
            "POST",
            format!("{identity}/:issueAccessToken"),
            json!({"scopes": ["chat"]}),
            200,
        ),
        (500, "POST", format!("{identity}/:revokeAccessTokens"), json!({}), 204),
        (500, "DELETE", identity, json!({}), 401),
        (
            500,
            "POST",
            "/teamsUser/:exchangeAccessToken".to_owned(),
            json!({}),
            401,
        ),
    ] {
        let (target, body) = (format!("{path}{VERSION}"), body.to_string());
        let send = async || client.send(method, &target, &body).await;
        let retry_after = assert_refused(&exceed(limit, send).await);
        emulator.advance(retry_after);
        assert_eq!(send().await.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn one_limit_does_not_affect_other_operations() {
    let emulator = start_limited().await;
    let client = Client::over_http(&emulator);
    let refused = exceed(500, async || client.delete("x").await).await;
    assert_refused(&refused);
    let id = client.create().await;
    assert_eq!(client.issue(&id, json!({"scopes": ["chat"]})).await.status, 200);
    assert_eq!(client.revoke(&id).await.status, 204);
    assert_eq!(
        client
            .send("GET", &format!("/identities/{id}{PREVIEW}"), "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_exchanges_share_a_limit() {
    let emulator = start_limited().await;
    let https = Client::over_https(&emulator);
    let request = EntraTokenRequest::teams_extension_user();
    let token = emulator.mint_entra_token(&request).await.unwrap().token;
    let teams_extension = format!("/access/teamsExtension/:exchangeAccessToken{PREVIEW}");
    let turn = Cell::new(0);
    let refused = exceed(500, async || {
        turn.set(turn.get() + 1);
        if turn.get() % 2 == 0 {
            https.exchange_own(&teams_extension, &token).await
        } else {
            https.post("/teamsUser/:exchangeAccessToken", json!({})).await
        }
    })
    .await;
    assert_refused(&refused);
    // A token that is not valid does not count, and learns nothing of the limit.
    assert_eq!(https.exchange_own(&teams_extension, "x").await.status, 401);
}

#[tokio::test]
async fn requests_that_do_not_reach_their_operation_do_not_count() {
    let emulator = start_limited().await;
    let client = Client::over_http(&emulator);
    let stranger = Client {
        access_key: "b3RoZXI=".to_owned(),
        ..client.clone()
    };
    for _ in 0..300 {
        assert_eq!(stranger.delete("x").await.text("/error/code"), "Denied");
        assert_eq!(
            client.send("DELETE", "/identities/x?api-version=1", "").await.status,
            400
        );
    }
    exceed(500, async || client.delete("x").await).await;
    // Whoever is not authenticated learns nothing of the limit.
    assert_eq!(stranger.delete("x").await.status, 401);
}

#[tokio::test]
async fn limits_are_off_by_default() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for _ in 0..=500 {
        assert_eq!(client.delete("x").await.status, 401);
    }
}
