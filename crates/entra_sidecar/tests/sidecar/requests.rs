//! The requests on the wire, as the sidecar's source binds them: names of parameters, verbs, paths.

use crate::setup::{Setup, USER, echoing};
use azure_core::{Uuid, http::Method};
use entra_sidecar::{
    Agent, DownstreamRequest, SidecarClient, TokenOverrides,
    models::{SidecarClientAuthorizationHeaderOptions, SidecarClientCallDownstreamApiOptions},
};
use fake_entra_sidecar::{AllowOverrides, DownstreamApi, RecordedRequest};
use serde_json::json;

const AGENT: &str = "a9a8f3de-6a8d-4c52-a1c6-91f3d3ab4f10";

fn agent_id() -> Uuid {
    Uuid::parse_str(AGENT).unwrap()
}

fn pairs(request: &RecordedRequest) -> Vec<(&str, &str)> {
    request.query.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect()
}

#[tokio::test]
async fn header_requests_without_options_have_no_query() {
    let setup = Setup::of(echoing().api("A b/c%é", DownstreamApi::new(["api://x/.default"]).request_app_token())).await;
    let header = setup
        .client
        .authorization_header("Graph", &setup.caller, None)
        .await
        .unwrap();
    assert_eq!(header.scheme(), "Bearer");
    setup.client.authorization_header_as_app("A b/c%é", None).await.unwrap();

    let [named, app] = &setup.sidecar.requests()[..] else {
        panic!("{:?}", setup.sidecar.requests());
    };
    assert_eq!(
        (named.method.as_str(), named.path.as_str()),
        ("GET", "/AuthorizationHeader/Graph")
    );
    assert_eq!(
        named.headers["authorization"],
        format!("Bearer {}", setup.caller.token().secret())
    );
    assert_eq!(named.headers["accept"], "application/json");
    assert_eq!(app.path, "/AuthorizationHeaderUnauthenticated/A%20b%2Fc%25%C3%A9");
    assert_eq!(app.headers.get("authorization"), None);
    assert!(named.query.is_empty() && app.query.is_empty());
}

#[tokio::test]
async fn every_parameter_has_the_name_that_is_bound() {
    let setup = Setup::new().await;
    let options = SidecarClientAuthorizationHeaderOptions {
        agent: Some(Agent::UserByName {
            agent_id: agent_id(),
            username: "agent+1@contoso.com".to_owned(),
        }),
        overrides: TokenOverrides {
            scopes: vec!["User.Read".to_owned(), "Mail.Read".to_owned()],
            request_app_token: true,
            tenant: Some("contoso.com".to_owned()),
            force_refresh: true,
            claims: Some(r#"{"access_token":{"acrs":{"value":"c1 & c2"}}}"#.to_owned()),
            correlation_id: Some(Uuid::parse_str(USER).unwrap()),
            fmi_path: Some("/a/b".to_owned()),
            long_running_web_api_session_key: Some("key".into()),
            pop_public_key: Some("jwk".to_owned()),
            managed_identity_client_id: Some("mi".to_owned()),
        },
        request: Some(
            DownstreamRequest::patch("users/1?$select=id")
                .accept("text/csv")
                .header("ConsistencyLevel", "eventual")
                .query("$Top", "10"),
        ),
        ..Default::default()
    };
    setup
        .client
        .authorization_header("Graph", &setup.caller, Some(options))
        .await
        .unwrap();

    let requests = setup.sidecar.requests();
    assert_eq!(
        pairs(&requests[0]),
        [
            ("AgentIdentity", AGENT),
            ("AgentUsername", "agent+1@contoso.com"),
            ("optionsOverride.Scopes", "User.Read"),
            ("optionsOverride.Scopes", "Mail.Read"),
            ("optionsOverride.RequestAppToken", "true"),
            ("optionsOverride.AcquireTokenOptions.Tenant", "contoso.com"),
            ("optionsOverride.AcquireTokenOptions.ForceRefresh", "true"),
            (
                "optionsOverride.AcquireTokenOptions.Claims",
                r#"{"access_token":{"acrs":{"value":"c1 & c2"}}}"#
            ),
            ("optionsOverride.AcquireTokenOptions.CorrelationId", USER),
            ("optionsOverride.AcquireTokenOptions.FmiPath", "/a/b"),
            ("optionsOverride.AcquireTokenOptions.LongRunningWebApiSessionKey", "key"),
            ("optionsOverride.AcquireTokenOptions.PopPublicKey", "jwk"),
            (
                "optionsOverride.AcquireTokenOptions.ManagedIdentity.UserAssignedClientId",
                "mi"
            ),
            ("optionsOverride.HttpMethod", "PATCH"),
            ("optionsOverride.RelativePath", "users/1?$select=id"),
            ("optionsOverride.AcceptHeader", "text/csv"),
            ("optionsOverride.ExtraHeaderParameters.consistencylevel", "eventual"),
            ("optionsOverride.ExtraQueryParameters.$Top", "10"),
        ]
    );

    // The names are those that the sidecar's OpenAPI document lists, and its source binds: the fake sidecar bound each of them.
    let acquisition = &setup.sidecar.acquisitions()[0];
    let agent = acquisition.agent.as_ref().unwrap();
    assert_eq!(
        (agent.identity.as_str(), agent.username.as_deref()),
        (AGENT, Some("agent+1@contoso.com"))
    );
    let options = &acquisition.options;
    assert_eq!(options.scopes.as_deref().unwrap(), ["User.Read", "Mail.Read"]);
    assert!(options.request_app_token);
    assert_eq!(options.acquire_token.len(), 8);
    assert_eq!(
        (
            options.http_method.as_str(),
            options.relative_path.as_str(),
            options.accept.as_str()
        ),
        ("PATCH", "users/1?$select=id", "text/csv")
    );
    assert_eq!(options.headers["consistencylevel"], "eventual");
    assert_eq!(options.query["$Top"], "10");
}

#[tokio::test]
async fn each_kind_of_agent_has_its_parameters() {
    let setup = Setup::new().await;
    let user_id = Uuid::parse_str(USER).unwrap();
    let agent_id = agent_id();
    for agent in [Agent::Autonomous { agent_id }, Agent::UserById { agent_id, user_id }] {
        let options = SidecarClientAuthorizationHeaderOptions {
            agent: Some(agent),
            ..Default::default()
        };
        setup
            .client
            .authorization_header("Graph", &setup.caller, Some(options))
            .await
            .unwrap();
    }
    let requests = setup.sidecar.requests();
    assert_eq!(pairs(&requests[0]), [("AgentIdentity", AGENT)]);
    assert_eq!(pairs(&requests[1]), [("AgentIdentity", AGENT), ("AgentUserId", USER)]);
}

#[tokio::test]
async fn the_verb_is_sent_with_any_override() {
    let setup =
        Setup::of(echoing().api("Mail", DownstreamApi::new(["Mail.Send"]).request("POST", "me/sendMail"))).await;
    // The configured request stays unchanged.
    let sent = DownstreamRequest::as_configured().json(&json!({})).unwrap();
    let response = setup
        .client
        .call_downstream_api("Mail", &setup.caller, sent, None)
        .await
        .unwrap();
    let echo: serde_json::Value = response.json().unwrap().unwrap();
    assert_eq!(
        (&echo["method"], &echo["path"], &echo["body"]),
        (&json!("POST"), &json!("me/sendMail"), &json!("{}"))
    );
    assert!(setup.sidecar.requests()[0].query.is_empty());

    // An override of the token would make a GET of it, so it is refused.
    let overrides = TokenOverrides {
        tenant: Some("contoso.com".to_owned()),
        ..Default::default()
    };
    let options = SidecarClientCallDownstreamApiOptions {
        overrides: overrides.clone(),
        ..Default::default()
    };
    for request in [
        DownstreamRequest::as_configured().accept("text/csv"),
        DownstreamRequest::as_configured().header("a", "b"),
        DownstreamRequest::as_configured().query("a", "b"),
    ] {
        let error = setup
            .client
            .call_downstream_api("Mail", &setup.caller, request, None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("name the verb"), "{error}");
    }
    let request = DownstreamRequest::as_configured();
    let refused = setup
        .client
        .call_downstream_api("Mail", &setup.caller, request, Some(options.clone()))
        .await;
    assert!(refused.unwrap_err().to_string().contains("name the verb"));
    assert_eq!(setup.sidecar.requests().len(), 1);

    // With its verb it stays the same, and so does the configured path.
    let request = DownstreamRequest::post("");
    let response = setup
        .client
        .call_downstream_api("Mail", &setup.caller, request, Some(options))
        .await
        .unwrap();
    let echo: serde_json::Value = response.json().unwrap().unwrap();
    assert_eq!(
        (&echo["method"], &echo["path"]),
        (&json!("POST"), &json!("me/sendMail"))
    );

    // The verb of a header is sent too.
    let options = SidecarClientAuthorizationHeaderOptions {
        overrides,
        ..Default::default()
    };
    setup
        .client
        .authorization_header("Mail", &setup.caller, Some(options))
        .await
        .unwrap();
    assert!(pairs(setup.sidecar.requests().last().unwrap()).contains(&("optionsOverride.HttpMethod", "GET")));
}

#[tokio::test]
async fn calls_with_every_verb_are_post_requests() {
    let setup = Setup::of(
        echoing()
            .api("App", DownstreamApi::new(["a/.default"]).request_app_token())
            .allow_overrides(AllowOverrides::everywhere()),
    )
    .await;
    for method in [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
    ] {
        let request = || DownstreamRequest::new(method, "a/b").text("text/plain", "t€xt");
        let named = setup
            .client
            .call_downstream_api("Graph", &setup.caller, request(), None)
            .await
            .unwrap();
        let app = setup
            .client
            .call_downstream_api_as_app("App", request(), None)
            .await
            .unwrap();
        for response in [named, app] {
            let echo: serde_json::Value = response.json().unwrap().unwrap();
            assert_eq!(echo["method"], method.as_str());
            assert_eq!(echo["path"], "a/b");
            assert_eq!(
                (&echo["contentType"], &echo["body"]),
                (&json!("text/plain"), &json!("t€xt"))
            );
        }
    }
    for request in setup.sidecar.requests() {
        assert_eq!(request.method, "POST");
        let is_named = request.path == "/DownstreamApi/Graph";
        assert!(is_named || request.path == "/DownstreamApiUnauthenticated/App");
        assert_eq!(request.headers.contains_key("authorization"), is_named);
    }
}

#[tokio::test]
async fn segments_of_a_path_are_encoded() {
    let setup = Setup::new().await;
    let outside = "a/../b?c=d&e#f%2F ä";
    let path = || ["users", outside];
    for (request, method) in [
        (DownstreamRequest::get_path(path()), "GET"),
        (DownstreamRequest::post_path(path()), "POST"),
        (DownstreamRequest::put_path(path()), "PUT"),
        (DownstreamRequest::patch_path(path()), "PATCH"),
        (DownstreamRequest::delete_path(path()), "DELETE"),
        (DownstreamRequest::with_path(Method::Head, path()), "HEAD"),
    ] {
        let request = request.query("$top", "1");
        let response = setup.client.call_downstream_api("Graph", &setup.caller, request, None);
        let echo: serde_json::Value = response.await.unwrap().json().unwrap().unwrap();
        assert_eq!(echo["method"], method);
        // Python: urllib.parse.quote(outside, safe="")
        assert_eq!(echo["path"], "users/a%2F..%2Fb%3Fc%3Dd%26e%23f%252F%20%C3%A4");
        assert_eq!(echo["query"], json!({ "$top": "1" }));
    }
}

#[tokio::test]
async fn the_fake_sidecar_accepts_post_only() {
    let setup = Setup::new().await;
    let http_client = reqwest::Client::builder().no_proxy().build().unwrap();
    let address = format!("{}/DownstreamApi/Graph", setup.sidecar.url());
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let request = http_client.request(method.parse().unwrap(), &address);
        let status = request
            .bearer_auth(setup.caller.token().secret())
            .send()
            .await
            .unwrap()
            .status();
        assert_eq!(status, 405, "{method}");
    }
}

#[tokio::test]
async fn empty_bodies_are_sent() {
    let setup = Setup::new().await;
    for body in [json!({}), json!([]), json!(null)] {
        let request = DownstreamRequest::post("x").json(&body).unwrap();
        let response = setup
            .client
            .call_downstream_api("Graph", &setup.caller, request, None)
            .await
            .unwrap();
        let echo: serde_json::Value = response.json().unwrap().unwrap();
        assert_eq!(
            (&echo["contentType"], &echo["body"]),
            (&json!("application/json"), &json!(body.to_string()))
        );
    }
    let request = DownstreamRequest::post("x");
    setup
        .client
        .call_downstream_api("Graph", &setup.caller, request, None)
        .await
        .unwrap();
    let last = setup.sidecar.requests().pop().unwrap();
    assert_eq!((last.headers.get("content-type"), last.body.as_str()), (None, ""));
}

#[tokio::test]
async fn values_that_the_sidecar_would_ignore_are_refused() {
    let setup = Setup::new().await;
    let nil = Uuid::nil();
    let agents = [
        Agent::Autonomous { agent_id: nil },
        Agent::UserById {
            agent_id: agent_id(),
            user_id: nil,
        },
        Agent::UserByName {
            agent_id: agent_id(),
            username: " ".to_owned(),
        },
    ];
    for agent in agents {
        let options = SidecarClientAuthorizationHeaderOptions {
            agent: Some(agent.clone()),
            ..Default::default()
        };
        assert!(
            setup
                .client
                .authorization_header("Graph", &setup.caller, Some(options))
                .await
                .is_err(),
            "{agent:?}"
        );
    }
    let get = || DownstreamRequest::get("me");
    for request in [
        get().header("Authorization", "x"),
        get().header("cookie", "x"),
        get().header("HOST", "x"),
        get().header("Accept", "x"),
        get().header("Content-Type", "x"),
        get().header("X-Forwarded-For", "x"),
        get().header("X-MS-TOKEN-AAD-ID-TOKEN", "x"),
        get().header("X-MS-CLIENT-PRINCIPAL", "x"),
        get().header("a b", "x"),
        get().header("", "x"),
        get().header("a", ""),
        get().header("a", "x\r\nb: c"),
        get().query("", "x"),
        get().query("$filter", ""),
        get().query("Top", "1").query("top", "2"),
        get().accept(""),
        DownstreamRequest::get("me\n"),
        DownstreamRequest::get_path(["users", ".."]),
        DownstreamRequest::delete_path(["users", ""]),
        DownstreamRequest::get_path::<&str>([]),
        DownstreamRequest::post("me").text("json", "{}"),
        DownstreamRequest::post("me").text("", "{}"),
        DownstreamRequest::as_configured().text("json", "{}"),
        DownstreamRequest::as_configured().text("", "{}"),
        DownstreamRequest::as_configured().text("text/plain\r\na: b", "{}"),
    ] {
        assert!(
            setup
                .client
                .call_downstream_api("Graph", &setup.caller, request, None)
                .await
                .is_err()
        );
    }
    for name in ["", " ", ".", ".."] {
        let error = setup
            .client
            .authorization_header(name, &setup.caller, None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("the name of the API"), "{error}");
    }
    assert!(setup.sidecar.requests().is_empty());
}

#[tokio::test]
async fn blank_overrides_are_refused() {
    let setup = Setup::new().await;
    let text = || Some(" ".to_owned());
    for overrides in [
        TokenOverrides {
            scopes: vec!["a".to_owned(), String::new()],
            ..Default::default()
        },
        TokenOverrides {
            tenant: Some(String::new()),
            ..Default::default()
        },
        TokenOverrides {
            tenant: text(),
            ..Default::default()
        },
        TokenOverrides {
            claims: text(),
            ..Default::default()
        },
        TokenOverrides {
            correlation_id: Some(Uuid::nil()),
            ..Default::default()
        },
        TokenOverrides {
            fmi_path: text(),
            ..Default::default()
        },
        TokenOverrides {
            long_running_web_api_session_key: Some("".into()),
            ..Default::default()
        },
        TokenOverrides {
            pop_public_key: text(),
            ..Default::default()
        },
        TokenOverrides {
            managed_identity_client_id: text(),
            ..Default::default()
        },
    ] {
        let options = SidecarClientAuthorizationHeaderOptions {
            overrides,
            ..Default::default()
        };
        let error = setup
            .client
            .authorization_header("Graph", &setup.caller, Some(options))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("would pass over"), "{error}");
    }
    assert!(setup.sidecar.requests().is_empty());
}

#[tokio::test]
async fn the_last_value_of_a_header_counts() {
    let setup = Setup::new().await;
    let request = DownstreamRequest::get("me").header("Prefer", "a").header("prefer", "b");
    let response = setup
        .client
        .call_downstream_api("Graph", &setup.caller, request, None)
        .await
        .unwrap();
    let echo: serde_json::Value = response.json().unwrap().unwrap();
    assert_eq!(echo["headers"], json!({ "prefer": "b" }));
}

#[tokio::test]
async fn the_fake_sidecar_binds_overrides_as_the_source_does() {
    let setup = Setup::new().await;
    let parameters = [
        ("optionsOverride.ExtraQueryParameters.Top", "1"),
        ("optionsoverride.extraqueryparameters.top", "2"),
        ("optionsOverride.ExtraHeaderParameters.Prefer", "a"),
        ("optionsOverride.ExtraHeaderParameters.PREFER", "b"),
        ("optionsOverride.ExtraHeaderParameters.Cookie", "x"),
        ("optionsOverride.ExtraHeaderParameters.x-forwarded-for", "x"),
        ("optionsOverride.ExtraHeaderParameters.X-MS-TOKEN-AAD-ID-TOKEN", "x"),
        ("optionsOverride.ExtraHeaderParameters.Content-Language", "x"),
    ];
    let mut address: reqwest::Url = format!("{}/DownstreamApi/Graph", setup.sidecar.url()).parse().unwrap();
    address.query_pairs_mut().extend_pairs(parameters);
    let http_client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http_client.post(address).bearer_auth(setup.caller.token().secret());
    let result: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    let echo: serde_json::Value = serde_json::from_str(result["content"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&echo["query"], &echo["headers"]),
        (&json!({ "Top": "2" }), &json!({ "Prefer": "b" }))
    );
}

#[tokio::test]
async fn bodies_that_json_cannot_represent_are_refused() {
    // JSON has no keys that are lists.
    let body = std::collections::BTreeMap::from([(vec!["SECRET"], 1)]);
    let error = DownstreamRequest::post("me").json(&body).unwrap_err();
    assert_eq!(*error.kind(), azure_core::error::ErrorKind::Other);
    assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
    let error = entra_sidecar::web::HandlerError::from(error);
    assert_eq!((error.status(), error.code()), (500, "internal_error"));
}

#[tokio::test]
async fn a_base_url_may_have_a_path() {
    let setup = Setup::new().await;
    let client = SidecarClient::new(
        &format!("{}/sidecar/", setup.sidecar.url()),
        Some(crate::setup::options()),
    )
    .unwrap();
    let error = client
        .authorization_header("Graph", &setup.caller, None)
        .await
        .unwrap_err();
    assert_eq!(error.http_status().map(u16::from), Some(404));
    assert_eq!(setup.sidecar.requests()[0].path, "/sidecar/AuthorizationHeader/Graph");
}

#[test]
fn invalid_options_are_refused() {
    use azure_core::time::Duration;
    for timeout in [Duration::ZERO, -Duration::SECOND] {
        let options = entra_sidecar::SidecarClientOptions {
            timeout: Some(timeout),
            ..Default::default()
        };
        let error = SidecarClient::new("http://localhost:5000", Some(options)).unwrap_err();
        assert!(error.to_string().contains("timeout"), "{error}");
    }
    for id in ["a b", "0123456789012345678901234"] {
        let mut options = entra_sidecar::SidecarClientOptions::default();
        options.client_options.user_agent.application_id = Some(id.to_owned());
        let error = SidecarClient::new("http://localhost:5000", Some(options)).unwrap_err();
        assert!(error.to_string().contains("application_id"), "{error}");
    }
}

#[tokio::test]
async fn the_default_transport_ignores_proxies() {
    // `.ci/run` sets proxies that refuse connections.
    let setup = Setup::new().await;
    for options in [None, Some(entra_sidecar::SidecarClientOptions::default())] {
        let client = SidecarClient::new(&setup.sidecar.url(), options).unwrap();
        client.authorization_header("Graph", &setup.caller, None).await.unwrap();
    }
}
