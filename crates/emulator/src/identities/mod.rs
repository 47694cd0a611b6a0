//! Identities, and the assignments that admit users of Entra ID.

mod assignments;
mod ids;
mod registry;
mod state;

pub(crate) use assignments::{Assignment, AssignmentKey, Assignments, EntraUser, PrincipalType};
pub(crate) use ids::{Access, AssignedUser, IdentityId};
pub(crate) use registry::Registry;
pub use state::{EmulatorState, InvalidState};
