//! An API with one route, `/user/info`, which returns the claims of the caller.
//!
//! ```sh
//! cargo run -p token_guard --example protected_api
//! ISSUER=https://contoso.logto.app/oidc AUDIENCE=https://api.contoso.com cargo run -p token_guard --example protected_api
//! ```
//!
//! Without `ISSUER`, the example starts an issuer on loopback and prints a curl command with a token. The API listens on
//! loopback, on `PORT` or any free port. With the argument `--once`, the example sends a request without the token and one
//! with it, and ends. It fails unless the responses are 401 and 200.

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

/// The audience of the tokens of the example's own issuer.
const AUDIENCE: &str = "https://api.contoso.com";

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

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

async fn run() -> Result {
    let (guard, own_issuer) = guard().await?;
    // Fails at the start, rather than at the first request, if the issuer cannot be reached.
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

    println!("The API is listening. Without a token, it responds with 401:\n\n  curl -i {url}\n");
    let Some(issuer) = own_issuer else {
        println!("With a token of your issuer, it responds with 200:\n");
        println!("  curl -i {url} -H \"Authorization: Bearer $TOKEN\"\n");
        return Ok(server.await?);
    };
    let token = issuer.token(json!({"sub": "alice", "aud": AUDIENCE, "scope": "read:messages"}))?;
    println!("With this token, it responds with 200 for an hour:\n");
    println!("  curl -i {url} -H 'Authorization: Bearer {token}'\n");
    if env::args().any(|argument| argument == "--once") {
        tokio::spawn(server.into_future());
        return call(&url, &token).await;
    }
    Ok(server.await?)
}

/// Creates a guard for the issuer in the environment, or starts an issuer.
async fn guard() -> Result<(TokenGuard, Option<TestIssuer>)> {
    if let Ok(issuer) = env::var("ISSUER") {
        let audience = env::var("AUDIENCE").map_err(|_| "set AUDIENCE to the audience of the tokens for this API")?;
        return Ok((TokenGuard::builder(&issuer, [audience]).build()?, None));
    }
    let issuer = TestIssuer::start().await?;
    let guard = TokenGuard::builder(issuer.url(), [AUDIENCE]).build()?;
    println!("The tokens come from an issuer in this process. Set ISSUER and AUDIENCE to use another issuer.\n");
    Ok((guard, Some(issuer)))
}

fn api(guard: TokenGuard) -> Router {
    // Preflights carry no token, so CORS is outside of the handlers that need one.
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

/// Calls the API without the token and with it.
async fn call(url: &str, token: &str) -> Result {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let without = client.get(url);
    let with = client.get(url).bearer_auth(token);
    for (request, expected) in [(without, StatusCode::UNAUTHORIZED), (with, StatusCode::OK)] {
        let response = request.send().await?;
        let status = response.status();
        println!("{status}\n{}\n", response.text().await?);
        if status != expected {
            return Err(format!("the response must be {expected}").into());
        }
    }
    Ok(())
}
