//! The api-versions of each operation.

use crate::client::{Client, Response, VERSIONS, listed, start};
use acs_identity_emulator::EntraTokenRequest;

type Supports = fn(&str) -> bool;

const STABLE: Supports = |version| !version.ends_with("-preview");
const TEAMS_USER: Supports = |version| STABLE(version) && version >= "2022-06-01";
const TEAMS_EXTENSION: Supports = |version| STABLE(version) && version >= "2025-06-30";
const ENTRA: Supports = |version| version.ends_with("-preview");

const ASSIGNMENT: &str = "/access/teamsExtension/tenants/t/assignments/o";

#[tokio::test]
async fn every_operation_has_its_api_versions() {
    let emulator = start().await;
    let https = Client::over_https(&emulator);
    for (method, path, supports) in [
        ("POST", "/identities", STABLE),
        ("DELETE", "/identities/x", STABLE),
        ("POST", "/identities/x/:issueAccessToken", STABLE),
        ("POST", "/identities/x/:revokeAccessTokens", STABLE),
        ("POST", "/teamsUser/:exchangeAccessToken", TEAMS_USER),
        ("GET", ASSIGNMENT, TEAMS_EXTENSION),
        ("PUT", ASSIGNMENT, TEAMS_EXTENSION),
        ("DELETE", ASSIGNMENT, TEAMS_EXTENSION),
        ("GET", "/access/entra/assignments", ENTRA),
        ("GET", "/access/entra/assignments/o", ENTRA),
        ("PUT", "/access/entra/assignments/o", ENTRA),
        ("DELETE", "/access/entra/assignments/o", ENTRA),
    ] {
        let send = async |query: &str| https.send(method, &format!("{path}{query}"), "").await;
        assert_versions(send, supports, &format!("{method} {path}")).await;
    }
    for (path, user, supports) in [
        (
            "/access/teamsExtension/:exchangeAccessToken",
            EntraTokenRequest::teams_extension_user(),
            TEAMS_EXTENSION,
        ),
        (
            "/access/entra/:exchangeAccessToken",
            EntraTokenRequest::entra_user(),
            ENTRA,
        ),
    ] {
        let token = emulator.mint_entra_token(&user).await.unwrap().token;
        let send = async |query: &str| https.exchange_own(&format!("{path}{query}"), &token).await;
        assert_versions(send, supports, path).await;
    }
}

/// Asserts that an operation has these versions and no others, and that the refusal of another lists them.
async fn assert_versions(send: impl AsyncFn(&str) -> Response, supports: Supports, operation: &str) {
    let mut served = Vec::new();
    for version in VERSIONS {
        let response = send(&format!("?api-version={version}")).await;
        if response
            .body
            .pointer("/error/code")
            .is_none_or(|code| code != "UnsupportedApiVersion")
        {
            served.push(version);
        }
    }
    let expected = listed(supports);
    assert_eq!(served.join(", "), expected, "{operation}");
    for query in ["?api-version=2023-10", "?api-version=2025-04-01-preview", ""] {
        let refused = send(query).await;
        assert_eq!(refused.status, 400, "{operation}{query}");
        assert_eq!(
            refused.header("api-supported-versions"),
            Some(&*expected),
            "{operation}"
        );
    }
}

#[tokio::test]
async fn responses_list_the_supported_versions() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let create = async |query: &str| client.send("POST", &format!("/identities{query}"), "").await;
    for version in VERSIONS.into_iter().filter(|version| STABLE(version)) {
        let created = create(&format!("?api-version={version}")).await;
        assert_eq!(created.status, 201, "{version}");
        assert_eq!(created.header("api-supported-versions"), Some(&*listed(STABLE)));
    }
    for version in [
        "2020-07-20-preview2",
        "2025-03-02-preview",
        "2025-04-01-preview",
        "2023-10",
        "1.0",
    ] {
        let message = format!(
            "The HTTP resource that matches the request URI '{}/identities' does not support the API version \
             '{version}'.",
            client.origin
        );
        let refused = create(&format!("?api-version={version}")).await;
        refused.assert_error(400, "UnsupportedApiVersion", &message, None);
    }
    let message = "An API version is required, but was not specified.";
    create("")
        .await
        .assert_error(400, "ApiVersionUnspecified", message, None);
}
