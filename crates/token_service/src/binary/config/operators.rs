//! `[admin]`: the operators.

use super::sections::{AdminSection, IssuerSection};
use settings::Report;
use token_guard::TokenGuard;
use token_service::AdminAccess;

/// The operators, and the form of the audit log.
#[derive(Debug)]
pub(crate) struct Operators {
    /// The routes below `/admin` exist if there is a scope or a role.
    scope: Option<String>,
    role: Option<String>,
    /// Set if the audit log shows ids.
    pub(crate) audit_ids: bool,
}

impl Operators {
    /// Checks the section, beside the issuer that appoints the operators.
    pub(super) fn of(section: AdminSection, issuer: &IssuerSection, report: &mut Report<'_>) -> Self {
        if section.scope.is_some() && section.scope == issuer.scope {
            report.fault(
                "admin.scope",
                "is also issuer.scope, which every caller has; give operators another scope, or a role",
            );
        }
        for (key, value) in [("admin.scope", &section.scope), ("admin.role", &section.role)] {
            if value.as_ref().is_some_and(|value| value.contains(char::is_whitespace)) {
                report.fault(key, "must be one name, without white space");
            }
        }
        Self {
            scope: section.scope,
            role: section.role,
            audit_ids: section.audit_ids == Some(true),
        }
    }

    /// Returns the access to the routes, if there are any. With a scope and a role, operators need both.
    pub(crate) fn access(&self, guard: TokenGuard) -> Option<AdminAccess> {
        match (&self.scope, &self.role) {
            (Some(scope), Some(role)) => Some(AdminAccess::by_scope(guard, scope).and_role(role)),
            (Some(scope), None) => Some(AdminAccess::by_scope(guard, scope)),
            (None, Some(role)) => Some(AdminAccess::by_role(guard, role)),
            (None, None) => None,
        }
    }
}
