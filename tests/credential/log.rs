//! What is logged of a refresh that fails with nobody waiting for it.

use crate::token;
use azure_communication_identity::{CommunicationTokenCredential, CommunicationTokenCredentialOptions};
use azure_core::{Error, error::ErrorKind};
use futures::future::ready;
use std::{
    io,
    sync::{Arc, Mutex},
};
use tokio::task::yield_now;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_failure_in_the_background_is_a_warning_that_holds_no_token() {
    const RECEIVED: &str = "eyJhbGciOiJSUzI1NiJ9.eyJza3lwZWlkIjoiYWNzOmFfYiJ9.c2lnbmF0dXJlIG9mIGl0";

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    // As azure_core says it of an answer that it cannot decode.
    let text = format!("unknown variant `{RECEIVED}`, expected an object at line 1");
    let refresher = move || ready(Err(Error::with_message(ErrorKind::DataConversion, text.clone())));
    let options = CommunicationTokenCredentialOptions {
        initial_token: Some(token("old", 60)),
        ..Default::default()
    };
    let credential = CommunicationTokenCredential::with_refresher(refresher, Some(options)).unwrap();
    assert_eq!(credential.get_token().await.unwrap().token.secret(), "old");
    yield_now().await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("WARN azure_communication_identity"), "{log}");
    assert!(log.contains("could not be refreshed"), "{log}");
    assert!(log.contains("DataConversion: unknown variant"), "{log}");
    for part in RECEIVED.split('.') {
        assert!(!log.contains(part), "{log}");
    }
}
