//! The identities of the resource, and the revocations of their tokens.

use crate::{
    dates::{StoredTime, Timestamp},
    identities::IdentityId,
    storage::{Changes, DataFileError, Loaded, Receipt, Store},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// The epoch of the times in user ids. The service's ids begin with zeros and look ordered by time. So do these, whose
/// first eight bytes are the milliseconds since this moment.
const EPOCH: OffsetDateTime = datetime!(2020-01-01 00:00 UTC);

/// The table of identities, by their ids.
const TABLE: &str = "identities";

/// An identity: the revocations of its tokens.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) revocations: Revocations,
    /// The receipt of its creation, or of its last revocation.
    #[serde(skip)]
    pub(super) receipt: Receipt,
}

impl From<Revocations> for Identity {
    fn from(revocations: Revocations) -> Self {
        let receipt = Receipt::default();
        Self { revocations, receipt }
    }
}

/// The identities of one resource.
pub(crate) struct Registry {
    pub(super) resource: Uuid,
    identities: Mutex<Identities>,
    store: Store,
}

pub(super) type Identities = BTreeMap<IdentityId, Identity>;

impl Registry {
    /// Loads the identities in the data file.
    pub(crate) fn load(resource: Uuid, Loaded { store, contents, .. }: &Loaded) -> Result<Self, DataFileError> {
        let mut identities = Identities::new();
        for (id, identity) in contents.records(TABLE)? {
            let id = IdentityId::parse(id).ok_or_else(|| contents.damaged(TABLE))?;
            identities.insert(id, identity);
        }
        Ok(Self {
            resource,
            identities: Mutex::new(identities),
            store: store.clone(),
        })
    }

    /// Creates an identity, whose id sorts after all others. Wait for the receipt before the id is sent.
    pub(crate) fn create(&self, now: OffsetDateTime) -> (IdentityId, Receipt) {
        let mut identities = self.lock();
        let id = self.next_id(&identities, now);
        let identity = identities.entry(id).or_default();
        identity.receipt = self.persist(id, identity);
        (id, identity.receipt)
    }

    fn next_id(&self, identities: &Identities, now: OffsetDateTime) -> IdentityId {
        let after_last = identities
            .last_key_value()
            .map_or(0, |(last, _)| last.user.as_u64_pair().0.saturating_add(1));
        let millis = u64::try_from((now - EPOCH).whole_milliseconds()).unwrap_or_default();
        let (_, random) = Uuid::new_v4().as_u64_pair();
        IdentityId {
            resource: self.resource,
            user: Uuid::from_u64_pair(millis.max(after_last), random),
        }
    }

    /// Deletes an identity; `None` if there is no such identity.
    pub(crate) fn delete(&self, id: IdentityId) -> Option<Receipt> {
        let mut identities = self.lock();
        identities.remove(&id)?;
        Some(self.store.write(|changes| changes.delete(TABLE, id)))
    }

    /// Returns the number of revocations of an identity's tokens, and the receipt to wait for before a token is handed
    /// out; `None` if there is no such identity.
    pub(crate) fn revocations(&self, id: IdentityId) -> Option<(u64, Receipt)> {
        let identities = self.lock();
        let identity = identities.get(&id)?;
        Some((identity.revocations.count(), identity.receipt))
    }

    /// Revokes the tokens issued so far, with effect at `effect`; `None` if there is no such identity.
    pub(crate) fn revoke_tokens(&self, id: IdentityId, effect: OffsetDateTime, now: OffsetDateTime) -> Option<Receipt> {
        let mut identities = self.lock();
        let identity = identities.get_mut(&id)?;
        identity.revocations.add(effect, now);
        identity.receipt = self.persist(id, identity);
        Some(identity.receipt)
    }

    /// Queues the current state of an identity.
    fn persist(&self, id: IdentityId, identity: &Identity) -> Receipt {
        self.store.write(|changes| changes.put(TABLE, id, identity))
    }

    /// Returns whether a token is revoked that was issued after this number of revocations; `None` if there is no such
    /// identity.
    pub(crate) fn is_revoked(&self, id: IdentityId, revocations: u64, now: OffsetDateTime) -> Option<bool> {
        Some(self.lock().get(&id)?.revocations.have_revoked(revocations, now))
    }

    /// The ids of all identities, oldest first.
    pub(crate) fn ids(&self) -> Vec<IdentityId> {
        self.lock().keys().copied().collect()
    }

    /// The number of identities, and the newest `limit` of them, newest first.
    pub(crate) fn newest(&self, limit: usize) -> (usize, Vec<IdentityId>) {
        let identities = self.lock();
        (identities.len(), identities.keys().rev().take(limit).copied().collect())
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Describes identities that have taken the place of others.
    pub(super) fn describe(identities: &Identities, removed: &[IdentityId], changes: &mut Changes) {
        for id in removed {
            changes.delete(TABLE, id);
        }
        for (id, identity) in identities {
            changes.put(TABLE, id, identity);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Identities> {
        self.identities.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The revocations of an identity's tokens.
///
/// A token carries the number of revocations before it was issued, so it is revoked by any that has that number or a
/// higher one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Revocations {
    /// The number of those in effect, whose times are dropped.
    settled: u64,
    /// The times at which the others take effect, oldest first.
    pending: VecDeque<StoredTime>,
}

impl Revocations {
    pub(super) fn new(in_effect: u64, mut pending: Vec<Timestamp>) -> Self {
        pending.sort();
        Self {
            settled: in_effect,
            pending: pending.into_iter().map(|Timestamp(time)| StoredTime(time)).collect(),
        }
    }

    /// The number of those in effect.
    pub(super) fn in_effect(&self) -> u64 {
        self.settled
    }

    /// The times at which the others take effect.
    pub(super) fn pending(&self) -> impl Iterator<Item = Timestamp> {
        self.pending.iter().map(|StoredTime(time)| Timestamp(*time))
    }

    /// The number of all revocations, in effect or not.
    pub(super) fn count(&self) -> u64 {
        self.settled.saturating_add(self.pending.len() as u64)
    }

    /// Adds one that takes effect at `effect`.
    fn add(&mut self, effect: OffsetDateTime, now: OffsetDateTime) {
        self.pending.push_back(StoredTime(effect));
        while self.pending.front().is_some_and(|StoredTime(effect)| *effect <= now) {
            self.pending.pop_front();
            self.settled += 1;
        }
    }

    /// Returns whether a token is revoked that was issued after the first `number` of them.
    fn have_revoked(&self, number: u64, now: OffsetDateTime) -> bool {
        let Some(earlier) = number.checked_sub(self.settled) else {
            return true;
        };
        let mut later = self.pending.iter().zip(0..).filter(|(_, index)| *index >= earlier);
        later.any(|(StoredTime(effect), _)| *effect <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Contents, fake};
    use std::{path::PathBuf, thread};
    use time::Duration;

    const NOW: OffsetDateTime = datetime!(2026-08-01 00:00 UTC);
    const MINUTE: Duration = Duration::MINUTE;

    fn new(resource: Uuid) -> Registry {
        Registry::load(resource, &Loaded::default()).unwrap()
    }

    fn create(registry: &Registry) -> IdentityId {
        registry.create(NOW).0
    }

    #[test]
    fn ids_have_the_services_form_and_sort_by_age() {
        let registry = new(Uuid::from_u128(1));
        let ids: Vec<_> = (0..100).map(|_| create(&registry)).collect();
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
        let registry = new(Uuid::nil());
        let id = create(&registry);
        let (before, _) = registry.revocations(id).unwrap();
        assert!(registry.revoke_tokens(id, NOW, NOW).is_some());
        let (after, _) = registry.revocations(id).unwrap();
        assert_eq!(registry.is_revoked(id, before, NOW), Some(true));
        assert_eq!(registry.is_revoked(id, after, NOW), Some(false));
    }

    #[test]
    fn deleted_identity_is_unknown() {
        let registry = new(Uuid::nil());
        let id = create(&registry);
        assert!(registry.delete(id).is_some());
        assert_eq!(registry.delete(id), None);
        assert_eq!(registry.revoke_tokens(id, NOW, NOW), None);
        assert_eq!(registry.revocations(id), None);
        assert_eq!(registry.is_revoked(id, 0, NOW), None);
        assert_eq!(registry.count(), 0);
    }

    #[test]
    fn token_waits_for_creation_and_revocation() {
        let (loaded, _written) = fake();
        let registry = Registry::load(Uuid::nil(), &loaded).unwrap();
        let (id, created) = registry.create(NOW);
        assert_eq!(created, Receipt(1));
        assert_eq!(registry.revocations(id), Some((0, Receipt(1))));
        let (_, other) = registry.create(NOW);
        assert_eq!(other, Receipt(2));
        assert_eq!(registry.revoke_tokens(id, NOW, NOW), Some(Receipt(3)));
        assert_eq!(registry.revocations(id), Some((1, Receipt(3))));
        assert_eq!(registry.delete(id), Some(Receipt(4)));
    }

    /// Files of earlier versions have these records.
    #[test]
    fn record_restores_an_identity() {
        let id = "8:acs:00000000-0000-0000-0000-000000000000_00000030-5c37-f000-8000-000000000000";
        let json = format!(
            r#"{{"revocations":{{"settled":2,"pending":[{}]}}}}"#,
            NOW.unix_timestamp_nanos() + 900_000_000_000
        );
        let records = [(format!("{TABLE}/{id}"), json.clone().into_bytes())];
        let loaded = Loaded {
            contents: Contents::new(PathBuf::new(), records.into()),
            ..Loaded::default()
        };
        let registry = Registry::load(Uuid::nil(), &loaded).unwrap();
        let id = IdentityId::parse(id).unwrap();
        assert_eq!(registry.ids(), [id]);
        for (number, minutes, revoked) in [(1, 0, true), (2, 14, false), (2, 15, true), (3, 15, false)] {
            let now = NOW + minutes * MINUTE;
            assert_eq!(
                registry.is_revoked(id, number, now),
                Some(revoked),
                "{number}, {minutes}"
            );
        }
        let identities = registry.lock();
        assert_eq!(serde_json::to_string(&identities[&id]).unwrap(), json);
    }

    /// Over a socket, requests are too far apart to meet within a creation.
    #[test]
    fn racing_threads_create_distinct_identities() {
        let registry = new(Uuid::nil());
        let ids = || (0..10_000).map(|_| create(&registry)).collect::<Vec<_>>();
        let mut ids = thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(ids));
            threads.map(|thread| thread.join().unwrap()).concat()
        });
        ids.sort();
        assert_eq!(registry.ids(), ids);
        assert_eq!(registry.count(), 40_000);
    }

    #[test]
    fn delayed_revocation_affects_earlier_tokens() {
        let mut revocations = Revocations::default();
        let before = revocations.count();
        revocations.add(NOW + 15 * MINUTE, NOW);
        let after = revocations.count();
        for (minutes, revoked) in [(0, false), (14, false), (15, true), (16, true)] {
            assert_eq!(
                revocations.have_revoked(before, NOW + minutes * MINUTE),
                revoked,
                "{minutes}"
            );
            assert!(!revocations.have_revoked(after, NOW + minutes * MINUTE), "{minutes}");
        }
    }

    #[test]
    fn effective_revocations_are_only_counted() {
        let mut revocations = Revocations::default();
        for number in 0..1000 {
            assert_eq!(revocations.count(), number);
            revocations.add(NOW, NOW);
            assert!(revocations.have_revoked(number, NOW));
            assert!(!revocations.have_revoked(number + 1, NOW));
        }
        assert!(revocations.pending.is_empty());
    }

    #[test]
    fn later_revocation_may_take_effect_first() {
        let mut revocations = Revocations::default();
        revocations.add(NOW + 15 * MINUTE, NOW);
        revocations.add(NOW, NOW);
        assert!(revocations.have_revoked(0, NOW));
        assert!(revocations.have_revoked(1, NOW));
        assert!(!revocations.have_revoked(2, NOW));
    }
}
