//! Responses of downstream APIs.

use crate::setup::{Setup, echoing};
use entra_sidecar::{
    DownstreamError, DownstreamRequest, TokenOverrides, models::SidecarClientCallDownstreamApiOptions,
};
use fake_entra_sidecar::{ApiResponse, DownstreamApi, FakeSidecar};
use serde_json::{Value, json};

fn responding(response: ApiResponse) -> DownstreamApi {
    DownstreamApi::new(["s"]).respond(move |_| response.clone())
}

#[tokio::test]
async fn responses_with_any_status_are_not_errors() {
    for (api_response, status, content_type, text) in [
        (ApiResponse::status(202), 202, None, None),
        (ApiResponse::status(204), 204, None, None),
        (
            ApiResponse::text(200, "text/html", "<p>"),
            200,
            Some("text/html"),
            Some("<p>"),
        ),
        (ApiResponse::text(200, "text/plain", ""), 200, Some("text/plain"), None),
        (
            ApiResponse::text(302, "text/html", "moved"),
            302,
            Some("text/html"),
            Some("moved"),
        ),
        (
            ApiResponse::json(404, &json!({"e":1})),
            404,
            Some("application/json"),
            Some(r#"{"e":1}"#),
        ),
        (ApiResponse::status(503), 503, None, None),
        (ApiResponse::status(599), 599, None, None),
    ] {
        let setup = Setup::of(FakeSidecar::builder().api("Graph", responding(api_response))).await;
        let request = DownstreamRequest::get("x");
        let response = setup
            .client
            .call_downstream_api("Graph", &setup.caller, request, None)
            .await
            .unwrap();
        assert_eq!(u16::from(response.status()), status);
        assert_eq!(response.header("content-type"), content_type);
        assert_eq!(response.text(), text);
        assert_eq!(response.status().is_success(), response.error_for_status().is_ok());
        assert_eq!(
            setup.sidecar.api_requests().len(),
            1,
            "an API's response is not retried"
        );
    }
}

#[tokio::test]
async fn the_error_for_a_status_shows_no_content() {
    let api_response = ApiResponse::text(403, "text/plain", "SECRET");
    let setup = Setup::of(FakeSidecar::builder().api("Graph", responding(api_response))).await;
    let request = DownstreamRequest::get("x");
    let response = setup
        .client
        .call_downstream_api("Graph", &setup.caller, request, None)
        .await
        .unwrap();
    let error = response.error_for_status().unwrap_err();
    assert_eq!(error.to_string(), "the downstream API Graph answered 403 Forbidden");
    assert_eq!(
        DownstreamError::from_error(&error).unwrap().response().text(),
        Some("SECRET")
    );
}

#[tokio::test]
async fn the_documented_calls_work() {
    let setup = Setup::of(FakeSidecar::builder().api("Graph", DownstreamApi::graph())).await;
    let call = |request| setup.client.call_downstream_api("Graph", &setup.caller, request, None);

    let me: Value = call(DownstreamRequest::get("me"))
        .await
        .unwrap()
        .json()
        .unwrap()
        .unwrap();
    assert_eq!(me["userPrincipalName"], "adelev@contoso.com");
    let messages = call(DownstreamRequest::get("me/messages?$top=10")).await.unwrap();
    let messages: Value = messages.json().unwrap().unwrap();
    assert_eq!(messages["value"].as_array().unwrap().len(), 2);
    let mail = json!({ "message": { "subject": "x" }, "saveToSentItems": false });
    let sent = call(DownstreamRequest::post("me/sendMail").json(&mail).unwrap())
        .await
        .unwrap();
    assert_eq!((u16::from(sent.status()), sent.json::<Value>().unwrap()), (202, None));
    let calls = setup.sidecar.api_requests();
    assert_eq!(calls[1].acquisition.options.relative_path, "me/messages?$top=10");
    assert_eq!(calls[2].body.as_deref(), Some(mail.to_string().as_str()));
}

#[tokio::test]
async fn the_configured_request_is_sent_as_the_application() {
    let api = DownstreamApi::new(["a/.default"])
        .request_app_token()
        .request("PUT", "configured");
    let setup = Setup::of(echoing().api("App", api)).await;
    for request in [
        DownstreamRequest::as_configured(),
        DownstreamRequest::delete("everything").query("a", "b"),
    ] {
        let response = setup
            .client
            .call_downstream_api_as_app("App", request, None)
            .await
            .unwrap();
        let echo: Value = response.json().unwrap().unwrap();
        assert_eq!(
            (&echo["method"], &echo["path"], &echo["query"]),
            (&json!("PUT"), &json!("configured"), &json!({}))
        );
    }
}

/// An API that refuses the tokens in the sidecar's cache.
fn refusing_cached_tokens(status: u16) -> DownstreamApi {
    DownstreamApi::new(["s"]).respond(move |request| {
        let is_forced = request.acquisition.options.acquire_token.contains_key("forcerefresh");
        ApiResponse::status(if is_forced { 200 } else { status })
    })
}

#[tokio::test]
async fn calls_are_sent_again_with_a_new_token_on_request() {
    let get = || DownstreamRequest::get("me");
    let post = || DownstreamRequest::post("me/sendMail").text("text/plain", "x");
    let with_force = TokenOverrides {
        force_refresh: true,
        ..Default::default()
    };
    // The status of the first response, the option, the overrides, the request; the last status, and the number of calls.
    for (first, refresh, overrides, request, last, calls) in [
        (401, true, None, get(), 200, 2),
        (401, true, None, post(), 200, 2),
        (401, false, None, get(), 401, 1),
        (403, true, None, get(), 403, 1),
        (500, true, None, get(), 500, 1),
        (401, true, Some(with_force), post(), 200, 1),
        (401, true, None, DownstreamRequest::as_configured(), 401, 1),
    ] {
        let setup = Setup::of(FakeSidecar::builder().api("Graph", refusing_cached_tokens(first))).await;
        let options = SidecarClientCallDownstreamApiOptions {
            refresh_after_401: refresh,
            overrides: overrides.unwrap_or_default(),
            ..Default::default()
        };
        let response = setup
            .client
            .call_downstream_api("Graph", &setup.caller, request, Some(options));
        assert_eq!(u16::from(response.await.unwrap().status()), last, "{first}");
        let sent = setup.sidecar.api_requests();
        assert_eq!(sent.len(), calls, "{first}");
        assert!(sent.iter().all(|request| request.body == sent[0].body));
    }

    // A second refusal is the response.
    let refusing = responding(ApiResponse::status(401));
    let setup = Setup::of(FakeSidecar::builder().api("Graph", refusing)).await;
    let options = SidecarClientCallDownstreamApiOptions {
        refresh_after_401: true,
        ..Default::default()
    };
    let response = setup
        .client
        .call_downstream_api("Graph", &setup.caller, get(), Some(options));
    assert_eq!(u16::from(response.await.unwrap().status()), 401);
    assert_eq!(setup.sidecar.api_requests().len(), 2);
}
