//! Which scopes a caller's tokens may have, and how long they last.

use crate::error::ApiError;
use axum::http::StatusCode;
use azure_communication_identity::CommunicationTokenScope;
use azure_core::time::Duration;
use std::{collections::BTreeSet, fmt, sync::Arc};
use token_guard::Caller;

/// The lifetimes that Azure Communication Services grants a token.
const LIFETIMES: std::ops::RangeInclusive<Duration> = Duration::hours(1)..=Duration::hours(24);

/// What tokens callers may have: their scopes and their lifetime.
///
/// A caller gets the default scopes unless they ask for others; all of those have to be allowed. Rules make exceptions for
/// callers of one application, or with a scope or a role of the issuer.
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
    everybody: Allowance,
    rules: Vec<(RuleHolder, Allowance)>,
}

/// An exception from a [`TokenPolicy`]: what the callers whom it names may have instead.
#[derive(Clone, Debug)]
pub struct TokenRule {
    /// The callers that the rule is for.
    pub holder: RuleHolder,
    /// The scopes that they may have. Those of the policy's defaults that are among them are theirs by default or, if none
    /// is, all of them.
    pub scopes: Vec<CommunicationTokenScope>,
    /// How long their tokens last, 1 to 24 hours in whole minutes; as long as everybody's if it is `None`.
    pub lifetime: Option<Duration>,
}

/// The callers that a [`TokenRule`] is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RuleHolder {
    /// Callers that use this application: the `client_id` of their token or, of Entra ID, its `azp` or `appid`.
    ClientId(String),
    /// Callers whose token has this scope of the issuer.
    Scope(String),
    /// Callers whose token has this role.
    Role(String),
}

/// What some callers may have.
#[derive(Clone, Debug)]
struct Allowance {
    scopes: BTreeSet<CommunicationTokenScope>,
    lifetime: Duration,
    default: Grant,
}

/// The scopes and the lifetime of one token.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Grant(Arc<Terms>);

#[derive(Debug, Eq, Hash, PartialEq)]
struct Terms {
    scopes: Vec<CommunicationTokenScope>,
    lifetime: Duration,
}

/// Why a policy is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PolicyError {
    /// There are no scopes.
    NoScopes,
    /// A default scope is not allowed.
    DefaultNotAllowed,
    /// A lifetime is not one of 1 to 24 hours in whole minutes.
    Lifetime,
}

impl TokenPolicy {
    /// A policy without rules.
    ///
    /// # Arguments
    ///
    /// * `default` - The scopes of a token for which none are asked for.
    /// * `allowed` - All scopes that may be asked for, the default ones among them.
    /// * `lifetime` - How long tokens last: 1 to 24 hours, in whole minutes.
    ///
    /// # Errors
    ///
    /// If there are no default scopes, if one of them is not allowed, or if the lifetime is not one that Azure
    /// Communication Services grants.
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
            everybody: Allowance::new(&default, allowed, lifetime)?,
            rules: Vec::new(),
        })
    }

    /// Adds a rule. The first that is for a caller decides.
    ///
    /// # Errors
    ///
    /// If the rule has no scopes, or a lifetime that Azure Communication Services does not grant.
    pub fn rule(mut self, rule: TokenRule) -> Result<Self, PolicyError> {
        let allowed: BTreeSet<_> = rule.scopes.into_iter().collect();
        let mut default: BTreeSet<_> = allowed
            .intersection(&self.everybody.default.scope_set())
            .cloned()
            .collect();
        if default.is_empty() {
            default.clone_from(&allowed);
        }
        let lifetime = rule.lifetime.unwrap_or(self.everybody.lifetime);
        self.rules
            .push((rule.holder, Allowance::new(&default, allowed, lifetime)?));
        Ok(self)
    }

    /// What a caller gets who asks for these scopes, or for none in particular.
    pub(crate) fn grant(
        &self,
        caller: &Caller,
        asked: Option<&BTreeSet<CommunicationTokenScope>>,
    ) -> Result<Grant, ApiError> {
        let allowance = self.rules.iter().find(|(holder, _)| holder.is(caller));
        let allowance = allowance.map_or(&self.everybody, |(_, allowance)| allowance);
        match asked {
            None => Ok(allowance.default.clone()),
            Some(asked) => allowance.grant(asked),
        }
    }
}

/// Chat and calling, for 24 hours, as Microsoft's samples have it.
impl Default for TokenPolicy {
    fn default() -> Self {
        let scopes = BTreeSet::from([CommunicationTokenScope::Chat, CommunicationTokenScope::Voip]);
        let lifetime = Duration::hours(24);
        Self {
            everybody: Allowance {
                default: Grant::new(&scopes, lifetime),
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
            default: Grant::new(default, lifetime),
            scopes,
            lifetime,
        })
    }

    fn grant(&self, asked: &BTreeSet<CommunicationTokenScope>) -> Result<Grant, ApiError> {
        if !asked.is_subset(&self.scopes) {
            let allowed: Vec<_> = self.scopes.iter().map(CommunicationTokenScope::as_str).collect();
            let message = format!("a scope is not allowed: you may have {}", allowed.join(", "));
            return Err(ApiError::new(StatusCode::FORBIDDEN, "scope_not_allowed", message));
        }
        Ok(Grant::new(asked, self.lifetime))
    }
}

impl RuleHolder {
    fn is(&self, caller: &Caller) -> bool {
        match self {
            Self::ClientId(client_id) => caller.client_id() == Some(client_id),
            Self::Scope(scope) => caller.has_scope(scope),
            Self::Role(role) => caller.has_role(role),
        }
    }
}

impl Grant {
    fn new(scopes: &BTreeSet<CommunicationTokenScope>, lifetime: Duration) -> Self {
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

/// As it is stored: scopes in order, then minutes.
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
            Self::NoScopes => "there has to be a scope",
            Self::DefaultNotAllowed => "every default scope has to be an allowed one",
            Self::Lifetime => "a lifetime has to be 1 to 24 hours, in whole minutes",
        })
    }
}

impl std::error::Error for PolicyError {}
