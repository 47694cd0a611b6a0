//! Configurations that are refused.

use crate::setup::AUDIENCE;
use std::time::Duration;
use token_guard::{Algorithm, EntraApi, LogtoPermissions, TokenGuard, TokenGuardBuilder};

const ISSUER: &str = "https://contoso.logto.app/oidc";
const NANOSECOND: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
const GUID: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const NO_APPLICATION_CLAIM: &str =
    "application claims have no effect for tokens of Entra ID or Call Automation: remove application_claim";
/// The key of RFC 8037, appendix A.2, in a set.
const KEYS: &str =
    r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn builder() -> TokenGuardBuilder {
    TokenGuard::builder(ISSUER, [AUDIENCE])
}

/// A builder, and the error of its `build`.
type Row = (TokenGuardBuilder, Option<&'static str>);

fn bounds() -> Vec<Row> {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    vec![
        (builder(), None),
        (builder().leeway(minutes(5)), None),
        (
            builder().leeway(minutes(5) + NANOSECOND),
            Some("the leeway is longer than 5 minutes"),
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
    ]
}

fn addresses() -> Vec<Row> {
    vec![
        (
            builder().keys_at("http://secret.contoso.com/"),
            Some(
                "the address of the keys must begin with https://, or be http on a loopback host; see allow_forgeable_keys_over_http for another host",
            ),
        ),
        (
            TokenGuard::builder("http://secret.contoso.com", [AUDIENCE]),
            Some(
                "the issuer must begin with https://, or be http on a loopback host; see allow_forgeable_keys_over_http for another host",
            ),
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
        (
            builder().keys_at("http://keycloak:8080/realms/contoso/protocol/openid-connect/certs"),
            Some(
                "the address of the keys must begin with https://, or be http on a loopback host; see allow_forgeable_keys_over_http for another host",
            ),
        ),
        (
            builder()
                .keys_at("http://keycloak:8080/certs")
                .allow_forgeable_keys_over_http(),
            None,
        ),
        (
            TokenGuard::builder("http://keycloak:8080/realms/contoso", [AUDIENCE]).allow_forgeable_keys_over_http(),
            None,
        ),
        (
            builder()
                .metadata_at("ftp://contoso.com")
                .allow_forgeable_keys_over_http(),
            Some(
                "the address of the discovery document must begin with https://, or be http on a loopback host; see allow_forgeable_keys_over_http for another host",
            ),
        ),
        (
            builder().metadata_at("https://user:secret@contoso.com/metadata"),
            Some("the address of the discovery document must have neither a user nor a fragment"),
        ),
        (
            builder().metadata_at("https://contoso.com/metadata?p=b2c_1_signin"),
            None,
        ),
        (
            TokenGuard::builder("any text", [AUDIENCE]).keys_at("https://contoso.com/keys"),
            None,
        ),
        (
            TokenGuard::builder("", [AUDIENCE]).keys_at("https://contoso.com/keys"),
            Some("the issuer is empty"),
        ),
        (
            TokenGuard::builder("secret ", [AUDIENCE]).keys_at("https://contoso.com/keys"),
            Some("the issuer has white space around it"),
        ),
        (
            builder().fixed_keys("secret"),
            Some("the fixed keys are not a JWK set with a key for one of the algorithms"),
        ),
        (builder().fixed_keys(KEYS), None),
        (
            builder().fixed_keys(KEYS).algorithms([Algorithm::Rs256]),
            Some("the fixed keys are not a JWK set with a key for one of the algorithms"),
        ),
    ]
}

fn names() -> Vec<Row> {
    vec![
        (TokenGuard::builder(ISSUER, [""]), Some("the audience is empty")),
        (TokenGuard::builder(ISSUER, [""; 0]), Some("the audience is empty")),
        (TokenGuard::builder(ISSUER, None::<&str>), Some("the audience is empty")),
        (
            TokenGuard::builder(ISSUER, None::<&str>).client_ids_in_place_of_audience(["client"]),
            None,
        ),
        (
            builder().client_ids_in_place_of_audience([""]),
            Some("the audience is empty"),
        ),
        (
            builder().allowed_clients([""; 0]),
            Some("the list of allowed clients is empty, or has an empty id"),
        ),
        (
            builder().allowed_clients(["client", ""]),
            Some("the list of allowed clients is empty, or has an empty id"),
        ),
        (builder().scope_claim(""), Some("the name of a claim is empty")),
        (
            builder().application_claim("gty", ""),
            Some("the name of a claim is empty"),
        ),
    ]
}

fn providers() -> Vec<Row> {
    let logto = |endpoint, resource: &str| {
        let resource = resource.to_owned();
        TokenGuard::logto(endpoint, LogtoPermissions::GlobalApi { resource })
    };
    vec![
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
        (
            logto("https://contoso.logto.app", AUDIENCE).client_ids_in_place_of_audience(["client"]),
            Some("client ids cannot replace the audience of Logto's tokens: remove client_ids_in_place_of_audience"),
        ),
        (
            TokenGuard::entra(EntraApi::new(GUID, GUID)).application_claim("gty", "client-credentials"),
            Some(NO_APPLICATION_CLAIM),
        ),
        (
            TokenGuard::entra(EntraApi::external_id("https://contoso.ciamlogin.com", GUID, GUID))
                .application_claim("gty", "client-credentials"),
            Some(NO_APPLICATION_CLAIM),
        ),
        (
            TokenGuard::entra(EntraApi::b2c(
                "https://contoso.b2clogin.com",
                GUID,
                "B2C_1_signin",
                GUID,
            ))
            .application_claim("gty", "client-credentials"),
            None,
        ),
        (
            TokenGuard::event_grid(EntraApi::new(GUID, GUID), "role").application_claim("gty", "client-credentials"),
            Some(NO_APPLICATION_CLAIM),
        ),
        (
            TokenGuard::call_automation(GUID).application_claim("gty", "client-credentials"),
            Some(NO_APPLICATION_CLAIM),
        ),
        (TokenGuard::call_automation(GUID), None),
        (
            TokenGuard::call_automation("8:acs:secret"),
            Some("the resource id must be a GUID"),
        ),
        (TokenGuard::event_grid(EntraApi::new(GUID, GUID), "role"), None),
        (
            TokenGuard::entra(EntraApi::external_id("https://contoso.ciamlogin.com", "contoso", GUID)),
            Some("a tenant id must be a GUID"),
        ),
        (
            TokenGuard::entra(EntraApi::external_id("https://contoso.ciamlogin.com", GUID, GUID).allow_tenant(GUID)),
            Some("the tenant must be the only one of External ID or B2C: join the guards of several with any_of"),
        ),
        (
            TokenGuard::entra(EntraApi::b2c("https://contoso.b2clogin.com", GUID, "", GUID)),
            Some("the policy is empty"),
        ),
    ]
}

#[test]
fn unusable_setting_refused_and_not_shown() {
    for (builder, expected) in [bounds(), addresses(), names(), providers()].into_iter().flatten() {
        let shown = format!("{builder:?}");
        assert!(!shown.contains("secret"), "{shown}");
        let error = builder.build().err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), expected);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn missing_ca_certificates_refused() {
    use crate::child::{NO_CERTIFICATES, is_child};
    if !is_child("configuration::missing_ca_certificates_refused", &NO_CERTIFICATES) {
        return;
    }
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
