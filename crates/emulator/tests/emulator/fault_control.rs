//! Faults at the control surface.

use crate::client::{Client, Response, VERSION, start};
use serde_json::json;

async fn control(client: &Client, method: &str, path: &str, body: impl ToString) -> Response {
    Response::of(client.unsigned(method, &format!("/_emulator/{path}"), &body.to_string())).await
}

#[tokio::test]
async fn faults_are_injected_listed_and_removed() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let faults = [
        json!({"effect": "status", "status": 503, "retryAfterSeconds": 2, "times": 3, "operation": "createIdentity"}),
        json!({"effect": "latency", "milliseconds": 1, "share": 0.5}),
        json!({"effect": "resetBeforeCommit", "operation": "issueToken"}),
        json!({"effect": "resetAfterCommit", "operation": "issueToken"}),
        json!({"effect": "truncatedBody", "operation": "issueToken"}),
        json!({"effect": "htmlBody", "operation": "issueToken"}),
        json!({"effect": "status", "status": 503, "code": "A", "afterCommit": true, "operation": "issueToken"}),
        json!({"effect": "htmlBody", "status": 503, "retryAfterSeconds": 1, "operation": "issueToken"}),
    ];
    let mut expected = Vec::new();
    for (fault, id) in faults.iter().zip(1..) {
        let injected = control(&client, "POST", "faults", fault).await;
        let mut entry = fault.clone();
        entry["id"] = id.into();
        entry["hits"] = 0.into();
        if let Some(times) = fault.get("times") {
            entry["remaining"] = times.clone();
        }
        assert_eq!((injected.status, &injected.body), (201, &entry));
        expected.push(entry);
    }
    let send = async || client.send("POST", &format!("/identities{VERSION}"), "").await;
    let response = send().await;
    assert_eq!((response.status, response.header("retry-after")), (503, Some("2")));
    assert_eq!(send().await.status, 503);
    expected[0]["hits"] = 2.into();
    expected[0]["remaining"] = 1.into();
    expected[1]["hits"] = 1.into();
    assert_eq!(
        control(&client, "GET", "faults", "").await.body,
        json!({"faults": expected})
    );

    assert_eq!(control(&client, "DELETE", "faults/1", "").await.status, 204);
    for missing in ["faults/1", "faults/99", "faults/x"] {
        assert_eq!(control(&client, "DELETE", missing, "").await.status, 404, "{missing}");
    }
    assert_eq!(send().await.status, 201);
    assert_eq!(control(&client, "DELETE", "faults", "").await.status, 204);
    assert_eq!(control(&client, "GET", "faults", "").await.body, json!({"faults": []}));
}

#[tokio::test]
async fn invalid_fault_is_explained() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for (body, remedy) in [
        ("", "Send JSON such as {\"effect\":\"status\""),
        ("{}", "missing field `effect`"),
        (r#"["status"]"#, "expected an object"),
        (r#"{"effect":"explode"}"#, "`resetBeforeCommit`"),
        (r#"{"effect":"htmlBody","time":1}"#, "`times`"),
        (r#"{"effect":"htmlBody","operation":"create"}"#, "`createIdentity`"),
        (r#"{"effect":"status"}"#, "give one from 400 to 599"),
        (r#"{"effect":"status","status":200}"#, "give one from 400 to 599"),
        (
            r#"{"effect":"status","status":503,"milliseconds":1}"#,
            "inject a second fault",
        ),
        (r#"{"effect":"truncatedBody","status":503}"#, "inject a second fault"),
        (
            r#"{"effect":"truncatedBody","retryAfterSeconds":1}"#,
            "inject one of these",
        ),
        (r#"{"effect":"truncatedBody","afterCommit":true}"#, "inject a status"),
        (r#"{"effect":"htmlBody","code":"A"}"#, "inject a status"),
        (r#"{"effect":"htmlBody","status":200}"#, "give one from 400 to 599"),
        (
            r#"{"effect":"status","status":503,"code":"A,b"}"#,
            "1 to 100 printable ASCII characters",
        ),
        (
            r#"{"effect":"status","status":503,"code":"A\n"}"#,
            "1 to 100 printable ASCII characters",
        ),
        (
            r#"{"effect":"status","status":503,"afterCommit":1}"#,
            "expected a boolean",
        ),
        (r#"{"effect":"latency"}"#, "1 to 600000 milliseconds"),
        (
            r#"{"effect":"latency","milliseconds":600001}"#,
            "1 to 600000 milliseconds",
        ),
        (r#"{"effect":"htmlBody","times":0}"#, "give a number from 1 on"),
        (r#"{"effect":"htmlBody","share":-1}"#, "from 0 to 1"),
    ] {
        let response = control(&client, "POST", "faults", body).await;
        response.assert_invalid_request(remedy);
    }
    assert_eq!(emulator.faults(), []);
}
