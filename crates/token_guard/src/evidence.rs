//! Evidence for the operator: the expected values of a refused token beside its own, and a warning if all tokens are refused.

use crate::{
    algorithm::Algorithm,
    bounded::{bounded, bounded_list},
    error::{Denial, GuardError, TokenFault},
    keys::KeySet,
    token::{Claims, Header, Jws, Rules, TokenType},
};
use serde_json::Value;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

/// The shortest interval between warnings, and the longest between tokens that are counted together.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The number of tokens that must be refused for one reason before a warning. One token is no evidence of a setting.
const WARNING_THRESHOLD: u32 = 3;

/// An expected value, and that of a token. Both are quoted and bounded.
#[derive(Debug)]
struct Comparison {
    expected: String,
    got: String,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.expected, self.got)
    }
}

/// The values of a refused token, beside those that were expected. None of them is verified.
///
/// Its `Display` is one line of bounded length, which shows no part of the signature and no other claim.
#[derive(Debug)]
pub(crate) struct Evidence {
    issuer: Comparison,
    audience: Comparison,
    token_type: Comparison,
    key: Comparison,
    algorithm: Comparison,
}

impl Evidence {
    /// Reads a token again, for the rules and the cached keys of the issuers that it may be from. Returns `None` for a token
    /// that cannot be read.
    pub(crate) fn read(token: &str, issuers: &[(&Rules, Option<Arc<KeySet>>)]) -> Option<Self> {
        let jws = Jws::parse(token).ok()?;
        let claims = jws.claims().ok()?;
        let rules = || issuers.iter().map(|(rules, _)| *rules);
        let keys = || issuers.iter().filter_map(|(_, keys)| keys.as_deref());
        let names: Vec<_> = rules().flat_map(|rules| rules.issuer.names()).collect();
        // The relaxed type includes the strict one.
        let is_relaxed = rules().any(|rules| rules.token_type == TokenType::Jwt);
        let token_type = if is_relaxed {
            TokenType::Jwt
        } else {
            TokenType::AccessToken
        };
        Some(Self {
            issuer: Comparison {
                expected: bounded_list(names.iter().map(String::as_str)),
                got: shown(claims.get("iss")),
            },
            audience: audience(rules(), &claims),
            token_type: Comparison {
                expected: token_type.expected().to_owned(),
                got: shown_text(jws.header.typ.as_deref()),
            },
            key: Comparison {
                expected: bounded_list(keys().flat_map(KeySet::ids)),
                got: shown_text(jws.header.kid.as_deref()),
            },
            algorithm: algorithm(rules(), keys(), &jws.header),
        })
    }

    /// Explains an error for the log, with the values that it is about.
    fn explain(&self, error: &GuardError) -> String {
        match error {
            GuardError::InvalidToken(TokenFault::Issuer) => format!("from another issuer: {}", self.issuer),
            GuardError::InvalidToken(TokenFault::Audience) | GuardError::Forbidden(Denial::Audience) => {
                format!("for another audience: {}", self.audience)
            }
            GuardError::InvalidToken(TokenFault::Type) => format!("of another type: {}", self.token_type),
            GuardError::InvalidToken(TokenFault::UnknownKey) => format!("signed with an unknown key: {}", self.key),
            GuardError::InvalidToken(TokenFault::Algorithm) => {
                format!("signed with another algorithm: {}", self.algorithm)
            }
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            issuer,
            audience,
            token_type,
            key,
            algorithm,
        } = self;
        write!(
            f,
            "iss: {issuer}; aud: {audience}; typ: {token_type}; kid: {key}; alg: {algorithm}"
        )
    }
}

fn audience<'a>(rules: impl Iterator<Item = &'a Rules> + Clone, claims: &Claims) -> Comparison {
    let mut expected = bounded_list(rules.clone().flat_map(|rules| rules.audience.expected()));
    let mut got = shown(claims.get("aud"));
    let mut client_ids = rules
        .flat_map(|rules| rules.audience.client_ids())
        .map(String::as_str)
        .peekable();
    if client_ids.peek().is_some() {
        expected = format!("{expected}, or no aud with the client_id {}", bounded_list(client_ids));
        got = format!("{got} with the client_id {}", shown(claims.get("client_id")));
    }
    Comparison { expected, got }
}

fn algorithm<'a>(
    rules: impl Iterator<Item = &'a Rules>,
    keys: impl Iterator<Item = &'a KeySet>,
    header: &Header,
) -> Comparison {
    let mut expected: Vec<Algorithm> = keys.flat_map(|keys| keys.algorithms(header.kid.as_deref())).collect();
    if expected.is_empty() {
        expected = rules.flat_map(|rules| rules.algorithms.iter().copied()).collect();
    }
    let names: Vec<_> = expected.into_iter().map(Algorithm::name).collect();
    Comparison {
        expected: names.join(" or "),
        got: bounded(&header.alg),
    }
}

fn shown_text(text: Option<&str>) -> String {
    text.map_or_else(|| "none".to_owned(), bounded)
}

/// Shows a claim, or its type if it is not a text or a list of texts.
fn shown(claim: Option<&Value>) -> String {
    match claim {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => bounded(text),
        Some(Value::Array(items)) => {
            let texts = items.iter().map(|item| item.as_str().unwrap_or("(not a text)"));
            format!("[{}]", bounded_list(texts))
        }
        Some(Value::Bool(_)) => "a boolean".to_owned(),
        Some(Value::Number(_)) => "a number".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
    }
}

/// Warns once a minute if every token is refused for one reason, as after a wrong setting.
///
/// Anyone can send tokens without a signature of the issuer. They are counted alone, so that a scanner hides no wrong setting.
#[derive(Debug, Default)]
pub(crate) struct RefusalMonitor(Mutex<Refusals>);

#[derive(Debug, Default)]
struct Refusals {
    /// Tokens without a valid signature. A token with one shows that the issuer and its keys are right.
    unsigned: Count,
    /// Tokens with a valid signature.
    signed: Count,
}

/// The refusals since the last token that was accepted, or refused for another reason.
#[derive(Debug, Default)]
struct Count {
    reason: String,
    tokens: u32,
    last_at: Option<SystemTime>,
    warned_at: Option<SystemTime>,
}

impl RefusalMonitor {
    /// Records a token that was accepted.
    pub(crate) fn accepted(&self) {
        let mut refusals = self.lock();
        refusals.unsigned.tokens = 0;
        refusals.signed.tokens = 0;
    }

    /// Records a token that was refused, and warns if it is time.
    pub(crate) fn refused(&self, error: &GuardError, now: SystemTime, evidence: impl FnOnce() -> Option<Evidence>) {
        let Some(count) = self.lock().add(error, now) else {
            return;
        };
        let reason = evidence().map_or_else(|| error.to_string(), |evidence| evidence.explain(error));
        tracing::warn!(tokens = count, reason, "every token is refused for one reason");
    }

    fn lock(&self) -> MutexGuard<'_, Refusals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refusals {
    /// Counts a refusal. Returns the number of refusals if a warning is due.
    fn add(&mut self, error: &GuardError, now: SystemTime) -> Option<u32> {
        if needs_no_signature(error) {
            return self.unsigned.add(error.to_string(), now);
        }
        self.unsigned.tokens = 0;
        self.signed.add(error.to_string(), now)
    }
}

/// Returns whether a token without a signature of the issuer can be refused for this reason.
fn needs_no_signature(error: &GuardError) -> bool {
    matches!(
        error,
        GuardError::InvalidToken(
            TokenFault::NotAJwt
                | TokenFault::Malformed
                | TokenFault::CriticalHeader
                | TokenFault::Type
                | TokenFault::Algorithm
                | TokenFault::UnknownKey
                | TokenFault::Signature
                | TokenFault::Issuer
        )
    )
}

impl Count {
    fn add(&mut self, reason: String, now: SystemTime) -> Option<u32> {
        let is_recent = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age < WARNING_INTERVAL);
        if self.reason != reason || !self.last_at.is_some_and(is_recent) {
            self.tokens = 0;
            self.reason = reason;
        }
        self.last_at = Some(now);
        self.tokens = self.tokens.saturating_add(1);
        let is_due = self.tokens >= WARNING_THRESHOLD && !self.warned_at.is_some_and(is_recent);
        is_due.then(|| {
            self.warned_at = Some(now);
            self.tokens
        })
    }
}
