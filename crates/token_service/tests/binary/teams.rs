//! Teams users of Entra ID.

use crate::{
    entra::{Entra, TENANT},
    process::{Process, command},
    refused::{LEAST, faults, faults_of},
    setup::Setup,
    support::{TEAMS_PHONE_SCOPE, TEAMS_SCOPES, http},
    telemetry::received,
};
use acs_identity_emulator::{EntraTokenRequest, TokenStatus, Uuid};
use fake_entra_sidecar::{DownstreamApi, FakeSidecar};
use reqwest::Response;
use serde_json::{Value, json};
use std::{ffi::OsStr, fs};

async fn get(process: &Process, path: &str, caller: &str, entra: Option<&str>) -> Response {
    let request = http().get(process.url(path)).bearer_auth(caller);
    let request = match entra {
        Some(token) => request.header("teams-user-aad-token", token),
        None => request,
    };
    request.send().await.unwrap()
}

async fn member(response: Response, status: u16, name: &str) -> String {
    assert_eq!(response.status(), status);
    let body: Value = response.json().await.unwrap();
    body[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn entra_user_is_the_same_in_every_application() {
    let setup = Setup::new().await;
    let entra = Entra::start().await;
    let process = setup
        .start(&entra.configuration(&setup.emulator.connection_string(), ""))
        .await;
    let mut identities = Vec::new();
    for (subject, object_id) in [("alice-web", 1), ("alice-phone", 1), ("alice-web", 2)] {
        let token = entra.token(subject, Uuid::from_u128(object_id));
        let request = http().post(process.url("api/user")).bearer_auth(token);
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        identities.push(body["acsUserIdentity"].as_str().unwrap().to_owned());
    }
    assert_eq!(identities[0], identities[1]);
    assert_ne!(identities[0], identities[2]);
    let teams = get(&process, "api/token/teams", &entra.token("a", Uuid::from_u128(1)), None).await;
    assert_eq!(member(teams, 404, "reason").await, "no_teams");
}

#[tokio::test]
async fn sidecar_acquires_a_missing_entra_token() {
    let setup = Setup::new().await;
    let entra = Entra::start().await;
    let request = EntraTokenRequest {
        tenant_id: TENANT.parse().unwrap(),
        ..EntraTokenRequest::teams_user()
    };
    let minted = setup.emulator.mint_entra_token(&request).await.unwrap();
    let for_teams = minted.token.clone();
    let api = DownstreamApi::new(TEAMS_SCOPES).tokens(move |_| Ok(for_teams.clone()));
    let sidecar = FakeSidecar::builder()
        .api("AcsTeams", api)
        .accept_callers(|_| true)
        .start()
        .await
        .unwrap();
    let teams = format!("[teams]\nclient_id = '{}'", request.app_id);
    let on_behalf_of = format!(
        "{teams}\nsidecar_api = 'AcsTeams'\n[sidecar]\nurl = '{}'",
        sidecar.url()
    );
    let alice = entra.token("alice", minted.user_id);
    let bob = entra.token("bob", Uuid::from_u128(1));
    let connection_string = setup.emulator.connection_string();

    let process = setup
        .start(&entra.configuration(&connection_string, &on_behalf_of))
        .await;
    let reply = get(&process, "api/token/teams", &alice, None).await;
    let token = member(reply, 201, "token").await;
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
    let received = sidecar.requests();
    assert_eq!(received.len(), 1, "{received:?}");
    assert!(received[0].path.ends_with("/AcsTeams"), "{received:?}");
    // The token was acquired on behalf of the caller.
    assert_eq!(received[0].headers["authorization"], format!("Bearer {alice}"));
    // A token of another user is not exchanged.
    let reply = get(&process, "api/token/teams", &bob, None).await;
    assert_eq!(member(reply, 403, "reason").await, "other_user");

    let process = setup.start(&entra.configuration(&connection_string, &teams)).await;
    let reply = get(&process, "api/token/teams", &alice, None).await;
    assert_eq!(member(reply, 400, "reason").await, "bad_request");
    let reply = get(&process, "api/token/teams", &alice, Some(&minted.token)).await;
    let token = member(reply, 201, "token").await;
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
}

/// Assigns a user of the tenant to the resource, with an application.
async fn assign(setup: &Setup, user: &EntraTokenRequest) {
    let state = json!({
        "teamsExtensionAssignments": [{
            "tenantId": user.tenant_id,
            "objectId": user.user_id,
            "principalType": "user",
            "clientIds": [user.app_id],
        }],
    });
    let url = format!("{}state", setup.emulator.control_endpoint());
    let assigned = http().put(url).json(&state).send().await.unwrap();
    assert_eq!(assigned.status(), 204, "{:?}", assigned.text().await);
}

#[tokio::test]
async fn sidecar_acquires_a_token_for_teams_phone() {
    let setup = Setup::new().await;
    let entra = Entra::start().await;
    let request = EntraTokenRequest {
        tenant_id: TENANT.parse().unwrap(),
        ..EntraTokenRequest::teams_extension_user()
    };
    assign(&setup, &request).await;
    let minted = setup.emulator.mint_entra_token(&request).await.unwrap();
    let for_phone = minted.token.clone();
    let api = DownstreamApi::new([TEAMS_PHONE_SCOPE]).tokens(move |_| Ok(for_phone.clone()));
    let sidecar = FakeSidecar::builder()
        .api("AcsTeamsPhone", api)
        .accept_callers(|_| true);
    let sidecar = sidecar.start().await.unwrap();
    let sections = format!(
        "[teams]\nphone = true\nphone_sidecar_api = 'AcsTeamsPhone'\n[sidecar]\nurl = '{}'",
        sidecar.url()
    );
    let (configuration, ca) = (setup.directory.join("service.toml"), setup.directory.join("ca.pem"));
    let connection_string = setup.emulator.https_connection_string();
    fs::write(&configuration, entra.configuration(&connection_string, &sections)).unwrap();
    fs::write(&ca, setup.emulator.ca_pem()).unwrap();
    let mut command = command(&[OsStr::new("--config"), configuration.as_os_str()]);
    let command = command.current_dir(&setup.directory).env("SSL_CERT_FILE", ca);
    let process = Process::spawn(command).await.unwrap();

    let alice = entra.token("alice", minted.user_id);
    let reply = http()
        .get(process.url("api/token/teams-phone"))
        .bearer_auth(&alice)
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .header("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
        .send();
    let token = member(reply.await.unwrap(), 201, "token").await;
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
    let acquisitions = sidecar.requests();
    assert_eq!(acquisitions.len(), 1, "{acquisitions:?}");
    assert!(acquisitions[0].path.ends_with("/AcsTeamsPhone"), "{acquisitions:?}");
    let headers = &acquisitions[0].headers;
    assert_eq!(headers["authorization"], format!("Bearer {alice}"));
    assert!(
        headers["traceparent"].starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"),
        "{headers:?}"
    );
    assert_eq!(headers["tracestate"], "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
    let exchanges = received(&setup.emulator).await;
    assert_eq!(exchanges.len(), 1, "{exchanges:?}");
    assert!(
        exchanges[0].contains("-4bf92f3577b34da6a3ce929d0e0e4736-"),
        "{exchanges:?}"
    );
    // A token of another user is not exchanged.
    let bob = entra.token("bob", Uuid::from_u128(1));
    let reply = get(&process, "api/token/teams-phone", &bob, None).await;
    assert_eq!(member(reply, 403, "reason").await, "other_user");
    // The exchange for Teams users needs a client id.
    let reply = get(&process, "api/token/teams", &alice, None).await;
    assert_eq!(member(reply, 404, "reason").await, "no_teams");
}

#[tokio::test]
async fn contradictory_settings_are_refused() {
    const ENTRA: &str = "\n[issuer]\nkind = 'entra'\ntenant_id = 'aaaabbbb-0000-cccc-1111-dddd2222eeee'\n\
                         client_id = '00001111-aaaa-2222-bbbb-3333cccc4444'\n";
    const HTTPS: &str =
        "[acs]\nconnection_string = 'endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0'";
    const HTTP: &str = "[acs]\nconnection_string = 'endpoint=http://localhost:1/;accesskey=c2VjcmV0'";
    for (configuration, teams, key, part) in [
        (
            LEAST.to_owned(),
            "phone = true",
            "teams.phone",
            "is for issuer.kind = \"entra\" only",
        ),
        (
            format!("{HTTP}{ENTRA}"),
            "phone = true",
            "teams.phone",
            "needs a resource that is reached by https",
        ),
        (
            format!("{HTTPS}{ENTRA}"),
            "phone_sidecar_api = 'AcsTeamsPhone'\n[sidecar]\nurl = 'http://localhost:5000'",
            "teams.phone_sidecar_api",
            "is to be used with teams.phone = true only",
        ),
        (
            format!("{HTTPS}{ENTRA}"),
            "phone = true\nphone_sidecar_api = 'AcsTeamsPhone'",
            "sidecar.url",
            "teams.phone_sidecar_api",
        ),
        (
            format!("{HTTPS}{ENTRA}"),
            "sidecar_api = 'AcsTeams'\n[sidecar]\nurl = 'http://localhost:5000'",
            "teams.client_id",
            "is missing",
        ),
    ] {
        let found = faults(&format!("{configuration}\n[teams]\n{teams}\n"), &[]).await;
        assert_eq!(faults_of(&found), [key], "{teams}: {found:?}");
        assert!(found[0].contains(part), "{found:?}");
    }
}
