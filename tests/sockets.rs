//! The client against servers that treat their connections badly.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use azure_communication_identity::{
    AzureKeyCredential, CommunicationIdentityClient, CommunicationIdentityClientOptions, creation_outcome_unknown,
};
use azure_core::{
    error::ErrorKind,
    http::{FixedRetryOptions, RetryOptions, Transport},
    time::Duration,
};
use std::{io, sync::Arc};
use support::raw_server::{Connection, RawServer};

const CREATED: &str = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 31\r\n\r\n\
    {\"identity\":{\"id\":\"8:acs:a_b\"}}";

fn raw_client(server: &RawServer) -> CommunicationIdentityClient {
    let key = AzureKeyCredential::new("a2V5").unwrap();
    CommunicationIdentityClient::with_key_credential(&server.endpoint, key, Some(options())).unwrap()
}

fn options() -> CommunicationIdentityClientOptions {
    let mut options = CommunicationIdentityClientOptions::default();
    let http_client = reqwest::Client::builder().no_proxy().build().unwrap();
    options.client_options.transport = Some(Transport::new(Arc::new(http_client)));
    options.client_options.retry = RetryOptions::fixed(FixedRetryOptions {
        delay: Duration::ZERO,
        max_retries: 4,
        ..Default::default()
    });
    options
}

#[tokio::test]
async fn clones_share_connections() {
    let server = RawServer::start(|mut connection: Connection| async move {
        while connection.read_request().await?.is_some() {
            connection.write(CREATED).await?;
        }
        Ok(())
    })
    .await;
    let client = raw_client(&server);
    for client in [client.clone(), client.clone(), client] {
        let user = client.create_user(None).await.unwrap().into_model().unwrap();
        assert_eq!(user.as_str(), "8:acs:a_b");
    }
    assert_eq!((server.requests(), server.connections()), (3, 1));
}

/// Reads a request, which commits it, and then fails to answer it in one of several ways.
async fn commit_and_fail(mut connection: Connection) -> io::Result<()> {
    let way = connection.read_request().await?.map(|_| connection.committed() % 6);
    match way {
        Some(0) => return connection.reset(),
        Some(1) => connection.write("HTTP/1.1 201 Cre").await?,
        Some(2) => connection.write(&CREATED[..CREATED.len() - 9]).await?,
        Some(3) => {
            connection
                .write("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")
                .await?;
        }
        // A gateway gave the service up.
        Some(4) => {
            let page = "<html>Service Unavailable</html>";
            let head = format!(
                "HTTP/1.1 503 Service Unavailable\r\ncontent-length: {}\r\n\r\n",
                page.len()
            );
            connection.write([&head, page].concat()).await?;
        }
        _ => {}
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_commits_and_then_drops_the_connection_counts_no_more_identities_than_calls() {
    const CALLS: usize = 50;
    let server = RawServer::start(commit_and_fail).await;
    let client = raw_client(&server);
    for _ in 0..CALLS {
        let error = client.create_user(None).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Io | ErrorKind::HttpResponse { .. }),
            "{error:?}"
        );
        assert!(
            error
                .to_string()
                .contains("not known whether the service created a user"),
            "{error}"
        );
    }
    assert_eq!(server.requests(), CALLS);
}

#[tokio::test]
async fn a_connection_that_is_refused_sent_nothing() {
    let server = RawServer::start(|_| async { Ok(()) }).await;
    let client = raw_client(&server);
    // Waits until the listener is gone.
    server.stop().await;
    let error = client.create_user(None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Connection, "{error}");
    assert!(!creation_outcome_unknown(&error));
}

#[tokio::test]
async fn a_connection_without_tls_where_there_should_be_some_sent_nothing() {
    let server = RawServer::start(|mut connection: Connection| async move {
        connection
            .write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            .await
    })
    .await;
    let endpoint = server.endpoint.replace("http://", "https://");
    let key = AzureKeyCredential::new("a2V5").unwrap();
    let client = CommunicationIdentityClient::with_key_credential(&endpoint, key, Some(options())).unwrap();
    let error = client.create_user(None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Connection, "{error}");
    assert!(!creation_outcome_unknown(&error));
}
