//! The identities of the emulator's resource, and which of their tokens are revoked.

use crate::identity_id::IdentityId;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// The epoch of the times in user ids. The service's ids begin with zeros and look ordered by time. So do these, whose
/// first eight bytes are the milliseconds since this moment.
const EPOCH: OffsetDateTime = datetime!(2020-01-01 00:00 UTC);

/// What decides which tokens of an identity are revoked.
///
/// Each token carries a serial number, counted from zero for each identity. The revoked tokens are those below some
/// number, so no token has to be stored.
#[derive(Default)]
struct Identity {
    next_serial: u64,
    first_valid_serial: u64,
}

/// The identities of one resource.
pub(crate) struct Registry {
    resource: Uuid,
    identities: Mutex<BTreeMap<IdentityId, Identity>>,
}

impl Registry {
    pub(crate) fn new(resource: Uuid) -> Self {
        Self {
            resource,
            identities: Mutex::default(),
        }
    }

    /// Creates an identity. Its id sorts after all others.
    pub(crate) fn create(&self, now: OffsetDateTime) -> IdentityId {
        let mut identities = self.lock();
        let after_last = identities
            .last_key_value()
            .map_or(0, |(last, _)| last.user.as_u64_pair().0 + 1);
        let millis = u64::try_from((now - EPOCH).whole_milliseconds()).unwrap_or_default();
        let (_, random) = Uuid::new_v4().as_u64_pair();
        let id = IdentityId {
            resource: self.resource,
            user: Uuid::from_u64_pair(millis.max(after_last), random),
        };
        identities.insert(id, Identity::default());
        id
    }

    /// Deletes an identity; `false` if there is no such identity.
    pub(crate) fn delete(&self, id: IdentityId) -> bool {
        self.lock().remove(&id).is_some()
    }

    /// Takes the next serial number of an identity's tokens; `None` if there is no such identity.
    pub(crate) fn next_serial(&self, id: IdentityId) -> Option<u64> {
        let mut identities = self.lock();
        let identity = identities.get_mut(&id)?;
        let serial = identity.next_serial;
        identity.next_serial += 1;
        Some(serial)
    }

    /// Revokes the tokens issued so far; `false` if there is no such identity.
    pub(crate) fn revoke_tokens(&self, id: IdentityId) -> bool {
        let mut identities = self.lock();
        let Some(identity) = identities.get_mut(&id) else {
            return false;
        };
        identity.first_valid_serial = identity.next_serial;
        true
    }

    /// Whether a token has been revoked; `None` if there is no such identity.
    pub(crate) fn is_revoked(&self, id: IdentityId, serial: u64) -> Option<bool> {
        Some(serial < self.lock().get(&id)?.first_valid_serial)
    }

    /// The ids of all identities, oldest first.
    pub(crate) fn ids(&self) -> Vec<IdentityId> {
        self.lock().keys().copied().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IdentityId, Identity>> {
        self.identities.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-08-01 00:00 UTC);

    #[test]
    fn ids_have_the_services_shape_and_sort_by_age() {
        let registry = Registry::new(Uuid::from_u128(1));
        let ids: Vec<_> = (0..100).map(|_| registry.create(NOW)).collect();
        assert_eq!(registry.ids(), ids);
        let first = ids.first().unwrap().to_string();
        // 207,705,600,000 ms after the start of 2020.
        assert!(
            first.starts_with("8:acs:00000000-0000-0000-0000-000000000001_00000030-5c37-f000-"),
            "{first}"
        );
        assert_eq!(IdentityId::parse(&first), ids.first().copied());
    }

    #[test]
    fn revocation_affects_earlier_tokens_only() {
        let registry = Registry::new(Uuid::nil());
        let id = registry.create(NOW);
        let before = registry.next_serial(id).unwrap();
        assert!(registry.revoke_tokens(id));
        let after = registry.next_serial(id).unwrap();
        assert_eq!(registry.is_revoked(id, before), Some(true));
        assert_eq!(registry.is_revoked(id, after), Some(false));
    }

    #[test]
    fn a_deleted_identity_is_unknown_to_every_operation() {
        let registry = Registry::new(Uuid::nil());
        let id = registry.create(NOW);
        assert!(registry.delete(id));
        assert!(!registry.delete(id));
        assert!(!registry.revoke_tokens(id));
        assert_eq!(registry.next_serial(id), None);
        assert_eq!(registry.is_revoked(id, 0), None);
        assert_eq!(registry.count(), 0);
    }
}
