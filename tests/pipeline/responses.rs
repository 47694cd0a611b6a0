//! The reading of responses.

use crate::{
    client,
    support::{
        fake_service::{FakeService, respond},
        fixtures::{SCOPES, USER, user},
    },
};
use azure_communication_identity::UserWithoutToken;
use azure_core::{
    Bytes,
    error::ErrorKind,
    http::{AsyncRawResponse, StatusCode, headers::Headers},
    time::OffsetDateTime,
};
use std::future::ready;

/// Returns the expiry of a token that comes in this body.
async fn expiry(body: String) -> azure_core::Result<OffsetDateTime> {
    let service = FakeService::new([respond(StatusCode::Ok, &[], body)]);
    let response = client(&service).get_token(&user(), &SCOPES, None).await?;
    Ok(response.into_model()?.expires_on)
}

#[tokio::test]
async fn an_expiry_is_read_in_full_and_in_any_offset() {
    // 2022-11-16T09:48:02Z is 1668592082 seconds after the epoch (`date -u -d @1668592082`).
    const SECOND: i128 = 1_668_592_082_000_000_000;
    for (text, nanoseconds) in [
        ("2022-11-16T09:48:02.7233445+00:00", SECOND + 723_344_500),
        ("2022-11-16T09:48:02.688402+00:00", SECOND + 688_402_000),
        ("2022-11-16T09:48:02.1+00:00", SECOND + 100_000_000),
        ("2022-11-16T09:48:02.123456789+00:00", SECOND + 123_456_789),
        ("2022-11-16T09:48:02.1234567891234+00:00", SECOND + 123_456_789),
        ("2022-11-16T09:48:02Z", SECOND),
        ("2022-11-16T02:48:02-07:00", SECOND),
        ("2022-11-16T15:18:02+05:30", SECOND),
    ] {
        let body = format!(r#"{{"token":"t","expiresOn":"{text}","more":[{{}}]}}"#);
        let expires_on = expiry(body).await.unwrap();
        assert_eq!(expires_on.unix_timestamp_nanos(), nanoseconds, "{text}");
    }
}

#[tokio::test]
async fn a_malformed_response_is_an_error_without_values() {
    for (body, place) in [
        (r#"{"token":"SECRET"}"#, "has no `expiresOn`"),
        (r#"{"token":null,"expiresOn":"2026-08-02T00:00:00Z"}"#, "has no `token`"),
        (r#"{"token":"","expiresOn":"2026-08-02T00:00:00Z"}"#, "has no `token`"),
        (
            r#"{"expiresOn":"SECRET","token":"SECRET"}"#,
            "at `expiresOn`, line 1, column 21",
        ),
        (r#"{"token":{"SECRET":1}}"#, "at `token`"),
        ("SECRET", "is not JSON"),
        (r#"{"token":"SECRET"#, "ends too early"),
        ("", "ends too early"),
    ] {
        let error = expiry(body.to_owned()).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::DataConversion, "{body}");
        assert!(error.to_string().contains(place), "{body}: {error}");
        assert!(!format!("{error:?} {error}").contains("SECRET"), "{error:?}");
        assert!(std::error::Error::source(&error).is_none());
    }
}

#[tokio::test]
async fn a_user_without_their_token_is_not_lost() {
    for rest in [
        "",
        r#","accessToken":null"#,
        r#","accessToken":{}"#,
        r#","accessToken":{"token":12,"expiresOn":"2026-08-02T00:00:00Z"}"#,
        r#","accessToken":{"token":"t","expiresOn":"soon"}"#,
        r#","accessToken":{"token":"","expiresOn":"2026-08-02T00:00:00Z"}"#,
        // Cut off within the token.
        r#","accessToken":{"token":"t"#,
    ] {
        let body = format!(r#"{{"more":[{{}}],"identity":{{"id":"{USER}"}}{rest}}}"#);
        let service = FakeService::new([respond(StatusCode::Created, &[], body)]);
        let error = client(&service)
            .create_user_and_token(&SCOPES, None)
            .await
            .unwrap()
            .into_model()
            .unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::DataConversion);
        assert!(error.to_string().contains(USER), "{error}");
        assert!(error.to_string().contains("`accessToken"), "{error}");
        assert_eq!(UserWithoutToken::from_error(&error).unwrap().user.as_str(), USER);
        let wrapped = error.with_context("while signing up");
        assert!(UserWithoutToken::from_error(&wrapped).is_some());
    }
}

#[tokio::test]
async fn a_body_is_read_to_its_limit() {
    let service = FakeService::with(|_| {
        let chunks = std::iter::repeat_with(|| Ok(Bytes::from(vec![b' '; 64 * 1024])));
        let endless = Box::pin(futures::stream::iter(chunks));
        Box::pin(ready(Ok(AsyncRawResponse::new(
            StatusCode::Ok,
            Headers::new(),
            endless,
        ))))
    });
    let error = client(&service).get_token(&user(), &SCOPES, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::DataConversion);
    assert!(error.to_string().contains("longer than 1048576 bytes"), "{error}");

    let long = format!("<html>{}", " ".repeat(2_000_000));
    let service = FakeService::new([respond(StatusCode::NotFound, &[], long)]);
    let error = client(&service).delete_user(&user(), None).await.unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::NotFound));
    assert!(error.to_string().contains("<html>"), "{error}");
}
