//! The state of the emulator: exported, imported and reset.

use crate::{
    client::{Client, PREVIEW, Response, VERSION, builder, start},
    signer::KEY,
};
#[cfg(feature = "cli")]
use crate::{
    data::Temporary,
    process::{Ended, Process, command, temporary},
};
use acs_identity_emulator::{Emulator, EmulatorError, EmulatorState, EntraTokenRequest, Fault, TokenStatus, Uuid};
use serde_json::{Value, json};
#[cfg(feature = "cli")]
use std::fs;
use std::time::Duration;

const MINUTES_15: Duration = Duration::from_secs(15 * 60);
const RESOURCE: &str = "11111111-2222-3333-4444-555555555555";
const TENANT: &str = "3f14cf17-84d5-42c2-8689-a6365c474b4e";
const OBJECT: &str = "350adb03-7be9-4846-b078-35adb0d0e119";
const APPLICATION: &str = "2c8bc5f4-7b6e-4a30-9d10-5d3d5a0b6f27";
const USER_1: &str = "00000000-0000-0000-0000-000000000001";
const USER_2: &str = "00000000-0000-0000-0000-000000000002";

/// A state as a person writes it.
fn seed() -> Value {
    json!({
        "identities": [{"id": USER_2}, {"id": format!("8:acs:{RESOURCE}_{USER_1}"), "revocations": 2}],
        "teamsExtensionAssignments": [{"tenantId": TENANT, "objectId": OBJECT, "principalType": "user", "clientIds": []}],
        "entraAssignments": [
            {"objectId": OBJECT, "tenantId": TENANT, "principalType": "tenant", "clientIds": [APPLICATION]},
        ],
    })
}

/// Its export.
fn exported_seed() -> Value {
    json!({
        "resourceId": RESOURCE,
        "identities": [
            {"id": format!("8:acs:{RESOURCE}_{USER_1}"), "revocations": 2},
            {"id": format!("8:acs:{RESOURCE}_{USER_2}")},
        ],
        "teamsExtensionAssignments": [{"objectId": OBJECT, "tenantId": TENANT, "principalType": "user"}],
        "entraAssignments": [
            {"objectId": OBJECT, "tenantId": TENANT, "principalType": "tenant", "clientIds": [APPLICATION]},
        ],
    })
}

fn seeded() -> EmulatorState {
    seed().to_string().parse().unwrap()
}

async fn control(client: &Client, method: &str, path: &str, body: &str) -> Response {
    Response::of(client.unsigned(method, &format!("/_emulator/{path}"), body)).await
}

async fn state(client: &Client) -> Value {
    control(client, "GET", "state", "").await.body
}

async fn put(client: &Client, state: &Value) -> Response {
    control(client, "PUT", "state", &state.to_string()).await
}

#[tokio::test]
async fn handwritten_state_is_used_by_clients() {
    let emulator = builder().import(seeded()).start().await.unwrap();
    let client = Client::over_https(&emulator);
    assert_eq!(emulator.resource_id().to_string(), RESOURCE);
    for user in [USER_1, USER_2] {
        let token = client.issue_chat(&format!("8:acs:{RESOURCE}_{user}")).await;
        assert_eq!(emulator.token_status(&token), TokenStatus::Active);
    }
    for (kind, exchange) in [
        (
            EntraTokenRequest::entra_user(),
            format!("/access/entra/:exchangeAccessToken{PREVIEW}"),
        ),
        (
            EntraTokenRequest::teams_extension_user(),
            format!("/access/teamsExtension/:exchangeAccessToken{VERSION}"),
        ),
    ] {
        let user = EntraTokenRequest {
            tenant_id: TENANT.parse().unwrap(),
            user_id: OBJECT.parse().unwrap(),
            app_id: APPLICATION.parse().unwrap(),
            ..kind
        };
        let user = emulator.mint_entra_token(&user).await.unwrap();
        assert_eq!(
            client.exchange_own(&exchange, &user.token).await.status,
            200,
            "{exchange}"
        );
    }
    assert_eq!(state(&client).await, exported_seed());
    let exported: Value = serde_json::from_str(&emulator.export().to_string()).unwrap();
    assert_eq!(exported, exported_seed());
    // After the imported ones, in order.
    let id = client.create().await;
    assert_eq!(emulator.identities().last(), Some(&id));
}

/// The example of the documentation can be imported.
#[test]
fn documented_state_is_valid() {
    let page = include_str!("../../docs/state.md");
    let (_, json) = page.split_once("```json\n").unwrap();
    let json = json.split("```").next().unwrap();
    let state: EmulatorState = json.parse().unwrap();
    let exported: Value = serde_json::from_str(&state.to_string()).unwrap();
    assert_eq!(
        exported["identities"][1]["pendingRevocations"][0],
        "2026-08-01T00:15:00Z"
    );
}

#[tokio::test]
async fn exported_state_is_that_of_another_emulator() {
    let emulator = builder().revocation_delay(MINUTES_15).start().await.unwrap();
    let client = Client::over_http(&emulator);
    let ids = [client.create().await, client.create().await, client.create().await];
    client.revoke(&ids[1]).await;
    client.delete(&ids[2]).await;
    let assignment = format!("/access/teamsExtension/tenants/{TENANT}/assignments/{OBJECT}{VERSION}");
    let body = r#"{"principalType":"resourceAccount"}"#;
    assert_eq!(client.send("PUT", &assignment, body).await.status, 201);
    let exported = state(&client).await;
    for secret in [
        emulator.access_key(),
        emulator.secondary_access_key(),
        "PRIVATE".to_owned(),
    ] {
        assert!(!exported.to_string().contains(&secret), "{exported}");
    }
    let pending = exported["identities"][1]["pendingRevocations"].as_array().unwrap();
    assert_eq!(pending.len(), 1);

    let text = exported.to_string();
    let other = builder().import(text.parse().unwrap()).start().await.unwrap();
    assert_eq!(
        (other.resource_id(), other.identities()),
        (emulator.resource_id(), ids[..2].to_vec())
    );
    assert_eq!(other.export(), emulator.export());
    let again = Client::over_http(&other);
    assert_eq!(state(&again).await, exported);
    assert_eq!(
        again.send("GET", &assignment, "").await.text("/principalType"),
        "resourceAccount"
    );
    // The pending revocation is before a token of now, and is in effect a quarter of an hour later.
    let token = again.issue_chat(&ids[1]).await;
    other.advance(MINUTES_15);
    assert_eq!(other.token_status(&token), TokenStatus::Active);
}

#[tokio::test]
async fn put_replaces_all_and_takes_no_revocation_back() {
    let emulator = builder().resource_id(RESOURCE.parse().unwrap()).start().await.unwrap();
    let client = Client::over_http(&emulator);
    assert_eq!(put(&client, &seed()).await.status, 204);
    let (one, two) = (
        format!("8:acs:{RESOURCE}_{USER_1}"),
        format!("8:acs:{RESOURCE}_{USER_2}"),
    );
    let other = client.create().await;
    let tokens = [
        client.issue_chat(&one).await,
        client.issue_chat(&two).await,
        client.issue_chat(&other).await,
    ];
    client.revoke(&two).await;

    assert_eq!(put(&client, &seed()).await.status, 204);
    assert_eq!(emulator.identities(), [one.clone(), two.clone()]);
    let statuses = tokens.map(|token| emulator.token_status(&token));
    let expected = [TokenStatus::Active, TokenStatus::Revoked, TokenStatus::IdentityDeleted];
    assert_eq!(statuses, expected);
    assert_eq!(state(&client).await["identities"][1]["revocations"], 1);
    // Those that follow are counted from there.
    let token = client.issue_chat(&two).await;
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
    client.revoke(&two).await;
    assert_eq!(emulator.token_status(&token), TokenStatus::Revoked);

    emulator.import(&EmulatorState::default()).await.unwrap();
    assert_eq!(emulator.identity_count(), 0);
    let empty =
        json!({"resourceId": RESOURCE, "identities": [], "teamsExtensionAssignments": [], "entraAssignments": []});
    assert_eq!(state(&client).await, empty);
}

#[tokio::test]
async fn assignments_keep_tokens_if_they_are_the_same() {
    let emulator = builder().import(seeded()).start().await.unwrap();
    let client = Client::over_https(&emulator);
    let user = EntraTokenRequest {
        tenant_id: TENANT.parse().unwrap(),
        app_id: APPLICATION.parse().unwrap(),
        ..EntraTokenRequest::entra_user()
    };
    let user = emulator.mint_entra_token(&user).await.unwrap();
    let exchange = format!("/access/entra/:exchangeAccessToken{PREVIEW}");
    let token = client
        .exchange_own(&exchange, &user.token)
        .await
        .text("/accessToken/token");
    assert_eq!(put(&client, &seed()).await.status, 204);
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);

    let mut changed = seed();
    changed["entraAssignments"][0]["principalType"] = "group".into();
    assert_eq!(put(&client, &changed).await.status, 204);
    assert_eq!(emulator.token_status(&token), TokenStatus::Revoked);
    assert_eq!(put(&client, &seed()).await.status, 204);
    assert_eq!(emulator.token_status(&token), TokenStatus::Revoked);
}

#[tokio::test]
async fn other_documents_are_refused_by_place() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let assignment = |changes: Value| {
        let mut assignment = json!({"objectId": OBJECT, "tenantId": TENANT, "principalType": "user", "clientIds": []});
        assignment
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        assignment
    };
    for (document, problem) in [
        (json!([]), "expected an object"),
        (json!({"identity": []}), "unknown field `identity`"),
        (json!({"identities": {}}), "expected a sequence"),
        (
            json!({"identities": [{"id": USER_1}, {"id": "me"}]}),
            "identities[1]: `id` is neither",
        ),
        (
            json!({"identities": [{"id": USER_1}, {"id": USER_1}]}),
            "identities[1]: `id` is there twice",
        ),
        (
            json!({"identities": [{"id": USER_1, "revocation": 1}]}),
            "unknown field `revocation`",
        ),
        (json!({"identities": [{"id": USER_1, "revocations": -1}]}), "u32"),
        (
            json!({"identities": [{"id": USER_1, "revocations": 5_000_000_000_u64}]}),
            "u32",
        ),
        (
            json!({"identities": [{"id": USER_1, "pendingRevocations": ["tomorrow"]}]}),
            "expected a time such as 2026-08-01T00:15:00Z",
        ),
        (
            json!({"identities": [{"id": USER_1, "pendingRevocations": ["9000-01-01T00:00:00Z"]}]}),
            "of the years 1678 to 2261",
        ),
        (
            json!({"identities": [{"id": id}, {"id": format!("8:acs:{RESOURCE}_{USER_1}")}]}),
            "identities[1]: `id` is that of another resource than the others",
        ),
        (json!({"resourceId": RESOURCE}), "it is of the resource 11111111-"),
        (
            json!({"identities": [{"id": format!("8:acs:{RESOURCE}_{USER_1}")}]}),
            "start the emulator with that resource id",
        ),
        (json!({"entraAssignments": [{}]}), "missing field `objectId`"),
        (
            json!({"entraAssignments": [assignment(json!({"principalType": "resourceAccount"}))]}),
            "entraAssignments[0]: `principalType` is none of user, group, tenant",
        ),
        (
            json!({"entraAssignments": [assignment(json!({"clientIds": null}))]}),
            "entraAssignments[0]: `clientIds` is missing",
        ),
        (
            json!({"entraAssignments": [assignment(json!({"clientIDs": []}))]}),
            "unknown field `clientIDs`",
        ),
        (
            json!({"teamsExtensionAssignments": [assignment(json!({"principalType": "group"}))]}),
            "teamsExtensionAssignments[0]: `principalType` is none of user, resourceAccount, teamsResourceAccount",
        ),
        (
            json!({"teamsExtensionAssignments": [assignment(json!({})), assignment(json!({"clientIds": [OBJECT]}))]}),
            "teamsExtensionAssignments[1]: the same principal is there twice",
        ),
    ] {
        put(&client, &document).await.assert_invalid_request(problem);
    }
    control(&client, "PUT", "state", "{")
        .await
        .assert_invalid_request("EOF");
    assert_eq!(emulator.identities(), [id]);
}

#[tokio::test]
async fn state_of_another_resource_does_not_start() {
    let other = Uuid::from_u128(1);
    let error = builder().import(seeded()).resource_id(other).start().await.unwrap_err();
    assert!(matches!(error, EmulatorError::State(_)), "{error:?}");
    let error = error.to_string();
    assert!(
        error.contains(RESOURCE) && error.contains(&other.to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn large_state_is_imported() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let many: Vec<_> = (1..=5000).map(|user| json!({"id": Uuid::from_u128(user)})).collect();
    assert_eq!(put(&client, &json!({"identities": many})).await.status, 204);
    assert_eq!(emulator.identity_count(), 5000);
    let text = format!("{{{}}}", " ".repeat(16 * 1024 * 1024));
    assert_eq!(control(&client, "PUT", "state", &text).await.status, 413);
}

/// The ids that the emulator creates sort after all others, as far as there are any.
#[tokio::test]
async fn identities_follow_the_last_possible_id() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let last = json!({"identities": [{"id": "ffffffff-ffff-ffff-ffff-ffffffffffff"}]});
    assert_eq!(put(&client, &last).await.status, 204);
    let ids = [client.create().await, client.create().await];
    assert_ne!(ids[0], ids[1]);
    assert_eq!(emulator.identity_count(), 3);
}

/// A settled emulator, in which everything that a reset concerns has been changed.
async fn used(emulator: &Emulator) -> (Client, String) {
    let client = Client::over_http(emulator);
    let id = client.create().await;
    let token = client.issue_chat(&id).await;
    let unsigned = Response::of(client.unsigned("POST", "/identities", "")).await;
    assert_eq!(unsigned.status, 401);
    emulator.inject(Fault::status(500)).unwrap();
    emulator.advance(MINUTES_15);
    emulator.set_revocation_delay(MINUTES_15);
    emulator.withdraw_version("2023-10-01").unwrap();
    (client, token)
}

async fn list(client: &Client, name: &str) -> Value {
    control(client, "GET", name, "").await.body[name].clone()
}

#[tokio::test]
async fn reset_returns_to_the_start() {
    let emulator = builder().access_key(KEY).rate_limits(true).start().await.unwrap();
    let (client, token) = used(&emulator).await;
    let (resource, key) = (emulator.resource_id(), emulator.secondary_access_key());
    assert_eq!(control(&client, "POST", "reset", "").await.status, 204);

    assert_eq!(emulator.identity_count(), 0);
    assert_eq!(emulator.token_status(&token), TokenStatus::IdentityDeleted);
    for name in ["requests", "refusals", "tokens", "faults"] {
        assert_eq!(list(&client, name).await, json!([]), "{name}");
    }
    let settings = json!({"clockOffsetSeconds": 0, "revocationDelaySeconds": 0, "withdrawnVersions": []});
    assert_eq!(control(&client, "GET", "settings", "").await.body, settings);
    // The client goes on with its connection string.
    assert_eq!(
        (emulator.resource_id(), emulator.secondary_access_key()),
        (resource, key)
    );
    client.create().await;
    assert_eq!(emulator.identity_count(), 1);
}

#[tokio::test]
async fn reset_returns_to_options_and_import() {
    let emulator = builder()
        .import(seeded())
        .fault(Fault::status(503).times(2))
        .clock_offset(time::Duration::seconds(-60))
        .revocation_delay(Duration::from_secs(5))
        .withdraw_version("2021-03-07")
        .start()
        .await
        .unwrap();
    let client = Client::over_http(&emulator);
    for _ in 0..2 {
        assert_eq!(client.send("POST", "/identities", "").await.status, 503);
    }
    used(&emulator).await;
    emulator.import(&EmulatorState::default()).await.unwrap();
    emulator.reset().await.unwrap();

    assert_eq!(state(&client).await, exported_seed());
    let [fault] = emulator.faults().try_into().unwrap();
    assert_eq!((fault.hits, fault.remaining), (0, Some(2)));
    let settings = json!({"clockOffsetSeconds": -60, "revocationDelaySeconds": 5, "withdrawnVersions": ["2021-03-07"]});
    assert_eq!(control(&client, "GET", "settings", "").await.body, settings);
}

#[tokio::test]
async fn reset_ends_the_windows_of_rate_limits() {
    let emulator = builder().rate_limits(true).start().await.unwrap();
    let client = Client::over_http(&emulator);
    let target = format!("/identities/x{VERSION}");
    while client.send("DELETE", &target, "").await.status != 429 {}
    emulator.reset().await.unwrap();
    assert_eq!(client.send("DELETE", &target, "").await.status, 401);
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn file_is_imported_and_survives_with_data() {
    let (path, data) = (temporary(&format!("{}.json", Uuid::new_v4())), Temporary::new());
    // As PowerShell writes it.
    fs::write(&path, format!("\u{feff}{}", seed())).unwrap();
    let arguments = ["--import", path.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let mut process = Process::start(&arguments).await;
    let client = process.client();
    assert_eq!(state(&client).await, exported_seed());
    let id = client.create().await;
    process.kill();
    process.ended().await;

    // The data file goes before the import.
    let mut process = Process::start(&arguments).await;
    let client = process.client();
    let stored = state(&client).await;
    assert_eq!(stored["identities"][2]["id"], id.as_str());
    assert_eq!(stored["entraAssignments"], exported_seed()["entraAssignments"]);
    assert_eq!(control(&client, "POST", "reset", "").await.status, 204);
    process.kill();
    process.ended().await;

    let process = Process::start(&arguments).await;
    assert_eq!(state(&process.client()).await, exported_seed());
    let log = process.into_log().await;
    assert!(
        log.contains("the data file has a state, which the import does not change"),
        "{log}"
    );
    fs::remove_file(path).unwrap();
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn file_of_another_form_is_refused_in_a_line() {
    let path = temporary(&format!("{}.json", Uuid::new_v4()));
    for (text, reason) in [
        ("{}x", "trailing characters"),
        (r#"{"identities":[{"id":"x"}]}"#, "identities[0]: `id` is neither"),
    ] {
        fs::write(&path, text).unwrap();
        let Err(Ended { code, log, .. }) = Process::spawn(&mut command(&["--import", path.to_str().unwrap()])).await
        else {
            panic!("it starts with {text}");
        };
        assert_eq!((code, log.lines().count()), (Some(1), 1), "{log}");
        let expected = format!("error: cannot import {}: not a state of the emulator: ", path.display());
        assert!(log.starts_with(&expected) && log.contains(reason), "{log}");
    }
    fs::remove_file(&path).unwrap();
    let missing = Process::spawn(&mut command(&["--import", path.to_str().unwrap()])).await;
    assert!(missing.err().unwrap().log.starts_with("error: cannot read "));
}
