//! Changes of the whole database.

use super::{NOW, databases::on_each, identity, token, user};
use crate::{resource::ResourceId, store::StoreErrorKind};
use time::Duration;

const OLD: &str = "https://old.contoso.com";
const NEW: &str = "https://new.contoso.com";
/// The resource of the identities of these tests.
const RESOURCE: &str = "c0ffee00-0000-4000-8000-000000000000";
const OTHER: &str = "decade00-0000-4000-8000-000000000000";

#[tokio::test]
async fn forgotten_tokens_are_not_found() {
    on_each(async |store| {
        let (ada, mapping) = (user("ada"), store.mapped(&user("ada"), "ada").await);
        let sealed = token("sealed", NOW + Duration::DAY);
        store.database.put_token(&ada, "chat", &mapping, &sealed).await.unwrap();
        assert_eq!(store.forget_tokens().await.unwrap(), 1);
        assert_eq!(store.sealed(&ada, "chat", &mapping).await, None);
        let next = store.database.find(&ada).await.unwrap().unwrap();
        assert_eq!(next.identity, mapping.identity);
        assert_ne!(next.generation, mapping.generation, "a cache must notice");
    })
    .await;
}

#[tokio::test]
async fn renamed_issuer_keeps_identities() {
    on_each(async |store| {
        let (old, new) = (user(&format!("{OLD} ädä")), user(&format!("{NEW} ädä")));
        let mapping = store.mapped(&old, "ada").await;
        let sealed = token("sealed", NOW + Duration::DAY);
        store.database.put_token(&old, "chat", &mapping, &sealed).await.unwrap();
        // Neither another issuer with the same beginning, nor a subject, is renamed.
        let others = [
            user(&format!("{OLD}.example ada")),
            user(&format!("https://x {OLD} ada")),
        ];
        for (index, other) in others.iter().enumerate() {
            store.mapped(other, &index.to_string()).await;
        }
        assert_eq!(store.rename_issuer(OLD, NEW, false).await.unwrap(), 1);
        assert_eq!(store.database.find(&old).await.unwrap(), None);
        let found = store.database.find(&new).await.unwrap().unwrap();
        assert_eq!(found.identity, mapping.identity);
        for other in &others {
            assert!(store.database.find(other).await.unwrap().is_some());
        }
        assert_eq!(store.rename_issuer(OLD, NEW, false).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn user_of_both_issuers_is_renamed_on_request_only() {
    on_each(async |store| {
        let (old, new) = (user(&format!("{OLD} ada")), user(&format!("{NEW} ada")));
        let of_old = store.mapped(&old, "old").await;
        let of_new = store.mapped(&new, "new").await;
        let refused = store.rename_issuer(OLD, NEW, false).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::InvalidValue);
        assert!(refused.to_string().contains("1 users"), "{refused}");
        assert_eq!(store.database.find(&new).await.unwrap(), Some(of_new.clone()));

        assert_eq!(store.rename_issuer(OLD, NEW, true).await.unwrap(), 1);
        let found = store.database.find(&new).await.unwrap().unwrap();
        assert_eq!(found.identity, of_old.identity);
        assert_eq!(store.all_due_deletions().await, []);
        let due = store
            .database
            .due_deletions(Some(&new), time::OffsetDateTime::now_utc(), 9);
        assert_eq!(due.await.unwrap(), [of_new.identity]);
    })
    .await;
}

#[tokio::test]
async fn too_long_ids_are_not_renamed() {
    on_each(async |store| {
        let old = user(&format!("{OLD} {}", "a".repeat(480)));
        store.mapped(&old, "ada").await;
        let longer = format!("{NEW}/{}", "b".repeat(20));
        let refused = store.rename_issuer(OLD, &longer, false).await.unwrap_err();
        assert!(refused.to_string().contains("too long"), "{refused}");
        assert!(store.database.find(&old).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn first_resource_is_recorded() {
    on_each(async |store| {
        let (resource, other) = (ResourceId::new(RESOURCE), ResourceId::new(OTHER));
        let database = &store.database;
        assert_eq!(database.resource().await.unwrap(), None);
        let record = async |resource, endpoint| database.record_resource(resource, endpoint).await.unwrap();
        assert_eq!(record(&resource, "https://one/").await, resource);
        assert_eq!(record(&other, "https://other/").await, resource);
        assert_eq!(record(&resource, "https://two/").await, resource);
        assert_eq!(database.resource().await.unwrap(), Some(resource.clone()));
        for (endpoint, known) in [
            ("https://one/", true),
            ("https://two/", true),
            ("https://other/", false),
        ] {
            let found = database.resource_of_endpoint(endpoint).await.unwrap();
            assert_eq!(found, known.then(|| resource.clone()), "{endpoint}");
        }
    })
    .await;
}

#[tokio::test]
async fn identities_of_earlier_versions_show_the_resource() {
    on_each(async |store| {
        store.mapped(&user("ada"), "ada").await;
        let resource = ResourceId::new(RESOURCE);
        assert_eq!(store.database.resource().await.unwrap(), Some(resource.clone()));
        // Of a deleted user, too.
        store.database.delete_user(&user("ada"), NOW).await.unwrap();
        assert_eq!(store.database.resource().await.unwrap(), Some(resource.clone()));
        let other = ResourceId::new(OTHER);
        let recorded = store.database.record_resource(&other, "https://other/").await;
        assert_eq!(recorded.unwrap(), resource);
    })
    .await;
}

#[tokio::test]
async fn moved_database_forgets_and_lists_all_identities() {
    on_each(async |store| {
        store.mapped(&user("ada"), "ada").await;
        store.mapped(&user("bob"), "bob").await;
        store.database.delete_user(&user("bob"), NOW).await.unwrap();
        for (from, to) in [(OTHER, RESOURCE), (OTHER, OTHER), (RESOURCE, RESOURCE)] {
            let refused = store.move_resource(from, to).await.unwrap_err();
            assert_eq!(refused.kind(), StoreErrorKind::InvalidValue, "{refused}");
        }
        let left = store.move_resource(RESOURCE, OTHER).await.unwrap();
        let left: Vec<_> = left.into_iter().map(|left| (left.user_id, left.identity)).collect();
        let identity = |name| identity(name).to_string();
        let expected = [(String::new(), identity("bob")), ("ada".to_owned(), identity("ada"))];
        assert_eq!(left, expected);
        assert_eq!(store.database.find(&user("ada")).await.unwrap(), None);
        assert_eq!(store.all_due_deletions().await, []);
        assert_eq!(store.database.resource().await.unwrap(), Some(ResourceId::new(OTHER)));
    })
    .await;
}
