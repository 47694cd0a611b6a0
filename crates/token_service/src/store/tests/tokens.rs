//! Stored tokens.

use super::{NOW, databases::on_each, identity, token, user};
use crate::store::Mapping;
use time::Duration;

#[tokio::test]
async fn token_is_found_by_user_scopes_and_mapping() {
    on_each(async |store| {
        let (ada, bob) = (user("ada"), user("bob"));
        let (adas, bobs) = (store.mapped(&ada, "ada").await, store.mapped(&bob, "bob").await);
        let bytes = [0, 255, b'\'', 128];
        let stored = crate::store::SealedToken {
            sealed: bytes.to_vec(),
            expires_on: NOW + Duration::nanoseconds(999),
        };
        store.database.put_token(&ada, "chat", &adas, &stored).await.unwrap();
        let found = store.database.find_token(&ada, "chat", &adas).await.unwrap().unwrap();
        assert_eq!((found.sealed.as_slice(), found.expires_on), (bytes.as_slice(), NOW));

        assert_eq!(store.sealed(&ada, "chat,voip", &adas).await, None);
        assert_eq!(store.sealed(&bob, "chat", &bobs).await, None);
        let another_identity = Mapping {
            identity: identity("other"),
            ..adas.clone()
        };
        assert_eq!(store.sealed(&ada, "chat", &another_identity).await, None);
        let another_generation = Mapping { generation: 1, ..adas };
        assert_eq!(store.sealed(&ada, "chat", &another_generation).await, None);
    })
    .await;
}

#[tokio::test]
async fn token_replaces_the_one_for_the_same_scopes() {
    on_each(async |store| {
        let ada = user("ada");
        let mapping = store.mapped(&ada, "ada").await;
        for (scopes, sealed) in [("chat", "first"), ("voip", "other"), ("chat", "second")] {
            let token = token(sealed, NOW);
            store.database.put_token(&ada, scopes, &mapping, &token).await.unwrap();
        }
        assert_eq!(store.sealed(&ada, "chat", &mapping).await.unwrap(), b"second");
        assert_eq!(store.sealed(&ada, "voip", &mapping).await.unwrap(), b"other");
    })
    .await;
}

#[tokio::test]
async fn deleting_tokens_increments_the_generation() {
    on_each(async |store| {
        let (ada, bob) = (user("ada"), user("bob"));
        let (first, bobs) = (store.mapped(&ada, "ada").await, store.mapped(&bob, "bob").await);
        let stored = token("sealed", NOW);
        store.database.put_token(&ada, "chat", &first, &stored).await.unwrap();
        store.database.put_token(&bob, "chat", &bobs, &stored).await.unwrap();

        let second = store.database.delete_tokens(&ada).await.unwrap().unwrap();
        assert_eq!((&second.identity, second.generation), (&first.identity, 1));
        assert_eq!(store.database.find(&ada).await.unwrap(), Some(second.clone()));
        assert_eq!(store.sealed(&ada, "chat", &first).await, None);
        assert_eq!(store.sealed(&ada, "chat", &second).await, None);
        assert!(store.sealed(&bob, "chat", &bobs).await.is_some());

        // The token was issued before the deletion, and is stored after it.
        store.database.put_token(&ada, "chat", &first, &stored).await.unwrap();
        assert_eq!(store.sealed(&ada, "chat", &first).await, None);
        assert_eq!(store.sealed(&ada, "chat", &second).await, None);
        store.database.put_token(&ada, "chat", &second, &stored).await.unwrap();
        assert!(store.sealed(&ada, "chat", &second).await.is_some());
        assert_eq!(store.database.delete_tokens(&user("unknown")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn claim_has_no_tokens_to_delete() {
    on_each(async |store| {
        let ada = user("ada");
        store.granted(&ada, uuid::Uuid::new_v4(), NOW).await;
        assert_eq!(store.database.delete_tokens(&ada).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn tokens_are_deleted_with_their_user() {
    on_each(async |store| {
        let ada = user("ada");
        let (first, stored) = (store.mapped(&ada, "ada").await, token("sealed", NOW));
        store.database.put_token(&ada, "chat", &first, &stored).await.unwrap();
        store.database.delete_user(&ada, NOW).await.unwrap();
        assert_eq!(store.sealed(&ada, "chat", &first).await, None);
        store.database.put_token(&ada, "chat", &first, &stored).await.unwrap();
        assert_eq!(store.sealed(&ada, "chat", &first).await, None);

        // The generation is the same, but the identity is another.
        let second = store.mapped(&ada, "again").await;
        assert_eq!(second.generation, first.generation);
        assert_eq!(store.sealed(&ada, "chat", &second).await, None);
        store.database.put_token(&ada, "chat", &first, &stored).await.unwrap();
        assert_eq!(store.sealed(&ada, "chat", &second).await, None);
    })
    .await;
}

#[tokio::test]
async fn expired_tokens_are_deleted() {
    on_each(async |store| {
        let ada = user("ada");
        let mapping = store.mapped(&ada, "ada").await;
        let (expired, valid) = (token("expired", NOW), token("valid", NOW + Duration::microseconds(1)));
        store
            .database
            .put_token(&ada, "chat", &mapping, &expired)
            .await
            .unwrap();
        store.database.put_token(&ada, "voip", &mapping, &valid).await.unwrap();
        store.database.delete_expired_tokens(NOW).await.unwrap();
        assert_eq!(store.sealed(&ada, "chat", &mapping).await, None);
        assert_eq!(store.sealed(&ada, "voip", &mapping).await.unwrap(), b"valid");
    })
    .await;
}
