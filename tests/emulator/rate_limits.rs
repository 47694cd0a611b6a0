//! The limits that the service documents.

use crate::{
    refusal,
    support::emulator::{client, strict},
};
use azure_communication_identity::{CommunicationError, CommunicationErrorCode};
use azure_core::time::Duration;

#[tokio::test]
async fn a_request_beyond_the_limit_gets_the_wait() {
    let emulator = strict().rate_limits(true).start().await.unwrap();
    let client = client(&emulator);
    let user = client.create_user(None).await.unwrap().into_model().unwrap();
    // 500 revocations in 30 seconds.
    for _ in 0..500 {
        client.revoke_tokens(&user, None).await.unwrap();
    }
    let error = client.revoke_tokens(&user, None).await.unwrap_err();
    let code = CommunicationErrorCode::UnknownValue("TooManyRequests".to_owned());
    assert_eq!(refusal(&error), (429, code, None));
    let wait = CommunicationError::from_error(&error).unwrap().retry_after.unwrap();
    assert!(wait > Duration::ZERO && wait <= Duration::seconds(30), "{wait}");

    // The wait is long enough.
    emulator.advance(wait.try_into().unwrap());
    client.revoke_tokens(&user, None).await.unwrap();
}
