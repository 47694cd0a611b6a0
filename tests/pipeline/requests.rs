//! The requests of the operations, and the arguments and options that are refused.

use crate::{
    client, header,
    support::{
        fake_service::{FakeService, busy, created, issued, respond, status},
        fixtures::{API_VERSION, CONNECTION_STRING, ENDPOINT, USER, user},
    },
};
use azure_communication_identity::{
    CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationTokenScope, TeamsUserTokenRequest,
    models::{
        CommunicationIdentityClientCreateUserAndTokenOptions, CommunicationIdentityClientCreateUserOptions,
        CommunicationIdentityClientGetTokenOptions,
    },
};
use azure_core::{
    Bytes, Uuid,
    error::ErrorKind,
    http::{
        ClientMethodOptions, Context, Method, Request, StatusCode, headers::CLIENT_REQUEST_ID,
        request::options::ClientRequestId,
    },
    time::Duration,
};

fn body(request: &Request) -> String {
    String::from_utf8(Bytes::from(request.body()).to_vec()).unwrap()
}

#[tokio::test]
async fn requests_match_the_specification() {
    let service = FakeService::new([
        created(),
        respond(
            StatusCode::Created,
            &[],
            format!(
                r#"{{"identity":{{"id":"{USER}"}},"accessToken":{{"token":"t","expiresOn":"2026-08-02T00:00:00Z"}}}}"#
            ),
        ),
        issued(),
        issued(),
        status(StatusCode::NoContent),
        status(StatusCode::NoContent),
        issued(),
    ]);
    let client = client(&service);
    let user = user();

    client.create_user(None).await.unwrap();
    let options = CommunicationIdentityClientCreateUserAndTokenOptions {
        token_expires_in: Some(Duration::hours(1)),
        ..Default::default()
    };
    client
        .create_user_and_token(&[CommunicationTokenScope::ChatJoinLimited], Some(options))
        .await
        .unwrap();
    let scopes = [
        CommunicationTokenScope::Chat,
        CommunicationTokenScope::UnknownValue("sms".to_owned()),
    ];
    client.get_token(&user, &scopes, None).await.unwrap();
    let options = CommunicationIdentityClientGetTokenOptions {
        token_expires_in: Some(Duration::hours(24)),
        ..Default::default()
    };
    client
        .get_token(&user, &[CommunicationTokenScope::Voip], Some(options))
        .await
        .unwrap();
    client.revoke_tokens(&user, None).await.unwrap();
    client.delete_user(&user, None).await.unwrap();
    let request = TeamsUserTokenRequest {
        token: "entra".into(),
        client_id: "app".to_owned(),
        user_object_id: "oid".to_owned(),
    };
    client.get_token_for_teams_user(request, None).await.unwrap();

    let user_path = format!("identities/{USER}");
    let sent = service.requests();
    for (request, (method, path, body_sent)) in sent.iter().zip([
        (Method::Post, "identities".to_owned(), ""),
        (
            Method::Post,
            "identities".to_owned(),
            r#"{"createTokenWithScopes":["chat.join.limited"],"expiresInMinutes":60}"#,
        ),
        (
            Method::Post,
            format!("{user_path}/:issueAccessToken"),
            r#"{"scopes":["chat","sms"]}"#,
        ),
        (
            Method::Post,
            format!("{user_path}/:issueAccessToken"),
            r#"{"scopes":["voip"],"expiresInMinutes":1440}"#,
        ),
        (Method::Post, format!("{user_path}/:revokeAccessTokens"), ""),
        (Method::Delete, user_path.clone(), ""),
        (
            Method::Post,
            "teamsUser/:exchangeAccessToken".to_owned(),
            r#"{"token":"entra","appId":"app","userId":"oid"}"#,
        ),
    ]) {
        assert_eq!(request.method(), method, "{path}");
        assert_eq!(
            request.url().as_str(),
            format!("{ENDPOINT}{path}?api-version={API_VERSION}")
        );
        assert_eq!(body(request), body_sent, "{path}");
        assert_eq!(header(request, "accept").as_deref(), Some("application/json"));
        let content_type = (!body_sent.is_empty()).then_some("application/json");
        assert_eq!(header(request, "content-type").as_deref(), content_type, "{path}");
        let user_agent = header(request, "user-agent").unwrap();
        assert!(
            user_agent.starts_with(concat!("azsdk-rust-communication_identity/", env!("CARGO_PKG_VERSION"))),
            "{user_agent}"
        );
        assert_eq!(header(request, "x-ms-client-request-id").unwrap().len(), 36);
    }
    assert_eq!(sent.len(), 7);
}

#[tokio::test]
async fn an_id_stays_one_segment_of_the_path() {
    for (id, segment) in [
        ("8:acs:a_b", "8:acs:a_b"),
        ("a/b", "a%2Fb"),
        ("../x", "..%2Fx"),
        ("%2e%2e", "%252e%252e"),
        ("a?b#c", "a%3Fb%23c"),
        ("a\\b", "a%5Cb"),
        ("a\tb\r\nc d", "a%09b%0D%0Ac%20d"),
        ("+é😀", "%2B%C3%A9%F0%9F%98%80"),
    ] {
        let service = FakeService::new([status(StatusCode::NoContent)]);
        let user = id.parse().unwrap();
        client(&service).delete_user(&user, None).await.unwrap();
        let path = service.requests()[0].url().path().to_owned();
        assert_eq!(path, format!("/identities/{segment}"), "{id:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_share_the_request_id() {
    let service = FakeService::new([busy(), created(), created(), created()]);
    let client = client(&service);
    client.create_user(None).await.unwrap();
    client.create_user(None).await.unwrap();
    let own = ClientRequestId::new("my-own-id".to_owned());
    let options = CommunicationIdentityClientCreateUserOptions {
        method_options: ClientMethodOptions {
            context: Context::new().with_value(own),
        },
    };
    client.create_user(Some(options)).await.unwrap();

    let ids: Vec<_> = service
        .requests()
        .iter()
        .map(|request| request.headers().get_optional_string(&CLIENT_REQUEST_ID).unwrap())
        .collect();
    assert_eq!(ids[0], ids[1], "two attempts of one call");
    assert_ne!(ids[1], ids[2], "two calls");
    for id in &ids[..3] {
        assert!(Uuid::parse_str(id).is_ok(), "{id}");
    }
    assert_eq!(ids[3], "my-own-id");
}

#[tokio::test]
async fn arguments_that_the_service_refuses_are_not_sent() {
    let service = FakeService::new([]);
    let client = client(&service);
    let user = user();
    let voip = [CommunicationTokenScope::Voip];
    let odd_lifetimes = [Duration::minutes(59), Duration::minutes(1441), Duration::seconds(3601)];

    let mut errors = vec![
        client.get_token(&user, &[], None).await.map(drop).unwrap_err(),
        client.create_user_and_token(&[], None).await.map(drop).unwrap_err(),
    ];
    for lifetime in odd_lifetimes {
        let options = CommunicationIdentityClientGetTokenOptions {
            token_expires_in: Some(lifetime),
            ..Default::default()
        };
        let result = client.get_token(&user, &voip, Some(options)).await;
        errors.push(result.map(drop).unwrap_err());
        let options = CommunicationIdentityClientCreateUserAndTokenOptions {
            token_expires_in: Some(lifetime),
            ..Default::default()
        };
        let result = client.create_user_and_token(&voip, Some(options)).await;
        errors.push(result.map(drop).unwrap_err());
    }
    for error in errors {
        assert_eq!(*error.kind(), ErrorKind::Other);
        let text = error.to_string();
        assert!(
            text.contains("scopes is empty") || text.contains("60 to 1440 minutes"),
            "{text}"
        );
    }
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn options_that_would_panic_are_refused() {
    for id in ["more than 24 characters long", "has space", "has/slash", "é"] {
        let mut options = CommunicationIdentityClientOptions::default();
        options.client_options.user_agent.application_id = Some(id.to_owned());
        let error = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap_err();
        assert!(error.to_string().contains("application_id"), "{error}");
    }
    let options = CommunicationIdentityClientOptions {
        api_version: String::new(),
        ..Default::default()
    };
    let error = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap_err();
    assert!(error.to_string().contains("api_version"), "{error}");
}

#[test]
fn impossible_bounds_are_refused() {
    for (timeout, max_retry_after, name) in [
        (Some(Duration::ZERO), Duration::ZERO, "timeout"),
        (Some(Duration::seconds(-1)), Duration::ZERO, "timeout"),
        (None, Duration::seconds(-1), "max_retry_after"),
    ] {
        let options = CommunicationIdentityClientOptions {
            timeout,
            max_retry_after,
            ..Default::default()
        };
        let error = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
    }
}
