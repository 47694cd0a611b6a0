//! The warning about an API version that the service no longer lists.

use crate::{
    client_with,
    fake_service::{Answer, FakeService, USER, respond},
    kept_log::Log,
};
use azure_core::http::StatusCode;

const WARNING: &str = "the service no longer lists this client's API version";

/// The documented answer to a creation, with the versions that the service supports.
fn created(versions: &'static str) -> Answer {
    let body = format!(r#"{{"identity":{{"id":"{USER}"}}}}"#);
    respond(StatusCode::Created, &[("api-supported-versions", versions)], body)
}

/// Makes one call for each answer, and returns the number of warnings.
async fn warnings(answers: Vec<Answer>) -> usize {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let calls = answers.len();
    let service = FakeService::new(answers);
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
async fn a_version_that_is_not_listed_is_one_warning() {
    let withdrawn = "2026-09-24, 2027-01-01-preview";
    let refused = || respond(StatusCode::BadRequest, &[("api-supported-versions", withdrawn)], "");
    let answers = vec![created(withdrawn), refused(), created(withdrawn)];
    assert_eq!(warnings(answers).await, 1);
}

#[tokio::test]
async fn a_version_that_is_listed_is_no_warning() {
    let answers = [
        "2026-09-23",
        "2025-06-30,2026-09-23",
        "2025-06-30 ,  2026-09-23 , 2027-01-01",
    ]
    .map(created);
    assert_eq!(warnings(answers.into()).await, 0);
    let without_list = respond(StatusCode::Created, &[], format!(r#"{{"identity":{{"id":"{USER}"}}}}"#));
    assert_eq!(warnings(vec![without_list]).await, 0);
}
