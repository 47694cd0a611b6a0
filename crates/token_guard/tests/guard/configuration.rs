//! Settings that no guard is built with.

use crate::setup::AUDIENCE;
use std::time::Duration;
use token_guard::{EntraApi, LogtoPermissions, TokenGuard, TokenGuardBuilder};

const ISSUER: &str = "https://contoso.logto.app/oidc";
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
        (own().leeway(minutes(2)), Some("the leeway is longer than a minute")),
        (own().algorithms([]), Some("the list of algorithms is empty")),
        (
            own().key_lifetime(minutes(2)..=minutes(1)),
            Some("the lifetime of keys has bounds that are the wrong way round, or beyond a year"),
        ),
        (
            own().fetch_timeout(Duration::ZERO),
            Some("the timeout of a fetch is zero or longer than an hour"),
        ),
        (
            own().keys_at("http://secret.contoso.com/"),
            Some("the address of the keys has to begin with https://, or be http on a loopback host"),
        ),
        (TokenGuard::builder(ISSUER, [""]), Some("the audience is empty")),
        (TokenGuard::builder(ISSUER, [""; 0]), Some("the audience is empty")),
        (
            TokenGuard::builder("http://secret.contoso.com", [AUDIENCE]),
            Some("the issuer has to begin with https://, or be http on a loopback host"),
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
        (logto("https://contoso.logto.app/", AUDIENCE), None),
        (logto("contoso.logto.app", AUDIENCE), Some("the issuer is not a URL")),
        (logto("https://contoso.logto.app", ""), Some("the audience is empty")),
        (TokenGuard::entra(EntraApi::new(GUID, GUID)), None),
        (
            TokenGuard::entra(EntraApi::new("contoso.onmicrosoft.com", GUID)),
            Some("a tenant id has to be a GUID"),
        ),
        (
            TokenGuard::entra(EntraApi::new(GUID, GUID).allow_tenant("common")),
            Some("a tenant id has to be a GUID"),
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
