//! No fragment of a key, a token or a signature is in a log at any level, in `Debug`, or in an error.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../samples/support/mod.rs"]
mod support;

use acs_identity_emulator::{Emulator, EntraTokenRequest};
use azure_communication_identity::{
    AzureKeyCredential, CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationTokenScope,
    TeamsUserTokenRequest,
};
use azure_core::http::{
    Context, Request,
    headers::AUTHORIZATION,
    policies::{Policy, PolicyResult},
};
use std::{
    fmt::{self, Debug},
    io,
    sync::{Arc, Mutex},
};
use support::{EmulatorCredential, emulator_options};
use tracing_subscriber::fmt::MakeWriter;

/// All that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Keeps what every request proves itself with: it runs after the client's own policies.
#[derive(Clone, Default)]
struct Wiretap(Arc<Mutex<Vec<String>>>);

impl Debug for Wiretap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wiretap")
    }
}

#[async_trait::async_trait]
impl Policy for Wiretap {
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

/// Pieces of a secret that are long enough to be no coincidence, from its beginning, middle and end.
fn fragments(secret: &str) -> Vec<&str> {
    const LEN: usize = 12;
    // All JWTs begin alike.
    let secret = secret.split_once('.').map_or(secret, |(_, rest)| rest);
    let last = secret.len() - LEN;
    [0, last / 3, last / 2, last]
        .map(|start| secret.get(start..start + LEN).unwrap())
        .to_vec()
}

#[tokio::test]
async fn nothing_secret_is_logged_or_shown() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut shown = Vec::new();
    let mut show = |thing: &dyn Debug| shown.push(format!("{thing:?} {thing:#?}"));

    let emulator = Arc::new(Emulator::builder().start().await.unwrap());
    let wiretap = Wiretap::default();
    let options = || {
        let mut options = emulator_options(&emulator).unwrap();
        options.client_options.per_try_policies.push(Arc::new(wiretap.clone()));
        options
    };
    show(&options());
    let key_client =
        CommunicationIdentityClient::with_connection_string(&emulator.connection_string(), Some(options())).unwrap();
    let credential = Arc::new(EmulatorCredential(emulator.clone()));
    let entra_client =
        CommunicationIdentityClient::new(emulator.https_endpoint(), credential, Some(options())).unwrap();
    show(&AzureKeyCredential::new(emulator.access_key()).unwrap());

    let mut secrets = vec![emulator.access_key().to_owned()];
    let entra = emulator
        .mint_entra_token(&EntraTokenRequest::teams_user())
        .await
        .unwrap();
    secrets.push(entra.token.clone());
    let teams_user = TeamsUserTokenRequest {
        token: entra.token.into(),
        client_id: entra.app_id.to_string(),
        user_object_id: entra.user_id.to_string(),
    };
    show(&teams_user);

    let scopes = [CommunicationTokenScope::Chat];
    for client in [key_client, entra_client] {
        show(&client);
        let response = client.create_user_and_token(&scopes, None).await.unwrap();
        show(&response);
        let created = response.into_model().unwrap();
        show(&created);
        let token = client
            .get_token(&created.user, &scopes, None)
            .await
            .unwrap()
            .into_model()
            .unwrap();
        show(&token);
        let teams_token = client.get_token_for_teams_user(teams_user.clone(), None).await.unwrap();
        let teams_token = teams_token.into_model().unwrap();
        secrets.extend([created.access_token, token, teams_token].map(|token| token.token.secret().to_owned()));
        client.revoke_tokens(&created.user, None).await.unwrap();
        client.delete_user(&created.user, None).await.unwrap();
        let error = client.delete_user(&created.user, None).await.unwrap_err();
        show(&error);
        let teams_user = TeamsUserTokenRequest {
            client_id: "invalid".to_owned(),
            ..teams_user.clone()
        };
        let error = client.get_token_for_teams_user(teams_user, None).await.unwrap_err();
        show(&error);
    }

    // A connection string that is wrong in many ways.
    for broken in [
        emulator.access_key().to_owned(),
        format!("endpoint={};accesskey={}!", emulator.endpoint(), emulator.access_key()),
        format!(
            "endpoint={0};accesskey={1};accesskey={1}",
            emulator.endpoint(),
            emulator.access_key()
        ),
        format!("accesskey={}", emulator.access_key()),
        format!("endpoint=https://{}@contoso;accesskey=a2V5", emulator.access_key()),
    ] {
        let error = CommunicationIdentityClient::with_connection_string(&broken, None).unwrap_err();
        show(&error);
        let error = CommunicationIdentityClient::new(&broken, Arc::new(EmulatorCredential(emulator.clone())), None);
        show(&error.unwrap_err());
        show(&AzureKeyCredential::new(&format!("!{broken}")).unwrap_err());
    }
    show(&CommunicationIdentityClientOptions::default());

    secrets.extend(wiretap.0.lock().unwrap().clone());
    assert!(secrets.len() > 20, "{}", secrets.len());
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // The log is one that shows everything else.
    assert!(log.contains("TRACE") && log.contains("x-ms-date") && log.contains(":issueAccessToken"));
    for secret in &secrets {
        for fragment in fragments(secret) {
            assert!(!log.contains(fragment), "in the log: {fragment}");
            let found = shown.iter().find(|shown| shown.contains(fragment));
            assert!(found.is_none(), "{fragment} in {found:?}");
        }
    }
}
