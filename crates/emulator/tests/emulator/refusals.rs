//! Explanations of refused requests in the log, on the control surface and, on request, in responses.

#[cfg(feature = "cli")]
use crate::process::Process;
use crate::{
    client::{Client, PREVIEW, Response, VERSION, builder, http, start},
    redaction::assert_hides,
    signer::{self, ToSign},
};
use acs_identity_emulator::{Emulator, EntraTokenRequest};
use serde_json::{Value, json};

const DENIED: &str = "Denied by the resource provider.";
const SLASH: &str = "host: the signature is right for the host with a slash at its end. Sign the host without the \
                     endpoint's trailing slash. The string to sign is `";

const NOT_OWNED: &str = "Provided identity doesn't belong to the resource.";

/// A creation whose host is signed with the endpoint's slash.
async fn create_with_slash(client: &Client, date: &str) -> Response {
    let to_sign = ToSign {
        method: "POST",
        target: &format!("/identities{VERSION}"),
        host: &format!("{}/", client.host()),
        date,
        body: b"",
    };
    Response::of(client.signed_as(&to_sign)).await
}

/// The right signature for `create_with_slash`.
fn right_signature(client: &Client, date: &str) -> String {
    let to_sign = ToSign {
        method: "POST",
        target: &format!("/identities{VERSION}"),
        host: client.host(),
        date,
        body: b"",
    };
    to_sign.signature(&client.access_key)
}

async fn refusals(emulator: &Emulator) -> Vec<Value> {
    let list = Response::of(http().get(format!("{}refusals", emulator.control_endpoint()))).await;
    assert_eq!(list.status, 200);
    list.body["refusals"].as_array().unwrap().clone()
}

#[tokio::test]
async fn refusal_is_listed_with_its_explanation() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    client.create().await;
    assert_eq!(refusals(&emulator).await, [] as [Value; 0]);

    let date = signer::now();
    let refused = create_with_slash(&client, &date).await;
    refused.assert_error(401, "Denied", DENIED, None);
    let list = refusals(&emulator).await;
    let [refusal] = list.as_slice() else { panic!("{list:?}") };
    let explanation = refusal["explanation"].as_str().unwrap();
    assert!(explanation.starts_with(SLASH), "{explanation}");
    let host = client.host();
    let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let string_to_sign = |host: &str| format!(r"`POST\n/identities{VERSION}\n{date};{host};{empty}`.");
    let (right, signed) = (string_to_sign(host), string_to_sign(&format!("{host}/")));
    assert!(
        explanation.ends_with(&format!("{right} The client signed {signed}")),
        "{explanation}"
    );
    assert_eq!(
        [
            &refusal["method"],
            &refusal["path"],
            &refusal["status"],
            &refusal["code"]
        ],
        [&json!("POST"), &json!("/identities"), &json!(401), &json!("Denied")]
    );
    assert!(refusal["time"].as_str().unwrap().ends_with("+00:00"), "{refusal}");
    assert_eq!(refusal["operation"], "createIdentity");
    assert!(refusal["durationMs"].as_f64().unwrap() > 0.0, "{refusal}");
}

#[tokio::test]
async fn mistake_is_named_for_either_key() {
    let emulator = builder().explain(true).start().await.unwrap();
    for access_key in [emulator.access_key(), emulator.secondary_access_key()] {
        let client = Client {
            access_key,
            ..Client::over_http(&emulator)
        };
        let (body, sent) = (r#"{"createTokenWithScopes": []}"#, r#"{"createTokenWithScopes":[]}"#);
        let to_sign = ToSign {
            method: "POST",
            target: &format!("/identities{VERSION}"),
            host: client.host(),
            date: &signer::now(),
            body: body.as_bytes(),
        };
        let reserialised = Response::of(client.signed_as(&to_sign).body(sent)).await;
        let message = reserialised.text("/error/message");
        assert!(message.contains("the same JSON with other white space"), "{message}");
        assert!(message.contains("The client signed `POST"), "{message}");
        let slash = create_with_slash(&client, &signer::now()).await;
        let message = slash.text("/error/message");
        assert!(message.starts_with(&format!("{DENIED} {SLASH}")), "{message}");
    }
}

#[tokio::test]
async fn unowned_id_is_explained() {
    let emulator = builder().explain(true).start().await.unwrap();
    let client = Client::over_http(&emulator);
    let deleted = client.create().await;
    client.delete(&deleted).await;
    let foreign = Client::over_http(&start().await).create().await;
    let resource = |id: &str| id["8:acs:".len()..].split('_').next().unwrap().to_owned();
    let (own, other) = (resource(&deleted), resource(&foreign));
    for (id, reason) in [
        (
            deleted.clone(),
            "it was deleted, or never created here. Create an identity,".to_owned(),
        ),
        (
            foreign.clone(),
            format!("the id is one of the resource {other}, and this emulator's resource is {own}. Use an id"),
        ),
        (foreign, "the id is one of".to_owned()),
        (
            format!("8:acs:{own}_{own}_{other}"),
            "the id is that of an assigned user, not of an identity. Let".to_owned(),
        ),
        (
            format!("8:acs:{own}_wf_{own}_{other}"),
            "the id is that of an assigned user".to_owned(),
        ),
        (
            "8:acs:a_b_c".to_owned(),
            "the path does not contain the id of an identity".to_owned(),
        ),
        (
            deleted.replace(':', "%253A"),
            "the path does not contain the id of an identity".to_owned(),
        ),
        (
            "%FF".to_owned(),
            "the path does not contain the id of an identity".to_owned(),
        ),
    ] {
        for response in [
            client.issue(&id, json!({"scopes": ["chat"]})).await,
            client.revoke(&id).await,
            client.delete(&id).await,
        ] {
            let message = response.text("/error/message");
            assert!(
                message.starts_with(&format!("{NOT_OWNED} identity: {reason}")),
                "{message}"
            );
            let listed = refusals(&emulator).await.remove(0);
            let explanation = listed["explanation"].as_str().unwrap();
            assert_eq!(message, format!("{NOT_OWNED} {explanation}"));
        }
    }
}

#[tokio::test]
async fn unknown_path_is_explained() {
    for (strict, reason, paths) in [
        (
            false,
            "A path has no doubled slash",
            ["/identity", "/identities//", "//identities"],
        ),
        (
            true,
            "With `--strict`, paths are case-sensitive",
            ["/Identities", "/identities/", "/%69dentities"],
        ),
    ] {
        let emulator = builder().strict(strict).start().await.unwrap();
        let client = Client::over_http(&emulator);
        for path in paths {
            assert_eq!(client.send("POST", &format!("{path}{VERSION}"), "").await.status, 404);
            let requests = Response::of(http().get(format!("{}requests", emulator.control_endpoint()))).await;
            let explanation = requests.text("/requests/0/explanation");
            let expected = format!("path: no operation has it. {reason}");
            assert!(explanation.starts_with(&expected), "{explanation}");
        }
    }
}

#[tokio::test]
async fn only_the_last_fifty_refusals_are_listed() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    for number in 0..53 {
        assert_eq!(
            Response::of(client.unsigned("GET", &format!("/{number}?secret"), ""))
                .await
                .status,
            401
        );
    }
    let list = refusals(&emulator).await;
    let paths: Vec<_> = list.iter().map(|refusal| refusal["path"].as_str().unwrap()).collect();
    let expected: Vec<_> = (3..53).rev().map(|number| format!("/{number}")).collect();
    assert_eq!(paths, expected);
    assert!(!format!("{list:?}").contains("secret"), "{list:?}");
}

#[tokio::test]
async fn refused_bearer_token_is_explained_and_redacted() {
    let emulator = builder().explain(true).start().await.unwrap();
    let (http, https) = (Client::over_http(&emulator), Client::over_https(&emulator));
    let service = EntraTokenRequest::service();
    let mint = async |request| emulator.mint_entra_token(&request).await.unwrap().token;
    let expired = mint(EntraTokenRequest {
        expires_in_seconds: -1,
        ..service.clone()
    })
    .await;
    let good = mint(service.clone()).await;
    let other = mint(EntraTokenRequest {
        audience: Some("other".to_owned()),
        ..service
    })
    .await;
    let create = format!("/identities{VERSION}");
    let exchange = format!("/access/entra/:exchangeAccessToken{PREVIEW}");
    let teams = format!("/teamsUser/:exchangeAccessToken{VERSION}");
    for (request, part) in [
        (
            https.unsigned("POST", &create, "").bearer_auth(&expired),
            "has expired. Get a new one.",
        ),
        (
            https.unsigned("POST", &create, "").bearer_auth(&other),
            "is for another audience. Ask",
        ),
        (
            https.unsigned("POST", &create, "").bearer_auth("s3cr3t"),
            "is not a JWT",
        ),
        (
            http.unsigned("POST", &create, "").bearer_auth(&good),
            "only over https. Use",
        ),
        (
            https.unsigned("POST", &exchange, "").bearer_auth(&good),
            "is for another audience. Ask",
        ),
        (
            https.signed("POST", &exchange, ""),
            "the user's Entra ID token is missing. Send",
        ),
        (
            https.signed("POST", &teams, &json!({"token": good}).to_string()),
            "is for another audience. Ask",
        ),
    ] {
        let response = Response::of(request).await;
        let message = response.text("/error/message");
        assert!(response.status == 401 && message.contains(part), "{message}");
        let listed = refusals(&emulator).await.remove(0);
        let explanation = listed["explanation"].as_str().unwrap();
        assert!(message.ends_with(&format!(". {explanation}")), "{message}");
        let is_in_body = listed["operation"] == "exchangeTeamsUserToken";
        let part = if is_in_body {
            "token in the body: "
        } else {
            "bearer token: "
        };
        assert!(explanation.starts_with(part), "{listed}");
        assert!(!message.contains("s3cr3t"), "{message}");
        assert_hides(&message, &[expired.clone(), good.clone(), other.clone()]);
    }
}

#[tokio::test]
async fn response_explains_only_on_request() {
    for explain in [false, true] {
        let emulator = builder().explain(explain).start().await.unwrap();
        let client = Client::over_http(&emulator);
        let response = create_with_slash(&client, &signer::now()).await;
        let message = response.text("/error/message");
        let expected = if explain {
            format!("{DENIED} {SLASH}")
        } else {
            DENIED.to_owned()
        };
        assert!(
            message.starts_with(&expected) && (explain || message == expected),
            "{message}"
        );
        assert_eq!(
            (response.status, response.text("/error/code").as_str()),
            (401, "Denied")
        );

        let foreign = client.delete("8:acs:11111111-1111-1111-1111-111111111111_a").await;
        let message = foreign.text("/error/message");
        assert_eq!(
            (foreign.status, foreign.text("/error/code").as_str()),
            (401, "IdentityNotOwned")
        );
        assert_eq!(message == NOT_OWNED, !explain, "{message}");
    }
}

#[tokio::test]
async fn secrets_are_in_no_response_or_list() {
    let emulator = builder().explain(true).start().await.unwrap();
    let client = Client::over_http(&emulator);
    let date = signer::now();
    let response = create_with_slash(&client, &date).await;
    let shown = format!("{} {:?}", response.body, refusals(&emulator).await);
    assert!(shown.contains("the host with a slash"), "{shown}");
    assert_hides(&shown, &[client.access_key.clone(), right_signature(&client, &date)]);
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn binary_explains_in_log_and_on_request() {
    for arguments in [&[][..], &["--explain"]] {
        let process = Process::start(arguments).await;
        let client = process.client();
        let date = signer::now();
        let message = create_with_slash(&client, &date).await.text("/error/message");
        assert_eq!(message.contains(SLASH), !arguments.is_empty(), "{message}");
        let log = process.into_log().await;
        let line = log.lines().last().unwrap();
        assert!(
            line.contains(&format!("status=401 code=\"Denied\" reason={SLASH}POST\\n/")),
            "{log}"
        );
        assert_hides(&log, &[client.access_key.clone(), right_signature(&client, &date)]);
    }
}
