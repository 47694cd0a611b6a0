//! The verifier as a pure function: golden vectors, and every error.

use crate::signer::{KEY, ToSign, http_date};
use acs_identity_emulator::signature::{AccessKey, SignatureError, SignedRequest, Tolerance, verify};
use time::{Duration, OffsetDateTime, macros::datetime};

pub(crate) const NOW: OffsetDateTime = datetime!(2026-08-01 00:00:00 UTC);
const DATE: &str = "Sat, 01 Aug 2026 00:00:00 GMT";
const EMPTY_HASH: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// Vectors computed from the documentation, and those of the official SDKs' own tests (key `pw==`).
#[test]
fn golden_vectors_verify() {
    let issue = "/identities/8:acs:11111111-1111-1111-1111-111111111111_00000000-0000-0000-0000-000000000001\
                 /:issueAccessToken?api-version=2023-10-01";
    let issue_hash = "J+doRQjtFVYLx3qOvzptwBLjQWqy6OEWEEk1TY1+rT4=";
    let ours = (KEY, DATE, NOW, "localhost:8443");
    let peers = datetime!(2022-04-13 18:09:12 UTC);
    let contoso = (
        "pw==",
        "Wed, 13 Apr 2022 18:09:12 GMT",
        peers,
        "contoso.communicationservices.azure.com",
    );
    let rows = [
        (
            ours,
            "POST",
            "/identities?api-version=2023-10-01",
            "",
            EMPTY_HASH,
            "aWzkC+2HOJGiXPk6fljytL9/uELEFqEpPHF4TjNnk0o=",
        ),
        (
            ours,
            "POST",
            issue,
            r#"{"scopes":["chat"]}"#,
            issue_hash,
            "N9CdOg9uXJ/BNOw6/3zHWxmzWaeEQe6DTphjYGXRRCA=",
        ),
        (
            contoso,
            "GET",
            "/",
            "",
            EMPTY_HASH,
            "88MDmJhUR3m5QhFxb8ztShsSwlGrg7g/6XPnWf7QEO4=",
        ),
        (
            contoso,
            "GET",
            "/testPath",
            "",
            EMPTY_HASH,
            "RoCrHjw7fb9fpHSbqvRUY2xa8RBS0YvI1cxI1x8AS38=",
        ),
        (
            contoso,
            "GET",
            "/testPath?testQuery=yes",
            "",
            EMPTY_HASH,
            "il99+rd6V5O136roX/zVePCNle78HmvC4B7tu9zRH3I=",
        ),
    ];
    for ((key, date, now, host), method, target, body, hash, signature) in rows {
        let authorization =
            format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}");
        let request = SignedRequest {
            method,
            target,
            host: Some(host),
            x_ms_date: Some(date),
            date: None,
            content_sha256: Some(hash),
            authorization: Some(&authorization),
            body: body.as_bytes(),
        };
        let verify = |request| verify(&request, &key.parse().unwrap(), now, Tolerance::Strict);
        assert_eq!(verify(request), Ok(()), "{method} {target}");
        assert_eq!(
            verify(SignedRequest {
                method: "PUT",
                ..request
            }),
            Err(SignatureError::SignatureMismatch),
            "{method} {target}"
        );
    }
}

#[test]
fn body_hash_matches_the_recording() {
    let body = br#"{"scopes":["chat","chat.join","chat.join.limited"]}"#;
    let to_sign = ToSign { body, ..to_sign() };
    assert_eq!(to_sign.content_hash(), "QziQYUDMgIYVSma8wG3LMAnXSiYWam3twpYxBdYMKYU=");
    assert_eq!(verify_good(&to_sign, |_| {}), Ok(()));
}

#[test]
fn missing_header_is_named() {
    for (name, take) in [
        (
            "Authorization",
            (|request| request.authorization = None) as fn(&mut SignedRequest<'_>),
        ),
        ("x-ms-date", |request| request.x_ms_date = None),
        ("Host", |request| request.host = None),
        ("x-ms-content-sha256", |request| request.content_sha256 = None),
    ] {
        assert_eq!(verify_good(&to_sign(), take), Err(SignatureError::MissingHeader(name)));
    }
}

#[test]
fn malformed_and_unsupported_authorization_differ() {
    const LIST: &str = "SignedHeaders=x-ms-date;host;x-ms-content-sha256";
    for malformed in [
        String::new(),
        "HMAC-SHA256".to_owned(),
        "Basic dXNlcjpwYXNz".to_owned(),
        format!("HMAC-SHA512 {LIST}&Signature={EMPTY_HASH}"),
        format!("HMAC-SHA256 {LIST}"),
        format!("HMAC-SHA256 Signature={EMPTY_HASH}"),
        format!("HMAC-SHA256 {LIST}&Signature=not base64"),
    ] {
        let outcome = verify_good(&to_sign(), |request| {
            request.authorization = Some(malformed.clone().leak());
        });
        assert_eq!(outcome, Err(SignatureError::MalformedAuthorization), "{malformed}");
    }
    for list in [
        "",
        "host",
        "host;x-ms-date;x-ms-content-sha256",
        "x-ms-date;host",
        "x-ms-date;host;x-ms-content-sha256;a",
    ] {
        let authorization = to_sign().authorization_over(list, KEY);
        let outcome = verify_good(&to_sign(), |request| request.authorization = Some(authorization.leak()));
        assert_eq!(outcome, Err(SignatureError::UnsupportedSignedHeaders), "{list}");
    }
}

#[test]
fn date_may_be_five_minutes_off() {
    for (seconds, expected) in [
        (0, None),
        (300, None),
        (-300, None),
        (
            301,
            Some(SignatureError::ClockSkew {
                ahead: Duration::seconds(301),
            }),
        ),
        (
            -301,
            Some(SignatureError::ClockSkew {
                ahead: Duration::seconds(-301),
            }),
        ),
    ] {
        let date = http_date(NOW + Duration::seconds(seconds));
        let outcome = verify_good(
            &ToSign {
                date: &date,
                ..to_sign()
            },
            |_| {},
        );
        assert_eq!(outcome.err(), expected, "{seconds} s");
    }
    let malformed = ToSign {
        date: "2026-08-01T00:00:00Z",
        ..to_sign()
    };
    assert_eq!(verify_good(&malformed, |_| {}), Err(SignatureError::MalformedDate));
}

#[test]
fn wrong_body_and_wrong_signature_differ() {
    assert_eq!(
        verify_good(&to_sign(), |request| request.body = b"other"),
        Err(SignatureError::BodyHashMismatch)
    );
    let other: AccessKey = "b3RoZXI=".parse().unwrap();
    let authorization = to_sign().authorization(KEY);
    let hash = to_sign().content_hash();
    let request = signed(&to_sign(), &hash, &authorization);
    assert_eq!(
        verify(&request, &other, NOW, Tolerance::default()),
        Err(SignatureError::SignatureMismatch)
    );
}

#[test]
fn older_list_signs_the_date_header() {
    let to_sign = to_sign();
    let (hash, authorization) = (
        to_sign.content_hash(),
        to_sign.authorization_over("date;host;x-ms-content-sha256", KEY),
    );
    let request = SignedRequest {
        x_ms_date: None,
        date: Some(DATE),
        ..signed(&to_sign, &hash, &authorization)
    };
    let verify = |request, tolerance| verify(&request, &KEY.parse().unwrap(), NOW, tolerance);
    assert_eq!(verify(request, Tolerance::OfficialClients), Ok(()));
    assert_eq!(
        verify(request, Tolerance::Strict),
        Err(SignatureError::UnsupportedSignedHeaders)
    );
    let undated = SignedRequest { date: None, ..request };
    assert_eq!(
        verify(undated, Tolerance::OfficialClients),
        Err(SignatureError::MissingHeader("Date"))
    );
}

#[test]
fn error_names_the_header_or_the_skew() {
    let text = |error: SignatureError| error.to_string();
    assert_eq!(
        text(SignatureError::MissingHeader("Host")),
        "the header Host is missing"
    );
    let behind = SignatureError::ClockSkew {
        ahead: Duration::seconds(-400),
    };
    assert_eq!(
        text(behind),
        "the date is 400 s behind the service's clock; 300 s are allowed"
    );
    let ahead = SignatureError::ClockSkew {
        ahead: Duration::seconds(301),
    };
    assert_eq!(
        text(ahead),
        "the date is 301 s ahead of the service's clock; 300 s are allowed"
    );
}

pub(crate) fn to_sign() -> ToSign<'static> {
    ToSign {
        method: "POST",
        target: "/identities?api-version=2023-10-01",
        host: "localhost:8443",
        date: DATE,
        body: b"{}",
    }
}

pub(crate) fn signed<'a>(to_sign: &ToSign<'a>, hash: &'a str, authorization: &'a str) -> SignedRequest<'a> {
    SignedRequest {
        method: to_sign.method,
        target: to_sign.target,
        host: Some(to_sign.host),
        x_ms_date: Some(to_sign.date),
        date: None,
        content_sha256: Some(hash),
        authorization: Some(authorization),
        body: to_sign.body,
    }
}

/// Signs a request, changes it and verifies the result.
fn verify_good(to_sign: &ToSign<'_>, change: impl FnOnce(&mut SignedRequest<'_>)) -> Result<(), SignatureError> {
    let (hash, authorization) = (to_sign.content_hash(), to_sign.authorization(KEY));
    let mut request = signed(to_sign, &hash, &authorization);
    change(&mut request);
    verify(&request, &KEY.parse().unwrap(), NOW, Tolerance::Strict)
}
