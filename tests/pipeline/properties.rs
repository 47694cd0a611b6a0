//! Properties of the signature, the parsers, the path of a request, and the texts of errors.

use crate::support::{
    fake_service::{AttemptResponse, FakeService, issued, respond},
    fixtures::{API_VERSION, ENDPOINT, KEY, SCOPES},
    signature::Received,
};
use acs_identity_emulator::signature::SignatureError;
use azure_communication_identity::{
    AzureKeyCredential, CommunicationIdentifier, CommunicationIdentityClient, CommunicationIdentityClientOptions,
    CommunicationTokenScope, CommunicationUserIdentifier, UnverifiedTokenClaims,
};
use azure_core::{
    Bytes,
    http::{ClientOptions, Request, RetryOptions, StatusCode},
};
use proptest::prelude::*;
use std::{future::Future, sync::Arc};

/// Runs a future that never waits.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(future)
}

fn client(endpoint: &str, key: &str, service: &Arc<FakeService>) -> CommunicationIdentityClient {
    let options = CommunicationIdentityClientOptions {
        client_options: ClientOptions {
            retry: RetryOptions::none(),
            ..service.client_options()
        },
        ..Default::default()
    };
    let key = AzureKeyCredential::new(key).unwrap();
    CommunicationIdentityClient::with_key_credential(endpoint, key, Some(options)).unwrap()
}

/// Returns the request for a token, as it would have gone on the wire.
fn token_request(endpoint: &str, key: &str, user: &CommunicationUserIdentifier, scope: &str) -> Request {
    let service = FakeService::new([issued()]);
    let scopes = [CommunicationTokenScope::from(scope)];
    run(client(endpoint, key, &service).get_token(user, &scopes, None)).unwrap();
    service.requests().remove(0)
}

/// Changes one character of a text to another of the same kind, so that it stays well-formed.
fn flip(text: &mut String, at: prop::sample::Index) {
    let mut chars: Vec<char> = text.chars().collect();
    let c = at.get(&chars).to_owned();
    let index = at.index(chars.len());
    chars[index] = if c == 'A' { 'B' } else { 'A' };
    *text = chars.into_iter().collect();
}

fn user() -> impl Strategy<Value = CommunicationUserIdentifier> {
    any::<String>().prop_filter_map("an id that the type refuses", |id| id.parse().ok())
}

fn key() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<u8>(), 1..200).prop_map(azure_core::base64::encode)
}

/// Generates endpoints, each with its `Host` header.
fn endpoint() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        "[a-z]{1,12}(\\.[a-z]{2,8}){0,3}",
        Just("[::1]".to_owned()),
        Just("127.0.0.1".to_owned())
    ];
    (name, prop::option::of(1024_u16..)).prop_map(|(name, port)| {
        let host = port.map_or(name.clone(), |port| format!("{name}:{port}"));
        (format!("https://{host}"), host)
    })
}

/// Generates raw ids, and texts that are similar.
fn raw_id() -> impl Strategy<Value = String> {
    let prefix = "(4:|(8|28):(acs|dod-acs|gcch-acs|spool|orgid|dod|gcch|teamsvisitor):)?";
    prop_oneof![
        (prefix, "([a-z0-9+]{0,4}|_|:|anonymous){0,6}").prop_map(|(prefix, rest)| prefix + &rest),
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn a_parsed_raw_id_prints_as_it_was(raw_id in raw_id()) {
        let identifier: CommunicationIdentifier = raw_id.parse().unwrap();
        prop_assert_eq!(identifier.to_string(), raw_id);
    }

    #[test]
    fn an_identifier_survives_json(raw_id in raw_id()) {
        let identifier = CommunicationIdentifier::from_raw_id(&raw_id);
        let json = serde_json::to_string(&identifier).unwrap();
        let read: CommunicationIdentifier = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&read, &identifier);
        // Equality compares the raw id only; the kind and the rest survive, too.
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }

    #[test]
    fn the_token_decoder_never_panics_nor_shows_the_token(payload in json(), text in ".*") {
        let encoded = azure_core::base64::encode_url_safe(serde_json::to_vec(&payload).unwrap());
        for token in [format!("e30.{encoded}.U0VDUkVU"), format!("U0VDUkVU.{text}.U0VDUkVU"), text] {
            if let Err(error) = UnverifiedTokenClaims::decode(&token) {
                let shown = format!("{error} {error:?}");
                prop_assert!(!shown.contains("U0VDUkVU"), "{}", shown);
            }
        }
    }

    #[test]
    fn a_signature_covers_every_part_of_a_request(
        user in user(),
        key in key(),
        (endpoint, host) in endpoint(),
        scope in any::<String>(),
        at in any::<prop::sample::Index>(),
    ) {
        let received = Received::from(&token_request(&endpoint, &key, &user, &scope));
        prop_assert_eq!(&received.host, &host);
        prop_assert_eq!(received.verify(&key), Ok(()));

        let changes: [fn(&mut Received, prop::sample::Index); 6] = [
            |received, at| flip(&mut received.method, at),
            |received, at| flip(&mut received.target, at),
            |received, at| flip(&mut received.host, at),
            |received, at| flip(&mut received.content_hash, at),
            |received, at| {
                let index = at.index(received.body.len());
                received.body[index] ^= 1;
            },
            |received, _| received.date = received.date.replace("GMT", "UTC"),
        ];
        for (part, change) in changes.iter().enumerate() {
            let mut changed = received.clone();
            change(&mut changed, at);
            prop_assert!(changed.verify(&key).is_err(), "part {} was changed", part);
        }
        let other_key = azure_core::base64::encode(format!("not {key}"));
        prop_assert_eq!(received.verify(&other_key), Err(SignatureError::SignatureMismatch));
    }

    #[test]
    fn an_id_is_one_segment_of_the_path(user in user()) {
        let request = token_request(ENDPOINT, KEY, &user, "chat");
        let segments: Vec<_> = request.url().path().split('/').collect();
        prop_assert_eq!(segments.len(), 4);
        prop_assert_eq!((segments[0], segments[1], segments[3]), ("", "identities", ":issueAccessToken"));
        let id = percent_encoding::percent_decode_str(segments[2]).decode_utf8().unwrap();
        prop_assert_eq!(id, user.as_str());
        let query = format!("api-version={API_VERSION}");
        prop_assert_eq!(request.url().query(), Some(query.as_str()));
    }

    #[test]
    fn the_connection_string_parser_never_panics_nor_shows_the_key(
        before in ".*", between in "[;= a-z]*", after in ".*",
    ) {
        let key = "U0VDUkVUU0VDUkVUU0VDUkVU";
        for text in [
            format!("{before}{between}{after}"),
            format!("{before}endpoint={between}{after};accesskey={key}"),
            format!("accesskey={key}{between};endpoint=https://{before}{after}"),
        ] {
            if let Err(error) = CommunicationIdentityClient::with_connection_string(&text, None) {
                let shown = format!("{error} {error:?}");
                prop_assert!(!shown.contains("U0VDUkVU"), "{}", shown);
            }
        }
    }

    #[test]
    fn the_client_never_panics(status in 200_u16..600, body in prop::collection::vec(any::<u8>(), 0..200)) {
        errors(status, body);
    }

    #[test]
    fn the_client_never_shows_the_json_of_a_response(
        status in prop_oneof![Just(200_u16), 400_u16..600],
        json in json(),
    ) {
        let shown = errors(status, serde_json::to_vec(&json).unwrap());
        prop_assert!(!shown.contains("U0VDUkVU"), "{}", shown);
    }
}

/// Generates JSON similar to the service's, with a secret anywhere but in an id and in the service's texts for people.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let secret = "U0VDUkVUU0VDUkVUU0VDUkVU.U0VDUkVUU0VDUkVUU0VDUkVU";
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        Just(secret.into()),
        Just("2026-08-02T00:00:00Z".into()),
    ];
    let name = prop_oneof![
        Just("token"),
        Just("expiresOn"),
        Just("identity"),
        Just("id"),
        Just("error"),
        Just(secret)
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        let name = name.clone().prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::hash_map(name, inner, 0..4).prop_map(|mut map| {
                map.entry("id".to_owned()).and_modify(|id| *id = "8:acs:a_b".into());
                // serde reads an array as the fields in their order, so what is in this one would be an id, too.
                map.retain(|name, value| name != "identity" || !value.is_array());
                serde_json::Value::Object(map.into_iter().collect())
            }),
        ]
    })
}

/// Returns all that the client shows after a response.
fn errors(status: u16, body: Vec<u8>) -> String {
    let status = StatusCode::from(status);
    let body = Bytes::from(body);
    let respond = |body: Bytes| -> AttemptResponse { respond(status, &[], body) };
    let service = FakeService::new([respond(body.clone()), respond(body)]);
    let client = client(ENDPOINT, KEY, &service);
    let user = "8:acs:a_b".parse().unwrap();
    run(async {
        let token = client.get_token(&user, &SCOPES, None).await;
        let token = token.and_then(azure_core::http::Response::into_model);
        let created = client.create_user_and_token(&SCOPES, None).await;
        let created = created.and_then(azure_core::http::Response::into_model);
        let errors = [token.map(drop), created.map(drop)]
            .map(|result| result.map_or_else(|error| format!("{error} {error:?}"), |()| String::new()));
        errors.concat()
    })
}
