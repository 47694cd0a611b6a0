//! The service without configuration, with its dependencies in the same process.

use crate::{
    http,
    listen::{BoundListener, ConnectionLimits},
    logs::{self, Log, LogFormat},
    serve::{self, Exit, LocalEndpoints, ReadyLine, Server},
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
use azure_communication_identity::{
    CommunicationIdentityClient, TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType,
};
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
use token_service::{ServiceLimits, Store, TeamsExchange, TeamsPhoneExchange, TokenService, UserIdClaims};
use tracing::warn;
use uuid::Uuid;

const DEFAULT_PORT: u16 = 8080;
/// The audience of test users' tokens.
const AUDIENCE: &str = "https://token-service.example";
/// The emulator logs identities at INFO.
const LOG_FILTER: &str = "info,acs_identity_emulator=warn";
const QUEUE_LIMIT: usize = 1000;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
const CONNECTIONS: usize = 200;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the service with the emulator, an issuer of test users and a database in memory.
pub(crate) async fn run() -> Result<Exit, Box<dyn Error>> {
    let mut signals = Signals::listen()?;
    logs::start(&Log {
        format: LogFormat::Text,
        filter: LOG_FILTER.to_owned(),
    })?;
    warn!("this is a demonstration, on this machine alone: the service runs with an emulator and test users");
    let started = serve::start(&mut signals.stop, async {
        let dependencies = LocalDependencies::start().await?;
        let service = dependencies.service().await?;
        Ok((Arc::new(dependencies), service))
    });
    let Some((dependencies, service)) = started.await? else {
        return Ok(Exit::Drained);
    };
    let api = bind()?;
    let mut ready = ReadyLine::new(&api, None, false);
    ready.local = Some(LocalEndpoints {
        issuer: dependencies.issuer.url().to_owned(),
        token_endpoint: format!("{}local/token", ready.endpoint),
        emulator_endpoint: dependencies.emulator.endpoint().to_owned(),
    });
    let usage = usage(
        &ready.endpoint,
        api.address().port(),
        &dependencies.emulator.control_endpoint(),
    );
    let server = Server {
        routes: service.routes().merge(routes(dependencies)),
        service,
        api,
        operations: None,
        tls: None,
        limits: ConnectionLimits {
            connections: CONNECTIONS,
            idle: IDLE_TIMEOUT,
        },
        shutdown_delay: Duration::ZERO,
        drain_timeout: DRAIN_TIMEOUT,
    };
    Ok(server
        .run(signals, || ready.print(|stdout| stdout.write_all(usage.as_bytes())))
        .await)
}

/// The stand-ins for Azure Communication Services and the issuer.
struct LocalDependencies {
    emulator: Emulator,
    identities: CommunicationIdentityClient,
    limits: ServiceLimits,
    issuer: TestIssuer,
    tenant_id: Uuid,
    /// The application that Teams tokens are issued to.
    teams_client_id: Uuid,
}

impl LocalDependencies {
    async fn start() -> Result<Self, Box<dyn Error>> {
        let emulator = Emulator::builder().start().await?;
        let limits = ServiceLimits::new(NonZeroU32::MIN, QUEUE_LIMIT);
        let transport = http::transport(http::trusting(emulator.ca_pem())?);
        let options = client_options(&limits, REQUEST_TIMEOUT, transport)?;
        // https, as the Entra tokens of Teams Phone do not travel in plain text.
        let connection_string = emulator.https_connection_string();
        Ok(Self {
            identities: CommunicationIdentityClient::with_connection_string(&connection_string, Some(options))?,
            emulator,
            limits,
            issuer: TestIssuer::start().await?,
            tenant_id: Uuid::new_v4(),
            teams_client_id: Uuid::new_v4(),
        })
    }

    async fn service(&self) -> Result<TokenService, Box<dyn Error>> {
        let guard = TokenGuard::builder(self.issuer.url(), [AUDIENCE])
            // The issuer uses http on loopback.
            .http_client(http::plain()?)
            .build()?;
        let store = Store::connect("sqlite::memory:", 1).await?;
        Ok(TokenService::builder(self.identities.clone(), guard, store)
            // The test issuer sets these claims itself.
            .user_id_claims(UserIdClaims::EntraObject)
            .request_timeout(REQUEST_TIMEOUT)
            .service_limits(&self.limits)
            .teams(TeamsExchange::new(self.teams_client_id.to_string()))
            .teams_phone(TeamsPhoneExchange::new())
            .build())
    }

    /// Issues an Entra token of a test user.
    async fn entra_token(&self, user: &TestUser, request: EntraTokenRequest) -> Option<String> {
        let request = EntraTokenRequest {
            tenant_id: self.tenant_id,
            app_id: self.teams_client_id,
            user_id: user.object_id(),
            ..request
        };
        Some(self.emulator.mint_entra_token(&request).await.ok()?.token)
    }

    /// Assigns a test user to the resource, for Teams Phone.
    async fn assign(&self, user: &TestUser) -> azure_core::Result<()> {
        let assignment = TeamsExtensionAssignmentId {
            tenant_id: self.tenant_id,
            object_id: user.object_id(),
        };
        let principal = TeamsExtensionPrincipal {
            principal_type: TeamsExtensionPrincipalType::User,
            client_ids: vec![self.teams_client_id.to_string()],
        };
        self.identities
            .create_or_replace_teams_extension_assignment(&assignment, &principal, None)
            .await?;
        Ok(())
    }
}

/// Binds the default port or, if it is taken, a free one.
fn bind() -> io::Result<BoundListener> {
    let on = |port| BoundListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    on(DEFAULT_PORT).or_else(|_| on(0))
}

/// Returns the routes that issue tokens of test users to any caller, for this mode only.
fn routes(dependencies: Arc<LocalDependencies>) -> Router {
    Router::new()
        .route("/local/token", get(token))
        .route("/local/teams-token", get(teams_token))
        .route("/local/teams-phone-token", get(teams_phone_token))
        .with_state(dependencies)
}

/// A test user of any name.
#[derive(Deserialize)]
struct TestUser {
    user: String,
}

impl TestUser {
    /// Derives the object id from the name.
    fn object_id(&self) -> Uuid {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &self.user).hash(&mut hasher);
            hasher.finish()
        };
        Uuid::from_u64_pair(half(0), half(1))
    }
}

/// Issues a user's token, as an app gets it at sign-in.
async fn token(State(dependencies): State<Arc<LocalDependencies>>, Query(user): Query<TestUser>) -> Response {
    let claims = json!({
        "sub": user.user,
        "aud": AUDIENCE,
        "tid": dependencies.tenant_id,
        "oid": user.object_id(),
    });
    text(dependencies.issuer.token(claims).ok())
}

/// Issues the same user's Entra token for Teams, as an app gets it from Entra ID.
async fn teams_token(State(dependencies): State<Arc<LocalDependencies>>, Query(user): Query<TestUser>) -> Response {
    text(dependencies.entra_token(&user, EntraTokenRequest::teams_user()).await)
}

/// Issues the same user's Entra token for Teams Phone, and assigns the user, as an administrator does.
async fn teams_phone_token(
    State(dependencies): State<Arc<LocalDependencies>>,
    Query(user): Query<TestUser>,
) -> Response {
    if dependencies.assign(&user).await.is_err() {
        return text(None);
    }
    let request = EntraTokenRequest::teams_extension_user();
    text(dependencies.entra_token(&user, request).await)
}

fn text(token: Option<String>) -> Response {
    match token {
        Some(token) => ([(header::CACHE_CONTROL, "no-store")], token).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Returns commands to try.
fn usage(endpoint: &str, port: u16, emulator_page: &str) -> String {
    let taken = match port {
        DEFAULT_PORT => String::new(),
        port => format!("Port {DEFAULT_PORT} is taken, so it is {port} this time.\n"),
    };
    let bearer = format!("-H \"Authorization: Bearer $(curl -s '{endpoint}local/token?user=alice')\"");
    let entra = |path| format!("-H \"teams-user-aad-token: $(curl -s '{endpoint}local/{path}?user=alice')\"");
    let (teams, phone) = (entra("teams-token"), entra("teams-phone-token"));
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
A token for chat and calls, one for Teams, and one for Teams Phone:
  curl -si {endpoint}api/token {bearer}
  curl -si {endpoint}api/token/teams {bearer} {teams}
  curl -si {endpoint}api/token/teams-phone {bearer} {phone}
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
