//! Identities, and the assignments that admit users of Entra ID.

mod assignments;
mod ids;
mod registry;

pub(crate) use assignments::{Assignment, Assignments, EntraUser, PrincipalType};
pub(crate) use ids::{Access, AssignedUser, IdentityId};
pub(crate) use registry::Registry;
