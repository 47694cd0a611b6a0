//! Assignments to Teams Phone extensibility.

use crate::client::{Client, Response, VERSION, start};
use acs_identity_emulator::EntraTokenRequest;
use serde_json::{Value, json};

const TENANT: &str = "c70d068c-2f32-484d-9455-73070cd5aadd";
const OBJECT: &str = "b27b64b9-39d2-44a3-869d-67700b74e805";
const CLIENT: &str = "07474a86-625a-452f-977b-db4e13f21260";

fn target(tenant_id: &str, object_id: &str) -> String {
    format!("/access/teamsExtension/tenants/{tenant_id}/assignments/{object_id}{VERSION}")
}

async fn put(client: &Client, body: Value) -> Response {
    client.send("PUT", &target(TENANT, OBJECT), &body.to_string()).await
}

async fn get(client: &Client) -> Response {
    client.send("GET", &target(TENANT, OBJECT), "").await
}

async fn delete(client: &Client) -> Response {
    client.send("DELETE", &target(TENANT, OBJECT), "").await
}

#[tokio::test]
async fn assignment_is_created_replaced_and_deleted() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    assert_not_found(&get(&client).await);

    let created = put(&client, json!({"principalType": "user", "clientIds": [CLIENT]})).await;
    let expected = json!({"objectId": OBJECT, "tenantId": TENANT, "principalType": "user", "clientIds": [CLIENT]});
    assert_eq!((created.status, &created.body), (201, &expected));
    assert_eq!(created.header("content-type"), Some("application/json; charset=utf-8"));
    let read = get(&client).await;
    assert_eq!((read.status, &read.body), (200, &expected));

    for principal_type in ["user", "resourceAccount", "teamsResourceAccount"] {
        for without in [
            json!({"principalType": principal_type}),
            json!({"principalType": principal_type, "clientIds": null}),
            json!({"principalType": principal_type, "clientIds": []}),
        ] {
            let replaced = put(&client, without).await;
            let expected = json!({"objectId": OBJECT, "tenantId": TENANT, "principalType": principal_type});
            assert_eq!((replaced.status, &replaced.body), (200, &expected));
            assert_eq!(get(&client).await.body, expected);
        }
    }

    for _ in 0..2 {
        let deleted = delete(&client).await;
        assert_eq!((deleted.status, &deleted.body), (204, &Value::Null));
        assert_not_found(&get(&client).await);
    }
    assert_eq!(put(&client, json!({"principalType": "user"})).await.status, 201);
}

#[tokio::test]
async fn assignment_is_of_one_user_in_one_tenant() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    put(&client, json!({"principalType": "user"})).await;
    for (tenant_id, object_id) in [(TENANT, CLIENT), (CLIENT, OBJECT), (OBJECT, TENANT)] {
        let target = target(tenant_id, object_id);
        assert_not_found(&client.send("GET", &target, "").await);
        assert_eq!(client.send("DELETE", &target, "").await.status, 204);
    }
    assert_eq!(get(&client).await.status, 200);
    // GUIDs do not differ in case.
    let upper = target(&TENANT.to_uppercase(), &OBJECT.to_uppercase());
    assert_eq!(client.send("GET", &upper, "").await.text("/objectId"), OBJECT);
    let encoded = target(TENANT, &OBJECT.replace('-', "%2D"));
    assert_eq!(client.send("GET", &encoded, "").await.text("/objectId"), OBJECT);
}

#[tokio::test]
async fn ids_are_guids() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for bad in [
        "x",
        "%FF",
        "8:orgid:b27b64b9-39d2-44a3-869d-67700b74e805",
        "b27b64b939d244a3869d67700b74e805",
        "%7Bb27b64b9-39d2-44a3-869d-67700b74e805%7D",
        "urn:uuid:b27b64b9-39d2-44a3-869d-67700b74e805",
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let body = if method == "PUT" {
                r#"{"principalType":"user"}"#
            } else {
                ""
            };
            let (tenant, object) = (target(bad, OBJECT), target(TENANT, bad));
            let tenant = client.send(method, &tenant, body).await;
            tenant.assert_error(
                400,
                "ValidationError",
                "Provided TenantId has invalid format.",
                Some("tenantId"),
            );
            let object = client.send(method, &object, body).await;
            object.assert_error(
                400,
                "ValidationError",
                "Provided ObjectId has invalid format.",
                Some("objectId"),
            );
        }
    }
}

#[tokio::test]
async fn members_are_checked_first() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let required = "PrincipalType: The PrincipalType field is required.";
    let supported = "Invalid principalType - Supported types are user, resourceAccount, teamsResourceAccount.";
    let client_ids = "Provided ClientIds has invalid format.";
    for (body, message, target) in [
        (Value::Null, required, "PrincipalType"),
        (json!({}), required, "PrincipalType"),
        (json!({"principalType": ""}), required, "PrincipalType"),
        (json!({"principalType": "User"}), supported, "principalType"),
        (json!({"principalType": "group"}), supported, "principalType"),
        (
            json!({"principalType": "user", "clientIds": [CLIENT, "x"]}),
            client_ids,
            "clientIds",
        ),
    ] {
        put(&client, body)
            .await
            .assert_error(400, "ValidationError", message, Some(target));
    }
    for (body, status) in [
        ("{", 422),
        (r#"{"principalType":7}"#, 400),
        (r#"["user",[]]"#, 400),
        (r#"{"principalType":"user","clientIds":"x"}"#, 400),
    ] {
        assert_eq!(
            client.send("PUT", &target(TENANT, OBJECT), body).await.status,
            status,
            "{body}"
        );
    }
    assert_not_found(&get(&client).await);
}

#[tokio::test]
async fn assignments_need_authentication_and_a_method() {
    let emulator = start().await;
    let https = Client::over_https(&emulator);
    let mint = async |request| emulator.mint_entra_token(&request).await.unwrap().token;
    let put_as = async |token: &str| {
        let put = https.unsigned("PUT", &target(TENANT, OBJECT), r#"{"principalType":"user"}"#);
        Response::of(put.bearer_auth(token)).await.status
    };
    assert_eq!(put_as(&mint(EntraTokenRequest::service()).await).await, 201);
    assert_eq!(
        put_as(&mint(EntraTokenRequest::teams_extension_user()).await).await,
        401
    );
    let unsigned = https.unsigned("DELETE", &target(TENANT, OBJECT), "");
    assert_eq!(Response::of(unsigned).await.status, 401);
    assert_eq!(get(&https).await.status, 200);

    let path = format!("/access/teamsExtension/tenants/{TENANT}/assignments/{OBJECT}");
    assert_eq!(https.send("POST", &format!("{path}{VERSION}"), "").await.status, 405);
}

#[track_caller]
fn assert_not_found(response: &Response) {
    response.assert_error(404, "NotFound", "There is no such assignment.", None);
}
