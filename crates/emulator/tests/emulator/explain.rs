//! Explanations as a pure function: every known mistake, every other error, and no secret.

use crate::{
    redaction::assert_hides,
    signature::{NOW, signed, to_sign},
    signer::{KEY, ToSign, hex, hmac, http_date},
};
use acs_identity_emulator::signature::{
    Explanation, Mistake, SignatureError, SignedRequest, Tolerance, explain as explain_for,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};
use time::{Duration, UtcOffset};

const TARGET: &str = "/identities/8%3Aacs%3Aa/:issueAccessToken?api-version=2023-10-01";
const HASH: &str = "J+doRQjtFVYLx3qOvzptwBLjQWqy6OEWEEk1TY1+rT4=";
const DATE: &str = "Sat, 01 Aug 2026 00:00:00 GMT";

/// The request of the client, which is signed rightly unless a test makes the mistake.
fn request() -> ToSign<'static> {
    ToSign {
        target: TARGET,
        body: br#"{"scopes":["chat"]}"#,
        ..to_sign()
    }
}

fn header(signature: &str) -> String {
    format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}")
}

fn key() -> Vec<u8> {
    BASE64_STANDARD.decode(KEY).unwrap()
}

/// Explains a request, and asserts that no secret is shown.
#[track_caller]
fn explain(request: &SignedRequest<'_>, tolerance: Tolerance) -> Explanation {
    let explanation = explain_for(request, &KEY.parse().unwrap(), NOW, tolerance).unwrap();
    let hash = BASE64_STANDARD.encode(Sha256::digest(request.body));
    let right = format!(
        "{}\n{}\n{};{};{hash}",
        request.method,
        request.target,
        request.x_ms_date.unwrap_or_default(),
        request.host.unwrap_or_default(),
    );
    let right = hmac(&right, &key());
    let mut secrets = vec![KEY.to_owned(), hex(&key()), BASE64_STANDARD.encode(&right), hex(&right)];
    let sent = request.authorization.and_then(|text| text.split_once("Signature="));
    secrets.extend(
        sent.map(|(_, signature)| signature.to_owned())
            .filter(|text| text.len() > 10),
    );
    let shown = format!("{explanation} {explanation:?}");
    assert_hides(&shown, &secrets);
    assert!(!shown.contains('\n'), "{shown}");
    assert_eq!(
        explanation.remedy().matches(". ").count(),
        0,
        "{}",
        explanation.remedy()
    );
    assert!(explanation.remedy().ends_with('.'), "{}", explanation.remedy());
    explanation
}

/// `signed` is the string that the client signed in place of the string to sign.
#[track_caller]
fn assert_mistake(request: &SignedRequest<'_>, part: &str, mistake: Mistake, signed: Option<&str>) {
    let explanation = explain(request, Tolerance::Strict);
    assert_eq!(
        (explanation.mistake(), explanation.part()),
        (Some(mistake), part),
        "{explanation}"
    );
    let text = explanation.to_string();
    assert!(text.starts_with(&format!("{part}: ")), "{text}");
    assert!(text.contains(&mistake.to_string()), "{text}");
    assert!(text.contains(&*explanation.remedy()), "{text}");
    let signed = signed.map(|signed| signed.replace('\n', r"\n"));
    assert_eq!(explanation.signed_instead(), signed.as_deref());
    if let Some(signed) = signed {
        assert!(text.ends_with(&format!(" The client signed `{signed}`.")), "{text}");
    }
}

#[test]
fn mistakes_in_the_string_to_sign_are_named() {
    let other = |target: &str, host: &str| format!("POST\n{target}\n{DATE};{host};{HASH}");
    let decoded = "/identities/8:acs:a/:issueAccessToken?api-version=2023-10-01";
    let host = "localhost:8443";
    let hex_hash = "27e7684508ed15560bc77a8ebf3a6dc012e3416ab2e8e1161049354d8d7ead3e";
    for (message, part, mistake) in [
        (other(TARGET, "localhost:8443/"), "host", Mistake::TrailingSlashInHost),
        (other(TARGET, "http://localhost:8443"), "host", Mistake::SchemeInHost),
        (other(TARGET, "https://localhost:8443"), "host", Mistake::SchemeInHost),
        (other(TARGET, "https://localhost:8443/"), "host", Mistake::SchemeInHost),
        (other(TARGET, "localhost"), "host", Mistake::PortLeftOut),
        (other(TARGET, "localhost:8443:8443"), "host", Mistake::PortDoubled),
        (other(decoded, host), "path", Mistake::DecodedPath),
        (
            other("/identities/8%3Aacs%3Aa/:issueAccessToken", host),
            "query",
            Mistake::QueryLeftOut,
        ),
        (
            other(TARGET, host).replace("POST", "post"),
            "verb",
            Mistake::LowerCaseVerb,
        ),
        (other(TARGET, host) + "\n", "string to sign", Mistake::TrailingNewline),
        (
            other(TARGET, host).replace(HASH, hex_hash),
            "body hash",
            Mistake::HexBodyHash,
        ),
    ] {
        let authorization = header(&BASE64_STANDARD.encode(hmac(&message, &key())));
        assert_mistake(&signed(&request(), HASH, &authorization), part, mistake, Some(&message));
    }
}

#[test]
fn undecoded_key_is_named() {
    let message = format!("POST\n{TARGET}\n{DATE};localhost:8443;{HASH}");
    let authorization = header(&BASE64_STANDARD.encode(hmac(&message, KEY.as_bytes())));
    assert_mistake(
        &signed(&request(), HASH, &authorization),
        "key",
        Mistake::UndecodedKey,
        None,
    );
}

#[test]
fn hex_signature_is_named() {
    let message = format!("POST\n{TARGET}\n{DATE};localhost:8443;{HASH}");
    let signature = hex(&hmac(&message, &key()));
    for signature in [signature.to_ascii_uppercase(), signature] {
        assert_mistake(
            &signed(&request(), HASH, &header(&signature)),
            "signature",
            Mistake::HexSignature,
            None,
        );
    }
}

#[test]
fn hex_body_hash_is_named() {
    let hash = "27e7684508ed15560bc77a8ebf3a6dc012e3416ab2e8e1161049354d8d7ead3e";
    let message = format!("POST\n{TARGET}\n{DATE};localhost:8443;{hash}");
    let authorization = header(&BASE64_STANDARD.encode(hmac(&message, &key())));
    assert_mistake(
        &signed(&request(), hash, &authorization),
        "body hash",
        Mistake::HexBodyHash,
        Some(&message),
    );
}

#[test]
fn body_changed_after_hashing_is_named() {
    let authorization = request().authorization(KEY);
    for (body, mistake) in [
        (&b"{ \"scopes\":\n[\"chat\"] }"[..], Mistake::ReserialisedBody),
        (br#"{"scopes":["voip"]}"#, Mistake::OtherBody),
        (b"", Mistake::OtherBody),
        (b"not JSON", Mistake::OtherBody),
    ] {
        let sent = SignedRequest {
            body,
            ..signed(&request(), HASH, &authorization)
        };
        let message = format!("POST\n{TARGET}\n{DATE};localhost:8443;{HASH}");
        assert_mistake(&sent, "body hash", mistake, Some(&message));
    }

    let spaced = ToSign {
        body: br#"{"scopes": ["chat", "voip"]}"#,
        ..request()
    };
    let (hash, authorization) = (spaced.content_hash(), spaced.authorization(KEY));
    let sent = SignedRequest {
        body: br#"{"scopes":["chat","voip"]}"#,
        ..signed(&spaced, &hash, &authorization)
    };
    let message = format!("POST\n{TARGET}\n{DATE};localhost:8443;{hash}");
    assert_mistake(&sent, "body hash", Mistake::ReserialisedBody, Some(&message));
}

/// The hashes are those that Node.js and Python compute of `JSON.stringify(body, null, 2)` and `json.dumps(body, indent=2)`,
/// and the same with 4.
#[test]
fn indented_body_sent_compact_is_named() {
    let sent = ToSign {
        body: br#"{"createTokenWithScopes":["chat","voip"],"expiresInMinutes":60}"#,
        ..request()
    };
    for hash in [
        "H6gIoyUfoy/l1PitLPOM/tg5/KipKZeicm3RVXCFmFQ=",
        "tPR8t6cv7NxN6gkuHWOmaCSEc0WIRdhrfAKDpf80jus=",
    ] {
        let message = format!("POST\n{TARGET}\n{DATE};localhost:8443;{hash}");
        let authorization = header(&BASE64_STANDARD.encode(hmac(&message, &key())));
        let sent = signed(&sent, hash, &authorization);
        assert_mistake(&sent, "body hash", Mistake::ReserialisedBody, Some(&message));
    }
}

#[test]
fn signed_date_header_is_named() {
    let signed_date = "Sat, 01 Aug 2026 00:00:01 GMT";
    let dated = ToSign {
        date: signed_date,
        ..request()
    };
    let both_lists = [
        dated.authorization(KEY),
        dated.authorization_over("date;host;x-ms-content-sha256", KEY),
    ];
    for authorization in &both_lists {
        for x_ms_date in [Some(DATE), None] {
            let sent = SignedRequest {
                x_ms_date,
                date: Some(signed_date),
                ..signed(&request(), HASH, authorization)
            };
            let message = format!("POST\n{TARGET}\n{signed_date};localhost:8443;{HASH}");
            assert_mistake(&sent, "date", Mistake::DateHeader, Some(&message));
        }
    }
}

#[test]
fn local_time_differs_from_a_wrong_clock() {
    for (seconds, mistake) in [
        (7200, Some(Mistake::LocalTime)),
        (-18_010, Some(Mistake::LocalTime)),
        (19_830, Some(Mistake::LocalTime)),
        (301, None),
        (-1000, None),
        (86_400, None),
    ] {
        let date = http_date(NOW + Duration::seconds(seconds));
        let late = ToSign {
            date: &date,
            ..request()
        };
        let authorization = late.authorization(KEY);
        let explanation = explain(&signed(&late, HASH, &authorization), Tolerance::Strict);
        assert_eq!(
            (explanation.mistake(), explanation.part()),
            (mistake, "date"),
            "{explanation}"
        );
        let skew = format!(
            "{} s {}",
            i64::abs(seconds),
            if seconds < 0 { "behind" } else { "ahead" }
        );
        assert!(explanation.to_string().contains(&skew), "{explanation}");
    }
}

#[test]
fn every_other_error_names_its_part() {
    let authorization = request().authorization(KEY);
    for (change, part) in [
        (
            (|request| request.authorization = None) as fn(&mut SignedRequest<'_>),
            "Authorization",
        ),
        (
            |request| request.authorization = Some("Basic c2VjcmV0"),
            "Authorization",
        ),
        (
            |request| request.authorization = Some("HMAC-SHA256 SignedHeaders=host&Signature=c2VjcmV0"),
            "Authorization",
        ),
        (|request| request.x_ms_date = None, "x-ms-date"),
        (|request| request.x_ms_date = Some("Sat, 01 August"), "date"),
        (|request| request.host = None, "Host"),
        (|request| request.content_sha256 = None, "x-ms-content-sha256"),
        (|request| request.content_sha256 = Some("c2VjcmV0"), "body hash"),
        (|request| request.host = Some("other"), "signature"),
    ] {
        let mut request = signed(&request(), HASH, &authorization);
        change(&mut request);
        let explanation = explain(&request, Tolerance::Strict);
        assert_eq!(
            (explanation.mistake(), explanation.part()),
            (None, part),
            "{explanation}"
        );
        let text = explanation.to_string();
        if part.starts_with(char::is_uppercase) || part.starts_with("x-ms-") {
            let (problem, _) = text.split_once(". ").unwrap();
            assert_eq!(problem.matches(part).count(), 1, "{text}");
        } else {
            assert!(text.contains(&explanation.error().to_string()), "{text}");
        }
        assert!(!explanation.to_string().contains("c2VjcmV0"), "{explanation}");
    }
}

#[test]
fn string_to_sign_is_the_documented_one() {
    let other_key = request().authorization("b3RoZXI=");
    let sent = signed(&request(), HASH, &other_key);
    let explanation = explain(&sent, Tolerance::OfficialClients);
    assert_eq!(
        explanation.string_to_sign(),
        format!(r"POST\n{TARGET}\n{DATE};localhost:8443;{HASH}")
    );
    assert_eq!(explanation.error(), &SignatureError::SignatureMismatch);
    assert_eq!(
        explanation.to_string(),
        format!(
            "signature: the signature is of another key, or of another verb, path, query, date, host or body hash; no \
             known mistake gives it. Compare the string that the client signs with this one, and if they are equal, \
             the access keys. The string to sign is `{}`.",
            explanation.string_to_sign()
        )
    );

    let dated = request().authorization_over("date;host;x-ms-content-sha256", "b3RoZXI=");
    let later = http_date((NOW + Duration::SECOND).to_offset(UtcOffset::UTC));
    let sent = SignedRequest {
        date: Some(&later),
        ..signed(&request(), HASH, &dated)
    };
    for (tolerance, date) in [(Tolerance::OfficialClients, later.as_str()), (Tolerance::Strict, DATE)] {
        let explanation = explain(&sent, tolerance);
        assert!(explanation.string_to_sign().contains(date), "{explanation}");
    }
}

#[test]
fn misplaced_secrets_are_redacted() {
    let authorization = request().authorization("b3RoZXI=");
    let signature = request().signature("b3RoZXI=");
    let target = format!("/{KEY}/{signature}?token=s3cr3t&api-version=s3cr3t&s3cr3t");
    let sent = SignedRequest {
        target: &target,
        host: Some(KEY),
        x_ms_date: Some(&signature),
        content_sha256: Some("s3cr3t"),
        ..signed(&request(), HASH, &authorization)
    };
    for request in [
        sent,
        SignedRequest {
            x_ms_date: Some(DATE),
            ..sent
        },
    ] {
        let explanation = explain(&request, Tolerance::OfficialClients);
        assert!(!explanation.to_string().contains("s3cr3t"), "{explanation}");
    }
}

#[test]
fn long_and_broken_values_are_one_short_line() {
    let authorization = request().authorization(KEY);
    let (target, host) = (format!("/{}", "a".repeat(9000)), "b\r\n".repeat(9000));
    let sent = SignedRequest {
        method: &host,
        target: &target,
        host: Some(&host),
        x_ms_date: Some(&host),
        ..signed(&request(), HASH, &authorization)
    };
    let text = explain(&sent, Tolerance::OfficialClients).to_string();
    assert!(text.len() < 2000, "{}", text.len());
}

#[test]
fn accepted_request_has_no_explanation() {
    let authorization = request().authorization(KEY);
    let sent = signed(&request(), HASH, &authorization);
    assert_eq!(explain_for(&sent, &KEY.parse().unwrap(), NOW, Tolerance::Strict), None);
}
