//! The caller of an API.

use crate::{
    bearer::BearerToken,
    error::{Denial, GuardError},
    token::{Identity, VerifiedToken},
};
use serde_json::Value;
use std::{fmt, sync::Arc, time::SystemTime};

/// The caller of an API, as the issuer of the token describes it. The token has been checked.
///
/// Handlers of axum and actix-web take it as an argument; behind a `GuardLayer` it is among the extensions of the
/// request. `Debug` shows the subject, the client, the organization, the scopes, the roles and the expiry. It shows neither
/// the token nor other claims.
#[derive(Clone)]
pub struct Caller(Arc<Inner>);

struct Inner {
    bearer: BearerToken,
    verified: VerifiedToken,
}

impl Caller {
    pub(crate) fn new(bearer: BearerToken, verified: VerifiedToken) -> Self {
        Self(Arc::new(Inner { bearer, verified }))
    }

    fn identity(&self) -> &Identity {
        &self.0.verified.identity
    }

    /// Returns the `sub` claim, or the [`subject_claim`](crate::TokenGuardBuilder::subject_claim): the user, or the
    /// application if it acts for no user.
    ///
    /// It is unique within the issuer. With Entra ID it is unique within the issuer and this API only; use
    /// [`object_id`](Self::object_id) across APIs. A guard of several issuers must combine it with the `iss`
    /// [`claim`](Self::claim). A token of Call Automation without it has the issuer as its subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.identity().subject
    }

    /// Returns the application that requested the token: the first of the claims `client_id`, `azp`, `appid` (AD FS) and
    /// `cid` (Okta), or `azp` or `appid` of Entra ID.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.identity().client_id.as_deref()
    }

    /// Returns whether the caller is an application that acts for no user, such as a daemon.
    ///
    /// A token of Entra ID is such a token if its
    /// [`idtyp`](https://learn.microsoft.com/entra/identity-platform/optional-claims-reference) is `app` or, without this
    /// claim, if it has no `scp`. A token of another issuer is if its subject is its client
    /// ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068#section-2.2)) or, as Auth0 writes it, the client and `@clients`; or
    /// if an [`application_claim`](crate::TokenGuardBuilder::application_claim) says so. Tokens of Call Automation are.
    ///
    /// At an issuer whose users choose their `sub`, a user can be named like a client. Set
    /// [`subject_claim`](crate::TokenGuardBuilder::subject_claim) to an ID that the issuer assigns, and require a role.
    #[must_use]
    pub fn is_application(&self) -> bool {
        self.identity().is_application
    }

    /// Returns the Logto organization that the token is for: the `organization_id` claim, or the audience of a token for an
    /// organization's own permissions.
    #[must_use]
    pub fn organization_id(&self) -> Option<&str> {
        self.0.verified.organization_id.as_deref()
    }

    /// Returns the scopes of the token: the `scope` claim, `scp` of Entra ID, or the
    /// [`scope_claim`](crate::TokenGuardBuilder::scope_claim).
    ///
    /// No scope is empty or has a space. A claim that is neither a text nor a list counts as absent.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.identity().scopes
    }

    /// Returns the `roles` claim, or the [`roles_claim`](crate::TokenGuardBuilder::roles_claim).
    ///
    /// A claim that is neither a text nor a list counts as absent.
    ///
    /// With Entra ID these are the permissions of an application that acts for no user, or the roles of a user in the API.
    /// Use [`is_application`](Self::is_application) to distinguish them.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.identity().roles
    }

    /// Returns the tenant of Entra ID: the `tid` claim.
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.text("tid")
    }

    /// Returns the id of the user or the service principal in its Entra ID tenant: the `oid` claim. All applications of the
    /// tenant see the same id.
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        self.text("oid")
    }

    /// Returns the expiry of the token.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.0.verified.expires_at
    }

    /// Returns the JSON value of a claim. It is an empty object if it cannot be read, as a text with half of a surrogate pair.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.verified.claims.raw(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claim(name).and_then(Value::as_str)
    }

    /// Returns the token, for calls on behalf of the caller.
    #[must_use]
    pub fn token(&self) -> &BearerToken {
        &self.0.bearer
    }

    /// Returns whether the token has a scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().iter().any(|held| held == scope)
    }

    /// Returns whether the token has a role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().iter().any(|held| held == role)
    }

    /// Requires a scope.
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

    /// Requires a role.
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

    /// Requires an application that acts for no user.
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

    /// Requires an organization, such as the one in the path of the request.
    ///
    /// # Errors
    ///
    /// [`Denial::Organization`], a 403, if the token is for another organization or for none.
    pub fn require_organization(&self, organization_id: &str) -> Result<(), GuardError> {
        if self.organization_id() == Some(organization_id) {
            return Ok(());
        }
        Err(Denial::Organization.into())
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("subject", &self.subject())
            .field("client_id", &self.client_id())
            .field("is_application", &self.is_application())
            .field("organization_id", &self.organization_id())
            .field("scopes", &self.scopes())
            .field("roles", &self.roles())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
