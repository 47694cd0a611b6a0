//! The state of a resource as JSON that a person can write: identities with their revocations, and assignments.

use crate::{
    dates::Timestamp,
    identities::{
        Assignment, Assignments, IdentityId, Registry,
        assignments::AssignmentKey,
        registry::{Identities, Revocations},
    },
    json_object::JsonObject,
    storage::{Changes, Receipt, Store},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt::{self, Display, Formatter},
    str::FromStr,
};
use uuid::Uuid;

/// Identities, assignments and revocations, without keys and tokens.
///
/// [`Emulator::export`](crate::Emulator::export) returns it, and
/// [`EmulatorBuilder::import`](crate::EmulatorBuilder::import) takes it. It is parsed from JSON, and `Display` writes that.
/// The default has none of them.
///
/// ```
/// use acs_identity_emulator::{Emulator, EmulatorState};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let state: EmulatorState = r#"{"identities":[{"id":"00000000-0000-0000-0000-000000000001"}]}"#.parse()?;
/// let emulator = Emulator::builder().import(state).start().await?;
/// assert_eq!(emulator.identity_count(), 1);
///
/// emulator.reset().await?; // to the imported state
/// println!("{}", emulator.export());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmulatorState {
    /// The resource of all identities; `None` if no id names it.
    pub(crate) resource_id: Option<Uuid>,
    /// The revocations of each identity by the user part of its id.
    identities: BTreeMap<Uuid, Revocations>,
    teams_extension_assignments: Vec<Assignment>,
    entra_assignments: Vec<Assignment>,
}

/// The text is not a state of the emulator, or not one of its resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidState(String);

/// The JSON of a state.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<Uuid>,
    identities: Vec<IdentityEntry>,
    teams_extension_assignments: Vec<Assignment>,
    entra_assignments: Vec<Assignment>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct IdentityEntry {
    /// The whole id, or its user part.
    id: String,
    /// The number of revocations in effect.
    #[serde(default, skip_serializing_if = "is_zero")]
    revocations: u32,
    /// The times at which others take effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending_revocations: Vec<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl EmulatorState {
    /// Copies the state of a resource.
    pub(crate) fn of(
        registry: &Registry,
        teams_extension: &Assignments<(Uuid, Uuid)>,
        entra: &Assignments<Uuid>,
    ) -> Self {
        let identities = registry.lock();
        let identities = identities.iter();
        Self {
            resource_id: Some(registry.resource),
            identities: identities
                .map(|(id, identity)| (id.user, identity.revocations.clone()))
                .collect(),
            teams_extension_assignments: teams_extension.list(),
            entra_assignments: entra.list(),
        }
    }

    /// Replaces the state of a resource by this one, and persists it with the changes that `also` describes.
    ///
    /// No revocation is taken back: an identity that has more of them than this state says keeps them.
    pub(crate) fn replace_in(
        &self,
        registry: &Registry,
        teams_extension: &Assignments<(Uuid, Uuid)>,
        entra: &Assignments<Uuid>,
        store: &Store,
        also: impl FnOnce(&mut Changes),
    ) -> Result<Receipt, InvalidState> {
        self.check_resource(registry.resource)?;
        // Held until all of them are replaced, so that no request sees a part.
        let mut identities = registry.lock();
        let mut teams_extension = teams_extension.lock();
        let mut entra = entra.lock();
        let replaced = self.identities(registry.resource, &identities);
        let removed_identities = removed(&identities, &replaced);
        *identities = replaced;
        let removed_teams_extension = teams_extension.replace(&self.teams_extension_assignments);
        let removed_entra = entra.replace(&self.entra_assignments);
        let receipt = store.write(|changes| {
            Registry::describe(&identities, &removed_identities, changes);
            teams_extension.describe(&removed_teams_extension, changes);
            entra.describe(&removed_entra, changes);
            also(changes);
        });
        for identity in identities.values_mut() {
            identity.receipt = receipt;
        }
        teams_extension.set_receipt(receipt);
        entra.set_receipt(receipt);
        Ok(receipt)
    }

    /// Refuses a resource that the ids are not of.
    pub(crate) fn check_resource(&self, resource: Uuid) -> Result<(), InvalidState> {
        match self.resource_id {
            Some(other) if other != resource => Err(InvalidState(format!(
                "it is of the resource {other}, and the emulator's is {resource}; start the emulator with that resource id, \
                 or leave `resourceId` and the first part of the ids out"
            ))),
            _ => Ok(()),
        }
    }

    /// The identities that take the place of others.
    fn identities(&self, resource: Uuid, earlier: &Identities) -> Identities {
        let identities = self.identities.iter().map(|(user, revocations)| {
            let id = IdentityId { resource, user: *user };
            let earlier = earlier.get(&id).map(|identity| &identity.revocations);
            let more = earlier.filter(|earlier| earlier.count() > revocations.count());
            (id, more.unwrap_or(revocations).clone().into())
        });
        identities.collect()
    }

    /// Checks a document.
    fn read(document: Document) -> Result<Self, InvalidState> {
        let mut state = Self {
            resource_id: document.resource_id,
            identities: BTreeMap::new(),
            teams_extension_assignments: document.teams_extension_assignments,
            entra_assignments: document.entra_assignments,
        };
        for (index, entry) in document.identities.into_iter().enumerate() {
            let refused = |problem: &str| InvalidState(format!("identities[{index}]: {problem}"));
            let (resource, user) = match (IdentityId::parse(&entry.id), Uuid::try_parse(&entry.id)) {
                (Some(id), _) => (Some(id.resource), id.user),
                (None, Ok(user)) => (None, user),
                (None, Err(_)) => {
                    return Err(refused(
                        "`id` is neither `8:acs:<resource>_<user>`, with two GUIDs in lower case, nor the second GUID alone",
                    ));
                }
            };
            if resource.is_some_and(|resource| *state.resource_id.get_or_insert(resource) != resource) {
                return Err(refused("`id` is that of another resource than the others"));
            }
            let revocations = Revocations::new(entry.revocations.into(), entry.pending_revocations);
            if state.identities.insert(user, revocations).is_some() {
                return Err(refused("`id` is there twice"));
            }
        }
        check::<(Uuid, Uuid)>("teamsExtensionAssignments", &mut state.teams_extension_assignments)?;
        check::<Uuid>("entraAssignments", &mut state.entra_assignments)?;
        Ok(state)
    }
}

/// The keys of a map that another does not have.
fn removed<V>(earlier: &BTreeMap<IdentityId, V>, later: &BTreeMap<IdentityId, V>) -> Vec<IdentityId> {
    let keys = earlier.keys().filter(|id| !later.contains_key(id));
    keys.copied().collect()
}

/// Checks assignments of one kind as its operations do.
fn check<K: AssignmentKey>(name: &str, assignments: &mut [Assignment]) -> Result<(), InvalidState> {
    let mut keys = BTreeSet::new();
    for (index, assignment) in assignments.iter_mut().enumerate() {
        let refused = |problem: String| InvalidState(format!("{name}[{index}]: {problem}"));
        if !K::PRINCIPAL_TYPES.contains(&assignment.principal_type) {
            let names: Vec<_> = K::PRINCIPAL_TYPES.iter().map(|known| known.name()).collect();
            return Err(refused(format!("`principalType` is none of {}", names.join(", "))));
        }
        if K::NEEDS_CLIENT_IDS && assignment.client_ids.is_none() {
            return Err(refused("`clientIds` is missing".to_owned()));
        }
        if !K::NEEDS_CLIENT_IDS {
            assignment.client_ids.take_if(|ids| ids.is_empty());
        }
        if !keys.insert(K::of(assignment)) {
            return Err(refused("the same principal is there twice".to_owned()));
        }
    }
    Ok(())
}

impl FromStr for EmulatorState {
    type Err = InvalidState;

    /// Parses the JSON of a state. Absent members are empty.
    ///
    /// # Errors
    ///
    /// [`InvalidState`] if the text is not JSON of this form, if an id or an assignment is not valid or there twice, or if
    /// the ids are of several resources.
    fn from_str(json: &str) -> Result<Self, Self::Err> {
        let json = json.strip_prefix('\u{feff}').unwrap_or(json);
        let JsonObject(document) = serde_json::from_str(json).map_err(|error| InvalidState(error.to_string()))?;
        Self::read(document)
    }
}

impl Display for EmulatorState {
    /// Writes the state as JSON, a member on a line.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?;
        f.write_str(&json)
    }
}

impl Serialize for EmulatorState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let id = |user: Uuid| match self.resource_id {
            Some(resource) => IdentityId { resource, user }.to_string(),
            None => user.to_string(),
        };
        let identities = self.identities.iter().map(|(user, revocations)| IdentityEntry {
            id: id(*user),
            revocations: u32::try_from(revocations.in_effect()).unwrap_or(u32::MAX),
            pending_revocations: revocations.pending().collect(),
        });
        let document = Document {
            resource_id: self.resource_id,
            identities: identities.collect(),
            teams_extension_assignments: self.teams_extension_assignments.clone(),
            entra_assignments: self.entra_assignments.clone(),
        };
        document.serialize(serializer)
    }
}

impl Display for InvalidState {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(problem) = self;
        write!(f, "not a state of the emulator: {problem}")
    }
}

impl Error for InvalidState {}
