//! Requests in forms that the service's stack takes beside the documented ones, and that `--strict` does not.

use crate::client::{Client, PREVIEW, Response, VERSION, builder, http, start};
use acs_identity_emulator::{Emulator, EntraTokenRequest};
use serde_json::{Value, json};

const TENANT: &str = "3f14cf17-84d5-42c2-8689-a6365c474b4e";
const OBJECT: &str = "350adb03-7be9-4846-b078-35adb0d0e119";

/// An emulator of each kind, and the status that it has for a form that only the lenient one takes.
async fn both(lenient: u16, strict: u16) -> [(Emulator, u16); 2] {
    let start = async |strict| builder().strict(strict).start().await.unwrap();
    [(start(false).await, lenient), (start(true).await, strict)]
}

/// The last request in the list.
async fn last(emulator: &Emulator) -> Value {
    let list = Response::of(http().get(format!("{}requests", emulator.control_endpoint()))).await;
    list.body["requests"][0].clone()
}

#[tokio::test]
async fn paths_match_decoded_in_any_case_and_with_a_slash() {
    for (emulator, status) in both(0, 404).await {
        let https = Client::over_https(&emulator);
        let id = https.create().await;
        let encoded = id.replace(':', "%3A").replace('8', "%38");
        let assignment = format!("tenants/{TENANT}/assignments/{OBJECT}");
        for (method, path, query, body, operation, ok) in [
            ("POST", "/Identities".to_owned(), VERSION, "", "createIdentity", 201),
            ("POST", "/identities/".to_owned(), VERSION, "", "createIdentity", 201),
            ("POST", "/%69dentities".to_owned(), VERSION, "", "createIdentity", 201),
            ("POST", "/IDENTITIES/".to_owned(), VERSION, "", "createIdentity", 201),
            (
                "POST",
                format!("/identities/{encoded}/%3AissueAccessToken"),
                VERSION,
                r#"{"scopes":["chat"]}"#,
                "issueToken",
                200,
            ),
            (
                "POST",
                format!("/identities/{id}/:issueaccesstoken/"),
                VERSION,
                r#"{"scopes":["chat"]}"#,
                "issueToken",
                200,
            ),
            (
                "POST",
                format!("/identities/{encoded}/%3arevokeAccessTokens"),
                VERSION,
                "",
                "revokeTokens",
                204,
            ),
            (
                "DELETE",
                format!("/identities/{encoded}/"),
                VERSION,
                "",
                "deleteIdentity",
                204,
            ),
            (
                "PUT",
                format!("/Access/teamsextension/{assignment}"),
                VERSION,
                r#"{"principalType":"user"}"#,
                "putTeamsExtensionAssignment",
                201,
            ),
            (
                "GET",
                format!("/access/%74eamsExtension/{assignment}/"),
                VERSION,
                "",
                "getTeamsExtensionAssignment",
                200,
            ),
            (
                "GET",
                "/access/entra/assignments/".to_owned(),
                PREVIEW,
                "",
                "listEntraAssignments",
                200,
            ),
        ] {
            let response = https.send(method, &format!("{path}{query}"), body).await;
            let expected = if status == 404 { 404 } else { ok };
            assert_eq!(response.status, expected, "{method} {path}: {}", response.body);
            let listed = last(&emulator).await;
            let expected = if status == 404 { Value::Null } else { operation.into() };
            assert_eq!(
                (&listed["path"], &listed["operation"]),
                (&path.clone().into(), &expected)
            );
        }
    }
}

#[tokio::test]
async fn exchanges_match_decoded_too() {
    for (emulator, status) in both(403, 401).await {
        let https = Client::over_https(&emulator);
        let user = emulator
            .mint_entra_token(&EntraTokenRequest::teams_extension_user())
            .await
            .unwrap();
        for path in [
            "/access/teamsExtension/%3AexchangeAccessToken",
            "/access/teamsextension/:exchangeaccesstoken/",
        ] {
            // On an unknown path, a user's token is checked as the owner's.
            let response = https.exchange_own(&format!("{path}{VERSION}"), &user.token).await;
            assert_eq!(response.status, status, "{path}");
        }
    }
}

#[tokio::test]
async fn other_paths_match_nothing() {
    for (emulator, status) in both(404, 404).await {
        let client = Client::over_http(&emulator);
        for path in [
            "//identities",
            "/identities//",
            "/identities%2F",
            "/identities/a/b",
            "/identities/a//:issueAccessToken",
            "/identities/a/:issueAccessToken/x",
            "/identities/a/issueAccessToken",
            "/identitie%FF",
            "/",
            "/access",
        ] {
            let response = client.send("POST", &format!("{path}{VERSION}"), "").await;
            assert_eq!(response.status, status, "{path}");
            let explanation = last(&emulator).await["explanation"].as_str().unwrap().to_owned();
            assert!(explanation.starts_with("path: no operation has it"), "{explanation}");
        }
    }
}

#[tokio::test]
async fn other_methods_are_refused_with_the_allowed() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for (method, path, allowed) in [
        ("GET", "/identities", "POST"),
        ("DELETE", "/identities/", "POST"),
        ("GET", "/identities/a", "DELETE"),
        ("HEAD", "/access/entra/assignments", "GET"),
        ("PATCH", "/access/entra/assignments/o", "GET, PUT, DELETE"),
    ] {
        let request = client.signed(method, &format!("{path}{VERSION}"), "");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 405, "{method} {path}");
        assert_eq!(response.headers()["allow"], allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn scope_given_twice_counts_once() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let body = r#"{"createTokenWithScopes":["voip","chat","voip"]}"#;
    let created = create(&client, body, "application/json").await;
    assert_eq!(token_of(&emulator, &created).unwrap().0, "voip,chat");
    let id = created.text("/identity/id");
    let path = format!("/identities/{id}/:issueAccessToken{VERSION}");
    let issued = client.signed("POST", &path, r#"{"scopes":["chat","chat"]}"#);
    let issued = Response::of(issued).await;
    let claims = crate::client::decode(issued.body["token"].as_str().unwrap(), 1);
    assert_eq!(claims["acsScope"], "chat");
}

/// A creation with this body and type.
async fn create(client: &Client, body: &str, content_type: &str) -> Response {
    let request = client.signed("POST", &format!("/identities{VERSION}"), body);
    let (http, request) = request.build_split();
    let mut request = request.unwrap();
    request
        .headers_mut()
        .insert("content-type", content_type.parse().unwrap());
    Response::of(reqwest::RequestBuilder::from_parts(http, request)).await
}

/// The scope and the minutes of the token of a creation; `None` if there is no token.
fn token_of(emulator: &Emulator, created: &Response) -> Option<(String, i64)> {
    let token = created.body.pointer("/accessToken/token")?.as_str().unwrap();
    let claims = crate::client::decode(token, 1);
    let minutes = (claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()) / 60;
    assert_eq!(emulator.token_status(token), acs_identity_emulator::TokenStatus::Active);
    Some((claims["acsScope"].as_str().unwrap().to_owned(), minutes))
}

#[tokio::test]
async fn json_is_read_as_the_services_stack_does() {
    let chat = |minutes| Some(("chat".to_owned(), minutes));
    for (emulator, strict) in both(0, 1).await {
        let client = Client::over_http(&emulator);
        for (body, lenient, strictly) in [
            // Names in any case.
            (r#"{"CreateTokenWithScopes":["chat"]}"#, chat(1440), Ok(None)),
            (
                r#"{"createtokenwithscopes":["chat"],"EXPIRESINMINUTES":60}"#,
                chat(60),
                Ok(None),
            ),
            // A number in a text.
            (
                r#"{"createTokenWithScopes":["chat"],"expiresInMinutes":"60"}"#,
                chat(60),
                Err(400),
            ),
            (
                r#"{"createTokenWithScopes":["chat"],"expiresInMinutes":"+060"}"#,
                chat(60),
                Err(400),
            ),
            // The last of repeated members.
            (
                r#"{"createTokenWithScopes":["voip"],"expiresInMinutes":1,"expiresInMinutes":60,"createTokenWithScopes":["chat"]}"#,
                chat(60),
                Err(400),
            ),
            (
                r#"{"createTokenWithScopes":["voip"],"CreateTokenWithScopes":["chat"]}"#,
                chat(1440),
                Ok(Some(("voip".to_owned(), 1440))),
            ),
            // A byte order mark.
            ("\u{feff}{\"createTokenWithScopes\":[\"chat\"]}", chat(1440), Err(422)),
            // An escape in a name.
            (r#"{"createToken\u0057ithScopes":["chat"]}"#, chat(1440), Ok(chat(1440))),
            // Neither is special.
            (
                r#"{"createTokenWithScopes":["chat"],"x":1e999,"x":{"x":[]}}"#,
                chat(1440),
                Ok(chat(1440)),
            ),
        ] {
            let created = create(&client, body, "application/json").await;
            let expected = if strict == 1 { strictly } else { Ok(lenient) };
            let seen = if created.status == 201 {
                Ok(token_of(&emulator, &created))
            } else {
                Err(created.status)
            };
            assert_eq!(seen, expected, "strict: {strict}: {body}");
        }
    }
}

#[tokio::test]
async fn members_of_another_form_are_refused_by_name() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for (body, member) in [
        (r#"{"expiresInMinutes":"secret"}"#, "expiresInMinutes"),
        (r#"{"ExpiresInMinutes":" 60"}"#, "expiresInMinutes"),
        (r#"{"expiresInMinutes":"60.0"}"#, "expiresInMinutes"),
        (r#"{"expiresInMinutes":""}"#, "expiresInMinutes"),
        (r#"{"expiresInMinutes":60.5}"#, "expiresInMinutes"),
        (r#"{"expiresInMinutes":99999999999}"#, "expiresInMinutes"),
        (r#"{"expiresInMinutes":["60"]}"#, "expiresInMinutes"),
        (r#"{"CreateTokenWithScopes":"secret"}"#, "createTokenWithScopes"),
        (r#"{"createTokenWithScopes":[60]}"#, "createTokenWithScopes"),
        (r#"{"createTokenWithScopes":{"secret":1}}"#, "createTokenWithScopes"),
    ] {
        let message = format!("The member '{member}' of the request body does not have the expected form.");
        let refused = create(&client, body, "application/json").await;
        refused.assert_error(400, "ValidationError", &message, None);
    }
    for body in ["[]", "1", r#""secret""#, "true"] {
        let refused = create(&client, body, "application/json").await;
        refused.assert_error(400, "ValidationError", "The request body is not an object.", None);
    }
    for body in ["null", "{}", " \n {} "] {
        assert_eq!(create(&client, body, "application/json").await.status, 201, "{body}");
    }
}

#[tokio::test]
async fn every_type_of_json_is_read() {
    for (emulator, strict) in both(0, 1).await {
        let client = Client::over_http(&emulator);
        for (content_type, lenient, strictly) in [
            ("application/json", true, true),
            ("Application/JSON; charset=utf-8", true, true),
            ("text/json", true, false),
            ("text/json;charset=utf-8", true, false),
            ("application/problem+json", true, false),
            ("application/vnd.api+JSON", true, false),
            ("application/+json", false, false),
            ("text/vnd+json", false, false),
            ("application/jsonx", false, false),
            ("application/x-www-form-urlencoded", false, false),
            ("text/plain", false, false),
        ] {
            let created = create(&client, r#"{"createTokenWithScopes":["chat"]}"#, content_type).await;
            assert_eq!(created.status, 201, "{content_type}");
            let is_read = token_of(&emulator, &created).is_some();
            let expected = if strict == 1 { strictly } else { lenient };
            assert_eq!(is_read, expected, "strict: {strict}: {content_type}");
        }
    }
}

#[tokio::test]
async fn two_api_versions_are_refused() {
    for (emulator, _) in both(0, 0).await {
        let client = Client::over_http(&emulator);
        let send = async |query: &str| client.send("POST", &format!("/identities?{query}"), "").await;
        for query in [
            "api-version=2023-10-01&api-version=2023-10-01",
            "api-version=2023-10-01&API-VERSION=2023%2D10-01",
            "api%2Dversion=2023-10-01",
            "api-version=&api-version=2023-10-01",
            "api-version&api-version=2023-10-01",
            "a=b&api-version=2023-10-01&api-versions=1",
        ] {
            assert_eq!(send(query).await.status, 201, "{query}");
        }
        for (query, versions) in [
            (
                "api-version=2023-10-01&api-version=2026-09-23",
                "2023-10-01, 2026-09-23",
            ),
            (
                "api-version=2026-09-23&Api-Version=2023-10-01&api-version=1",
                "2026-09-23, 2023-10-01, 1",
            ),
            ("api-version=a&api-version=A&api-version=b", "a, b"),
        ] {
            let message = format!(
                "The following API versions were requested: {versions}. At most, only a single API version may be \
                 specified. Please update the intended API version and retry the request."
            );
            let refused = send(query).await;
            refused.assert_error(400, "AmbiguousApiVersion", &message, None);
        }
        let key = client.access_key.clone();
        let leaks = send(&format!("api-version=1&api-version={key}")).await;
        assert!(!leaks.body.to_string().contains(&key), "{}", leaks.body);
        let long = send(&format!("api-version=1&api-version={}", "9".repeat(9000))).await;
        assert!(long.body.to_string().len() < 1000, "{}", long.body.to_string().len());
    }
}

/// The bodies of every operation are read in the same way.
#[tokio::test]
async fn other_bodies_are_read_in_the_same_way() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let teams_user = emulator
        .mint_entra_token(&EntraTokenRequest::teams_user())
        .await
        .unwrap();
    let body = json!({"TOKEN": teams_user.token, "APPID": teams_user.app_id, "userid": teams_user.user_id});
    let exchanged = client.post("/teamsUser/:exchangeAccessToken", body).await;
    assert_eq!(exchanged.status, 200, "{}", exchanged.body);
    let target = format!("/access/entra/assignments/{OBJECT}{PREVIEW}");
    let body = json!({"PrincipalType": "user", "TenantId": TENANT, "ClientIds": []});
    assert_eq!(client.send("PUT", &target, &body.to_string()).await.status, 201);
    let id = client.create().await;
    assert_eq!(
        client
            .issue(&id, json!({"Scopes": ["chat"], "ExpiresInMinutes": "60"}))
            .await
            .status,
        200
    );
}
