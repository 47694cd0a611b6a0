//! The signature of every try with an access key.

use super::{AzureKeyCredential, date::header_date, signing::Unsigned, signing_clock::SigningClock};
use crate::{
    policies::{Next, buffered},
    service::CONTENT_SHA256,
};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{
        AsyncRawResponse, Body, Context, Request,
        headers::{AUTHORIZATION, MS_DATE},
        policies::PolicyResult,
    },
    time::OffsetDateTime,
};

/// Signs a request, again at every try: a signature is valid for five minutes, and retries can take longer.
#[derive(Debug)]
pub(crate) struct Signer {
    credential: AzureKeyCredential,
    clock: SigningClock,
}

impl Signer {
    pub(super) fn new(credential: AzureKeyCredential, clock: SigningClock) -> Self {
        Self { credential, clock }
    }

    /// Sends a request signed, and once more if the service refused its date and the clock could be corrected.
    pub(super) async fn send(
        &self,
        ctx: &Context<'_>,
        request: &mut Request,
        (policy, next): Next<'_>,
    ) -> PolicyResult {
        let date = self.sign(request)?;
        let response = policy.send(ctx, request, next).await?;
        if !self.clock.may_learn_from(response.status()) {
            return Ok(response);
        }
        let response = buffered(response).await?;
        if self.clock.correct(date, &response) {
            self.sign(request)?;
            return policy.send(ctx, request, next).await;
        }
        let (status, headers, body) = response.deconstruct();
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }

    /// Signs a request for this moment, which it returns.
    fn sign(&self, request: &mut Request) -> Result<OffsetDateTime> {
        let Body::Bytes(body) = request.body() else {
            return Err(Error::with_message(
                ErrorKind::Other,
                "a request whose body is a stream cannot be signed",
            ));
        };
        let now = self.clock.now();
        let date = header_date(now);
        let signature = self.credential.sign(&Unsigned {
            method: request.method(),
            url: request.url(),
            date: &date,
            body,
        });
        request.insert_header(MS_DATE, date);
        request.insert_header(CONTENT_SHA256, signature.content_hash);
        request.insert_header(AUTHORIZATION, signature.authorization);
        Ok(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationTokenScope,
        auth::MovedClock,
        fake_service::{FakeService, USER, issued, status},
    };
    use acs_identity_emulator::signature::{AccessKey, SignatureError, SignedRequest, Tolerance, verify};
    use azure_core::{
        http::{
            AsyncRawResponse, StatusCode,
            headers::{HeaderName, Headers},
        },
        time::Duration,
    };
    use std::sync::Arc;

    const KEY: &str = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=";
    const OTHER_KEY: &str = "YW5vdGhlciBrZXk=";

    fn client(service: &Arc<FakeService>, key: &AzureKeyCredential, clock: &MovedClock) -> CommunicationIdentityClient {
        let options = CommunicationIdentityClientOptions {
            client_options: service.client_options(),
            ..Default::default()
        };
        CommunicationIdentityClient::build_with_key(
            "https://contoso.communication.azure.com:8443/".parse().unwrap(),
            key.clone(),
            &options,
            clock.clock(),
        )
        .unwrap()
    }

    /// Asks the emulator, which was written from the service's documents and not from this crate.
    fn verified(request: &Request, key: &str, now: OffsetDateTime) -> std::result::Result<(), SignatureError> {
        let header = |name| crate::error::header(request.headers(), &HeaderName::from_static(name));
        let Body::Bytes(body) = request.body() else {
            panic!("a streaming body")
        };
        let key: AccessKey = key.parse().unwrap();
        let signed = SignedRequest {
            method: request.method().as_str(),
            target: &request.path_and_query(),
            host: Some("contoso.communication.azure.com:8443"),
            x_ms_date: header("x-ms-date"),
            date: None,
            content_sha256: header("x-ms-content-sha256"),
            authorization: header("authorization"),
            body,
        };
        verify(&signed, &key, now, Tolerance::Strict)
    }

    #[tokio::test(start_paused = true)]
    async fn every_try_is_signed_for_its_own_time() {
        let clock = MovedClock::new("2026-08-01T00:00:00Z");
        let start = clock.now();
        let slow = clock.clone();
        let service = FakeService::new([
            status(StatusCode::ServiceUnavailable),
            Box::new(move |_: &Request| {
                // Longer than a signature is valid.
                slow.advance(Duration::minutes(6));
                Ok(AsyncRawResponse::from_bytes(
                    StatusCode::ServiceUnavailable,
                    Headers::default(),
                    "",
                ))
            }),
            issued(),
        ]);
        let key = AzureKeyCredential::new(KEY).unwrap();
        client(&service, &key, &clock)
            .get_token(&USER.parse().unwrap(), &[CommunicationTokenScope::Chat], None)
            .await
            .unwrap();

        let [first, second, third] = <[Request; 3]>::try_from(service.requests()).unwrap();
        assert_eq!(verified(&first, KEY, start), Ok(()));
        assert_eq!(verified(&second, KEY, start), Ok(()));
        assert_eq!(verified(&third, KEY, clock.now()), Ok(()));
        assert!(matches!(
            verified(&second, KEY, clock.now()),
            Err(SignatureError::ClockSkew { .. })
        ));
        assert_eq!(
            verified(&third, OTHER_KEY, clock.now()),
            Err(SignatureError::SignatureMismatch)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_replaced_between_two_tries_signs_the_second() {
        let clock = MovedClock::new("2026-08-01T00:00:00Z");
        let key = AzureKeyCredential::new(KEY).unwrap();
        let rotated = key.clone();
        let service = FakeService::new([
            Box::new(move |_: &Request| {
                rotated.update(OTHER_KEY).unwrap();
                Ok(AsyncRawResponse::from_bytes(
                    StatusCode::BadGateway,
                    Headers::default(),
                    "",
                ))
            }),
            issued(),
        ]);
        client(&service, &key, &clock)
            .get_token(&USER.parse().unwrap(), &[CommunicationTokenScope::Voip], None)
            .await
            .unwrap();

        let [first, second] = <[Request; 2]>::try_from(service.requests()).unwrap();
        assert_eq!(verified(&first, KEY, clock.now()), Ok(()));
        assert_eq!(verified(&second, OTHER_KEY, clock.now()), Ok(()));
    }
}
