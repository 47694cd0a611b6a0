//! Preview features of the service: custom ids, and what it knows of a user.

use crate::{
    CONNECTION_STRING,
    fake_service::{FakeService, USER, created, respond, status},
    user,
};
use azure_communication_identity::{
    CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationTokenScope, creation_outcome_unknown,
    models::{CommunicationIdentityClientCreateUserAndTokenOptions, CommunicationIdentityClientCreateUserOptions},
};
use azure_core::{
    Bytes, Result,
    http::{
        AsyncRawResponse, ClientOptions, HttpClient, Method, Request, RetryOptions, StatusCode, Transport,
        headers::Headers,
    },
    time::parse_rfc3339,
};
use futures::future::{join, join_all, join3, pending};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    task::yield_now,
    time::{Instant, timeout},
};

const PREVIEW: &str = "2025-03-02-preview";

fn client(client_options: ClientOptions, api_version: &str) -> CommunicationIdentityClient {
    let options = CommunicationIdentityClientOptions {
        api_version: api_version.to_owned(),
        client_options,
        ..Default::default()
    };
    CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap()
}

fn with_custom_id(custom_id: &str) -> CommunicationIdentityClientCreateUserOptions<'static> {
    CommunicationIdentityClientCreateUserOptions {
        custom_id: Some(custom_id.to_owned()),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_custom_id_is_sent_with_the_creation() {
    let service = FakeService::new([created(), created()]);
    let client = client(service.client_options(), PREVIEW);
    client.create_user(Some(with_custom_id("alice"))).await.unwrap();
    let options = CommunicationIdentityClientCreateUserAndTokenOptions {
        custom_id: Some("alice".to_owned()),
        ..Default::default()
    };
    client
        .create_user_and_token(&[CommunicationTokenScope::Chat], Some(options))
        .await
        .unwrap();
    let sent: Vec<_> = service
        .requests()
        .iter()
        .map(|request| {
            assert_eq!(request.path_and_query(), "/identities?api-version=2025-03-02-preview");
            String::from_utf8(Bytes::from(request.body()).to_vec()).unwrap()
        })
        .collect();
    assert_eq!(
        sent,
        [
            r#"{"customId":"alice"}"#,
            r#"{"customId":"alice","createTokenWithScopes":["chat"]}"#
        ]
    );
}

#[tokio::test]
async fn what_the_service_knows_of_a_user_is_read() {
    // The form of the specification's example.
    let whole = format!(r#"{{"id":"{USER}","customId":"alice","lastTokenIssuedAt":"2025-06-10T21:39:39+00:00"}}"#);
    let bare = format!(r#"{{"id":"{USER}"}}"#);
    let service = FakeService::new([whole, bare].map(|body| respond(StatusCode::Ok, &[], body)));
    let client = client(service.client_options(), PREVIEW);

    let detail = client.get_user(&user(), None).await.unwrap().into_model().unwrap();
    assert_eq!(detail.user, user());
    assert_eq!(detail.custom_id.as_deref(), Some("alice"));
    assert_eq!(
        detail.last_token_issued_at,
        Some(parse_rfc3339("2025-06-10T21:39:39Z").unwrap())
    );
    let detail = client.get_user(&user(), None).await.unwrap().into_model().unwrap();
    assert_eq!((detail.custom_id, detail.last_token_issued_at), (None, None));

    let request = &service.requests()[0];
    assert_eq!(request.method(), Method::Get);
    assert_eq!(
        request.path_and_query(),
        format!("/identities/{USER}?api-version=2025-03-02-preview")
    );
}

#[tokio::test]
async fn a_stable_version_is_refused_with_the_version_to_set() {
    for version in ["2025-06-30", "2023-10-01"] {
        let service = FakeService::new([]);
        let client = client(service.client_options(), version);
        let token_options = CommunicationIdentityClientCreateUserAndTokenOptions {
            custom_id: Some("alice".to_owned()),
            ..Default::default()
        };
        for error in [
            client.create_user(Some(with_custom_id("alice"))).await.unwrap_err(),
            client
                .create_user_and_token(&[CommunicationTokenScope::Chat], Some(token_options))
                .await
                .unwrap_err(),
            client.get_user(&user(), None).await.unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(text.contains("preview feature") && text.ends_with(PREVIEW), "{text}");
        }
        assert_eq!(service.requests().len(), 0);
    }
}

#[tokio::test]
async fn a_custom_id_has_1_to_256_characters() {
    for (custom_id, accepted) in [
        (String::new(), false),
        ("a".to_owned(), true),
        ("é".repeat(256), true),
        ("a".repeat(257), false),
    ] {
        let service = FakeService::new([created()]);
        let client = client(service.client_options(), PREVIEW);
        let result = client.create_user(Some(with_custom_id(&custom_id))).await;
        assert_eq!(service.requests().len(), usize::from(accepted));
        if let Err(error) = result {
            assert_eq!(error.to_string(), "custom_id has to have 1 to 256 characters");
        }
    }
}

/// Counts the requests that are with the service at the same time.
#[derive(Debug, Default)]
struct BusyService {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait::async_trait]
impl HttpClient for BusyService {
    async fn execute_request(&self, _: &Request) -> Result<AsyncRawResponse> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        for _ in 0..10 {
            yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        let body = format!(r#"{{"identity":{{"id":"{USER}"}}}}"#);
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), body))
    }
}

async fn most_at_once(custom_ids: [&str; 8]) -> usize {
    let service = Arc::new(BusyService::default());
    let client_options = ClientOptions {
        transport: Some(Transport::new(service.clone())),
        retry: RetryOptions::none(),
        ..Default::default()
    };
    let client = client(client_options, PREVIEW);
    let creations = custom_ids.map(|custom_id| {
        // Clones count as one client.
        let client = client.clone();
        async move { client.create_user(Some(with_custom_id(custom_id))).await }
    });
    for result in join_all(creations).await {
        result.unwrap();
    }
    service.most.load(Ordering::SeqCst)
}

#[tokio::test]
async fn creations_with_one_custom_id_run_one_after_another() {
    assert_eq!(most_at_once(["alice"; 8]).await, 1);
    assert_eq!(most_at_once(["a", "b", "c", "d", "e", "f", "g", "h"]).await, 8);
}

/// Never answers.
#[derive(Debug)]
struct SilentService;

#[async_trait::async_trait]
impl HttpClient for SilentService {
    async fn execute_request(&self, _: &Request) -> Result<AsyncRawResponse> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_turn_counts_and_one_that_comes_too_late_is_not_used() {
    let client_options = ClientOptions {
        transport: Some(Transport::new(Arc::new(SilentService))),
        ..Default::default()
    };
    let client = client(client_options, PREVIEW);
    let start = Instant::now();
    let (first, second) = join(
        client.create_user(Some(with_custom_id("alice"))),
        client.create_user(Some(with_custom_id("alice"))),
    )
    .await;
    assert_eq!(start.elapsed().as_secs(), 120);

    let error = first.unwrap_err();
    assert!(creation_outcome_unknown(&error), "{error}");
    assert!(
        error.to_string().ends_with("with the same custom_id to find out"),
        "{error}"
    );
    let error = second.unwrap_err();
    assert!(!creation_outcome_unknown(&error), "{error}");
    assert!(
        error.to_string().contains("another creation with its custom_id"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_is_dropped_while_it_waits_lets_the_next_one_pass() {
    let service = FakeService::new([status(StatusCode::ServiceUnavailable), created(), created()]);
    let client = client(service.client_options(), PREVIEW);
    let first = client.create_user(Some(with_custom_id("alice")));
    let second = client.create_user(Some(with_custom_id("alice")));
    let third = client.create_user(Some(with_custom_id("alice")));
    // While the first waits for its second try.
    let given_up = timeout(std::time::Duration::from_secs(5), second);
    let (first, given_up, third) = join3(first, given_up, third).await;
    first.unwrap();
    assert!(given_up.is_err());
    third.unwrap();
    assert_eq!(service.requests().len(), 3);
}

#[tokio::test]
async fn only_versions_that_have_the_features_are_asked_for_them() {
    for (version, sent) in [
        ("2021-10-31-preview", 0),
        ("2025-03-02-preview", 1),
        ("2027-01-01-preview", 1),
    ] {
        let service = FakeService::new([created()]);
        let client = client(service.client_options(), version);
        let result = client.create_user(Some(with_custom_id("alice"))).await;
        assert_eq!(result.is_ok(), sent == 1, "{version}");
        assert_eq!(service.requests().len(), sent, "{version}");
    }
}
