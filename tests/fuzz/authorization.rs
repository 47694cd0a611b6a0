//! An `Authorization` header for the emulator: only the signature is accepted, and a refusal says why.

use crate::{
    redaction::assert_hidden,
    wire::{Sender, send, token_status},
};
use acs_identity_emulator::{
    TokenStatus,
    signature::{AccessKey, Explanation, SignedRequest, Tolerance, explain, verify},
};
use azure_core::time::parse_rfc3339;
use hyper::{Method, Uri, header::HeaderValue};

/// The vector `create user, port` of testdata/signing.json.
const KEY: &str = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=";
const SIGNATURE: &str = "aWzkC+2HOJGiXPk6fljytL9/uELEFqEpPHF4TjNnk0o=";

pub(crate) fn check(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let strict = is_accepted(text, Tolerance::Strict);
        let tolerant = is_accepted(text, Tolerance::OfficialClients);
        assert!(tolerant || !strict, "{text}");
        assert_eq!(token_status(text), TokenStatus::Unknown);
    }
    if let Ok(header) = HeaderValue::from_bytes(data) {
        // One for the owner of the resource, one for a user with a token.
        for target in [
            "/identities?api-version=2023-10-01",
            "/access/teamsExtension/:exchangeAccessToken?api-version=2025-06-30",
        ] {
            let response = send(&Method::POST, &Uri::from_static(target), &Sender::Authorized(&header));
            assert_eq!(response.status, 401, "{header:?}");
            assert_hidden(str::from_utf8(&response.body).unwrap(), 10);
        }
    }
}

/// Returns whether the header authenticates one fixed request.
fn is_accepted(authorization: &str, tolerance: Tolerance) -> bool {
    let request = SignedRequest {
        method: "POST",
        target: "/identities?api-version=2023-10-01",
        host: Some("localhost:8443"),
        x_ms_date: Some("Sat, 01 Aug 2026 00:00:00 GMT"),
        date: None,
        content_sha256: Some("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        authorization: Some(authorization),
        body: b"",
    };
    let key: AccessKey = KEY.parse().unwrap();
    let now = parse_rfc3339("2026-08-01T00:00:00Z").unwrap();
    let verdict = verify(&request, &key, now, tolerance);
    let explanation = explain(&request, &key, now, tolerance);
    assert_eq!(explanation.as_ref().map(Explanation::error), verdict.as_ref().err());
    if let Some(explanation) = explanation {
        let shown = explanation.to_string();
        assert!(shown.len() < 1500 && !shown.contains(char::is_control), "{shown}");
        assert!(!shown.contains(KEY) && !shown.contains(SIGNATURE), "{shown}");
    } else {
        assert!(authorization.contains(SIGNATURE), "{authorization}");
    }
    verdict.is_ok()
}
