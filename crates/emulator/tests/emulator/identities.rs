//! Identities and access tokens, operation by operation.

use crate::client::{Client, Response, VERSION, start};
use acs_identity_emulator::TokenStatus;
use serde_json::{Value, json};

const NOT_OWNED: (u16, &str, &str, Option<&str>) = (
    401,
    "IdentityNotOwned",
    "Provided identity doesn't belong to the resource.",
    None,
);

#[tokio::test]
async fn identity_is_created_with_and_without_token() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for without in [
        Value::Null,
        json!({}),
        json!({"createTokenWithScopes": null, "expiresInMinutes": null}),
        json!({"createTokenWithScopes": []}),
    ] {
        let created = client.post("/identities", without.clone()).await;
        assert_eq!(created.status, 201, "{without}");
        assert_eq!(
            created.body,
            json!({"identity": {"id": created.text("/identity/id")}}),
            "{without}"
        );
    }
    let bodyless = client.send("POST", &format!("/identities{VERSION}"), "").await;
    assert_eq!((bodyless.status, bodyless.body.as_object().unwrap().len()), (201, 1));

    let with = client
        .post("/identities", json!({"createTokenWithScopes": ["voip", "chat"]}))
        .await;
    assert_eq!(with.status, 201);
    assert_eq!(
        emulator.token_status(&with.text("/accessToken/token")),
        TokenStatus::Active
    );
    assert_eq!(emulator.identity_count(), 6);
}

#[tokio::test]
async fn unknown_members_are_ignored_in_every_version() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let oldest = "?api-version=2021-03-07";
    for (number, query) in [VERSION, oldest, VERSION].into_iter().enumerate() {
        let body = r#"{"customId":"sally","unknown":{"member":[]}}"#;
        let created = client.send("POST", &format!("/identities{query}"), body).await;
        let expected = json!({"identity": {"id": created.text("/identity/id")}});
        assert_eq!((created.status, &created.body), (201, &expected), "{query}");
        assert_eq!(emulator.identity_count(), number + 1, "{query}");
    }
}

#[tokio::test]
async fn ids_name_the_resource_and_sort_by_age() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(client.create().await);
    }
    assert_eq!(emulator.identities(), ids);
    assert!(ids.is_sorted());
    let prefix = format!("8:acs:{}_000000", emulator.resource_id());
    assert!(ids.iter().all(|id| id.starts_with(&prefix)), "{ids:?}");
}

#[tokio::test]
async fn id_may_be_percent_encoded() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let encoded = client.create().await.replace(':', "%3A");
    assert_eq!(client.issue(&encoded, json!({"scopes": ["chat"]})).await.status, 200);
    assert_eq!(client.revoke(&encoded).await.status, 204);
    assert_eq!(client.delete(&encoded).await.status, 204);
    assert_eq!(emulator.identity_count(), 0);
}

#[tokio::test]
async fn foreign_and_deleted_ids_are_not_owned() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let deleted = client.create().await;
    assert_eq!(client.delete(&deleted).await.status, 204);
    let other = start().await;
    let foreign = Client::over_http(&other).create().await;
    let anonymous = "8:teamsvisitor:00000000-0000-0000-0000-000000000000".to_owned();
    for id in [deleted, foreign, anonymous, "x".to_owned(), "%FF".to_owned()] {
        for response in [
            client.issue(&id, json!({"scopes": ["chat"]})).await,
            client.revoke(&id).await,
            client.delete(&id).await,
        ] {
            let (status, code, message, target) = NOT_OWNED;
            response.assert_error(status, code, message, target);
            assert_eq!(response.header("api-supported-versions"), None);
        }
    }
    assert_eq!(other.identity_count(), 1);
}

#[tokio::test]
async fn tokens_need_scopes_that_exist() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    for none in [json!({}), json!({"scopes": null}), Value::Null] {
        let response = client.issue(&id, none).await;
        response.assert_error(
            400,
            "ValidationError",
            "Scopes: The Scopes field is required.",
            Some("Scopes"),
        );
        assert_eq!(response.header("api-supported-versions"), None);
    }
    let empty = client.issue(&id, json!({"scopes": []})).await;
    empty.assert_error(
        400,
        "ValidationError",
        "Invalid scopes - Scopes field is required.",
        Some("scopes"),
    );

    let supported = "Invalid scopes - Supported scopes are chat, chat.join, chat.join.limited, voip, voip.join.";
    let unknown = client.issue(&id, json!({"scopes": ["chat", "pstn"]})).await;
    unknown.assert_error(400, "ValidationError", supported, Some("scopes"));
    let unknown = client
        .post("/identities", json!({"createTokenWithScopes": ["Chat"]}))
        .await;
    unknown.assert_error(400, "ValidationError", supported, Some("createTokenWithScopes"));
    assert_eq!(emulator.identity_count(), 1);
}

#[tokio::test]
async fn lifetime_is_an_hour_to_a_day() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    for minutes in [60, 61, 1440] {
        let issue = json!({"scopes": ["chat"], "expiresInMinutes": minutes});
        assert_eq!(client.issue(&id, issue).await.status, 200, "{minutes}");
        let create = json!({"createTokenWithScopes": ["chat"], "expiresInMinutes": minutes});
        assert_eq!(client.post("/identities", create).await.status, 201, "{minutes}");
    }
    let identities = emulator.identity_count();
    for minutes in [59, 1441, 0, -60, i32::MAX] {
        let message =
            format!("ExpiresInMinutes value {minutes} is invalid. Value must be within the [60, 1440] interval.");
        let issue = json!({"scopes": ["chat"], "expiresInMinutes": minutes});
        let create = json!({"createTokenWithScopes": ["chat"], "expiresInMinutes": minutes});
        for response in [client.issue(&id, issue).await, client.post("/identities", create).await] {
            response.assert_error(400, "ValidationError", &message, Some("ExpiresInMinutes"));
            assert!(response.header("api-supported-versions").is_some());
        }
    }
    assert_eq!(emulator.identity_count(), identities);
}

#[tokio::test]
async fn body_without_json_content_type_is_ignored() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let send = async |path: &str, body: &str, content_type: &'static str| {
        let target = format!("{path}{VERSION}");
        let mut request = client.signed("POST", &target, body).build().unwrap();
        request
            .headers_mut()
            .insert("content-type", content_type.parse().unwrap());
        let response = client.http.execute(request).await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let create = r#"{"createTokenWithScopes":["chat"]}"#;
    let (status, body) = send("/identities", create, "text/plain").await;
    assert_eq!((status, body.get("accessToken")), (201, None));
    let issue = format!("/identities/{id}/:issueAccessToken");
    let (status, body) = send(&issue, r#"{"scopes":["chat"]}"#, "text/plain").await;
    assert_eq!((status, &body["error"]["target"]), (400, &json!("Scopes")));

    for json_type in ["application/json; charset=utf-8", "Application/JSON"] {
        let (status, body) = send("/identities", create, json_type).await;
        assert_eq!((status, body.get("accessToken").is_some()), (201, true), "{json_type}");
    }
}

#[tokio::test]
async fn invalid_json_and_wrong_form_differ() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for (body, status, code) in [
        ("{", 422, "InvalidJson"),
        ("secret", 422, "InvalidJson"),
        (r#"{"createTokenWithScopes":"secret"}"#, 400, "ValidationError"),
        (
            r#"{"createTokenWithScopes":["chat"],"expiresInMinutes":"secret"}"#,
            400,
            "ValidationError",
        ),
        ("\"secret\"", 400, "ValidationError"),
        (r#"[["chat"],60,null]"#, 400, "ValidationError"),
        (r#"[["chat"],60,null"#, 422, "InvalidJson"),
        (r#"{"createTokenWithScopes":"secret","#, 422, "InvalidJson"),
    ] {
        let response = client.send("POST", &format!("/identities{VERSION}"), body).await;
        assert_eq!(
            (response.status, response.text("/error/code").as_str()),
            (status, code),
            "{body}"
        );
        assert!(!response.body.to_string().contains("secret"), "{body}");
    }
    assert_eq!(emulator.identity_count(), 0);

    let id = client.create().await;
    for body in [json!([["chat"], 60]), json!([["chat"]])] {
        let response = client.issue(&id, body.clone()).await;
        assert_eq!(
            (response.status, response.text("/error/code").as_str()),
            (400, "ValidationError"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn other_requests_are_not_found_or_not_allowed() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    for (method, path, status) in [
        ("GET", format!("/identities/{id}"), 405),
        ("PUT", format!("/identities/{id}"), 405),
        ("PUT", "/identities".to_owned(), 405),
        ("GET", "/".to_owned(), 404),
        ("DELETE", "/identities//".to_owned(), 404),
        ("POST", format!("/identities/{id}/:issue"), 404),
        ("POST", format!("/identities/{id}/issueAccessToken"), 404),
    ] {
        let response: Response = client.send(method, &format!("{path}{VERSION}"), "").await;
        assert_eq!(response.status, status, "{method} {path}");
        assert!(response.body.pointer("/error/message").is_some(), "{method} {path}");
        assert_eq!(response.header("api-supported-versions"), None, "{method} {path}");
    }
    assert_eq!(emulator.identity_count(), 1);
}
