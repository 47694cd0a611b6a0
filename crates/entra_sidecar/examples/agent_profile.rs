//! An API that shows callers their profile and mail, and sends mail in their name. The sidecar calls Microsoft Graph for them.
//!
//! ```sh
//! cargo run -p entra_sidecar --example agent_profile
//! SIDECAR_URL=http://localhost:5000 TENANT_ID=... CLIENT_ID=... cargo run -p entra_sidecar --example agent_profile
//! ```
//!
//! | route | response |
//! | --- | --- |
//! | `GET /api/profile` | the caller's profile |
//! | `GET /api/messages` | the caller's last ten messages |
//! | `POST /api/messages/send` | sends the message in the body, in the caller's name |
//!
//! | variable | meaning |
//! | --- | --- |
//! | `SIDECAR_URL` | the sidecar; without it, a fake sidecar and an issuer of tokens run in this process |
//! | `TENANT_ID` | the tenant of the callers; required with `SIDECAR_URL` |
//! | `CLIENT_ID` | the sidecar's application; callers' tokens are for it, with the scope `access_as_user`; required too |
//! | `PORT` | the port on loopback; any free one by default |
//!
//! With the argument `--once`, it sends the requests itself, and exits.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints its results")]

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
const AUDIENCE: &str = "api://agent-profile";

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
    let (app, fakes) = if variable("SIDECAR_URL").is_some() {
        (App::with_sidecar()?, None)
    } else {
        println!("The sidecar is a fake one in this process. Set SIDECAR_URL to use another.\n");
        let (app, fakes) = App::with_fakes().await?;
        (app, Some(fakes))
    };
    let port = variable("PORT").map_or(Ok(0), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = axum::serve(listener, routes(app)).with_graceful_shutdown(async {
        let _ = tokio::signal::ctrl_c().await;
    });

    if let Some(fakes) = fakes
        .as_ref()
        .filter(|_| env::args().any(|argument| argument == "--once"))
    {
        tokio::spawn(server.into_future());
        return send_requests(&url, fakes).await;
    }
    let token = fakes
        .as_ref()
        .map_or("<a token of your tenant>", |fakes| &fakes.caller_token);
    println!("Requests without a token are refused:\n\n  curl -i {url}/api/profile\n");
    println!("Requests with a token:\n\n  TOKEN='{token}'");
    println!("  curl {url}/api/profile -H \"Authorization: Bearer $TOKEN\"");
    println!("  curl {url}/api/messages -H \"Authorization: Bearer $TOKEN\"");
    println!(
        "  curl {url}/api/messages/send -H \"Authorization: Bearer $TOKEN\" --json '{{\"subject\":\"Lunch?\"}}'\n"
    );
    Ok(server.await?)
}

/// Returns an environment variable. An empty one is treated as absent.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The state of the handlers.
#[derive(Clone)]
struct App {
    guard: TokenGuard,
    sidecar: SidecarClient,
}

/// A fake sidecar, a fake issuer, and a caller's token.
struct Fakes {
    sidecar: FakeSidecar,
    _issuer: TestIssuer,
    caller_token: String,
}

impl App {
    /// Creates the state with the sidecar of the environment, for callers of Entra ID.
    fn with_sidecar() -> Outcome<Self> {
        let required = |name| variable(name).ok_or_else(|| format!("set {name} with SIDECAR_URL"));
        let api = EntraApi::new(&required("TENANT_ID")?, &required("CLIENT_ID")?);
        Ok(Self {
            guard: TokenGuard::entra(api).build()?.requiring_scopes([SCOPE]),
            sidecar: SidecarClient::from_env(None)?,
        })
    }

    async fn with_fakes() -> Outcome<(Self, Fakes)> {
        let issuer = TestIssuer::start().await?;
        let claims = json!({ "aud": AUDIENCE, "scope": SCOPE, "oid": "7d0f1b0e-2a55-4ed8-9f83-5a1fb1cf7a01" });
        let caller_token = issuer.token(claims)?;
        let accepted = caller_token.clone();
        let sidecar = FakeSidecar::builder()
            .api("Graph", DownstreamApi::graph())
            .accept_callers(move |token| token == accepted)
            .start()
            .await?;
        let app = Self {
            guard: TokenGuard::builder(issuer.url(), [AUDIENCE])
                .build()?
                .requiring_scopes([SCOPE]),
            sidecar: SidecarClient::new(&sidecar.url(), None)?,
        };
        let fakes = Fakes {
            sidecar,
            _issuer: issuer,
            caller_token,
        };
        Ok((app, fakes))
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
    call_graph(&app, &caller, DownstreamRequest::get("me")).await.map(Json)
}

async fn messages(State(app): State<App>, caller: Caller) -> Result<Json<Option<Value>>, HandlerError> {
    let request = DownstreamRequest::get("me/messages").query("$top", "10");
    call_graph(&app, &caller, request).await.map(Json)
}

async fn send_message(
    State(app): State<App>,
    caller: Caller,
    Json(message): Json<Value>,
) -> Result<Json<Value>, HandlerError> {
    let request = DownstreamRequest::post("me/sendMail").json(&json!({ "message": message }))?;
    let result = call_graph(&app, &caller, request).await?;
    Ok(Json(json!({ "success": true, "result": result })))
}

/// Calls Microsoft Graph in the name of a caller, whose token the guard has checked.
async fn call_graph(app: &App, caller: &Caller, request: DownstreamRequest) -> Result<Option<Value>, HandlerError> {
    let token = InboundToken::bearer(caller.token().secret().to_owned())?;
    let response = app.sidecar.call_downstream_api("Graph", &token, request, None).await?;
    Ok(response.error_for_status()?.json()?)
}

/// Sends each request without a token and with one, and checks the responses.
async fn send_requests(url: &str, fakes: &Fakes) -> Outcome {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let message = json!({ "subject": "Lunch?" });
    for (path, body, pointer, expected) in [
        ("/api/profile", None, "/userPrincipalName", json!("adelev@contoso.com")),
        ("/api/messages", None, "/value/0/subject", json!("Lunch?")),
        ("/api/messages/send", Some(&message), "/success", json!(true)),
    ] {
        let request = || match body {
            Some(body) => client.post(format!("{url}{path}")).json(body),
            None => client.get(format!("{url}{path}")),
        };
        let response = request().send().await?;
        println!("{path} without a token: {}", response.status());
        if response.status() != StatusCode::UNAUTHORIZED {
            return Err("a request without a token was not refused".into());
        }
        let response = request().bearer_auth(&fakes.caller_token).send().await?;
        let (status, content) = (response.status(), response.json::<Value>().await?);
        println!("{path} with a token: {status}\n  {content}\n");
        if content.pointer(pointer) != Some(&expected) {
            return Err(format!("the response has no {expected} at {pointer}").into());
        }
    }
    let sent = fakes.sidecar.api_requests().pop().and_then(|request| request.body);
    if sent != Some(json!({ "message": message }).to_string()) {
        return Err("the message did not arrive".into());
    }
    Ok(())
}
