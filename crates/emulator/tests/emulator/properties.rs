//! Properties of the verifier that hold for every request.

use crate::{
    signature::{NOW, signed, to_sign},
    signer::{KEY, ToSign, http_date},
};
use acs_identity_emulator::signature::{SignatureError, SignedRequest, Tolerance, explain, verify};
use base64::{Engine, prelude::BASE64_STANDARD};
use proptest::prelude::*;
use time::Duration;

/// The text with one character changed to another letter.
fn flip(text: &str, at: usize) -> String {
    let at = at % text.len();
    let flipped = |c| if c == 'A' { 'B' } else { 'A' };
    text.chars()
        .enumerate()
        .map(|(i, c)| if i == at { flipped(c) } else { c })
        .collect()
}

proptest! {
    #[test]
    fn signed_request_verifies_until_a_part_changes(
        method in "[A-Z]{3,7}",
        target in "/[a-zA-Z0-9:/_.~-]{0,60}(\\?[a-z0-9=&.-]{0,30})?",
        host in "[a-z0-9.-]{1,30}(:[1-9][0-9]{1,3})?",
        body in prop::collection::vec(any::<u8>(), 0..200),
        seconds in -300_i64..=299,
        key in prop::collection::vec(any::<u8>(), 1..80),
        at in any::<usize>(),
    ) {
        let key = BASE64_STANDARD.encode(key);
        let date = http_date(NOW + Duration::seconds(seconds));
        let to_sign = ToSign { method: &method, target: &target, host: &host, date: &date, body: &body };
        let (hash, authorization) = (to_sign.content_hash(), to_sign.authorization(&key));
        let request = signed(&to_sign, &hash, &authorization);

        let (method, target, host) = (flip(&method, at), format!("{target}x"), format!("x{host}"));
        let later = http_date(NOW + Duration::seconds(seconds + 1));
        // Not the last character of the signature, some of whose bits are padding.
        let signature = to_sign.signature(&key);
        let forged = authorization.replace(&signature, &flip(&signature, at % 42));
        let mismatches = [
            SignedRequest { method: &method, ..request },
            SignedRequest { target: &target, ..request },
            SignedRequest { host: Some(&host), ..request },
            SignedRequest { x_ms_date: Some(&later), ..request },
            SignedRequest { authorization: Some(&forged), ..request },
        ];
        let longer = [&body[..], b"x"].concat();
        let other_body = SignedRequest { body: &longer, ..request };

        for tolerance in [Tolerance::Strict, Tolerance::OfficialClients] {
            let verify = |request: &_| verify(request, &key.parse().unwrap(), NOW, tolerance);
            prop_assert_eq!(verify(&request), Ok(()));
            for changed in &mismatches {
                prop_assert_eq!(verify(changed), Err(SignatureError::SignatureMismatch), "{:?}", changed);
            }
            prop_assert_eq!(verify(&other_body), Err(SignatureError::BodyHashMismatch));
        }
    }

    #[test]
    fn no_header_panics(
        texts in prop::collection::vec("\\PC{0,80}", 7),
        body in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let request = SignedRequest {
            method: &texts[0],
            target: &texts[1],
            host: Some(&texts[2]),
            x_ms_date: Some(&texts[3]),
            date: Some(&texts[4]),
            content_sha256: Some(&texts[5]),
            authorization: Some(&texts[6]),
            body: &body,
        };
        let outcome = verify(&request, &KEY.parse().unwrap(), NOW, Tolerance::OfficialClients);
        prop_assert!(outcome.is_err());
        let explanation = explain(&request, &KEY.parse().unwrap(), NOW, Tolerance::OfficialClients);
        prop_assert_eq!(explanation.map(|explanation| explanation.error().clone()), outcome.err());
    }

    #[test]
    fn no_target_or_host_panics(target in "\\PC{0,80}", host in "\\PC{0,40}") {
        let to_sign = ToSign { target: "other", host: "other", ..to_sign() };
        let (hash, authorization) = (to_sign.content_hash(), to_sign.authorization(KEY));
        let request = SignedRequest { target: &target, host: Some(&host), ..signed(&to_sign, &hash, &authorization) };
        let outcome = verify(&request, &KEY.parse().unwrap(), NOW, Tolerance::OfficialClients);
        prop_assert_eq!(outcome, Err(SignatureError::SignatureMismatch));
        let explanation = explain(&request, &KEY.parse().unwrap(), NOW, Tolerance::OfficialClients).unwrap();
        prop_assert_eq!(explanation.to_string().lines().count(), 1);
    }
}
