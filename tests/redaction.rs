//! No fragment of a key, a token or a signature appears in a log at any level, a span, `Debug`, or an error.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use acs_identity_emulator::{Emulator, EntraTokenRequest};
use azure_communication_identity::{
    AzureKeyCredential, CommunicationAccessToken, CommunicationIdentityClient, CommunicationIdentityClientOptions,
    CommunicationTokenCredential, CommunicationTokenCredentialOptions, EntraCommunicationTokenCredentialOptions,
    TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType, TeamsUserTokenRequest,
    UnverifiedTokenClaims,
};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        Context, FixedRetryOptions, InstrumentationOptions, Request, RetryOptions,
        headers::AUTHORIZATION,
        policies::{Policy, PolicyResult},
    },
    time::{Duration, OffsetDateTime},
};
use azure_core_opentelemetry::OpenTelemetryTracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use std::{
    cell::RefCell,
    fmt::{self, Debug},
    sync::{Arc, Mutex},
};
use support::{
    emulator::{self, EmulatorCredential, UserCredential},
    fixtures::SCOPES,
    log::Log,
    raw_server::{Connection, RawServer},
    secrets::fragments,
};

/// Records the signature or the token of every request. It runs after the client's own policies.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

#[async_trait::async_trait]
impl Policy for Recorder {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let authorization = request.headers().get_str(&AUTHORIZATION).unwrap();
        let (_, secret) = authorization
            .split_once("Signature=")
            .or_else(|| authorization.split_once("Bearer "))
            .unwrap();
        let secret = secret.to_owned();
        self.0.lock().unwrap().push(secret);
        let (policy, next) = next.split_first().unwrap();
        policy.send(ctx, request, next).await
    }
}

/// The texts that were shown, and the secrets that they must not contain.
#[derive(Default)]
struct Evidence {
    shown: RefCell<Vec<String>>,
    secrets: RefCell<Vec<String>>,
}

impl Evidence {
    fn show(&self, thing: &dyn Debug) {
        self.shown.borrow_mut().push(format!("{thing:?} {thing:#?}"));
    }

    fn show_error(&self, error: &Error) {
        self.show(error);
        self.show(&error.to_string());
    }

    fn keep_secret(&self, secret: &str) {
        self.secrets.borrow_mut().push(secret.to_owned());
    }

    fn check(self, log: &str) {
        let secrets = self.secrets.into_inner();
        assert!(secrets.len() > 20, "{}", secrets.len());
        for fragment in secrets.iter().flat_map(|secret| fragments(secret)) {
            assert!(!log.contains(fragment), "in the log: {fragment}");
            let found = self
                .shown
                .borrow()
                .iter()
                .find(|shown| shown.contains(fragment))
                .cloned();
            assert_eq!(found, None, "{fragment}");
        }
    }
}

#[tokio::test]
async fn no_secret_is_logged_or_shown() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.subscriber()).unwrap();
    // Libraries write through the `log` crate, too.
    tracing_log::LogTracer::init().unwrap();

    let emulator = Arc::new(Emulator::builder().start().await.unwrap());
    let recorder = Recorder::default();
    let mut options = emulator::options(&emulator);
    options.client_options.per_try_policies.push(Arc::new(recorder.clone()));
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    options.client_options.instrumentation = InstrumentationOptions {
        tracer_provider: Some(OpenTelemetryTracerProvider::new(Arc::new(provider))),
    };

    let evidence = Evidence::default();
    evidence.keep_secret(&emulator.access_key());
    use_the_service(&evidence, &emulator, &options).await;
    meet_a_gateway(&evidence, &emulator, &options).await;
    misconfigure(&evidence, &emulator);
    refresh(&evidence, &emulator, &options).await;
    exchange(&evidence, &emulator, &options).await;
    for secret in recorder.0.lock().unwrap().iter() {
        evidence.keep_secret(secret);
    }

    let spans = exporter.get_finished_spans().unwrap();
    assert!(spans.len() > 30, "{}", spans.len());
    evidence.show(&spans);

    let log = log.text();
    // The client's own warnings are there.
    for event in ["offset_seconds=", "could not be refreshed in the background"] {
        assert!(
            log.lines().any(|line| line.contains(" WARN ") && line.contains(event)),
            "{event}"
        );
    }
    // The log contains everything else, the dates of signatures too.
    assert!(log.contains("TRACE") && log.contains(":issueAccessToken") && log.contains("x-ms-date"));
    assert!(!log.contains("x-ms-date: REDACTED"));
    evidence.check(&log);
}

/// Uses every operation, with a key and with Entra ID.
async fn use_the_service(evidence: &Evidence, emulator: &Arc<Emulator>, options: &CommunicationIdentityClientOptions) {
    evidence.show(options);
    let connection_string = emulator.connection_string();
    let credential = Arc::new(EmulatorCredential(emulator.clone()));
    let clients = [
        CommunicationIdentityClient::with_connection_string(&connection_string, Some(options.clone())),
        CommunicationIdentityClient::new(emulator.https_endpoint(), credential, Some(options.clone())),
    ];
    let teams_user = emulator::teams_user(emulator).await;
    evidence.keep_secret(teams_user.token.secret());
    evidence.show(&teams_user);

    for client in clients.map(Result::unwrap) {
        evidence.show(&client);
        let response = client.create_user_and_token(&SCOPES, None).await.unwrap();
        evidence.show(&response);
        let created = response.into_model().unwrap();
        evidence.show(&created);
        let token = client
            .get_token(&created.user, &SCOPES, None)
            .await
            .unwrap()
            .into_model()
            .unwrap();
        evidence.show(&token);
        let teams_token = client.get_token_for_teams_user(teams_user.clone(), None).await.unwrap();
        for token in [created.access_token, token, teams_token.into_model().unwrap()] {
            evidence.keep_secret(token.token.secret());
        }
        client.revoke_tokens(&created.user, None).await.unwrap();
        client.delete_user(&created.user, None).await.unwrap();
        evidence.show_error(&client.delete_user(&created.user, None).await.unwrap_err());
        let invalid = TeamsUserTokenRequest {
            client_id: "invalid".to_owned(),
            ..teams_user.clone()
        };
        evidence.show_error(&client.get_token_for_teams_user(invalid, None).await.unwrap_err());
    }
}

/// Meets a busy gateway that repeats the request in its response.
async fn meet_a_gateway(evidence: &Evidence, emulator: &Emulator, options: &CommunicationIdentityClientOptions) {
    let gateway = RawServer::start(|mut connection: Connection| async move {
        while let Some(request) = connection.read_request().await? {
            let secret = request.lines().find(|line| line.starts_with("authorization"));
            let body = format!("You sent: {}\r\n{request}", secret.unwrap_or_default());
            let head = format!("HTTP/1.1 503 Busy\r\ncontent-length: {}\r\n\r\n", body.len());
            connection.write(&format!("{head}{body}")).await?;
        }
        Ok(())
    })
    .await;
    let mut options = options.clone();
    options.client_options.retry = RetryOptions::fixed(FixedRetryOptions {
        delay: Duration::ZERO,
        max_retries: 2,
        ..Default::default()
    });
    let key = AzureKeyCredential::new(&emulator.access_key()).unwrap();
    evidence.show(&key);
    let client = CommunicationIdentityClient::with_key_credential(&gateway.endpoint, key, Some(options)).unwrap();
    let error = client.create_user(None).await.unwrap_err();
    assert_eq!(gateway.requests(), 1);
    let masked = "it begins: You sent: authorization: …";
    assert!(error.to_string().contains(masked), "{error}");
    evidence.show_error(&error);
}

/// Passes secrets in many wrong ways.
fn misconfigure(evidence: &Evidence, emulator: &Arc<Emulator>) {
    let (endpoint, key) = (emulator.endpoint(), &emulator.access_key());
    for broken in [
        key.to_owned(),
        format!("endpoint={endpoint};accesskey={key}!"),
        format!("endpoint={endpoint};accesskey={key};accesskey={key}"),
        format!("accesskey={key}"),
        format!("endpoint=https://{key}@contoso;accesskey=a2V5"),
    ] {
        let error = CommunicationIdentityClient::with_connection_string(&broken, None).unwrap_err();
        evidence.show_error(&error);
        let credential = Arc::new(EmulatorCredential(emulator.clone()));
        let error = CommunicationIdentityClient::new(&broken, credential, None).unwrap_err();
        evidence.show_error(&error);
        evidence.show_error(&AzureKeyCredential::new(&format!("!{broken}")).unwrap_err());
    }
}

/// Refreshes a user's token, from a source that fails in the end, and has the client correct its clock.
async fn refresh(evidence: &Evidence, emulator: &Arc<Emulator>, options: &CommunicationIdentityClientOptions) {
    let client = emulator::client_with(emulator, options.clone());
    emulator.advance(std::time::Duration::from_secs(600));
    let user = client.create_user(None).await.unwrap().into_model().unwrap();
    let credential = CommunicationTokenCredential::for_user(client, user, &SCOPES, None).unwrap();
    let token = credential.get_token().await.unwrap();
    evidence.show(&credential);
    evidence.show(&token);
    evidence.show(&token.unverified_claims().unwrap());
    evidence.keep_secret(token.token.secret());

    // A source whose error repeats a token.
    let echo = format!("cannot use {}", token.token.secret());
    let (failed, failure) = tokio::sync::oneshot::channel();
    let failed = Mutex::new(Some(failed));
    let options = CommunicationTokenCredentialOptions {
        initial_token: Some(CommunicationAccessToken::new(
            token.token.clone(),
            OffsetDateTime::now_utc() + Duration::minutes(1),
        )),
        ..Default::default()
    };
    evidence.show(&options);
    let refresher = move || {
        let error = Error::with_message(ErrorKind::Other, echo.clone());
        let failed = failed.lock().unwrap().take();
        async move {
            failed.map(|failed| failed.send(()));
            Err(error)
        }
    };
    let credential = CommunicationTokenCredential::with_refresher(refresher, Some(options)).unwrap();
    evidence.show(&credential.get_token().await.unwrap());
    failure.await.unwrap();
    // The task that failed logs in the same poll.
    drop(credential);

    let not_a_token = format!("{}.x", token.token.secret());
    evidence.show_error(&CommunicationTokenCredential::new(not_a_token.clone()).unwrap_err());
    evidence.show_error(&UnverifiedTokenClaims::decode(&not_a_token).unwrap_err());
}

/// Exchanges the Entra token of a Teams Phone user, without and with an assignment.
async fn exchange(evidence: &Evidence, emulator: &Arc<Emulator>, options: &CommunicationIdentityClientOptions) {
    let connection_string = emulator.https_connection_string();
    let client =
        CommunicationIdentityClient::with_connection_string(&connection_string, Some(options.clone())).unwrap();
    let request = EntraTokenRequest::teams_extension_user();
    let entra_token = emulator.mint_entra_token(&request).await.unwrap().token;
    evidence.keep_secret(&entra_token);

    let entra = Arc::new(UserCredential::new(emulator, request.clone()).await.unwrap());
    let options = EntraCommunicationTokenCredentialOptions {
        scopes: vec!["https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls".to_owned()],
        client_options: options.client_options.clone(),
        ..Default::default()
    };
    evidence.show(&options);
    let credential =
        CommunicationTokenCredential::with_entra_credential(emulator.https_endpoint(), entra, Some(options)).unwrap();
    evidence.show(&credential);
    evidence.show_error(&credential.get_token().await.unwrap_err());

    let assignment = TeamsExtensionAssignmentId {
        tenant_id: request.tenant_id,
        object_id: request.user_id,
    };
    let principal = TeamsExtensionPrincipal {
        principal_type: TeamsExtensionPrincipalType::User,
        client_ids: Vec::new(),
    };
    let put = client.create_or_replace_teams_extension_assignment(&assignment, &principal, None);
    evidence.show(&put.await.unwrap());
    let exchange = client.get_token_for_teams_extension_user(entra_token.into(), None);
    let exchanged = exchange.await.unwrap().into_model().unwrap();
    evidence.show(&exchanged);
    evidence.keep_secret(exchanged.access_token.token.secret());
    evidence.keep_secret(credential.get_token().await.unwrap().token.secret());
}
