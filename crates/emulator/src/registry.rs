//! The identities of the emulator's one resource, and which of their tokens are live.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
    sync::{Mutex, MutexGuard, PoisonError},
};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// Where user ids begin to count. Those of the service begin with zeros and look ordered by time; with milliseconds
/// from here in their first eight bytes, ours do too.
const EPOCH: OffsetDateTime = datetime!(2020-01-01 00:00 UTC);

/// The id of a communication user: `8:acs:<resource>_<user>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IdentityId {
    resource: Uuid,
    user: Uuid,
}

impl IdentityId {
    /// Reads an id, exactly as [`Display`] writes it.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        Self::parse_skype_id(raw.strip_prefix("8:")?)
    }

    /// Reads an id from the `skypeid` claim of a token, which leaves the `8:` out.
    pub(crate) fn parse_skype_id(raw: &str) -> Option<Self> {
        let (resource, user) = raw.strip_prefix("acs:")?.split_once('_')?;
        let id = Self {
            resource: Uuid::try_parse(resource).ok()?,
            user: Uuid::try_parse(user).ok()?,
        };
        (id.skype_id() == raw).then_some(id)
    }

    pub(crate) fn skype_id(self) -> String {
        format!("acs:{}_{}", self.resource, self.user)
    }
}

impl Display for IdentityId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "8:acs:{}_{}", self.resource, self.user)
    }
}

/// What has to be known of an identity to tell its live tokens.
///
/// Each of its tokens carries a serial number, counted from zero, so that one number per identity remembers what has
/// been revoked, however many tokens there are.
#[derive(Default)]
struct Identity {
    next_serial: u64,
    first_live_serial: u64,
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

    /// Makes an identity. Its id sorts after those of all others.
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

    /// Forgets an identity; `false` if there is none of that id.
    pub(crate) fn delete(&self, id: IdentityId) -> bool {
        self.lock().remove(&id).is_some()
    }

    /// Counts a new token of an identity and gives its serial number; `None` if there is no such identity.
    pub(crate) fn count_token(&self, id: IdentityId) -> Option<u64> {
        let mut identities = self.lock();
        let identity = identities.get_mut(&id)?;
        let serial = identity.next_serial;
        identity.next_serial += 1;
        Some(serial)
    }

    /// Revokes the tokens counted so far; `false` if there is no such identity.
    pub(crate) fn revoke_tokens(&self, id: IdentityId) -> bool {
        let mut identities = self.lock();
        let Some(identity) = identities.get_mut(&id) else {
            return false;
        };
        identity.first_live_serial = identity.next_serial;
        true
    }

    /// Whether a token has been revoked; `None` if there is no such identity.
    pub(crate) fn is_revoked(&self, id: IdentityId, serial: u64) -> Option<bool> {
        Some(serial < self.lock().get(&id)?.first_live_serial)
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
    fn only_the_exact_form_is_an_id() {
        let user = "00000006-19e0-2727-80f5-8b3a0d003502";
        let resource = "11111111-1111-1111-1111-11111111111a";
        assert!(IdentityId::parse(&format!("8:acs:{resource}_{user}")).is_some());
        for bad in [
            String::new(),
            "sanitized".to_owned(),
            format!("acs:{resource}_{user}"),
            format!("8:acs:{resource}"),
            format!("8:acs:{resource}_{user}_{user}"),
            format!("8:acs:{}_{user}", resource.to_uppercase()),
            format!("8:acs:{{{resource}}}_{user}"),
            format!("8:gcch-acs:{resource}_{user}"),
        ] {
            assert_eq!(IdentityId::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn revoking_ends_the_tokens_counted_so_far_and_no_later_one() {
        let registry = Registry::new(Uuid::nil());
        let id = registry.create(NOW);
        let before = registry.count_token(id).unwrap();
        assert!(registry.revoke_tokens(id));
        let after = registry.count_token(id).unwrap();
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
        assert_eq!(registry.count_token(id), None);
        assert_eq!(registry.is_revoked(id, 0), None);
        assert_eq!(registry.count(), 0);
    }
}
