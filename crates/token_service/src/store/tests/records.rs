//! The records that operators read, and the key of the audit log.

use super::{
    CLAIMED, NOW,
    databases::{TempDir, on_each, on_each_shared},
    identity, user,
};
use crate::store::{DueDeletion, DuePlace, Store, StoreErrorKind, UserRecord};
use std::collections::BTreeSet;
use time::Duration;
use uuid::Uuid;

/// Lists all users in pages of this length.
async fn all_users(store: &Store, limit: i64) -> Vec<UserRecord> {
    let mut all: Vec<UserRecord> = Vec::new();
    loop {
        let after = all.last().map_or("", |user| &user.user_id);
        let page = store.database.list_users(after, limit).await.unwrap();
        assert!(page.len() <= usize::try_from(limit).unwrap());
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[tokio::test]
async fn user_is_found_by_id_and_identity() {
    on_each(async |store| {
        store.mapped(&user("iss ada"), "ada").await;
        store.granted(&user("iss bob"), Uuid::new_v4(), NOW).await;
        let ada = UserRecord {
            user_id: "iss ada".to_owned(),
            identity: Some(identity("ada").to_string()),
            created_at: NOW,
            claimed_until: None,
        };
        let bob = UserRecord {
            user_id: "iss bob".to_owned(),
            identity: None,
            created_at: NOW,
            claimed_until: Some(NOW + CLAIMED),
        };
        let database = &store.database;
        assert_eq!(database.find_user(&user("iss ada")).await.unwrap(), Some(ada.clone()));
        assert_eq!(database.find_user(&user("iss bob")).await.unwrap(), Some(bob));
        assert_eq!(database.find_user(&user("iss Ada")).await.unwrap(), None);
        assert_eq!(database.find_user_of(&identity("ada")).await.unwrap(), Some(ada));
        assert_eq!(database.find_user_of(&identity("bob")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn pages_have_every_user_once() {
    on_each(async |store| {
        // Databases order these differently.
        let ids = [
            "a B",
            "a b",
            "A b",
            "ä b",
            "a b-c",
            "a bc",
            "a  b",
            "a b\u{301}",
            "z",
            "é 1",
            "1 2",
        ];
        for (number, id) in ids.iter().enumerate() {
            store.mapped(&user(id), &number.to_string()).await;
        }
        let whole = all_users(&store, 100).await;
        let found: BTreeSet<_> = whole.iter().map(|user| user.user_id.as_str()).collect();
        assert_eq!(found, BTreeSet::from(ids));
        assert_eq!(whole.len(), ids.len());
        for limit in 1..=12 {
            assert_eq!(all_users(&store, limit).await, whole, "{limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn pages_of_deletions_are_in_their_order() {
    on_each(async |store| {
        let mut expected = Vec::new();
        for (name, seconds) in [("c", 0), ("d", 0), ("b", 1), ("a", 2)] {
            let owner = user(&format!("iss {name}"));
            store.mapped(&owner, name).await;
            let due_since = NOW + Duration::seconds(seconds);
            store.database.delete_user(&owner, due_since).await.unwrap();
            expected.push(DueDeletion {
                identity: identity(name).to_string(),
                user_id: Some(owner.as_str().to_owned()),
                due_since,
            });
        }
        for limit in 1..=5 {
            let mut found: Vec<DueDeletion> = Vec::new();
            loop {
                let place = found.last().map(DueDeletion::place);
                let place = place
                    .as_deref()
                    .map_or(DuePlace::FIRST, |place| DuePlace::parse(place).unwrap());
                let page = store.database.list_deletions(place, limit).await.unwrap();
                if page.is_empty() {
                    break;
                }
                found.extend(page);
            }
            assert_eq!(found, expected, "{limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn first_audit_key_stays() {
    on_each_shared(async |url| {
        let stores = [
            Store::connect(&url, 1).await.unwrap(),
            Store::connect(&url, 1).await.unwrap(),
        ];
        let (first, second) = tokio::join!(
            stores[0].database.audit_key("first"),
            stores[1].database.audit_key("second")
        );
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first, second);
        assert_eq!(stores[1].database.audit_key("third").await.unwrap(), first);
    })
    .await;
}

#[tokio::test]
async fn inspection_creates_no_database() {
    let directory = TempDir::new();
    let url = directory.database_url();
    for url in [&url, &format!("{url}?mode=rwc"), "sqlite::memory:"] {
        let refused = Store::connect_without_changes(url, 1).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::OutdatedTables, "{refused}");
        assert_eq!(directory.files(), 0);
    }
    Store::connect(&url, 1).await.unwrap().close().await;
    let store = Store::connect_without_changes(&url, 1).await.unwrap();
    assert_eq!(store.database.resource().await.unwrap(), None);
    store.close().await;
    assert_eq!(directory.files(), 1);
}

#[tokio::test]
async fn inspection_leaves_missing_tables_missing() {
    on_each_shared(async |url| {
        if url.starts_with("sqlite:") {
            let path = url.trim_start_matches("sqlite://");
            std::fs::write(path, "").unwrap();
        }
        for _ in 0..2 {
            let refused = Store::connect_without_changes(&url, 1).await.unwrap_err();
            assert_eq!(refused.kind(), StoreErrorKind::OutdatedTables, "{refused}");
        }
        Store::connect(&url, 1).await.unwrap();
        assert!(Store::connect_without_changes(&url, 1).await.is_ok());
    })
    .await;
}
