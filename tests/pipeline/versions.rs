//! The warning about an API version that the service no longer lists.

use crate::{
    client_with,
    support::{
        fake_service::{AttemptResponse, FakeService, respond},
        fixtures::{API_VERSION, USER},
        log::Log,
    },
};
use azure_core::http::StatusCode;

const WARNING: &str = "the service no longer lists this client's API version";

/// The documented response to a creation, with the versions that the service supports.
fn created(versions: &str) -> AttemptResponse {
    let body = format!(r#"{{"identity":{{"id":"{USER}"}}}}"#);
    respond(StatusCode::Created, &[("api-supported-versions", versions)], body)
}

/// Makes one call for each response, and returns the number of warnings.
async fn warnings(responses: Vec<AttemptResponse>) -> usize {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let calls = responses.len();
    let service = FakeService::new(responses);
    let client = client_with(service.client_options(), false);
    for _ in 0..calls {
        // A refusal lists the versions, too.
        let _ = client.clone().create_user(None).await;
    }
    let text = log.text();
    text.lines()
        .filter(|line| line.contains(" WARN ") && line.contains(WARNING))
        .count()
}

#[tokio::test]
async fn an_unlisted_version_is_one_warning() {
    let withdrawn = "2026-09-24, 2027-01-01-preview";
    let refused = || respond(StatusCode::BadRequest, &[("api-supported-versions", withdrawn)], "");
    let responses = vec![created(withdrawn), refused(), created(withdrawn)];
    assert_eq!(warnings(responses).await, 1);
}

#[tokio::test]
async fn a_listed_version_is_no_warning() {
    let responses = [
        API_VERSION.to_owned(),
        format!("2025-06-30,{API_VERSION}"),
        format!("2025-06-30 ,  {API_VERSION} , 2027-01-01"),
    ];
    let responses = responses.iter().map(|versions| created(versions)).collect();
    assert_eq!(warnings(responses).await, 0);
    let without_list = respond(StatusCode::Created, &[], format!(r#"{{"identity":{{"id":"{USER}"}}}}"#));
    assert_eq!(warnings(vec![without_list]).await, 0);
}

/// A creation is not sent again after these, so its retries end with the response.
#[tokio::test]
async fn an_unlisted_version_in_a_last_response_is_one_warning() {
    for status in [408, 500, 502, 503, 504, 599] {
        let last = respond(
            StatusCode::from(status),
            &[("api-supported-versions", "2026-09-24")],
            "",
        );
        assert_eq!(warnings(vec![last]).await, 1, "{status}");
    }
}
