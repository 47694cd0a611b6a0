//! An API with one route, `/user/info`, which tells callers who they are.
//!
//! ```sh
//! cargo run -p token_guard --example protected_api
//! ISSUER=https://contoso.logto.app/oidc AUDIENCE=https://api.contoso.com cargo run -p token_guard --example protected_api
//! ```
//!
//! Without `ISSUER`, it brings an issuer of its own, on loopback, and prints a curl command with a token. `PORT` is where
//! the API listens on loopback, any free port unless it is set. With the argument `--once`, it sends a request without the
//! token and one with it itself, and ends: as a failure, unless the answers are 401 and 200.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use axum::{
    Json, Router,
    http::{StatusCode, header},
    routing::get,
};
use serde_json::{Value, json};
use std::{env, error::Error, process::ExitCode, time::UNIX_EPOCH};
use token_guard::{Caller, TokenGuard, testing::TestIssuer};
use tokio::net::TcpListener;
use tower_http::cors::{Any, CorsLayer};

const OWN_AUDIENCE: &str = "https://api.contoso.com";

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome {
    let (guard, own_issuer) = guard().await?;
    // Says now rather than at the first request that the issuer is not to be had.
    guard.load_keys().await.map_err(|error| match error.source() {
        Some(reason) => format!("{error} {reason}"),
        None => error.to_string(),
    })?;

    let port = env::var("PORT").ok().map_or(Ok(0), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let url = format!("http://{}/user/info", listener.local_addr()?);
    let server = axum::serve(listener, api(guard)).with_graceful_shutdown(async {
        let _ = tokio::signal::ctrl_c().await;
    });

    println!("The API listens. Without a token it answers 401:\n\n  curl -i {url}\n");
    let Some(issuer) = own_issuer else {
        println!(
            "With a token of your issuer it answers 200:\n\n  curl -i {url} -H \"Authorization: Bearer $TOKEN\"\n"
        );
        return Ok(server.await?);
    };
    let token = issuer.token(json!({"sub": "alice", "aud": OWN_AUDIENCE, "scope": "read:messages"}))?;
    println!("With this one it answers 200, for an hour:\n\n  curl -i {url} -H 'Authorization: Bearer {token}'\n");
    if env::args().any(|argument| argument == "--once") {
        tokio::spawn(server.into_future());
        return ask(&url, &token).await;
    }
    Ok(server.await?)
}

/// A guard of the issuer that the environment names, or of one that is started here.
async fn guard() -> Outcome<(TokenGuard, Option<TestIssuer>)> {
    if let Ok(issuer) = env::var("ISSUER") {
        let audience = env::var("AUDIENCE").map_err(|_| "set AUDIENCE to what the tokens for this API are for")?;
        return Ok((TokenGuard::builder(&issuer, [audience]).build()?, None));
    }
    let issuer = TestIssuer::start().await?;
    let guard = TokenGuard::builder(issuer.url(), [OWN_AUDIENCE]).build()?;
    println!("The tokens are those of an issuer in this process. Set ISSUER and AUDIENCE to use another one.\n");
    Ok((guard, Some(issuer)))
}

fn api(guard: TokenGuard) -> Router {
    // Browsers ask whether they may send a token before they send one.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE]);
    Router::new()
        .route("/user/info", get(user_info))
        .layer(cors)
        .with_state(guard)
}

async fn user_info(caller: Caller) -> Json<Value> {
    let expires_at = caller.expires_at().duration_since(UNIX_EPOCH).unwrap_or_default();
    Json(json!({
        "subject": caller.subject(),
        "client": caller.client_id(),
        "organization": caller.organization_id(),
        "scopes": caller.scopes(),
        "expiresAt": expires_at.as_secs(),
    }))
}

/// Asks the API without the token and with it.
async fn ask(url: &str, token: &str) -> Outcome {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let without = client.get(url);
    let with = client.get(url).bearer_auth(token);
    for (request, expected) in [(without, StatusCode::UNAUTHORIZED), (with, StatusCode::OK)] {
        let response = request.send().await?;
        let status = response.status();
        println!("{status}\n{}\n", response.text().await?);
        if status != expected {
            return Err(format!("the answer has to be {expected}").into());
        }
    }
    Ok(())
}
