//! The identities of the emulator's resource, and which of their tokens are revoked.

mod revocations;

use crate::{
    error::EmulatorError,
    identity_id::IdentityId,
    store::{Opened, Store, Ticket},
    timestamp::Moment,
};
use revocations::Revocations;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// The epoch of the times in user ids. The service's ids begin with zeros and look ordered by time. So do these, whose
/// first eight bytes are the milliseconds since this moment.
const EPOCH: OffsetDateTime = datetime!(2020-01-01 00:00 UTC);

/// The table of identities, by their ids.
const TABLE: &str = "identities";

/// An identity, and what decides which of its tokens are revoked.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_token_issued_at: Option<Moment>,
    revocations: Revocations,
    /// Its creation, or its last revocation.
    #[serde(skip)]
    changed: Ticket,
}

impl Identity {
    fn describe(&self, id: IdentityId) -> IdentityDetails {
        IdentityDetails {
            id,
            custom_id: self.custom_id.clone(),
            last_token_issued_at: self.last_token_issued_at.map(|Moment(time)| time),
        }
    }
}

/// What the service tells about an identity.
#[derive(Debug, PartialEq)]
pub(crate) struct IdentityDetails {
    pub(crate) id: IdentityId,
    pub(crate) custom_id: Option<String>,
    pub(crate) last_token_issued_at: Option<OffsetDateTime>,
}

/// The outcome of a creation.
pub(crate) struct Created {
    pub(crate) identity: IdentityDetails,
    /// How often its tokens have been revoked.
    pub(crate) revocations: u64,
    /// What has to be kept before the identity may be told of.
    pub(crate) changed: Ticket,
}

/// The identities of one resource.
pub(crate) struct Registry {
    resource: Uuid,
    identities: Mutex<Identities>,
    store: Store,
}

/// Custom ids are unique, so both maps change together.
#[derive(Default)]
struct Identities {
    by_id: BTreeMap<IdentityId, Identity>,
    by_custom_id: HashMap<String, IdentityId>,
}

impl Registry {
    /// The identities that a store has kept.
    pub(crate) fn open(resource: Uuid, Opened { store, contents, .. }: &Opened) -> Result<Self, EmulatorError> {
        let mut identities = Identities::default();
        for (id, identity) in contents.records::<Identity>(TABLE)? {
            let id = IdentityId::parse(id).ok_or_else(|| contents.damaged(TABLE))?;
            let custom_id = identity.custom_id.clone();
            identities
                .by_custom_id
                .extend(custom_id.map(|custom_id| (custom_id, id)));
            identities.by_id.insert(id, identity);
        }
        Ok(Self {
            resource,
            identities: Mutex::new(identities),
            store: store.clone(),
        })
    }

    /// Creates an identity, whose id sorts after all others, or finds the one with this custom id. Notes the time if it
    /// comes with a token.
    pub(crate) fn create(&self, custom_id: Option<String>, with_token: bool, now: OffsetDateTime) -> Created {
        let Identities { by_id, by_custom_id } = &mut *self.lock();
        let existing = custom_id
            .as_ref()
            .and_then(|custom_id| by_custom_id.get(custom_id))
            .copied();
        let id = existing.unwrap_or_else(|| self.next_id(by_id, now));
        if let Some(custom_id) = &custom_id {
            by_custom_id.insert(custom_id.clone(), id);
        }
        let identity = by_id.entry(id).or_insert_with(|| Identity {
            custom_id,
            ..Identity::default()
        });
        if with_token {
            identity.last_token_issued_at = Some(Moment(now));
        }
        if existing.is_none() {
            identity.changed = self.keep(id, identity);
        } else if with_token {
            self.keep(id, identity);
        }
        Created {
            identity: identity.describe(id),
            revocations: identity.revocations.count(),
            changed: identity.changed,
        }
    }

    fn next_id(&self, identities: &BTreeMap<IdentityId, Identity>, now: OffsetDateTime) -> IdentityId {
        let after_last = identities
            .last_key_value()
            .map_or(0, |(last, _)| last.user.as_u64_pair().0 + 1);
        let millis = u64::try_from((now - EPOCH).whole_milliseconds()).unwrap_or_default();
        let (_, random) = Uuid::new_v4().as_u64_pair();
        IdentityId {
            resource: self.resource,
            user: Uuid::from_u64_pair(millis.max(after_last), random),
        }
    }

    /// Describes an identity; `None` if there is no such identity.
    pub(crate) fn get(&self, id: IdentityId) -> Option<IdentityDetails> {
        Some(self.lock().by_id.get(&id)?.describe(id))
    }

    /// Deletes an identity and frees its custom id; `None` if there is no such identity.
    pub(crate) fn delete(&self, id: IdentityId) -> Option<Ticket> {
        let mut identities = self.lock();
        let identity = identities.by_id.remove(&id)?;
        if let Some(custom_id) = identity.custom_id {
            identities.by_custom_id.remove(&custom_id);
        }
        Some(self.store.write(|changes| changes.delete(TABLE, id)))
    }

    /// Notes that a token is issued, and returns how often the identity's tokens have been revoked, and what has to be
    /// kept before the token is handed out; `None` if there is no such identity.
    ///
    /// The time of the token is kept as well, but nobody has to wait for it.
    pub(crate) fn note_token(&self, id: IdentityId, now: OffsetDateTime) -> Option<(u64, Ticket)> {
        let mut identities = self.lock();
        let identity = identities.by_id.get_mut(&id)?;
        identity.last_token_issued_at = Some(Moment(now));
        self.keep(id, identity);
        Some((identity.revocations.count(), identity.changed))
    }

    /// Revokes the tokens issued so far, with effect at `effect`; `None` if there is no such identity.
    pub(crate) fn revoke_tokens(&self, id: IdentityId, effect: OffsetDateTime, now: OffsetDateTime) -> Option<Ticket> {
        let mut identities = self.lock();
        let identity = identities.by_id.get_mut(&id)?;
        identity.revocations.add(effect, now);
        identity.changed = self.keep(id, identity);
        Some(identity.changed)
    }

    /// Has an identity written as it is now.
    fn keep(&self, id: IdentityId, identity: &Identity) -> Ticket {
        self.store.write(|changes| changes.put(TABLE, id, identity))
    }

    /// Whether a token has been revoked that was issued after this number of revocations; `None` if there is no such
    /// identity.
    pub(crate) fn is_revoked(&self, id: IdentityId, revocations: u64, now: OffsetDateTime) -> Option<bool> {
        Some(self.lock().by_id.get(&id)?.revocations.have_revoked(revocations, now))
    }

    /// The ids of all identities, oldest first.
    pub(crate) fn ids(&self) -> Vec<IdentityId> {
        self.lock().by_id.keys().copied().collect()
    }

    /// How many identities there are, and the newest `limit` of them, newest first.
    pub(crate) fn newest(&self, limit: usize) -> (usize, Vec<IdentityDetails>) {
        let identities = self.lock();
        let newest = identities.by_id.iter().rev().take(limit);
        let newest = newest.map(|(id, identity)| identity.describe(*id)).collect();
        (identities.by_id.len(), newest)
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().by_id.len()
    }

    fn lock(&self) -> MutexGuard<'_, Identities> {
        self.identities.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Contents, fake};
    use std::{path::PathBuf, thread};
    use time::Duration;

    const NOW: OffsetDateTime = datetime!(2026-08-01 00:00 UTC);
    const LATER: OffsetDateTime = datetime!(2026-08-02 00:00 UTC);

    fn new(resource: Uuid) -> Registry {
        Registry::open(resource, &Opened::default()).unwrap()
    }

    fn create(registry: &Registry) -> IdentityId {
        registry.create(None, false, NOW).identity.id
    }

    #[test]
    fn ids_have_the_services_shape_and_sort_by_age() {
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
        let (before, _) = registry.note_token(id, NOW).unwrap();
        assert!(registry.revoke_tokens(id, NOW, NOW).is_some());
        let (after, _) = registry.note_token(id, NOW).unwrap();
        assert_eq!(registry.is_revoked(id, before, NOW), Some(true));
        assert_eq!(registry.is_revoked(id, after, NOW), Some(false));
    }

    #[test]
    fn a_deleted_identity_is_unknown_to_every_operation() {
        let registry = new(Uuid::nil());
        let id = create(&registry);
        assert!(registry.delete(id).is_some());
        assert_eq!(registry.delete(id), None);
        assert_eq!(registry.revoke_tokens(id, NOW, NOW), None);
        assert_eq!(registry.note_token(id, NOW), None);
        assert_eq!(registry.is_revoked(id, 0, NOW), None);
        assert_eq!(registry.count(), 0);
    }

    #[test]
    fn the_last_token_is_the_last_that_was_issued() {
        let registry = new(Uuid::nil());
        let id = create(&registry);
        let last = || registry.get(id).unwrap().last_token_issued_at;
        assert_eq!(last(), None);
        registry.note_token(id, NOW);
        registry.revoke_tokens(id, NOW, NOW);
        assert_eq!(last(), Some(NOW));
        registry.note_token(id, LATER);
        assert_eq!(last(), Some(LATER));
    }

    #[test]
    fn a_custom_id_is_one_identitys_until_that_is_deleted() {
        let registry = new(Uuid::nil());
        let create = |custom_id: &str| registry.create(Some(custom_id.to_owned()), true, NOW);
        let (first, again, other) = (create("a"), create("a"), create("A"));
        assert_eq!(first.identity.custom_id.as_deref(), Some("a"));
        assert_eq!(first.identity, again.identity);
        assert_ne!(first.identity.id, other.identity.id);
        assert_eq!(registry.count(), 2);

        assert!(registry.delete(first.identity.id).is_some());
        let successor = create("a").identity.id;
        assert_ne!(successor, first.identity.id);
        assert_eq!(create("A").identity.id, other.identity.id);
        assert_eq!(registry.ids(), [other.identity.id, successor]);
    }

    /// The time of a token is a change with a ticket of its own, but nobody waits for it.
    #[test]
    fn whoever_is_told_of_an_identity_waits_for_its_creation_and_its_last_revocation() {
        let (opened, _written) = fake();
        let registry = Registry::open(Uuid::nil(), &opened).unwrap();
        let create = || registry.create(Some("a".to_owned()), true, NOW);
        let created = create();
        assert_eq!((created.changed, create().changed), (Ticket(1), Ticket(1)));
        let id = created.identity.id;
        assert_eq!(registry.note_token(id, NOW), Some((0, Ticket(1))));
        assert_eq!(registry.revoke_tokens(id, NOW, NOW), Some(Ticket(4)));
        assert_eq!(registry.note_token(id, NOW), Some((1, Ticket(4))));
        assert_eq!(create().changed, Ticket(4));
        assert_eq!(registry.delete(id), Some(Ticket(7)));
    }

    /// Files of earlier versions have these records.
    #[test]
    fn a_record_restores_an_identity() {
        let id = "8:acs:00000000-0000-0000-0000-000000000000_00000030-5c37-f000-8000-000000000000";
        let now = NOW.unix_timestamp_nanos();
        let json = format!(
            r#"{{"customId":"a","lastTokenIssuedAt":{now},"revocations":{{"settled":2,"pending":[{}]}}}}"#,
            now + 900_000_000_000
        );
        let records = [(format!("{TABLE}/{id}"), json.clone().into_bytes())];
        let opened = Opened {
            contents: Contents::new(PathBuf::new(), records.into()),
            ..Opened::default()
        };
        let registry = Registry::open(Uuid::nil(), &opened).unwrap();
        let id = IdentityId::parse(id).unwrap();
        let expected = IdentityDetails {
            id,
            custom_id: Some("a".to_owned()),
            last_token_issued_at: Some(NOW),
        };
        assert_eq!(registry.get(id), Some(expected));
        assert_eq!(registry.create(Some("a".to_owned()), false, NOW).identity.id, id);
        for (number, minutes, revoked) in [(1, 0, true), (2, 14, false), (2, 15, true), (3, 15, false)] {
            let now = NOW + minutes * Duration::MINUTE;
            assert_eq!(
                registry.is_revoked(id, number, now),
                Some(revoked),
                "{number}, {minutes}"
            );
        }
        let identities = registry.lock();
        assert_eq!(serde_json::to_string(&identities.by_id[&id]).unwrap(), json);
    }

    /// Over a socket, requests are too far apart to meet between a look-up and a creation.
    #[test]
    fn threads_that_race_for_custom_ids_create_one_identity_each() {
        let registry = new(Uuid::nil());
        let ids = || {
            let created = (0..10_000).map(|id| registry.create(Some(id.to_string()), false, NOW));
            created.map(|created| created.identity.id).collect::<Vec<_>>()
        };
        let ids = thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(ids));
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(ids.iter().all(|each| Some(each) == ids.first()));
        assert_eq!(registry.count(), 10_000);
    }
}
