//! Assignments of users to the resource, which may exchange an Entra ID token for an access token.

use crate::storage::{Changes, DataFileError, Loaded, Receipt, SETTINGS, Store};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// An assignment in the service's JSON form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Assignment {
    /// The object id of the principal.
    pub(crate) object_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) principal_type: PrincipalType,
    /// The applications through which the principal may come; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_ids: Option<Vec<Uuid>>,
}

/// The kind of principal that an assignment is for. The wider kinds come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PrincipalType {
    User,
    ResourceAccount,
    /// The name of a resource account in Microsoft's how-to.
    TeamsResourceAccount,
    Group,
    /// Every user of the tenant.
    Tenant,
}

/// The user of an Entra ID token.
#[derive(Clone)]
pub(crate) struct EntraUser {
    pub(crate) tenant: Uuid,
    /// The object id of the user.
    pub(crate) user: Uuid,
    /// The application that asked for the token.
    pub(crate) application: Uuid,
    /// The groups of which the user is a member.
    pub(crate) groups: Vec<Uuid>,
}

impl Assignment {
    /// Returns whether the other assignment is for the same principal.
    pub(crate) fn has_principal_of(&self, other: &Self) -> bool {
        let principal = |assignment: &Self| (assignment.principal_type, assignment.tenant_id, assignment.object_id);
        principal(self) == principal(other)
    }

    /// Returns whether the user may use the resource through the application that asked for the token.
    pub(crate) fn admits(&self, user: &EntraUser) -> bool {
        self.tenant_id == user.tenant && self.includes(user) && self.allows(user.application)
    }

    fn includes(&self, user: &EntraUser) -> bool {
        match self.principal_type {
            PrincipalType::User | PrincipalType::ResourceAccount | PrincipalType::TeamsResourceAccount => {
                self.object_id == user.user
            }
            PrincipalType::Group => user.groups.contains(&self.object_id),
            PrincipalType::Tenant => true,
        }
    }

    fn allows(&self, application: Uuid) -> bool {
        match self.principal_type {
            PrincipalType::ResourceAccount | PrincipalType::TeamsResourceAccount => true,
            PrincipalType::User | PrincipalType::Group | PrincipalType::Tenant => {
                let client_ids = self.client_ids.as_ref();
                client_ids.is_none_or(|client_ids| client_ids.contains(&application))
            }
        }
    }
}

impl PrincipalType {
    /// The name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ResourceAccount => "resourceAccount",
            Self::TeamsResourceAccount => "teamsResourceAccount",
            Self::Group => "group",
            Self::Tenant => "tenant",
        }
    }
}

/// The key of an assignment among those of its kind.
pub(crate) trait AssignmentKey: Ord + Copy {
    /// The table of the assignments.
    const TABLE: &'static str;
    /// The kinds of principals that they are for.
    const PRINCIPAL_TYPES: &'static [PrincipalType];
    /// True if each names its applications.
    const NEEDS_CLIENT_IDS: bool;

    fn of(assignment: &Assignment) -> Self;

    /// The key in the table.
    fn path(&self) -> String;
}

/// The object id.
impl AssignmentKey for Uuid {
    const TABLE: &'static str = "entraAssignments";
    const PRINCIPAL_TYPES: &'static [PrincipalType] =
        &[PrincipalType::User, PrincipalType::Group, PrincipalType::Tenant];
    const NEEDS_CLIENT_IDS: bool = true;

    fn of(assignment: &Assignment) -> Self {
        assignment.object_id
    }

    fn path(&self) -> String {
        self.to_string()
    }
}

/// The tenant id and the object id.
impl AssignmentKey for (Uuid, Uuid) {
    const TABLE: &'static str = "teamsExtensionAssignments";
    const PRINCIPAL_TYPES: &'static [PrincipalType] = &[
        PrincipalType::User,
        PrincipalType::ResourceAccount,
        PrincipalType::TeamsResourceAccount,
    ];
    const NEEDS_CLIENT_IDS: bool = false;

    fn of(assignment: &Assignment) -> Self {
        (assignment.tenant_id, assignment.object_id)
    }

    fn path(&self) -> String {
        let (tenant, object) = self;
        format!("{tenant}/{object}")
    }
}

/// The assignments of one kind by their keys.
///
/// No two of them ever have the same number. A token carries the number of the assignment that admitted its user, and
/// is revoked when no assignment has that number any more, so no token is stored.
pub(crate) struct Assignments<K> {
    state: Mutex<State<K>>,
    store: Store,
}

pub(super) struct State<K> {
    /// Persisted under the name of the table.
    next_number: u64,
    by_key: BTreeMap<K, NumberedAssignment>,
}

#[derive(Serialize, Deserialize)]
struct NumberedAssignment {
    number: u64,
    assignment: Assignment,
    #[serde(skip)]
    receipt: Receipt,
}

impl<K: AssignmentKey> Assignments<K> {
    /// Loads the assignments in the data file.
    pub(crate) fn load(Loaded { store, contents, .. }: &Loaded) -> Result<Self, DataFileError> {
        let stored = contents.records::<NumberedAssignment>(K::TABLE)?.into_iter();
        let state = State {
            next_number: contents.setting(K::TABLE)?.unwrap_or_default(),
            by_key: stored
                .map(|(_, numbered)| (K::of(&numbered.assignment), numbered))
                .collect(),
        };
        Ok(Self {
            state: Mutex::new(state),
            store: store.clone(),
        })
    }

    /// Creates an assignment, or replaces the one with its key. Returns whether it is new.
    pub(crate) fn put(&self, assignment: Assignment) -> (bool, Receipt) {
        let key = K::of(&assignment);
        let mut state = self.lock();
        let mut numbered = state.number(assignment);
        numbered.receipt = self.store.write(|changes| {
            changes.put(SETTINGS, K::TABLE, &state.next_number);
            changes.put(K::TABLE, key.path(), &numbered);
        });
        let receipt = numbered.receipt;
        (state.by_key.insert(key, numbered).is_none(), receipt)
    }

    pub(crate) fn get(&self, key: &K) -> Option<Assignment> {
        Some(self.lock().by_key.get(key)?.assignment.clone())
    }

    /// All assignments in the order of their keys.
    pub(crate) fn list(&self) -> Vec<Assignment> {
        let state = self.lock();
        let all = state.by_key.values();
        all.map(|numbered| numbered.assignment.clone()).collect()
    }

    /// Deletes the assignment with this key, if it exists.
    pub(crate) fn delete(&self, key: &K) -> Receipt {
        let mut state = self.lock();
        state.by_key.remove(key);
        self.store.write(|changes| changes.delete(K::TABLE, key.path()))
    }

    /// The number of the assignment that admits a user, the narrowest if there are several, and the receipt to wait for
    /// before a token is handed out; `None` if no assignment does.
    pub(crate) fn admitting(&self, user: &EntraUser) -> Option<(u64, Receipt)> {
        let state = self.lock();
        let admitting = state
            .by_key
            .values()
            .filter(|numbered| numbered.assignment.admits(user));
        let narrowest = admitting.min_by_key(|numbered| numbered.assignment.principal_type)?;
        Some((narrowest.number, narrowest.receipt))
    }

    /// Returns whether an assignment still has this number.
    pub(crate) fn has_number(&self, number: u64) -> bool {
        self.lock().by_key.values().any(|numbered| numbered.number == number)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: AssignmentKey> State<K> {
    /// Numbers an assignment. One for the same principal as before keeps its number.
    fn number(&mut self, assignment: Assignment) -> NumberedAssignment {
        let number = match self.by_key.get(&K::of(&assignment)) {
            Some(existing) if existing.assignment.has_principal_of(&assignment) => existing.number,
            _ => {
                let number = self.next_number;
                self.next_number += 1;
                number
            }
        };
        NumberedAssignment {
            number,
            assignment,
            receipt: Receipt::default(),
        }
    }

    /// Replaces all assignments, and returns the keys of those that are no more.
    pub(super) fn replace(&mut self, assignments: &[Assignment]) -> Vec<K> {
        let numbered = assignments.iter().map(|assignment| {
            let numbered = self.number(assignment.clone());
            (K::of(assignment), numbered)
        });
        let replaced: BTreeMap<_, _> = numbered.collect();
        let earlier = std::mem::replace(&mut self.by_key, replaced);
        let removed = earlier.into_keys().filter(|key| !self.by_key.contains_key(key));
        removed.collect()
    }

    /// Describes assignments that have taken the place of others.
    pub(super) fn describe(&self, removed: &[K], changes: &mut Changes) {
        changes.put(SETTINGS, K::TABLE, &self.next_number);
        for key in removed {
            changes.delete(K::TABLE, key.path());
        }
        for (key, numbered) in &self.by_key {
            changes.put(K::TABLE, key.path(), numbered);
        }
    }

    pub(super) fn set_receipt(&mut self, receipt: Receipt) {
        for numbered in self.by_key.values_mut() {
            numbered.receipt = receipt;
        }
    }
}
