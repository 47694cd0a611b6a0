//! Who is calling.

use crate::{
    bearer::BearerToken,
    error::{Denial, GuardError},
    token::claims::Claims,
};
use serde_json::Value;
use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
    time::SystemTime,
};

/// Who is calling, as their token tells: it has been checked, and every word of it is the issuer's.
///
/// Handlers of axum and actix-web take it as an argument; behind a `GuardLayer` it is among the extensions of the
/// request. `Debug` shows the subject, the client and whether it acts for itself, the organisation, scopes, roles and the
/// expiry; never the token, nor other claims.
#[derive(Clone)]
pub struct Caller(Arc<Contents>);

/// What a caller is made of.
pub(crate) struct Contents {
    pub(crate) token: BearerToken,
    pub(crate) subject: String,
    pub(crate) client_id: Option<String>,
    pub(crate) is_application: bool,
    pub(crate) organization_id: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) expires_at: SystemTime,
    pub(crate) claims: Claims,
}

impl Caller {
    pub(crate) fn new(contents: Contents) -> Self {
        Self(Arc::new(contents))
    }

    /// The `sub` claim: the user, or the application itself where it acts for none. It is unique within the issuer; of
    /// Entra ID, within the issuer and this API only, see [`object_id`](Self::object_id).
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The application that got the token: the `client_id` claim, `azp` or `appid` of Entra ID.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.0.client_id.as_deref()
    }

    /// Whether an application acts for itself, and for no user: a daemon.
    ///
    /// Of Entra ID, such tokens have an [`idtyp`](https://learn.microsoft.com/entra/identity-platform/optional-claims-reference)
    /// of `app` or, where there is no such claim, no `scp`. Of other issuers, their `sub` is their `client_id`
    /// ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068#section-2.2)).
    #[must_use]
    pub fn is_application(&self) -> bool {
        self.0.is_application
    }

    /// The organisation that the token is for, of Logto: the `organization_id` claim, or the audience of a token for an
    /// organisation's own permissions.
    #[must_use]
    pub fn organization_id(&self) -> Option<&str> {
        self.0.organization_id.as_deref()
    }

    /// What the token allows: the `scope` claim, `scp` of Entra ID.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// The `roles` claim. Of Entra ID, it has the permissions of an application that acts for no user, but a user's roles in
    /// the API too: [`is_application`](Self::is_application) tells which.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.0.roles
    }

    /// The tenant of Entra ID, its `tid` claim.
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.text("tid")
    }

    /// The id of the user or the service principal in the tenant of Entra ID, its `oid` claim: the same in all of the
    /// tenant's applications.
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        self.text("oid")
    }

    /// When the token expires.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.0.expires_at
    }

    /// A claim, as the issuer has written it.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.claims.get(name)
    }

    /// The token itself, for calls in the caller's name.
    #[must_use]
    pub fn token(&self) -> &BearerToken {
        &self.0.token
    }

    /// Whether the token has a scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.scopes.iter().any(|held| held == scope)
    }

    /// Whether the token has a role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.0.roles.iter().any(|held| held == role)
    }

    /// Asks for a scope.
    ///
    /// # Errors
    ///
    /// [`Denial::Scope`], a 403, if the token does not have it.
    pub fn require_scope(&self, scope: &str) -> Result<(), GuardError> {
        if self.has_scope(scope) {
            return Ok(());
        }
        Err(Denial::Scope(vec![scope.to_owned()]).into())
    }

    /// Asks for a role.
    ///
    /// # Errors
    ///
    /// [`Denial::Role`], a 403, if the token does not have it.
    pub fn require_role(&self, role: &str) -> Result<(), GuardError> {
        if self.has_role(role) {
            return Ok(());
        }
        Err(Denial::Role(vec![role.to_owned()]).into())
    }

    /// Asks for an application that acts for no user.
    ///
    /// # Errors
    ///
    /// [`Denial::Application`], a 403, if the token is a user's.
    pub fn require_application(&self) -> Result<(), GuardError> {
        if self.is_application() {
            return Ok(());
        }
        Err(Denial::Application.into())
    }

    /// Asks for an organisation: the one that the request is about, such as a part of its path.
    ///
    /// # Errors
    ///
    /// [`Denial::Organization`], a 403, if the token is for another one or for none.
    pub fn require_organization(&self, organization_id: &str) -> Result<(), GuardError> {
        if self.organization_id() == Some(organization_id) {
            return Ok(());
        }
        Err(Denial::Organization.into())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claim(name).and_then(Value::as_str)
    }
}

impl Debug for Caller {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("subject", &self.0.subject)
            .field("client_id", &self.0.client_id)
            .field("is_application", &self.0.is_application)
            .field("organization_id", &self.0.organization_id)
            .field("scopes", &self.0.scopes)
            .field("roles", &self.0.roles)
            .field("expires_at", &self.0.expires_at)
            .finish_non_exhaustive()
    }
}
