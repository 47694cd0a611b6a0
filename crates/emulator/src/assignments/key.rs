//! What tells assignments apart.

use crate::assignments::Assignment;
use uuid::Uuid;

/// The key of an assignment among those of its kind.
pub(crate) trait Key: Ord {
    /// The table of the assignments.
    const TABLE: &'static str;

    fn of(assignment: &Assignment) -> Self;

    /// The key in the table.
    fn path(&self) -> String;
}

/// The object id.
impl Key for Uuid {
    const TABLE: &'static str = "entraAssignments";

    fn of(assignment: &Assignment) -> Self {
        assignment.object_id
    }

    fn path(&self) -> String {
        self.to_string()
    }
}

/// The tenant id and the object id.
impl Key for (Uuid, Uuid) {
    const TABLE: &'static str = "teamsExtensionAssignments";

    fn of(assignment: &Assignment) -> Self {
        (assignment.tenant_id, assignment.object_id)
    }

    fn path(&self) -> String {
        let (tenant, object) = self;
        format!("{tenant}/{object}")
    }
}
