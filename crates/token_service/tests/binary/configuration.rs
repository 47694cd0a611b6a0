//! The effects of the configuration.

use crate::{
    process::{Process, command},
    refused::{LEAST, faults, faults_of},
    setup::Setup,
    support::{AUDIENCE, http},
};
use acs_identity_emulator::{EntraTokenRequest, Fault, Operation, TokenStatus};
use fake_entra_sidecar::{DownstreamApi, FakeSidecar};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;

#[tokio::test]
async fn operations_can_have_a_listener() {
    let setup = Setup::new().await;
    for (keys, apart) in [("", false), ("operations_listen = '127.0.0.1:0'", true)] {
        let process = setup.start(&setup.configuration(keys, "")).await;
        assert_eq!(process.text("endpoint") != process.text("operationsEndpoint"), apart);
        assert_eq!(process.ready.as_object().unwrap().len(), 3, "{}", process.ready);
        for path in ["healthz", "readyz", "metrics"] {
            let status = http().get(process.operations_url(path)).send().await.unwrap().status();
            assert_eq!(status, 200, "{path}");
            let status = http().get(process.url(path)).send().await.unwrap().status();
            assert_eq!(status == 404, apart, "{path}: {status}");
        }
        let on_operations = http()
            .get(process.operations_url("api/user"))
            .send()
            .await
            .unwrap()
            .status();
        assert_eq!(on_operations, if apart { 404 } else { 401 });
    }
}

#[tokio::test]
async fn secrets_from_files_and_settings_from_variables() {
    let setup = Setup::new().await;
    let credentials = setup.directory.join("acs");
    fs::write(&credentials, format!("{}\n", setup.emulator.connection_string())).unwrap();
    let mut command = command(&[]);
    command
        .current_dir(&setup.directory)
        .env("TOKEN_SERVICE_LISTEN", "127.0.0.1:0")
        .env("TOKEN_SERVICE_ACS_CONNECTION_STRING_FILE", credentials)
        .env("TOKEN_SERVICE_DATABASE_URL", "sqlite://users.db?mode=rwc")
        .env("TOKEN_SERVICE_ISSUER_KIND", "oidc")
        .env("TOKEN_SERVICE_ISSUER_URL", setup.issuer.url())
        .env("TOKEN_SERVICE_ISSUER_AUDIENCE", AUDIENCE)
        .env("TOKEN_SERVICE_CORS_ORIGINS", "https://app.contoso.com");
    let process = Process::spawn(&mut command).await.unwrap();
    let request = http().post(process.url("api/user")).bearer_auth(setup.token("alice"));
    let response = request
        .header("origin", "https://app.contoso.com")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "https://app.contoso.com"
    );
    assert_eq!(setup.emulator.identity_count(), 1);
    assert!(setup.directory.join("users.db").exists());
}

#[tokio::test]
async fn pages_of_every_serialised_origin_can_call() {
    let setup = Setup::new().await;
    let origins = [
        "https://app.contoso.com",
        "http://192.168.0.10:3000",
        "http://app.contoso.com",
        "capacitor://localhost",
        "tauri://localhost",
        "chrome-extension://abcdefghijklmnop",
        "https://xn--bcher-kva.example:8443",
    ];
    for allow_private_network in [false, true] {
        let cors = format!("[cors]\norigins = {origins:?}\nallow_private_network = {allow_private_network}");
        let process = setup.start(&setup.configuration("", &cors)).await;
        for origin in origins.into_iter().chain(["null", "https://other.contoso.com"]) {
            let preflight = http()
                .request(Method::OPTIONS, process.url("api/user"))
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-private-network", "true");
            let response = preflight.send().await.unwrap();
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
            let allowed = origins.contains(&origin).then_some(origin);
            assert_eq!(header("access-control-allow-origin"), allowed, "{origin}");
            assert_eq!(
                header("access-control-allow-private-network"),
                allow_private_network.then_some("true"),
                "{origin}"
            );
        }
    }
    for origin in [
        "*",
        "null",
        "https://app.contoso.com/",
        "https://app.contoso.com/page",
        "https://app.contoso.com:443",
        "https://App.contoso.com",
        "https://user@app.contoso.com",
        "https://app.contoso.com?a",
        "https://*.contoso.com",
        "app.contoso.com",
        "localhost:3000",
        "capacitor://localhost/",
        "data:text/html,a",
        "file:///index.html",
    ] {
        let found = faults(&format!("{LEAST}\n[cors]\norigins = ['{origin}']"), &[]).await;
        assert_eq!(faults_of(&found), ["cors.origins"], "{origin}: {found:?}");
        assert!(found[0].contains("must be an origin as browsers send it"), "{found:?}");
    }
}

#[tokio::test]
async fn sidecar_replaces_a_connection_string() {
    let setup = Setup::new().await;
    let minted = setup
        .emulator
        .mint_entra_token(&EntraTokenRequest::service())
        .await
        .unwrap()
        .token;
    let acs = DownstreamApi::new(["https://communication.azure.com/.default"]).request_app_token();
    let sidecar = FakeSidecar::builder().api("Acs", acs.tokens(move |_| Ok(minted.clone())));
    let sidecar = sidecar.start().await.unwrap();
    let ca = setup.directory.join("ca.pem");
    fs::write(&ca, setup.emulator.ca_pem()).unwrap();
    let mut command = command(&[]);
    command
        .current_dir(&setup.directory)
        .env("SSL_CERT_FILE", ca)
        .env("NO_PROXY", "127.0.0.1")
        .env("TOKEN_SERVICE_LISTEN", "127.0.0.1:0")
        .env("TOKEN_SERVICE_ACS_ENDPOINT", setup.emulator.https_endpoint())
        .env("TOKEN_SERVICE_ACS_CREDENTIAL", "sidecar")
        .env("TOKEN_SERVICE_ACS_SIDECAR_API", "Acs")
        .env("TOKEN_SERVICE_SIDECAR_URL", sidecar.url())
        .env("TOKEN_SERVICE_ISSUER_KIND", "oidc")
        .env("TOKEN_SERVICE_ISSUER_URL", setup.issuer.url())
        .env("TOKEN_SERVICE_ISSUER_AUDIENCE", AUDIENCE);
    let process = Process::spawn(&mut command).await.unwrap();
    let token = setup.sign_in(&process, "alice").await;
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
}

#[tokio::test]
async fn issuer_scope_is_required_of_every_caller() {
    let setup = Setup::new().await;
    let configuration = setup.configuration("", "scope = 'access_as_user'");
    let process = setup.start(&configuration).await;
    let request = http().post(process.url("api/user")).bearer_auth(setup.token("alice"));
    assert_eq!(request.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn sealed_tokens_outlive_the_process() {
    let keys = "sealing_keys = ['oAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=']";
    for (tokens, kept) in [("", false), (keys, true)] {
        let setup = Setup::new().await;
        let configuration = setup.configuration("", &format!("[tokens]\n{tokens}"));
        let process = setup.start(&configuration).await;
        let before = setup.sign_in(&process, "alice").await;
        process.signal("-TERM").await;
        assert_eq!(process.ended().await.code, Some(0));

        let process = setup.start(&configuration).await;
        let after = setup.sign_in(&process, "alice").await;
        assert_eq!(before == after, kept, "{tokens}");
        assert_eq!(setup.emulator.identity_count(), 1);
    }
}

#[tokio::test]
async fn policy_and_limits_are_configured() {
    let setup = Setup::new().await;
    let sections = "[tokens]\ndefault_scopes = ['chat']\n[[tokens.rules]]\nclient_id = 'kiosk'\nscopes = ['voip']\n\
                    [limits]\nrequests_per_minute = 5\nbody_bytes = 1024";
    let process = setup.start(&setup.configuration("", sections)).await;
    let alice = setup.token("alice");
    let claims = json!({"sub": "kiosk-1", "aud": AUDIENCE, "client_id": "kiosk"});
    let kiosk = setup.issuer.token(claims).unwrap();
    for (user, method, path, body, status) in [
        (&alice, Method::POST, "api/user", 0, 201),
        (&alice, Method::GET, "api/token?scope=voip", 0, 403),
        (&kiosk, Method::POST, "api/user", 0, 201),
        (&kiosk, Method::GET, "api/token?scope=voip", 0, 201),
        (&kiosk, Method::GET, "api/token?scope=chat", 0, 403),
        (&kiosk, Method::POST, "token", 1025, 413),
    ] {
        let request = http().request(method.clone(), process.url(path)).bearer_auth(user);
        let request = request
            .header("content-type", "application/json")
            .body(" ".repeat(body));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
    }
    let user = || http().get(process.url("api/user")).bearer_auth(&alice).send();
    let mut answered = 0;
    while user().await.unwrap().status() != 429 {
        answered += 1;
        assert!(answered < 100);
    }
}

#[tokio::test]
async fn log_of_a_failed_call_has_no_ids_or_tokens() {
    let setup = Setup::new().await;
    let process = setup.start(&setup.configuration("", "[log]\nformat = 'json'")).await;
    let alice = setup.token("alice-of-contoso");
    let request = http().post(process.url("api/user")).bearer_auth(&alice);
    assert_eq!(request.send().await.unwrap().status(), 201);
    let identity = setup.emulator.identities().remove(0);
    let fault = Fault::reset_before_commit().times(1).operation(Operation::IssueToken);
    setup.emulator.inject(fault).unwrap();
    let response = http()
        .get(process.url("api/token"))
        .bearer_auth(&alice)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    let body: Value = response.json().await.unwrap();
    assert_eq!(setup.emulator.faults()[0].hits, 1);

    process.signal("-TERM").await;
    let ended = process.ended().await;
    let token = body["token"].as_str().unwrap();
    for secret in [
        &identity,
        "8%3Aacs",
        "alice-of-contoso",
        token,
        &alice,
        &setup.emulator.access_key(),
    ] {
        assert!(!ended.log.contains(secret), "{secret}: {}", ended.log);
    }
    for line in ended.log.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert!(event["level"].is_string() && event["message"].is_string(), "{line}");
    }
    assert!(ended.log.contains("shutting down"), "{}", ended.log);
}

#[tokio::test]
async fn log_begins_with_version_and_address() {
    let setup = Setup::new().await;
    let keys = "operations_listen = '127.0.0.1:0'";
    let mut process = setup.start(&setup.configuration(keys, "[log]\nformat = 'json'")).await;
    let event: Value = serde_json::from_str(&process.logged("the token service is ready").await).unwrap();
    assert_eq!(event["level"], "INFO");
    assert_eq!(event["version"], env!("CARGO_PKG_VERSION"));
    for (member, endpoint) in [
        ("address", process.text("endpoint")),
        ("operations_address", process.text("operationsEndpoint")),
    ] {
        let address = event[member].as_str().unwrap();
        assert_eq!(format!("http://{address}/"), endpoint);
    }
}
