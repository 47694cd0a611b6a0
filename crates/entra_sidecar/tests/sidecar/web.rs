//! Handlers: the caller's token, and a response for each error.

use crate::{
    log::Log,
    setup::{ClosedPort, Setup, echoing, options},
};
use entra_sidecar::{
    DownstreamRequest, InboundToken, SidecarClient, SidecarCredential, SidecarScope, web::HandlerError,
};
use fake_entra_sidecar::{ApiResponse, DownstreamApi, Fault};
use serde_json::{Value, json};
use std::time::Duration;

/// The statuses that handlers pass on, and some that never are.
const PASSED_ON: [u16; 8] = [400, 404, 409, 401, 302, 429, 500, 503];

/// The work of a handler. It passes on statuses if the name of the API begins with `Passing`.
async fn handle(sidecar: &SidecarClient, api: &str, caller: &InboundToken) -> Result<String, HandlerError> {
    if api == "Validate" {
        return Ok(sidecar.validate(caller, None).await?.protocol);
    }
    if api == "Credential" {
        use azure_core::credentials::TokenCredential as _;
        let scope = SidecarScope::new("https://storage.azure.com/.default", "App");
        let credential = SidecarCredential::new(sidecar.clone(), [scope], None)?;
        credential
            .get_token(&["https://storage.azure.com/.default"], None)
            .await?;
    }
    let (api, passes_on) = match api.strip_prefix("Passing") {
        Some(api) => (api, true),
        None => (api, false),
    };
    let pass_on = |error| {
        let error = HandlerError::from(error);
        if passes_on { error.pass_on(PASSED_ON) } else { error }
    };
    let request = DownstreamRequest::get("me");
    let response = sidecar
        .call_downstream_api(api, caller, request, None)
        .await
        .map_err(pass_on)?
        .error_for_status()
        .map_err(pass_on)?;
    let content: Option<Value> = response.json()?;
    Ok(content.unwrap_or_default().to_string())
}

/// Rows: an API, a fault of the sidecar, and the status and code of the response.
fn cases() -> Vec<(&'static str, Option<Fault>, u16, &'static str)> {
    vec![
        ("Consent", None, 401, "interaction_required"),
        ("Secret", None, 502, "sidecar_failed"),
        ("Validate", None, 403, "missing_scope"),
        ("Validate", Some(Fault::not_local()), 502, "sidecar_failed"),
        ("D403", None, 403, "downstream_forbidden"),
        ("D401", None, 502, "downstream_failed"),
        ("D302", None, 502, "downstream_failed"),
        ("D400", None, 502, "downstream_failed"),
        ("D404", None, 502, "downstream_failed"),
        ("D409", None, 502, "downstream_failed"),
        ("PassingD400", None, 400, "downstream_bad_request"),
        ("PassingD404", None, 404, "downstream_not_found"),
        ("PassingD409", None, 409, "downstream_conflict"),
        ("PassingD401", None, 502, "downstream_failed"),
        ("PassingD302", None, 502, "downstream_failed"),
        ("PassingD403", None, 403, "downstream_forbidden"),
        ("PassingD429", None, 503, "downstream_unavailable"),
        ("PassingD500", None, 502, "downstream_failed"),
        // These are statuses of the sidecar.
        ("PassingUnknown", None, 502, "sidecar_failed"),
        ("PassingGraph", Some(Fault::before(404)), 502, "sidecar_failed"),
        ("PassingGraph", Some(Fault::before(409)), 502, "sidecar_failed"),
        ("D500", None, 502, "downstream_failed"),
        ("D429", None, 503, "downstream_unavailable"),
        ("D503", None, 503, "downstream_unavailable"),
        ("Html", None, 502, "downstream_failed"),
        ("Unknown", None, 502, "sidecar_failed"),
        ("Credential", None, 502, "sidecar_failed"),
        ("%20", None, 500, "internal_error"),
        ("Graph", Some(Fault::not_local()), 502, "sidecar_failed"),
        ("Graph", Some(Fault::before(405)), 502, "sidecar_failed"),
        (
            "Graph",
            Some(Fault::before(503).retry_after(Duration::from_secs(7200))),
            503,
            "sidecar_unavailable",
        ),
    ]
}

async fn setup() -> Setup {
    let mut builder = echoing()
        .require_scope("another")
        .api(
            "Consent",
            DownstreamApi::new(["a"]).tokens(|_| Err("AADSTS65001: PERSON".to_owned())),
        )
        .api(
            "Secret",
            DownstreamApi::new(["a"]).tokens(|_| Err("AADSTS7000215: PERSON".to_owned())),
        )
        .api(
            "App",
            DownstreamApi::new(["https://graph.microsoft.com/.default"]).request_app_token(),
        )
        .api(
            "Html",
            DownstreamApi::new(["a"]).respond(|_| ApiResponse::text(200, "text/html", "PERSON")),
        );
    for (name, status) in [
        ("D302", 302),
        ("D400", 400),
        ("D401", 401),
        ("D403", 403),
        ("D404", 404),
        ("D409", 409),
        ("D429", 429),
        ("D500", 500),
        ("D503", 503),
    ] {
        let api = DownstreamApi::new(["a"]).respond(move |_| ApiResponse::text(status, "text/plain", "PERSON"));
        builder = builder.api(name, api);
    }
    Setup::of(builder).await
}

/// Asserts the parts of a response to an error.
fn assert_problem(status: u16, expected_status: u16, code: &str, header: impl Fn(&str) -> Option<String>, body: &str) {
    let problem: serde_json::Map<String, Value> = serde_json::from_str(body).unwrap();
    assert_eq!(
        (status, problem.get("code").and_then(Value::as_str)),
        (expected_status, Some(code)),
        "{body}"
    );
    assert_eq!(problem.get("status"), Some(&json!(status)));
    assert_eq!(problem.keys().collect::<Vec<_>>(), ["code", "status", "title", "type"]);
    assert!(!body.contains("PERSON") && !body.contains("AADSTS"), "{body}");
    assert_eq!(header("content-type").as_deref(), Some("application/problem+json"));
    let challenge = match code {
        "caller_token_missing" | "interaction_required" => Some("Bearer"),
        "caller_token_rejected" => Some(r#"Bearer error="invalid_token""#),
        "missing_scope" => Some(r#"Bearer error="insufficient_scope""#),
        _ => None,
    };
    assert_eq!(header("www-authenticate").as_deref(), challenge);
    let wait = (code == "sidecar_unavailable").then_some("7200");
    assert_eq!(header("retry-after").as_deref(), wait);
}

/// Authorization headers without a bearer token.
const NO_TOKENS: [&str; 4] = ["", "Basic YTpi", "Bearer", "Bearer a b"];

#[cfg(feature = "axum")]
#[tokio::test]
async fn axum_responds_to_each_error() {
    use axum::{
        Router,
        extract::{Path, State},
        routing::get,
    };

    async fn handler(
        State(sidecar): State<SidecarClient>,
        Path(api): Path<String>,
        caller: InboundToken,
    ) -> Result<String, HandlerError> {
        handle(&sidecar, &api, &caller).await
    }

    let setup = setup().await;
    let router = Router::new()
        .route("/{api}", get(handler))
        .with_state(setup.client.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async { axum::serve(listener, router).await });
    let http_client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = |api: &str| http_client.get(format!("http://{address}/{api}"));
    let check = async |request: reqwest::RequestBuilder, status, code| {
        let response = request.send().await.unwrap();
        let (response_status, headers) = (response.status().as_u16(), response.headers().clone());
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_problem(response_status, status, code, header, &response.text().await.unwrap());
    };

    let caller = setup.caller.token().secret();
    let response = get("Graph").bearer_auth(caller).send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.text().await.unwrap().contains("GET")
        ),
        (200, true)
    );
    for (api, fault, status, code) in cases() {
        setup.sidecar.inject(fault);
        check(get(api).bearer_auth(caller), status, code).await;
    }
    check(get("Graph").bearer_auth("stranger"), 401, "caller_token_rejected").await;
    check(get("Graph"), 401, "caller_token_missing").await;
    check(
        get("Graph").bearer_auth(caller).bearer_auth(caller),
        401,
        "caller_token_missing",
    )
    .await;
    for value in NO_TOKENS {
        check(get("Graph").header("authorization", value), 401, "caller_token_missing").await;
    }
    server.abort();
}

#[cfg(feature = "actix")]
#[test]
fn actix_web_responds_to_each_error() {
    use actix_web::{
        App, HttpRequest,
        http::header::AUTHORIZATION,
        test::{TestRequest, call_service, init_service, read_body},
        web,
    };

    async fn handler(
        sidecar: web::Data<SidecarClient>,
        request: HttpRequest,
        caller: InboundToken,
    ) -> Result<String, HandlerError> {
        handle(&sidecar, request.match_info().query("api"), &caller).await
    }

    actix_web::rt::System::new().block_on(async {
        let setup = setup().await;
        let app = App::new()
            .app_data(web::Data::new(setup.client.clone()))
            .route("/{api}", web::get().to(handler));
        let app = init_service(app).await;
        let get = |api: &str| TestRequest::get().uri(&format!("/{api}"));
        let check = async |request: TestRequest, status, code| {
            let response = call_service(&app, request.to_request()).await;
            let (response_status, headers) = (response.status().as_u16(), response.headers().clone());
            let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            let body = String::from_utf8(read_body(response).await.to_vec()).unwrap();
            assert_problem(response_status, status, code, header, &body);
        };

        let bearer = |token: &str| (AUTHORIZATION, format!("Bearer {token}"));
        let caller = bearer(setup.caller.token().secret());
        let response = call_service(&app, get("Graph").insert_header(caller.clone()).to_request()).await;
        assert_eq!(response.status().as_u16(), 200);
        for (api, fault, status, code) in cases() {
            setup.sidecar.inject(fault);
            check(get(api).insert_header(caller.clone()), status, code).await;
        }
        check(
            get("Graph").insert_header(bearer("stranger")),
            401,
            "caller_token_rejected",
        )
        .await;
        check(get("Graph"), 401, "caller_token_missing").await;
        let twice = get("Graph").append_header(caller.clone()).append_header(caller.clone());
        check(twice, 401, "caller_token_missing").await;
        for value in NO_TOKENS {
            check(
                get("Graph").insert_header((AUTHORIZATION, value)),
                401,
                "caller_token_missing",
            )
            .await;
        }
    });
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn failures_that_callers_cause_are_not_warnings() {
    use axum::response::IntoResponse as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    let setup = setup().await;
    let stranger = InboundToken::bearer("stranger").unwrap();
    let rejected = handle(&setup.client, "Graph", &stranger).await.unwrap_err();
    let failed = handle(&setup.client, "Secret", &setup.caller).await.unwrap_err();
    let passed_on = handle(&setup.client, "PassingD404", &setup.caller).await.unwrap_err();
    let hidden = handle(&setup.client, "D404", &setup.caller).await.unwrap_err();
    for (error, level) in [
        (HandlerError::caller(None).unwrap_err(), "DEBUG"),
        (rejected, "DEBUG"),
        (passed_on, "DEBUG"),
        (hidden, "WARN"),
        (failed, "WARN"),
    ] {
        let log = Log::default();
        let _guard = log.subscriber().set_default();
        let code = error.code();
        let _ = error.into_response();
        let log = log.text();
        assert!(log.contains(level) && log.contains(code), "{log}");
    }
}

#[tokio::test]
async fn an_unreachable_sidecar_is_503() {
    let port = ClosedPort::new();
    let client = SidecarClient::new(&port.url(), Some(options())).unwrap();
    let error = client.health(None).await.unwrap_err();
    let error = HandlerError::from(error);
    assert_eq!((error.status(), error.code()), (503, "sidecar_unavailable"));
}

#[tokio::test]
async fn only_named_statuses_are_passed_on() {
    let setup = setup().await;
    for (api, named, status) in [
        ("D400", vec![404, 409], 502),
        ("D404", vec![400, 409], 502),
        ("D409", vec![], 502),
        ("D409", vec![409], 409),
    ] {
        let request = DownstreamRequest::get("me");
        let response = setup.client.call_downstream_api(api, &setup.caller, request, None);
        let error = response.await.unwrap().error_for_status().unwrap_err();
        let error = HandlerError::from(error).pass_on(named.clone());
        assert_eq!(error.status(), status, "{api} {named:?}");
        assert!(!error.body().contains("PERSON") && !error.to_string().contains("PERSON"));
    }
}
