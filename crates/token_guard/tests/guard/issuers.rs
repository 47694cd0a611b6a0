//! Guards of several issuers: each token is checked in full by the guards of its issuer, and by no other.

use crate::{
    forge::Key,
    server::Server,
    setup::{AUDIENCE, NOW, Setup, short, with},
};
use futures::FutureExt;
use serde_json::{Value, json};
use std::time::Duration;
use token_guard::{Caller, Denial, EntraApi, GuardError, TokenGuard, testing::ManualClock};

const OK: &str = "200";
const OTHER_AUDIENCE: &str = "https://api.fabrikam.com";

/// Two issuers with an audience each, and a guard of both.
struct Pair {
    first: Setup,
    second: Setup,
    guard: TokenGuard,
}

impl Pair {
    async fn new() -> Self {
        let (first, second) = (Setup::new().await, Setup::new().await);
        let other = TokenGuard::builder(second.issuer.url(), [OTHER_AUDIENCE]).clock(second.time.clock());
        let guard = TokenGuard::any_of([first.guard(), other.build().unwrap()]);
        Self { first, second, guard }
    }

    /// Claims that the guard of the first issuer accepts.
    fn claims(&self) -> Value {
        json!({"iss": self.first.issuer.url(), "aud": AUDIENCE, "sub": "alice", "exp": NOW + 300})
    }

    /// Claims that the guard of the second issuer accepts.
    fn other_claims(&self) -> Value {
        with(
            &self.claims(),
            &json!({"iss": self.second.issuer.url(), "aud": OTHER_AUDIENCE}),
        )
    }
}

/// Signs with the key of an issuer, and names a key.
fn sign(setup: &Setup, key: &str, claims: &Value) -> String {
    let header = json!({"alg": "ES384", "typ": "at+jwt", "kid": key});
    setup.issuer.sign(&header, claims).unwrap()
}

fn issuer(outcome: &Result<Caller, GuardError>) -> Option<&str> {
    outcome.as_ref().ok()?.claim("iss")?.as_str()
}

#[tokio::test]
async fn token_checked_in_full_by_its_own_issuer() {
    let pair = Pair::new().await;
    let Pair { first, second, guard } = &pair;
    let (key, other_key) = (first.issuer.key_id(), second.issuer.key_id());
    let stranger = with(&pair.claims(), &json!({"iss": "https://issuer.contoso.com"}));
    for (name, token, expected) in [
        ("the first issuer's", sign(first, &key, &pair.claims()), OK),
        (
            "the second issuer's",
            sign(second, &other_key, &pair.other_claims()),
            OK,
        ),
        (
            "signed by the second issuer, which names its own key",
            sign(second, &other_key, &pair.claims()),
            "401 invalid_token UnknownKey",
        ),
        (
            "signed by the second issuer, which names the first one's key",
            sign(second, &key, &pair.claims()),
            "401 invalid_token Signature",
        ),
        (
            "for the second issuer's audience",
            sign(first, &key, &with(&pair.claims(), &json!({"aud": OTHER_AUDIENCE}))),
            "401 invalid_token Audience",
        ),
        (
            "of both issuers",
            sign(
                first,
                &key,
                &with(
                    &pair.claims(),
                    &json!({"iss": [first.issuer.url(), second.issuer.url()]}),
                ),
            ),
            "401 invalid_token Malformed",
        ),
        (
            "of another issuer",
            sign(first, &key, &stranger),
            "401 invalid_token Issuer",
        ),
        (
            "of no issuer",
            sign(first, &key, &with(&pair.claims(), &json!({"iss": null}))),
            "401 invalid_token Issuer",
        ),
    ] {
        let outcome = guard.verify(&token).await;
        assert_eq!(short(&outcome), expected, "{name}");
    }
    let outcome = guard.verify(&sign(second, &other_key, &pair.other_claims())).await;
    assert_eq!(issuer(&outcome), Some(second.issuer.url()));
}

#[tokio::test]
async fn token_of_another_issuer_fetches_no_keys() {
    let pair = Pair::new().await;
    let stranger = with(&pair.claims(), &json!({"iss": "https://issuer.contoso.com"}));
    let token = sign(&pair.first, "key", &stranger);
    assert_eq!(short(&pair.guard.verify(&token).await), "401 invalid_token Issuer");
    assert_eq!(pair.first.issuer.key_requests(), 0);
    let token = sign(&pair.first, &pair.first.issuer.key_id(), &pair.claims());
    assert_eq!(short(&pair.guard.verify(&token).await), OK);
    assert_eq!(
        (pair.first.issuer.key_requests(), pair.second.issuer.key_requests()),
        (1, 0)
    );
}

#[tokio::test]
async fn outage_of_one_issuer_touches_no_other() {
    let pair = Pair::new().await;
    let Pair { first, second, guard } = &pair;
    first.issuer.set_available(false);
    let token = sign(first, &first.issuer.key_id(), &pair.claims());
    let other = || sign(second, &second.issuer.key_id(), &pair.other_claims());
    for _ in 0..3 {
        assert_eq!(short(&guard.verify(&token).await), "503 auth.keys_unavailable");
        assert_eq!(short(&guard.verify(&other()).await), OK);
        guard.load_keys().await.unwrap();
    }
    assert_eq!(second.issuer.key_requests(), 1);

    // The limit of fetches for unknown keys is each issuer's own.
    first.issuer.set_available(true);
    first.time.advance(Duration::from_secs(5));
    assert_eq!(short(&guard.verify(&token).await), OK);
    for key in ["a", "b", "c"] {
        let outcome = guard.verify(&sign(first, key, &pair.claims())).await;
        assert_eq!(short(&outcome), "401 invalid_token UnknownKey");
    }
    second.issuer.rotate().unwrap();
    assert_eq!(short(&guard.verify(&other()).await), OK);

    first.issuer.set_available(false);
    second.issuer.set_available(false);
    first.time.advance(Duration::from_secs(3 * 24 * 3600));
    second.time.advance(Duration::from_secs(3 * 24 * 3600));
    assert_eq!(guard.load_keys().await.unwrap_err().status(), 503);
}

#[tokio::test]
async fn load_keys_waits_for_no_silent_issuer() {
    let (silent, setup) = (Setup::new().await, Setup::new().await);
    let server = Server::start_paused().await;
    let silent = silent.with_keys_at(&server).build().unwrap();
    let answering = setup.guard();
    answering.load_keys().await.unwrap();
    for guards in [[&silent, &answering], [&answering, &silent]] {
        let guard = TokenGuard::any_of(guards.map(Clone::clone));
        guard
            .load_keys()
            .now_or_never()
            .expect("waits for the silent issuer")
            .unwrap();
    }
    // The silent one was asked, nevertheless.
    server.requested(1).await;
    assert!(TokenGuard::any_of([silent]).load_keys().now_or_never().is_none());
}

#[tokio::test]
async fn requirements_are_those_of_each_guard() {
    let setup = Setup::new().await;
    let other = Setup::new().await;
    let users = setup.guard().requiring_scopes(["read:messages"]);
    let daemons = setup.guard().requiring_application().requiring_roles(["Calls.All"]);
    let guard = TokenGuard::any_of([users, daemons, other.guard()]);
    let strict = guard.requiring_roles(["Calls.All"]);
    let nested = TokenGuard::any_of([strict.clone()]);
    let forbidden = "403 auth.forbidden";
    for (claims, expected) in [
        (json!({"scope": "read:messages"}), [OK, forbidden]),
        (json!({"scope": "read:messages", "roles": ["Calls.All"]}), [OK, OK]),
        (json!({"roles": ["Calls.All"]}), [forbidden, forbidden]),
        (json!({"roles": ["Calls.All"], "client_id": "alice"}), [OK, OK]),
        (json!({"client_id": "alice"}), [forbidden, forbidden]),
    ] {
        let claims = with(&json!({"sub": "alice", "aud": AUDIENCE}), &claims);
        let token = setup.issuer.token(claims.clone()).unwrap();
        for (guard, expected) in [&guard, &strict, &nested]
            .into_iter()
            .zip([expected[0], expected[1], expected[1]])
        {
            assert_eq!(short(&guard.verify(&token).await), expected, "{claims}");
        }
    }
    // The other issuer's guard requires nothing.
    assert_eq!(short(&guard.verify(&other.token()).await), OK);
    assert_eq!(short(&strict.verify(&other.token()).await), forbidden);
}

#[tokio::test]
async fn refusal_is_that_of_the_guard_that_came_furthest() {
    let setup = Setup::new().await;
    let without_keys = Server::start().await;
    let here = || setup.builder();
    let other = TokenGuard::builder(setup.issuer.url(), [OTHER_AUDIENCE]).clock(setup.time.clock());
    let other = other.build().unwrap();
    let strict = here().build().unwrap().requiring_scopes(["read:messages"]);
    let outage = here().keys_at(&without_keys.url("/jwks")).build().unwrap();
    let forbidding = here().forbid_other_audiences().build().unwrap();
    let claims = json!({"aud": AUDIENCE, "sub": "alice"});
    for (name, guards, members, expected) in [
        (
            "no keys beside another audience",
            [&outage, &other],
            json!({}),
            "503 auth.keys_unavailable",
        ),
        (
            "a missing scope beside another audience",
            [&strict, &other],
            json!({}),
            "403 auth.forbidden",
        ),
        (
            "a missing scope beside no keys",
            [&strict, &outage],
            json!({}),
            "403 auth.forbidden",
        ),
        (
            "a forbidden audience beside an expired token",
            [&forbidding, &other],
            json!({"aud": OTHER_AUDIENCE, "exp": NOW - 300}),
            "401 invalid_token Expired",
        ),
        (
            "an accepted token beside no keys",
            [&outage, &other],
            json!({"aud": OTHER_AUDIENCE}),
            OK,
        ),
    ] {
        let token = setup.issuer.token(with(&claims, &members)).unwrap();
        for guards in [guards, [guards[1], guards[0]]] {
            let guard = TokenGuard::any_of(guards.map(Clone::clone));
            assert_eq!(short(&guard.verify(&token).await), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn first_of_equal_refusals_returned() {
    let setup = Setup::new().await;
    let users = setup.guard().requiring_scopes(["read:messages"]);
    let clients = setup.builder().subject_claim("client_id").build().unwrap();
    let guard = TokenGuard::any_of([users, clients.requiring_application()]);
    let token = setup
        .issuer
        .token(json!({"aud": AUDIENCE, "sub": "alice", "client_id": "web"}))
        .unwrap();
    let refused = guard.verify(&token).await.unwrap_err();
    assert!(
        matches!(&refused, GuardError::Forbidden(Denial::Scope(scopes)) if scopes == &["read:messages"]),
        "{refused:?}"
    );
}

#[tokio::test]
async fn policies_of_one_tenant_touch_no_other() {
    const GUID: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
    let key = Key::rsa();
    let (paused, server) = (Server::start_paused().await, Server::start().await);
    server.json("/jwks", &json!({"keys": [key.jwk("key")]}));
    let policy = |policy: &str, server: &Server| {
        let api = EntraApi::b2c("https://contoso.b2clogin.com", GUID, policy, GUID);
        let builder = TokenGuard::entra(api).keys_at(&server.url("/jwks"));
        builder.clock(ManualClock::at(NOW).clock()).build().unwrap()
    };
    let guard = TokenGuard::any_of([
        policy("B2C_1_signin", &paused),
        policy("B2C_1_edit", &server).requiring_scopes(["write"]),
    ]);
    let claims = json!({
        "iss": format!("https://contoso.b2clogin.com/{GUID}/v2.0/"), "aud": GUID, "sub": "alice", "azp": "web",
        "tfp": "B2C_1_edit", "scp": "write", "exp": NOW + 300,
    });
    for (name, members, expected) in [
        ("the second policy", json!({}), OK),
        ("without its scope", json!({"scp": "read"}), "403 auth.forbidden"),
        (
            "of neither policy",
            json!({"tfp": "B2C_1_reset"}),
            "401 invalid_token Issuer",
        ),
        ("of no policy", json!({"tfp": null}), "401 invalid_token Issuer"),
    ] {
        let token = key.token(
            &json!({"alg": "RS256", "typ": "JWT", "kid": "key"}),
            &with(&claims, &members),
        );
        assert_eq!(short(&guard.verify(&token).await), expected, "{name}");
    }
    assert_eq!(paused.requests(), [""; 0]);
}

#[tokio::test]
async fn guard_of_no_issuer_refuses_every_token() {
    let setup = Setup::new().await;
    let guard = TokenGuard::any_of([]);
    guard.load_keys().await.unwrap();
    assert_eq!(short(&guard.verify(&setup.token()).await), "401 invalid_token Issuer");
}
