//! The policy for tokens: the scopes and lifetimes that callers may have.

use crate::error::ApiError;
use axum::http::StatusCode;
use azure_communication_identity::CommunicationTokenScope;
use azure_core::time::Duration;
use std::{collections::BTreeSet, fmt, sync::Arc};
use token_guard::Caller;

/// The lifetimes that Azure Communication Services accepts.
const LIFETIMES: std::ops::RangeInclusive<Duration> = Duration::hours(1)..=Duration::hours(24);

/// The scopes and the lifetime of callers' tokens.
///
/// A caller gets the default scopes, or requests others, all of which must be allowed. Rules make exceptions for the callers
/// of one application, or with a scope or a role of the issuer.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::CommunicationTokenScope as Scope;
/// use azure_core::time::Duration;
/// use token_service::{RuleHolder, TokenPolicy, TokenRule};
///
/// let policy = TokenPolicy::new([Scope::ChatJoin], [Scope::ChatJoin, Scope::VoipJoin], Duration::hours(1))?.rule(TokenRule {
///     holder: RuleHolder::Role("moderator".to_owned()),
///     scopes: vec![Scope::Chat, Scope::Voip],
///     lifetime: Some(Duration::hours(8)),
/// })?;
/// # let _ = policy;
/// # Ok::<(), token_service::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenPolicy {
    default: Allowance,
    rules: Vec<(RuleHolder, Allowance)>,
}

/// An exception of a [`TokenPolicy`] for some callers.
#[derive(Clone, Debug)]
pub struct TokenRule {
    /// The callers that the rule applies to.
    pub holder: RuleHolder,
    /// The scopes that they may have. Their default is the intersection with the policy's default scopes or, if that is empty,
    /// all of them.
    pub scopes: Vec<CommunicationTokenScope>,
    /// The lifetime of their tokens, 1 to 24 hours in whole minutes. `None` is the policy's.
    pub lifetime: Option<Duration>,
}

/// The callers that a [`TokenRule`] applies to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RuleHolder {
    /// Callers of an application: the `client_id` of their token or, for Entra ID, its `azp` or `appid`.
    ClientId(String),
    /// Callers with a scope of the issuer.
    Scope(String),
    /// Callers with a role.
    Role(String),
}

/// The scopes and the lifetime that some callers may have.
#[derive(Clone, Debug)]
struct Allowance {
    scopes: BTreeSet<CommunicationTokenScope>,
    lifetime: Duration,
    default_grant: Grant,
}

/// The scopes and the lifetime of one token.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Grant(Arc<Terms>);

#[derive(Debug, Eq, Hash, PartialEq)]
struct Terms {
    scopes: Vec<CommunicationTokenScope>,
    lifetime: Duration,
}

/// An invalid policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PolicyError {
    /// There are no scopes.
    NoScopes,
    /// A default scope is not an allowed one.
    DefaultNotAllowed,
    /// A lifetime is not 1 to 24 hours in whole minutes.
    Lifetime,
}

impl TokenPolicy {
    /// Creates a policy without rules.
    ///
    /// # Arguments
    ///
    /// * `default` - The scopes of a token if the caller requests none.
    /// * `allowed` - The scopes that callers may request, which include the default ones.
    /// * `lifetime` - The lifetime of tokens, 1 to 24 hours in whole minutes.
    ///
    /// # Errors
    ///
    /// If there is no default scope, if one of them is not allowed, or if Azure Communication Services does not accept the
    /// lifetime.
    pub fn new(
        default: impl IntoIterator<Item = CommunicationTokenScope>,
        allowed: impl IntoIterator<Item = CommunicationTokenScope>,
        lifetime: Duration,
    ) -> Result<Self, PolicyError> {
        let default: BTreeSet<_> = default.into_iter().collect();
        let allowed: BTreeSet<_> = allowed.into_iter().collect();
        if !default.is_subset(&allowed) {
            return Err(PolicyError::DefaultNotAllowed);
        }
        Ok(Self {
            default: Allowance::new(&default, allowed, lifetime)?,
            rules: Vec::new(),
        })
    }

    /// Adds a rule. The first rule that applies to a caller decides.
    ///
    /// # Errors
    ///
    /// If the rule has no scopes, or a lifetime that Azure Communication Services does not accept.
    pub fn rule(mut self, rule: TokenRule) -> Result<Self, PolicyError> {
        let allowed: BTreeSet<_> = rule.scopes.into_iter().collect();
        let mut default: BTreeSet<_> = allowed
            .intersection(&self.default.default_grant.scope_set())
            .cloned()
            .collect();
        if default.is_empty() {
            default.clone_from(&allowed);
        }
        let lifetime = rule.lifetime.unwrap_or(self.default.lifetime);
        self.rules
            .push((rule.holder, Allowance::new(&default, allowed, lifetime)?));
        Ok(self)
    }

    /// Returns the grant for a caller's requested scopes, or for the default ones.
    pub(crate) fn grant(
        &self,
        caller: &Caller,
        requested: Option<&BTreeSet<CommunicationTokenScope>>,
    ) -> Result<Grant, ApiError> {
        let allowance = self.rules.iter().find(|(holder, _)| holder.matches(caller));
        let allowance = allowance.map_or(&self.default, |(_, allowance)| allowance);
        match requested {
            None => Ok(allowance.default_grant.clone()),
            Some(requested) => allowance.grant(requested),
        }
    }
}

/// Chat and calling for 24 hours, as in Microsoft's samples.
impl Default for TokenPolicy {
    fn default() -> Self {
        let scopes = BTreeSet::from([CommunicationTokenScope::Chat, CommunicationTokenScope::Voip]);
        let lifetime = Duration::hours(24);
        Self {
            default: Allowance {
                default_grant: Grant::new(&scopes, lifetime),
                scopes,
                lifetime,
            },
            rules: Vec::new(),
        }
    }
}

impl Allowance {
    fn new(
        default: &BTreeSet<CommunicationTokenScope>,
        scopes: BTreeSet<CommunicationTokenScope>,
        lifetime: Duration,
    ) -> Result<Self, PolicyError> {
        if default.is_empty() {
            return Err(PolicyError::NoScopes);
        }
        if !LIFETIMES.contains(&lifetime) || lifetime != Duration::minutes(lifetime.whole_minutes()) {
            return Err(PolicyError::Lifetime);
        }
        Ok(Self {
            default_grant: Grant::new(default, lifetime),
            scopes,
            lifetime,
        })
    }

    fn grant(&self, requested: &BTreeSet<CommunicationTokenScope>) -> Result<Grant, ApiError> {
        if !requested.is_subset(&self.scopes) {
            let allowed: Vec<_> = self.scopes.iter().map(CommunicationTokenScope::as_str).collect();
            let message = format!("a scope is not allowed: you may have {}", allowed.join(", "));
            return Err(ApiError::new(StatusCode::FORBIDDEN, "scope_not_allowed", message));
        }
        Ok(Grant::new(requested, self.lifetime))
    }
}

impl RuleHolder {
    fn matches(&self, caller: &Caller) -> bool {
        match self {
            Self::ClientId(client_id) => caller.client_id() == Some(client_id),
            Self::Scope(scope) => caller.has_scope(scope),
            Self::Role(role) => caller.has_role(role),
        }
    }
}

impl Grant {
    pub(crate) fn new(scopes: &BTreeSet<CommunicationTokenScope>, lifetime: Duration) -> Self {
        Self(Arc::new(Terms {
            scopes: scopes.iter().cloned().collect(),
            lifetime,
        }))
    }

    pub(crate) fn scopes(&self) -> &[CommunicationTokenScope] {
        &self.0.scopes
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.0.lifetime
    }

    fn scope_set(&self) -> BTreeSet<CommunicationTokenScope> {
        self.0.scopes.iter().cloned().collect()
    }
}

/// Formats the key of a stored token: the scopes in order, then the lifetime in minutes.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for scope in self.scopes() {
            write!(f, "{scope} ")?;
        }
        write!(f, "{}", self.lifetime().whole_minutes())
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoScopes => "there must be a scope",
            Self::DefaultNotAllowed => "every default scope must be an allowed one",
            Self::Lifetime => "a lifetime must be 1 to 24 hours, in whole minutes",
        })
    }
}

impl std::error::Error for PolicyError {}
