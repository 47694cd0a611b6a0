//! Settings that no guard is built with.

use crate::setup::AUDIENCE;
use std::time::Duration;
use token_guard::{EntraApi, LogtoPermissions, TokenGuard, TokenGuardBuilder};

const ISSUER: &str = "https://contoso.logto.app/oidc";
const NANOSECOND: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
const GUID: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";

fn own() -> TokenGuardBuilder {
    TokenGuard::builder(ISSUER, [AUDIENCE])
}

#[test]
fn what_cannot_be_meant_is_refused_and_not_repeated() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let logto = |endpoint, resource: &str| {
        let resource = resource.to_owned();
        TokenGuard::logto(endpoint, LogtoPermissions::GlobalApi { resource })
    };
    for (builder, expected) in [
        (own(), None),
        (own().leeway(minutes(1)), None),
        (
            own().leeway(minutes(1) + NANOSECOND),
            Some("the leeway is longer than a minute"),
        ),
        (own().algorithms([]), Some("the list of algorithms is empty")),
        (
            own().key_lifetime(minutes(2)..=minutes(1)),
            Some("the lifetime of keys has bounds that are the wrong way round, below a second, or beyond a year"),
        ),
        (own().key_lifetime(SECOND..=YEAR), None),
        (own().key_lifetime(minutes(1)..=minutes(1)), None),
        (
            own().key_lifetime(Duration::from_nanos(999_999_999)..=YEAR),
            Some("the lifetime of keys has bounds that are the wrong way round, below a second, or beyond a year"),
        ),
        (
            own().key_lifetime(SECOND..=YEAR + NANOSECOND),
            Some("the lifetime of keys has bounds that are the wrong way round, below a second, or beyond a year"),
        ),
        (own().fetch_timeout(NANOSECOND), None),
        (own().fetch_timeout(minutes(60)), None),
        (
            own().fetch_timeout(Duration::ZERO),
            Some("the timeout of a fetch is zero or longer than an hour"),
        ),
        (
            own().fetch_timeout(minutes(60) + NANOSECOND),
            Some("the timeout of a fetch is zero or longer than an hour"),
        ),
        (own().stale_keys_for(Duration::ZERO), None),
        (own().stale_keys_for(Duration::MAX), None),
        (
            own().keys_at("http://secret.contoso.com/"),
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
