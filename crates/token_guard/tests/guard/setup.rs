//! A guard and an issuer that agree on the time.

use crate::server::Server;
use serde_json::{Value, json};
use token_guard::{
    Caller, GuardError, TokenGuard, TokenGuardBuilder,
    testing::{ManualClock, TestIssuer},
};

/// The time of the tests: 2027-01-15.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) const AUDIENCE: &str = "https://api.contoso.com";

pub(crate) struct Setup {
    pub(crate) issuer: TestIssuer,
    pub(crate) time: ManualClock,
}

impl Setup {
    pub(crate) async fn new() -> Self {
        let time = ManualClock::at(NOW);
        let issuer = TestIssuer::start().await.unwrap().with_clock(time.clock());
        Self { issuer, time }
    }

    pub(crate) fn builder(&self) -> TokenGuardBuilder {
        TokenGuard::builder(self.issuer.url(), [AUDIENCE]).clock(self.time.clock())
    }

    pub(crate) fn guard(&self) -> TokenGuard {
        self.builder().build().unwrap()
    }

    /// Serves the issuer's key at `/jwks` of a server, and returns the builder of a guard that fetches it there.
    pub(crate) fn with_keys_at(&self, server: &Server) -> TokenGuardBuilder {
        server.json("/jwks", &json!({"keys": [self.issuer.public_key()]}));
        self.builder().keys_at(&server.url("/jwks"))
    }

    /// A token that is accepted for a year, so that only keys matter.
    pub(crate) fn token(&self) -> String {
        let exp = NOW + 365 * 24 * 60 * 60;
        self.issuer
            .token(json!({"sub": "alice", "aud": AUDIENCE, "exp": exp}))
            .unwrap()
    }

    /// A token that names a key that the issuer does not have.
    pub(crate) fn with_unknown_key(&self, id: &str) -> String {
        let claims = json!({"iss": self.issuer.url(), "sub": "alice", "aud": AUDIENCE, "exp": NOW + 60});
        self.issuer
            .sign(&json!({"alg": "ES384", "typ": "at+jwt", "kid": id}), &claims)
            .unwrap()
    }
}

/// Summarizes the outcome for a token: `200`, `403 auth.forbidden`, `401 invalid_token Expired`.
pub(crate) fn short(outcome: &Result<Caller, GuardError>) -> String {
    match outcome {
        Ok(_) => "200".to_owned(),
        Err(error @ GuardError::InvalidToken(fault)) => {
            format!("{} {} {fault:?}", error.status().as_u16(), error.code())
        }
        Err(error) => format!("{} {}", error.status().as_u16(), error.code()),
    }
}

/// Replaces members of an object, or removes them where they are null.
pub(crate) fn with(value: &Value, members: &Value) -> Value {
    let mut value = value.clone();
    let object = value.as_object_mut().unwrap();
    for (name, member) in members.as_object().unwrap() {
        if member.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), member.clone());
        }
    }
    value
}
