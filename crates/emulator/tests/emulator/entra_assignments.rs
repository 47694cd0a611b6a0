//! Assignments of users, groups and tenants of Entra ID.

use crate::client::{Client, PREVIEW, Response, start};
use serde_json::{Value, json};

const TENANT: &str = "3f14cf17-84d5-42c2-8689-a6365c474b4e";
const OBJECT: &str = "350adb03-7be9-4846-b078-35adb0d0e119";
const CLIENT: &str = "07474a86-625a-452f-977b-db4e13f21260";

fn target(object_id: &str) -> String {
    format!("/access/entra/assignments/{object_id}{PREVIEW}")
}

async fn put(client: &Client, object_id: &str, body: Value) -> Response {
    client.send("PUT", &target(object_id), &body.to_string()).await
}

async fn get(client: &Client, object_id: &str) -> Response {
    client.send("GET", &target(object_id), "").await
}

async fn list(client: &Client) -> Response {
    client
        .send("GET", &format!("/access/entra/assignments{PREVIEW}"), "")
        .await
}

#[tokio::test]
async fn assignment_is_created_replaced_and_deleted() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    assert_not_found(&get(&client, OBJECT).await);
    for (principal_type, client_ids, status) in [
        ("user", json!([CLIENT]), 201),
        ("group", json!([CLIENT, TENANT]), 200),
        ("tenant", json!([]), 200),
    ] {
        let body = json!({"principalType": principal_type, "tenantId": TENANT, "clientIds": client_ids});
        let response = put(&client, OBJECT, body).await;
        let expected = json!({
            "objectId": OBJECT,
            "tenantId": TENANT,
            "principalType": principal_type,
            "clientIds": client_ids,
        });
        assert_eq!((response.status, &response.body), (status, &expected));
        assert_eq!(response.header("api-supported-versions"), Some("2025-03-02-preview"));
        let read = get(&client, OBJECT).await;
        assert_eq!((read.status, &read.body), (200, &expected));
    }
    for _ in 0..2 {
        let deleted = client.send("DELETE", &target(OBJECT), "").await;
        assert_eq!((deleted.status, &deleted.body), (204, &Value::Null));
        assert_not_found(&get(&client, OBJECT).await);
    }
}

#[tokio::test]
async fn the_list_has_every_assignment() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let empty = list(&client).await;
    assert_eq!((empty.status, &empty.body), (200, &json!({"value": []})));

    let body = json!({"principalType": "user", "tenantId": TENANT, "clientIds": [CLIENT]});
    for object_id in [OBJECT, CLIENT] {
        put(&client, object_id, body.clone()).await;
    }
    let of =
        |object_id| json!({"objectId": object_id, "tenantId": TENANT, "principalType": "user", "clientIds": [CLIENT]});
    assert_eq!(list(&client).await.body, json!({"value": [of(CLIENT), of(OBJECT)]}));
    client.send("DELETE", &target(CLIENT), "").await;
    assert_eq!(list(&client).await.body, json!({"value": [of(OBJECT)]}));
}

#[tokio::test]
async fn members_and_ids_are_checked_first() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let good = json!({"principalType": "user", "tenantId": TENANT, "clientIds": [CLIENT]});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let required = |field: &str| format!("{field}: The {field} field is required.");
    let supported = "Invalid principalType - Supported types are user, group, tenant.".to_owned();
    let malformed = |field: &str| format!("Provided {field} has invalid format.");
    for (body, message, target) in [
        (Value::Null, required("PrincipalType"), "PrincipalType"),
        (
            with("principalType", json!(null)),
            required("PrincipalType"),
            "PrincipalType",
        ),
        (
            with("principalType", json!("resourceAccount")),
            supported,
            "principalType",
        ),
        (with("tenantId", json!(null)), required("TenantId"), "TenantId"),
        (with("tenantId", json!("")), required("TenantId"), "TenantId"),
        (with("tenantId", json!("x")), malformed("TenantId"), "tenantId"),
        (with("clientIds", json!(null)), required("ClientIds"), "ClientIds"),
        (
            with("clientIds", json!([CLIENT, ""])),
            malformed("ClientIds"),
            "clientIds",
        ),
    ] {
        put(&client, OBJECT, body)
            .await
            .assert_error(400, "ValidationError", &message, Some(target));
    }
    let by_position = put(&client, OBJECT, json!(["user", TENANT, []])).await;
    assert_eq!(
        (by_position.status, by_position.text("/error/code").as_str()),
        (400, "ValidationError")
    );
    for bad in ["x", "%FF"] {
        for (method, body) in [("GET", ""), ("DELETE", ""), ("PUT", good.to_string().as_str())] {
            let response = client.send(method, &target(bad), body).await;
            response.assert_error(400, "ValidationError", &malformed("ObjectId"), Some("objectId"));
        }
    }
    assert_eq!(list(&client).await.body, json!({"value": []}));
}

#[tokio::test]
async fn assignments_need_authentication_and_a_method() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for path in [
        "/access/entra/assignments".to_owned(),
        format!("/access/entra/assignments/{OBJECT}"),
    ] {
        assert_eq!(
            client.send("PATCH", &format!("{path}{PREVIEW}"), "{}").await.status,
            405
        );
        assert_eq!(
            Response::of(client.unsigned("GET", &format!("{path}{PREVIEW}"), ""))
                .await
                .status,
            401
        );
    }
}

#[track_caller]
fn assert_not_found(response: &Response) {
    response.assert_error(404, "NotFound", "There is no such assignment.", None);
}
