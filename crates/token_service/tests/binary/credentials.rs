//! Credentials of the service's own registration in Entra ID.

use crate::{
    process::{Process, command},
    refused::{LEAST, faults, faults_of},
    setup::Setup,
    support::AUDIENCE,
};
use acs_identity_emulator::{EntraTokenRequest, TokenStatus};
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use axum::{Json, Router, extract::State, routing::post};
use axum_server::tls_rustls::{RustlsConfig, from_tcp_rustls};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, CertifiedKey, KeyPair, PKCS_RSA_SHA256, PublicKeyData, generate_simple_self_signed};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    fs,
    net::TcpListener,
    sync::{Arc, Mutex},
};
use tokio::task::AbortHandle;

const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const CLIENT: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";

type Forms = Arc<Mutex<Vec<HashMap<String, String>>>>;

/// A token endpoint of Entra ID over https, which grants every request.
struct Authority {
    url: String,
    ca: String,
    /// The requests for tokens.
    forms: Forms,
    server: AbortHandle,
}

impl Authority {
    async fn start(token: String) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let (ca, key) = (cert.pem(), signing_key.serialize_pem());
        let tls = RustlsConfig::from_pem(ca.clone().into_bytes(), key.into_bytes())
            .await
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let forms = Forms::default();
        let respond = async move |State(forms): State<Forms>, body: String| {
            let form = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            forms.lock().unwrap().push(form);
            Json(json!({"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "access_token": token}))
        };
        let router = Router::new()
            .route(&format!("/{TENANT}/oauth2/v2.0/token"), post(respond))
            .with_state(forms.clone());
        let server = from_tcp_rustls(listener, tls)
            .unwrap()
            .serve(router.into_make_service());
        Self {
            url,
            ca,
            forms,
            server: tokio::spawn(server).abort_handle(),
        }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Starts a service whose registration has this credential, gets a user's token, and returns the request for Entra's token.
async fn request_for_a_token(credential: &str, variables: &[(&str, &str)]) -> (HashMap<String, String>, String) {
    let setup = Setup::new().await;
    let minted = setup.emulator.mint_entra_token(&EntraTokenRequest::service()).await;
    let authority = Authority::start(minted.unwrap().token).await;
    let ca = setup.directory.join("ca.pem");
    fs::write(&ca, format!("{}{}", setup.emulator.ca_pem(), authority.ca)).unwrap();
    let mut command = command(&[]);
    command
        .current_dir(&setup.directory)
        .env("SSL_CERT_FILE", ca)
        .env("NO_PROXY", "127.0.0.1")
        .env("AZURE_AUTHORITY_HOST", &authority.url)
        .env("TOKEN_SERVICE_LISTEN", "127.0.0.1:0")
        .env("TOKEN_SERVICE_ACS_ENDPOINT", setup.emulator.https_endpoint())
        .env("TOKEN_SERVICE_ACS_CREDENTIAL", credential)
        .env("TOKEN_SERVICE_APPLICATION_TENANT_ID", TENANT)
        .env("TOKEN_SERVICE_APPLICATION_CLIENT_ID", CLIENT)
        .env("TOKEN_SERVICE_ISSUER_KIND", "oidc")
        .env("TOKEN_SERVICE_ISSUER_URL", setup.issuer.url())
        .env("TOKEN_SERVICE_ISSUER_AUDIENCE", AUDIENCE)
        .envs(variables.iter().copied());
    let process = Process::spawn(&mut command).await.unwrap();
    let token = setup.sign_in(&process, "alice").await;
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
    let forms = authority.forms.lock().unwrap();
    assert_eq!(forms.len(), 1, "{forms:?}");
    (forms[0].clone(), authority.url.clone())
}

#[tokio::test]
async fn client_secret_authenticates_the_service() {
    let secret = ("TOKEN_SERVICE_APPLICATION_CLIENT_SECRET", " pa~ss.w-rd\n");
    let (form, _) = request_for_a_token("client_secret", &[secret]).await;
    for (name, value) in [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT),
        ("client_secret", "pa~ss.w-rd"),
    ] {
        assert_eq!(form.get(name).map(String::as_str), Some(value), "{form:?}");
    }
    assert!(
        form["scope"].starts_with("https://communication.azure.com/"),
        "{form:?}"
    );
}

#[tokio::test]
async fn client_certificate_authenticates_the_service() {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    let path = crate::process::directory().join("application.pem");
    fs::write(&path, format!("{}{}", certificate.pem(), key.serialize_pem())).unwrap();
    let path = ("TOKEN_SERVICE_APPLICATION_CERTIFICATE", path.to_str().unwrap());
    let (form, authority) = request_for_a_token("client_certificate", &[path]).await;
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );

    // The format of https://learn.microsoft.com/entra/identity-platform/certificate-credentials.
    let (signed, signature) = form["client_assertion"].rsplit_once('.').unwrap();
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.der_bytes())
        .verify(signed.as_bytes(), &decode(signature))
        .unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let [header, claims] = [header, claims].map(|part| serde_json::from_slice::<Value>(&decode(part)).unwrap());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der());
    assert_eq!(
        header,
        json!({"alg": "PS256", "typ": "JWT", "x5t#S256": BASE64_URL_SAFE_NO_PAD.encode(digest)})
    );
    assert_eq!(claims["aud"], format!("{authority}/{TENANT}/oauth2/v2.0/token"));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!(CLIENT), &json!(CLIENT)));
    let lifetime = claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap();
    assert!((300..=600).contains(&lifetime), "{claims}");
    assert!(claims["jti"].is_string(), "{claims}");
}

#[tokio::test]
async fn unusable_credentials_are_refused() {
    let directory = crate::process::directory();
    let rsa = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let certificate = CertificateParams::default().self_signed(&rsa).unwrap().pem();
    let other = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap().serialize_pem();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["a".to_owned()]).unwrap();
    let elliptic = format!("{}{}", cert.pem(), signing_key.serialize_pem());
    for (pem, part) in [
        (certificate.clone(), "has no private key"),
        (rsa.serialize_pem(), "has no certificate"),
        (format!("{certificate}{other}"), "is not that of the private key"),
        (elliptic, "must be one of RSA"),
    ] {
        let path = directory.join("application.pem");
        fs::write(&path, pem).unwrap();
        let issuer = LEAST.split_once("[issuer]").unwrap().1;
        let text = format!(
            "[acs]\nendpoint = 'https://contoso.communication.azure.com'\ncredential = 'client_certificate'\n\
             [application]\ntenant_id = '{TENANT}'\nclient_id = '{CLIENT}'\ncertificate = '{}'\n[issuer]{issuer}",
            path.display()
        );
        let found = faults(&text, &[]).await;
        assert_eq!(faults_of(&found), ["application.certificate"], "{found:?}");
        assert!(found[0].contains(part), "{found:?}");
    }
    let url = "postgres://service@db.contoso.com/tokens";
    for (more, subjects) in [
        (
            "[application]\nclient_secret = 'c2VjcmV0'".to_owned(),
            &["application.client_secret"][..],
        ),
        (
            format!("[database]\nurl = '{url}'\ncredential = 'client_secret'"),
            &[
                "application.tenant_id",
                "application.client_id",
                "application.client_secret",
            ],
        ),
        (
            "[database]\ncredential = 'managed_identity'".to_owned(),
            &["database.url"],
        ),
        (
            "[database]\nurl = 'sqlite://users.db'\ncredential = 'managed_identity'".to_owned(),
            &["database.url"],
        ),
        (
            "[database]\nurl = 'postgres://service:c2VjcmV0@db/tokens'\ncredential = 'workload_identity'".to_owned(),
            &["database.url"],
        ),
        (
            "[database]\nurl = 'postgres://db.contoso.com/tokens'\ncredential = 'workload_identity'".to_owned(),
            &["database.url"],
        ),
        (
            format!("[database]\nurl = '{url}'\ncredential_scope = 'https://contoso.com/.default'"),
            &["database.credential_scope"],
        ),
    ] {
        let found = faults(&format!("{LEAST}\n{more}"), &[]).await;
        assert_eq!(faults_of(&found), subjects, "{more}: {found:?}");
        assert!(!found.concat().contains("c2VjcmV0"), "{found:?}");
    }
}
