//! The service without configuration: everything that it needs, on this machine, for as long as it runs.

use crate::{
    config::{Log, LogFormat},
    http,
    listen::Bound,
    logs,
    ready::{LocalParts, Ready},
    serve::{self, End, Served},
    service::client_options,
    signals::Signals,
};
use acs_identity_emulator::{Emulator, EntraTokenRequest};
use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use azure_communication_identity::CommunicationIdentityClient;
use serde::Deserialize;
use serde_json::json;
use std::{
    error::Error,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};
use token_guard::{TokenGuard, testing::TestIssuer};
use token_service::{ServiceLimits, Store, TeamsExchange, TokenService, UserIdClaims};
use tracing::warn;
use uuid::Uuid;

const PORT: u16 = 8080;
/// What the tokens of test users are for.
const AUDIENCE: &str = "https://token-service.example";
/// The emulator logs the ids of identities.
const LOG_FILTER: &str = "info,acs_identity_emulator=warn";
const QUEUE: usize = 1000;
const REQUEST: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(75);
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the service with the emulator, an issuer of test users and a database in memory.
pub(crate) async fn run() -> Result<End, Box<dyn Error>> {
    let mut signals = Signals::listen()?;
    logs::start(&Log {
        format: LogFormat::Text,
        filter: LOG_FILTER.to_owned(),
    })?;
    warn!("no configuration: the service runs with an emulator and test users, which is for development alone");
    let started = serve::start(&mut signals.stop, async {
        let parts = Parts::start().await?;
        let service = parts.service().await?;
        Ok((Arc::new(parts), service))
    });
    let Some((parts, service)) = started.await? else {
        return Ok(End::Drained);
    };
    let api = bind().await?;
    let mut ready = Ready::new(&api, None, false);
    ready.local = Some(LocalParts {
        issuer: parts.issuer.url().to_owned(),
        token_endpoint: format!("{}local/token", ready.endpoint),
        emulator_endpoint: parts.emulator.endpoint().to_owned(),
    });
    let invitation = invitation(
        &ready.endpoint,
        api.address().port(),
        &parts.emulator.control_endpoint(),
    );
    let served = Served {
        routes: service.routes().merge(routes(parts)),
        service,
        api,
        operations: None,
        tls: None,
        idle: IDLE,
        drain: DRAIN,
    };
    Ok(served
        .run(signals, || {
            ready.print(|stdout| stdout.write_all(invitation.as_bytes()))
        })
        .await?)
}

/// What stands in for the cloud.
struct Parts {
    emulator: Emulator,
    issuer: TestIssuer,
    tenant_id: Uuid,
    /// The application that Teams tokens are issued to.
    teams_client_id: Uuid,
}

impl Parts {
    async fn start() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            emulator: Emulator::builder().start().await?,
            issuer: TestIssuer::start().await?,
            tenant_id: Uuid::new_v4(),
            teams_client_id: Uuid::new_v4(),
        })
    }

    async fn service(&self) -> Result<TokenService, Box<dyn Error>> {
        let limits = ServiceLimits::new(NonZeroU32::MIN, QUEUE);
        // All is http on this machine.
        let http = http::plain()?;
        let options = client_options(&limits, REQUEST, http::transport(http.clone()))?;
        let connection_string = self.emulator.connection_string();
        let identities = CommunicationIdentityClient::with_connection_string(&connection_string, Some(options))?;
        let guard = TokenGuard::builder(self.issuer.url(), [AUDIENCE])
            .http_client(http)
            .build()?;
        let store = Store::connect("sqlite::memory:", 1).await?;
        Ok(TokenService::builder(identities, guard, store)
            // Its own issuer can be believed.
            .user_id_claims(UserIdClaims::EntraObject)
            .request_timeout(REQUEST)
            .service_limits(&limits)
            .teams(TeamsExchange::new(self.teams_client_id.to_string()))
            .build())
    }
}

/// Listens on the usual port, or on a free one if that is taken.
async fn bind() -> io::Result<Bound> {
    let on = |port| Bound::to(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    match on(PORT).await {
        Ok(bound) => Ok(bound),
        Err(_) => on(0).await,
    }
}

/// The routes that hand out the tokens of test users. They are for this mode alone: whoever asks gets one.
fn routes(parts: Arc<Parts>) -> Router {
    Router::new()
        .route("/local/token", get(token))
        .route("/local/teams-token", get(teams_token))
        .with_state(parts)
}

/// A user of tests, by any name.
#[derive(Deserialize)]
struct TestUser {
    user: String,
}

impl TestUser {
    /// The same id for the same name.
    fn object_id(&self) -> Uuid {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &self.user).hash(&mut hasher);
            hasher.finish()
        };
        Uuid::from_u64_pair(half(0), half(1))
    }
}

/// The token of a user, as an app would get it at sign-in.
async fn token(State(parts): State<Arc<Parts>>, Query(user): Query<TestUser>) -> Response {
    let claims = json!({
        "sub": user.user,
        "aud": AUDIENCE,
        "tid": parts.tenant_id,
        "oid": user.object_id(),
    });
    text(parts.issuer.token(claims).ok())
}

/// The token of the same user for Teams, as an app would get it from Entra ID.
async fn teams_token(State(parts): State<Arc<Parts>>, Query(user): Query<TestUser>) -> Response {
    let request = EntraTokenRequest {
        app_id: parts.teams_client_id,
        user_id: user.object_id(),
        ..EntraTokenRequest::teams_user()
    };
    text(
        parts
            .emulator
            .mint_entra_token(&request)
            .await
            .ok()
            .map(|minted| minted.token),
    )
}

fn text(token: Option<String>) -> Response {
    match token {
        Some(token) => ([(header::CACHE_CONTROL, "no-store")], token).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What to try, for somebody who sees this for the first time.
fn invitation(endpoint: &str, port: u16, emulator_page: &str) -> String {
    let taken = match port {
        PORT => String::new(),
        port => format!("Port {PORT} is taken, so it is {port} this time.\n"),
    };
    let bearer = format!("-H \"Authorization: Bearer $(curl -s '{endpoint}local/token?user=alice')\"");
    let teams = format!("-H \"teams-user-aad-token: $(curl -s '{endpoint}local/teams-token?user=alice')\"");
    format!(
        "
The token service listens on {endpoint} without configuration: with an emulator of Azure Communication Services,
an issuer of test users, and a database in memory. Nothing leaves this machine, and all is gone when you press Ctrl-C.
{taken}
A token of the test user alice, as her app would have it; any name will do:
  curl -s '{endpoint}local/token?user=alice'
Give alice an identity, and see it:
  curl -si -X POST {endpoint}api/user {bearer}
  curl -si {endpoint}api/user {bearer}
A token for chat and calls, and one for Teams:
  curl -si {endpoint}api/token {bearer}
  curl -si {endpoint}api/token/teams {bearer} {teams}
Sign alice out everywhere, and forget her:
  curl -si -X DELETE {endpoint}api/token {bearer}
  curl -si -X DELETE {endpoint}api/user {bearer}
For operations, and for those who write a client:
  curl -si {endpoint}healthz
  curl -si {endpoint}readyz
  curl -s {endpoint}metrics
  curl -s {endpoint}openapi.json
The requests to the emulator, in a browser: {emulator_page}
"
    )
}
