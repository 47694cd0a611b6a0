//! Settings that clients notice: the clock, the delay of revocations, withdrawn api-versions.

use crate::{
    client::{Client, PREVIEW, Response, VERSION, VERSIONS, builder, listed_stable, start},
    signer::http_date,
};
use acs_identity_emulator::{AccessKeyKind, EmulatorError, TokenStatus};
use serde_json::{Value, json};
use std::time::Duration;
use time::OffsetDateTime;

const MINUTE: Duration = Duration::from_secs(60);

async fn get(client: &Client) -> Value {
    Response::of(client.unsigned("GET", "/_emulator/settings", ""))
        .await
        .body
}

async fn change(client: &Client, change: impl ToString) -> Response {
    Response::of(client.unsigned("PATCH", "/_emulator/settings", &change.to_string())).await
}

#[tokio::test]
async fn revocation_takes_effect_after_its_delay() {
    let emulator = builder().revocation_delay(15 * MINUTE).start().await.unwrap();
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let token = client.issue_chat(&id).await;
    assert_eq!(client.revoke(&id).await.status, 204);
    let later = client.issue_chat(&id).await;
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
    emulator.advance(14 * MINUTE);
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
    emulator.advance(MINUTE);
    assert_eq!(emulator.token_status(&token), TokenStatus::Revoked);
    assert_eq!(emulator.token_status(&later), TokenStatus::Active);
}

#[tokio::test]
async fn only_later_revocations_are_delayed() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let ids = [client.create().await, client.create().await, client.create().await];
    let [revoked, deleted, other] = [
        client.issue_chat(&ids[0]).await,
        client.issue_chat(&ids[1]).await,
        client.issue_chat(&ids[2]).await,
    ];
    client.revoke(&ids[0]).await;
    emulator.set_revocation_delay(Duration::MAX);
    client.delete(&ids[1]).await;
    client.revoke(&ids[2]).await;
    assert_eq!(emulator.token_status(&revoked), TokenStatus::Revoked);
    assert_eq!(emulator.token_status(&deleted), TokenStatus::IdentityDeleted);
    assert_eq!(emulator.token_status(&other), TokenStatus::Active);
    emulator.regenerate_access_key(AccessKeyKind::Primary).await.unwrap();
    assert_eq!(emulator.token_status(&other), TokenStatus::Revoked);
}

#[tokio::test]
async fn clock_offset_is_an_option() {
    let offset = time::Duration::minutes(-20);
    let emulator = builder().clock_offset(offset).start().await.unwrap();
    let client = Client::over_http(&emulator);
    let target = format!("/identities{VERSION}");
    for (offset, status) in [(time::Duration::ZERO, 401), (offset, 201)] {
        let date = http_date(OffsetDateTime::now_utc() + offset);
        let response = Response::of(client.signed_at(&date, "POST", &target, "")).await;
        assert_eq!(response.status, status);
    }
}

#[tokio::test]
async fn emulators_own_clock_is_named_in_the_explanation() {
    let target = format!("/identities{VERSION}");
    for (minutes, offset) in [(60, "3600 s ahead of"), (-60, "3600 s behind")] {
        let clock_offset = time::Duration::minutes(minutes);
        let emulator = builder()
            .clock_offset(clock_offset)
            .explain(true)
            .start()
            .await
            .unwrap();
        let client = Client::over_http(&emulator);
        let refused = client.send("POST", &target, "").await;
        let message = refused.text("/error/message");
        assert!(
            message.contains(&format!("This emulator's clock is set {offset} the machine's. Let")),
            "{message}"
        );
        for blame in ["time zone", "UTC", "client's clock"] {
            assert!(!message.contains(blame), "{message}");
        }

        let followed = client.signed_at(refused.header("date").unwrap(), "POST", &target, "");
        assert_eq!(Response::of(followed).await.status, 201);
        let reset = r#"{"clockOffsetSeconds":0}"#;
        assert!(message.contains(reset), "{message}");
        assert_eq!(change(&client, reset).await.status, 200);
        client.create().await;

        let local = http_date(OffsetDateTime::now_utc() + clock_offset);
        let refused = Response::of(client.signed_at(&local, "POST", &target, "")).await;
        let message = refused.text("/error/message");
        assert!(
            message.contains("time zone") && !message.contains("This emulator's"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn withdrawn_version_is_refused_and_unlisted() {
    let emulator = builder().withdraw_version("2021-03-07").start().await.unwrap();
    let client = Client::over_http(&emulator);
    let send = async |version| {
        client
            .send("POST", &format!("/identities?api-version={version}"), "")
            .await
    };
    let create = async || send("2023-10-01").await;

    let response = create().await;
    assert_eq!(response.status, 201);
    let supported = listed_stable(|version| version != "2021-03-07");
    assert_eq!(response.header("api-supported-versions"), Some(&*supported));

    emulator.withdraw_version("2023-10-01").unwrap();
    let response = create().await;
    let message = format!(
        "The HTTP resource that matches the request URI '{}/identities' does not support the API version '2023-10-01'.",
        client.origin
    );
    response.assert_error(400, "UnsupportedApiVersion", &message, None);
    let supported = listed_stable(|version| !["2021-03-07", "2023-10-01"].contains(&version));
    assert_eq!(response.header("api-supported-versions"), Some(&*supported));
    assert_eq!(send("2021-03-07").await.status, 400);
    assert_eq!(send("2025-06-30").await.status, 201);

    emulator.restore_version("2023-10-01").unwrap();
    assert_eq!(create().await.status, 201);
}

#[tokio::test]
async fn operations_without_versions_list_none() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let list = async || {
        client
            .send("GET", &format!("/access/entra/assignments{PREVIEW}"), "")
            .await
    };
    assert_eq!(
        list().await.header("api-supported-versions"),
        Some("2025-03-02-preview")
    );
    emulator.withdraw_version("2025-03-02-preview").unwrap();
    let response = list().await;
    assert_eq!(
        (response.status, response.header("api-supported-versions")),
        (400, None)
    );
}

#[tokio::test]
async fn unknown_version_is_refused_with_the_known() {
    let known = VERSIONS.join(", ");
    let emulator = start().await;
    let expected = format!("`2024-01-01` is no api-version of the emulator: name one of {known}");
    for error in [
        emulator.withdraw_version("2024-01-01").unwrap_err(),
        emulator.restore_version("2024-01-01").unwrap_err(),
    ] {
        assert_eq!(error.to_string(), expected);
    }
    let error = builder().withdraw_version("2024-01-01").start().await.unwrap_err();
    assert!(matches!(error, EmulatorError::Version(_)), "{error:?}");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn only_the_given_settings_change() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let mut expected = json!({"clockOffsetSeconds": 0, "revocationDelaySeconds": 0, "withdrawnVersions": []});
    assert_eq!(get(&client).await, expected);
    for (member, value) in [
        ("clockOffsetSeconds", json!(-60)),
        ("revocationDelaySeconds", json!(900)),
        ("withdrawnVersions", json!(["2022-10-01", "2025-03-02-preview"])),
        ("withdrawnVersions", json!(["2021-03-07"])),
        ("clockOffsetSeconds", json!(60)),
    ] {
        expected[member] = value.clone();
        let changed = change(&client, json!({member: value})).await;
        assert_eq!((changed.status, &changed.body), (200, &expected));
        assert_eq!(get(&client).await, expected);
    }

    let id = client.create().await;
    let token = client.issue_chat(&id).await;
    client.revoke(&id).await;
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
    emulator.advance(15 * MINUTE);
    assert_eq!(emulator.token_status(&token), TokenStatus::Revoked);
    assert_eq!(get(&client).await["clockOffsetSeconds"], 960);
}

#[tokio::test]
async fn wrong_setting_changes_nothing() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let before = get(&client).await;
    for (body, remedy) in [
        ("", "Send JSON such as {\"clockOffsetSeconds\""),
        ("[1,2,[]]", "expected an object"),
        (
            r#"{"clockOffset":1}"#,
            "`clockOffsetSeconds`, `revocationDelaySeconds`, `withdrawnVersions`",
        ),
        (r#"{"clockOffsetSeconds":1.5}"#, "expected i64"),
        (r#"{"clockOffsetSeconds":-3153600001}"#, "at most 3153600000"),
        (r#"{"revocationDelaySeconds":-1}"#, "at least 0"),
        (r#"{"revocationDelaySeconds":3153600001}"#, "at most 3153600000"),
        (
            r#"{"clockOffsetSeconds":1,"revocationDelaySeconds":1,"withdrawnVersions":["2023-10-01","x"]}"#,
            "name one of 2021-03-07, ",
        ),
        (
            r#"{"withdrawnVersions":["2023-10-01"],"revocationDelaySeconds":-1}"#,
            "at least 0",
        ),
    ] {
        let response = change(&client, body).await;
        response.assert_invalid_request(remedy);
    }
    assert_eq!(get(&client).await, before);
}
