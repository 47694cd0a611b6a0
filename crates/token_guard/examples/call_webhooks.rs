//! The webhooks of a calling backend: `/events` for Call Automation, and `/incoming-call` for Event Grid.
//!
//! ```sh
//! cargo run -p token_guard --example call_webhooks
//! ```
//!
//! The tokens come from an issuer in this process, which signs as Azure does. The example prints curl commands: some that are
//! accepted, and some that are refused. It listens on loopback, on `PORT` or any free port. With the argument `--once`, it sends
//! the same requests itself, and ends. It fails unless the responses have the statuses that it prints.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use aws_lc_rs::{
    error::Unspecified,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents},
};
use axum::{
    Json, Router,
    http::{Method, StatusCode},
    routing::{any, get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{
    env,
    error::Error,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};
use token_guard::{EntraApi, TokenGuard, Webhook};
use tokio::net::TcpListener;

/// The immutable id of the Communication Services resource, which the portal shows.
const RESOURCE: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";

/// The tenant, the registration of the webhook, and the role that Event Grid has in it.
const TENANT: &str = "bbbbcccc-1111-dddd-2222-eeee3333ffff";
const CLIENT: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";
const ROLE: &str = "AzureEventGridSecureWebhookSubscriber";

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
    let azure = Azure::start().await?;
    // Without the two lines that name the example's issuer, these are guards for Azure.
    let calls = TokenGuard::call_automation(RESOURCE)
        .metadata_at(&format!("{}/calling/.well-known/acsopenidconfiguration", azure.url))
        .build()?;
    let api = EntraApi::new(TENANT, CLIENT).authority(&azure.url);
    let event_grid = TokenGuard::event_grid(api, ROLE).build()?;

    let port = env::var("PORT").ok().map_or(Ok(0), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = axum::serve(listener, webhooks(calls, event_grid)).with_graceful_shutdown(async {
        let _ = tokio::signal::ctrl_c().await;
    });

    println!("The webhooks are listening. The tokens are valid for five minutes.");
    let requests = requests(&url, &azure)?;
    for request in &requests {
        println!("\n{}, {}:\n\n  {}", request.title, request.expected, request.curl());
    }
    println!();
    if env::args().any(|argument| argument == "--once") {
        tokio::spawn(server.into_future());
        let client = reqwest::Client::builder().no_proxy().build()?;
        for request in requests {
            request.send(&client).await?;
        }
        return Ok(());
    }
    Ok(server.await?)
}

fn webhooks(calls: TokenGuard, event_grid: TokenGuard) -> Router {
    let calls = Router::new().route("/events", post(events)).with_state(calls);
    // Of any method, as the handshake of the CloudEvents schema is an OPTIONS request.
    let event_grid = Router::new()
        .route("/incoming-call", any(incoming_call))
        .with_state(event_grid);
    calls.merge(event_grid)
}

/// Handles the events of calls. A body that is not what the sender documents gets a 400, so that it is not sent again.
async fn events(webhook: Webhook) -> (StatusCode, String) {
    let Ok(events) = serde_json::from_slice::<Vec<Value>>(&webhook.body) else {
        return (StatusCode::BAD_REQUEST, "not a batch of events".to_owned());
    };
    let types: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    (StatusCode::OK, format!("events: {}", types.join(", ")))
}

/// Handles the events of Event Grid. Its own schema has an array of events, the CloudEvents schema one event.
async fn incoming_call(webhook: Webhook) -> (StatusCode, String) {
    let Ok(events) = serde_json::from_slice::<Value>(&webhook.body) else {
        return (StatusCode::BAD_REQUEST, "not an event".to_owned());
    };
    let number = events.as_array().map_or(1, Vec::len);
    // Answer the calls here, with Call Automation and the callback URL of `/events`.
    (StatusCode::OK, format!("incoming calls: {number}"))
}

/// A request that the example sends, or shows as a curl command.
struct Sent {
    title: &'static str,
    expected: StatusCode,
    method: Method,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Sent {
    fn curl(&self) -> String {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| format!(" -H '{name}: {value}'"));
        let body = self.body.iter().map(|body| format!(" -d '{body}'"));
        let options: String = headers.chain(body).collect();
        format!("curl -i -X {} {}{options}", self.method, self.url)
    }

    async fn send(self, client: &reqwest::Client) -> Result {
        let mut request = client.request(self.method, self.url);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.body(body.to_string());
        }
        let response = request.send().await?;
        let status = response.status();
        println!("{}: {status}\n{}\n", self.title, response.text().await?);
        if status != self.expected {
            return Err(format!("the response must be {}", self.expected).into());
        }
        Ok(())
    }
}

/// Creates the requests: of both senders, the handshakes, and some that are refused.
fn requests(url: &str, azure: &Azure) -> Result<Vec<Sent>> {
    let bearer = |token: String| ("authorization", format!("Bearer {token}"));
    let post = |title, path: &str, headers: Vec<(&'static str, String)>, body: Value| Sent {
        title,
        expected: StatusCode::OK,
        method: Method::POST,
        url: format!("{url}{path}"),
        headers,
        body: Some(body),
    };
    let event_type = |value: &str| ("aeg-event-type", value.to_owned());
    let connected = json!([{
        "id": "1",
        "source": "calling/callConnections/a",
        "specversion": "1.0",
        "type": "Microsoft.Communication.CallConnected",
        "data": {"callConnectionId": "a"},
    }]);
    let incoming = json!([{"eventType": "Microsoft.Communication.IncomingCall", "data": {"incomingCallContext": "a"}}]);
    let validation = json!([{
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"},
    }]);
    let event_grid = || Ok::<_, Unspecified>(bearer(azure.event_grid_token()?));
    Ok(vec![
        post(
            "An event of a call",
            "/events",
            vec![bearer(azure.call_token()?)],
            connected.clone(),
        ),
        post(
            "An incoming call",
            "/incoming-call",
            vec![event_grid()?, event_type("Notification")],
            incoming.clone(),
        ),
        post(
            "The handshake of the Event Grid schema",
            "/incoming-call",
            vec![event_type("SubscriptionValidation")],
            validation,
        ),
        Sent {
            title: "The handshake of the CloudEvents schema",
            expected: StatusCode::OK,
            method: Method::OPTIONS,
            url: format!("{url}/incoming-call"),
            headers: vec![("webhook-request-origin", "eventgrid.azure.net".to_owned())],
            body: None,
        },
        Sent {
            expected: StatusCode::UNAUTHORIZED,
            ..post("An incoming call without a token", "/incoming-call", vec![], incoming)
        },
        Sent {
            expected: StatusCode::UNAUTHORIZED,
            ..post(
                "An event of a call with Event Grid's token",
                "/events",
                vec![event_grid()?],
                connected,
            )
        },
    ])
}

/// The issuers of Azure's tokens, on loopback.
struct Azure {
    url: String,
    key: RsaKeyPair,
}

impl Azure {
    async fn start() -> Result<Self> {
        let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
        let (modulus, exponent) = (URL_SAFE_NO_PAD.encode(public.n), URL_SAFE_NO_PAD.encode(public.e));
        let keys = json!({"keys": [{"kty": "RSA", "use": "sig", "kid": "1", "n": modulus, "e": exponent}]});
        let document = |issuer: &str| json!({"issuer": issuer, "jwks_uri": format!("{url}/keys")});
        let calls = document("https://acscallautomation.communication.azure.com");
        let tenant = document(&format!("{url}/{TENANT}/v2.0"));
        let router = Router::new()
            .route("/calling/.well-known/acsopenidconfiguration", get(async || Json(calls)))
            .route(
                "/{tenant}/v2.0/.well-known/openid-configuration",
                get(async || Json(tenant)),
            )
            .route("/keys", get(async || Json(keys)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, key })
    }

    /// Issues a token as Call Automation does.
    fn call_token(&self) -> std::result::Result<String, Unspecified> {
        self.sign(&json!({
            "iss": "https://acscallautomation.communication.azure.com",
            "aud": RESOURCE,
            "exp": five_minutes_from_now(),
        }))
    }

    /// Issues a token as Entra ID does for Event Grid.
    fn event_grid_token(&self) -> std::result::Result<String, Unspecified> {
        self.sign(&json!({
            "iss": format!("{}/{TENANT}/v2.0", self.url),
            "aud": CLIENT,
            "tid": TENANT,
            "azp": "4962773b-9cdb-44cf-a8bf-237846a00ab7",
            "sub": "event-grid",
            "roles": [ROLE],
            "exp": five_minutes_from_now(),
        }))
    }

    fn sign(&self, claims: &Value) -> std::result::Result<String, Unspecified> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": "1"});
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message.as_bytes(),
            &mut signature,
        )?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn five_minutes_from_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs() + 300
}
