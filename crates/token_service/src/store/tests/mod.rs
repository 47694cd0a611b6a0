//! The store's operations, on each database.

mod commands;
mod connect;
mod databases;
mod identities;
mod password;
mod records;
mod tokens;

use crate::{
    store::{Claim, Mapping, SealedToken, Store},
    user::UserId,
};
use azure_communication_identity::CommunicationUserIdentifier;
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-11-21 12:00:00.123456 UTC);
const CLAIMED: Duration = Duration::seconds(30);

fn user(id: &str) -> UserId {
    UserId::new(id.to_owned()).unwrap()
}

fn identity(name: &str) -> CommunicationUserIdentifier {
    format!("8:acs:c0ffee00-0000-4000-8000-000000000000_{name}")
        .parse()
        .unwrap()
}

fn token(sealed: &str, expires_on: OffsetDateTime) -> SealedToken {
    SealedToken {
        sealed: sealed.as_bytes().to_vec(),
        expires_on,
    }
}

impl Store {
    /// Claims at `now`, and returns whether the granted claim was taken over.
    async fn granted(&self, user: &UserId, holder: Uuid, now: OffsetDateTime) -> bool {
        match self.database.claim(user, holder, now, now + CLAIMED).await.unwrap() {
            Claim::Granted { taken_over } => taken_over,
            other => panic!("{other:?}"),
        }
    }

    /// Creates the user's identity, with this name.
    async fn mapped(&self, user: &UserId, name: &str) -> Mapping {
        let holder = Uuid::new_v4();
        self.granted(user, holder, NOW).await;
        let completed = self.database.complete(user, holder, &identity(name), NOW).await;
        completed.unwrap().unwrap()
    }

    /// Returns the due deletions of all users, the oldest first.
    async fn all_due_deletions(&self) -> Vec<CommunicationUserIdentifier> {
        self.database
            .due_deletions(None, NOW + Duration::DAY, 100)
            .await
            .unwrap()
    }

    async fn sealed(&self, user: &UserId, scopes: &str, mapping: &Mapping) -> Option<Vec<u8>> {
        let token = self.database.find_token(user, scopes, mapping).await.unwrap();
        token.map(|token| token.sealed)
    }
}
