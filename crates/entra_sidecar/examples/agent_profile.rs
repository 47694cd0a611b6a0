//! An API that shows callers their profile and mail, and sends mail in their name. Microsoft Graph has all of it, and the
//! sidecar calls that for them.
//!
//! ```sh
//! cargo run -p entra_sidecar --example agent_profile
//! SIDECAR_URL=http://localhost:5000 TENANT_ID=... CLIENT_ID=... cargo run -p entra_sidecar --example agent_profile
//! ```
//!
//! | route | what it does |
//! | --- | --- |
//! | `GET /api/profile` | shows the caller's profile |
//! | `GET /api/messages` | shows the caller's last ten messages |
//! | `POST /api/messages/send` | sends a message, which is the body, in the caller's name |
//!
//! With `SIDECAR_URL`, callers have to be of the tenant `TENANT_ID` and have a token with the scope `access_as_user` for the
//! application `CLIENT_ID`, which is also the one that the sidecar is configured with. Without it, a fake sidecar
//! and an issuer of tokens are started in this process. `PORT` is where the API listens on loopback, any free port unless it
//! is set. With the argument `--once`, it sends its requests itself, and ends.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use axum::{
    Json, Router,
    extract::{FromRef, State},
    http::StatusCode,
    routing::{get, post},
};
use entra_sidecar::{DownstreamRequest, InboundToken, SidecarClient, web::HandlerError};
use fake_entra_sidecar::{DownstreamApi, FakeSidecar};
use serde_json::{Value, json};
use std::{env, error::Error, process::ExitCode};
use token_guard::{Caller, EntraApi, TokenGuard, testing::TestIssuer};
use tokio::net::TcpListener;

const SCOPE: &str = "access_as_user";
const OWN_AUDIENCE: &str = "api://agent-profile";

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
    let (app, own) = App::find().await?;
    let port = env::var("PORT").ok().map_or(Ok(0), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = axum::serve(listener, routes(app)).with_graceful_shutdown(async {
        let _ = tokio::signal::ctrl_c().await;
    });

    println!("The API listens. Without a token it answers 401:\n\n  curl -i {url}/api/profile\n");
    let own_token = own.as_ref().map_or("<a token of your tenant>", |own| &own.token);
    println!("With one it answers:\n\n  TOKEN='{own_token}'");
    println!("  curl {url}/api/profile -H \"Authorization: Bearer $TOKEN\"");
    println!("  curl {url}/api/messages -H \"Authorization: Bearer $TOKEN\"");
    println!(
        "  curl {url}/api/messages/send -H \"Authorization: Bearer $TOKEN\" --json '{{\"subject\":\"Lunch?\"}}'\n"
    );
    let Some(own) = own else {
        return Ok(server.await?);
    };
    if env::args().any(|argument| argument == "--once") {
        tokio::spawn(server.into_future());
        return ask(&url, &own).await;
    }
    Ok(server.await?)
}

/// What the handlers need.
#[derive(Clone)]
struct App {
    guard: TokenGuard,
    sidecar: SidecarClient,
}

/// What stands in for Entra ID and the sidecar, and a token of a caller.
struct Own {
    sidecar: FakeSidecar,
    _issuer: TestIssuer,
    token: String,
}

impl App {
    /// With the sidecar that the environment names, or with a fake one.
    async fn find() -> Outcome<(Self, Option<Own>)> {
        if let Ok(url) = env::var("SIDECAR_URL") {
            let variable = |name| env::var(name).map_err(|_| format!("set {name} with SIDECAR_URL"));
            let api = EntraApi::new(&variable("TENANT_ID")?, &variable("CLIENT_ID")?);
            let app = Self {
                guard: TokenGuard::entra(api).build()?.requiring_scopes([SCOPE]),
                sidecar: SidecarClient::new(&url, None)?,
            };
            return Ok((app, None));
        }
        println!("The sidecar is a fake one in this process. Set SIDECAR_URL to use another one.\n");
        let issuer = TestIssuer::start().await?;
        let claims = json!({ "aud": OWN_AUDIENCE, "scope": SCOPE, "oid": "7d0f1b0e-2a55-4ed8-9f83-5a1fb1cf7a01" });
        let token = issuer.token(claims)?;
        let accepted = token.clone();
        let sidecar = FakeSidecar::builder()
            .api("Graph", DownstreamApi::graph())
            .accept_callers(move |token| token == accepted)
            .start()
            .await?;
        let app = Self {
            guard: TokenGuard::builder(issuer.url(), [OWN_AUDIENCE])
                .build()?
                .requiring_scopes([SCOPE]),
            sidecar: SidecarClient::new(&sidecar.url(), None)?,
        };
        let own = Own {
            sidecar,
            _issuer: issuer,
            token,
        };
        Ok((app, Some(own)))
    }
}

impl FromRef<App> for TokenGuard {
    fn from_ref(app: &App) -> Self {
        app.guard.clone()
    }
}

fn routes(app: App) -> Router {
    Router::new()
        .route("/api/profile", get(profile))
        .route("/api/messages", get(messages))
        .route("/api/messages/send", post(send_message))
        .with_state(app)
}

async fn profile(State(app): State<App>, caller: Caller) -> Result<Json<Option<Value>>, HandlerError> {
    call(&app, &caller, DownstreamRequest::get("me")).await.map(Json)
}

async fn messages(State(app): State<App>, caller: Caller) -> Result<Json<Option<Value>>, HandlerError> {
    let request = DownstreamRequest::get("me/messages").query("$top", "10");
    call(&app, &caller, request).await.map(Json)
}

async fn send_message(
    State(app): State<App>,
    caller: Caller,
    Json(message): Json<Value>,
) -> Result<Json<Value>, HandlerError> {
    let request = DownstreamRequest::post("me/sendMail").json(&json!({ "message": message }))?;
    let result = call(&app, &caller, request).await?;
    Ok(Json(json!({ "success": true, "result": result })))
}

/// Calls Microsoft Graph in the name of a caller, whose token the guard has checked.
async fn call(app: &App, caller: &Caller, request: DownstreamRequest) -> Result<Option<Value>, HandlerError> {
    let token = InboundToken::bearer(caller.token().secret().to_owned())?;
    let response = app.sidecar.call_downstream_api("Graph", &token, request, None).await?;
    Ok(response.error_for_status()?.json()?)
}

/// Asks the API for everything, without the token and with it, and checks what it answers.
async fn ask(url: &str, own: &Own) -> Outcome {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let message = json!({ "subject": "Lunch?" });
    let requests = || {
        [
            client.get(format!("{url}/api/profile")),
            client.get(format!("{url}/api/messages")),
            client.post(format!("{url}/api/messages/send")).json(&message),
        ]
    };
    for request in requests() {
        let refused = request.send().await?;
        println!("{}\n{}\n", refused.status(), refused.url().path());
        if refused.status() != StatusCode::UNAUTHORIZED {
            return Err("a request without a token was not refused".into());
        }
    }
    let mut answers = Vec::new();
    for request in requests() {
        let answer = request.bearer_auth(&own.token).send().await?.error_for_status()?;
        let (status, body) = (answer.status(), answer.json::<Value>().await?);
        println!("{status}\n{body}\n");
        answers.push(body);
    }
    let shown = answers
        .iter()
        .zip(["/userPrincipalName", "/value/0/subject", "/success"])
        .map(|(body, place)| body.pointer(place).cloned());
    if !shown.eq([json!("adelev@contoso.com"), json!("Lunch?"), json!(true)].map(Some)) {
        return Err("the API answered something else than the profile, the messages and success".into());
    }
    let sent = own.sidecar.api_requests().pop().and_then(|call| call.body);
    if sent != Some(json!({ "message": message }).to_string()) {
        return Err("the message did not arrive".into());
    }
    Ok(())
}
