//! The log of a refresh that fails in the background.

use crate::{support::log::Log, token};
use azure_communication_identity::{CommunicationTokenCredential, CommunicationTokenCredentialOptions};
use azure_core::{Error, error::ErrorKind};
use futures::future::ready;
use tokio::task::yield_now;

#[tokio::test]
async fn a_background_failure_is_a_warning_without_the_token() {
    const RECEIVED: &str = "eyJhbGciOiJSUzI1NiJ9.eyJza3lwZWlkIjoiYWNzOmFfYiJ9.c2lnbmF0dXJlIG9mIGl0";

    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());

    // The text of azure_core about a response that it cannot decode.
    let text = format!("unknown variant `{RECEIVED}`, expected an object at line 1");
    let refresher = move || ready(Err(Error::with_message(ErrorKind::DataConversion, text.clone())));
    let options = CommunicationTokenCredentialOptions {
        initial_token: Some(token("old", 60)),
        ..Default::default()
    };
    let credential = CommunicationTokenCredential::with_refresher(refresher, Some(options)).unwrap();
    assert_eq!(credential.get_token().await.unwrap().token.secret(), "old");
    yield_now().await;

    let log = log.text();
    assert!(log.contains("WARN azure_communication_identity"), "{log}");
    assert!(log.contains("could not be refreshed"), "{log}");
    assert!(log.contains("DataConversion: unknown variant"), "{log}");
    for part in RECEIVED.split('.') {
        assert!(!log.contains(part), "{log}");
    }
}
