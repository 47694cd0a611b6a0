//! Configurations that are refused.

use crate::setup::AUDIENCE;
use std::{
    env::current_exe,
    process::{Command, Stdio},
    time::Duration,
};
use token_guard::{EntraApi, LogtoPermissions, TokenGuard, TokenGuardBuilder};

const ISSUER: &str = "https://contoso.logto.app/oidc";
const NANOSECOND: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
const GUID: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";

fn builder() -> TokenGuardBuilder {
    TokenGuard::builder(ISSUER, [AUDIENCE])
}

#[test]
fn unusable_setting_refused_and_not_shown() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let logto = |endpoint, resource: &str| {
        let resource = resource.to_owned();
        TokenGuard::logto(endpoint, LogtoPermissions::GlobalApi { resource })
    };
    for (builder, expected) in [
        (builder(), None),
        (builder().leeway(minutes(1)), None),
        (
            builder().leeway(minutes(1) + NANOSECOND),
            Some("the leeway is longer than a minute"),
        ),
        (builder().algorithms([]), Some("the list of algorithms is empty")),
        (
            builder().key_lifetime(minutes(2)..=minutes(1)),
            Some("the lifetime of keys has bounds that are the wrong way round, below a second, or beyond a year"),
        ),
        (builder().key_lifetime(SECOND..=YEAR), None),
        (builder().key_lifetime(minutes(1)..=minutes(1)), None),
        (
            builder().key_lifetime(Duration::from_nanos(999_999_999)..=YEAR),
            Some("the lifetime of keys has bounds that are the wrong way round, below a second, or beyond a year"),
        ),
        (
            builder().key_lifetime(SECOND..=YEAR + NANOSECOND),
            Some("the lifetime of keys has bounds that are the wrong way round, below a second, or beyond a year"),
        ),
        (builder().fetch_timeout(NANOSECOND), None),
        (builder().fetch_timeout(minutes(60)), None),
        (
            builder().fetch_timeout(Duration::ZERO),
            Some("the timeout of a fetch is zero or longer than an hour"),
        ),
        (
            builder().fetch_timeout(minutes(60) + NANOSECOND),
            Some("the timeout of a fetch is zero or longer than an hour"),
        ),
        (builder().stale_keys_for(Duration::ZERO), None),
        (builder().stale_keys_for(Duration::MAX), None),
        (
            builder().keys_at("http://secret.contoso.com/"),
            Some("the address of the keys must begin with https://, or be http on a loopback host"),
        ),
        (TokenGuard::builder(ISSUER, [""]), Some("the audience is empty")),
        (TokenGuard::builder(ISSUER, [""; 0]), Some("the audience is empty")),
        (
            TokenGuard::builder("http://secret.contoso.com", [AUDIENCE]),
            Some("the issuer must begin with https://, or be http on a loopback host"),
        ),
        (
            TokenGuard::builder("https://user:secret@contoso.com", [AUDIENCE]),
            Some("the issuer must have neither a user nor a fragment"),
        ),
        (
            TokenGuard::builder("https://contoso.com?secret", [AUDIENCE]),
            Some("the issuer must have no query"),
        ),
        (
            TokenGuard::builder("https://contoso.com#secret", [AUDIENCE]),
            Some("the issuer must have neither a user nor a fragment"),
        ),
        (
            TokenGuard::builder("secret", [AUDIENCE]),
            Some("the issuer is not a URL"),
        ),
        (
            TokenGuard::builder(" https://contoso.com", [AUDIENCE]),
            Some("the issuer has white space around it"),
        ),
        (
            TokenGuard::builder("https://contoso.com\n", [AUDIENCE]),
            Some("the issuer has white space around it"),
        ),
        (logto("https://contoso.logto.app/", AUDIENCE), None),
        (logto("contoso.logto.app", AUDIENCE), Some("the issuer is not a URL")),
        (logto("https://contoso.logto.app", ""), Some("the audience is empty")),
        (TokenGuard::entra(EntraApi::new(GUID, GUID)), None),
        (
            TokenGuard::entra(EntraApi::new("contoso.onmicrosoft.com", GUID)),
            Some("a tenant id must be a GUID"),
        ),
        (
            TokenGuard::entra(EntraApi::new(GUID, GUID).allow_tenant("common")),
            Some("a tenant id must be a GUID"),
        ),
        (
            TokenGuard::entra(EntraApi::new(GUID, GUID).authority("login.microsoftonline.us")),
            Some("the issuer is not a URL"),
        ),
    ] {
        let shown = format!("{builder:?}");
        assert!(!shown.contains("secret"), "{shown}");
        let error = builder.build().err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), expected);
    }
}

/// Runs the next test in a process whose environment has no certificates.
#[test]
#[cfg(target_os = "linux")]
fn missing_ca_certificates_refused() {
    let child = Command::new(current_exe().unwrap())
        .args(["--exact", "configuration::without_ca_certificates", "--ignored"])
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "needs an environment without certificates"]
fn without_ca_certificates() {
    for issuer in ["https://issuer.contoso.com", "http://localhost:3001"] {
        let builder = || TokenGuard::builder(issuer, [AUDIENCE]);
        let error = builder().build().unwrap_err().to_string();
        assert!(error.starts_with("the HTTP client cannot be created ("), "{error}");
        assert!(error.contains("No CA certificates were loaded"), "{error}");
        let remedy =
            ": install the CA certificates of the system, such as Debian's ca-certificates, or set http_client";
        assert!(error.ends_with(remedy), "{error}");

        let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
        assert!(builder().http_client(client).build().is_ok());
        let error = builder().leeway(Duration::MAX).build().unwrap_err();
        assert!(
            error.to_string().starts_with("the leeway"),
            "other errors come first: {error}"
        );
    }
}
