//! The callers who are operators.

use token_guard::{Caller, GuardError, TokenGuard};

/// The callers of the routes below `/admin`: people or applications whose token has a scope or a role, or both.
///
/// # Examples
///
/// ```
/// use token_guard::TokenGuard;
/// use token_service::AdminAccess;
///
/// let guard = TokenGuard::builder("https://issuer.contoso.com", ["https://api.contoso.com"]).build()?;
/// let access = AdminAccess::by_role(guard, "TokenService.Operator");
/// # let _ = access;
/// # Ok::<(), token_guard::ConfigurationError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AdminAccess {
    pub(crate) guard: TokenGuard,
    scope: Option<String>,
    role: Option<String>,
}

impl AdminAccess {
    /// Gives access to callers with a scope.
    ///
    /// # Arguments
    ///
    /// * `guard` - The guard that checks callers' tokens. Its issuers appoint the operators. It can require less than the
    ///   guard of users, such as no scope of applications, which have roles only.
    /// * `scope` - The scope, which no user has who is not an operator.
    #[must_use]
    pub fn by_scope(guard: TokenGuard, scope: impl Into<String>) -> Self {
        Self {
            guard,
            scope: Some(scope.into()),
            role: None,
        }
    }

    /// Gives access to callers with a role.
    ///
    /// # Arguments
    ///
    /// * `guard` - As for [`by_scope`](Self::by_scope).
    /// * `role` - The role.
    #[must_use]
    pub fn by_role(guard: TokenGuard, role: impl Into<String>) -> Self {
        Self {
            guard,
            scope: None,
            role: Some(role.into()),
        }
    }

    /// Also requires a role.
    #[must_use]
    pub fn and_role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// Checks that a caller is an operator.
    pub(crate) fn check(&self, caller: &Caller) -> Result<(), GuardError> {
        if let Some(scope) = &self.scope {
            caller.require_scope(scope)?;
        }
        if let Some(role) = &self.role {
            caller.require_role(role)?;
        }
        Ok(())
    }
}
