//! Claims, identities and deletions.

use super::{CLAIMED, NOW, databases::on_each, identity, user};
use crate::store::{Backlog, Claim, Deleted, Store, StoreErrorKind};
use std::collections::HashSet;
use time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

const MICROSECOND: Duration = Duration::microseconds(1);

#[tokio::test]
async fn first_claim_is_granted() {
    on_each(async |store| {
        let (ada, first) = (user("ada"), Uuid::new_v4());
        assert_eq!(store.database.find(&ada).await.unwrap(), None);
        assert!(!store.granted(&ada, first, NOW).await);

        let other = store.database.claim(&ada, Uuid::new_v4(), NOW, NOW + CLAIMED).await;
        assert!(matches!(other.unwrap(), Claim::Held { .. }));
        assert_eq!(store.database.find(&ada).await.unwrap(), None);
        assert!(!store.granted(&user("bob"), Uuid::new_v4(), NOW).await);

        let completed = store.database.complete(&ada, first, &identity("ada"), NOW).await;
        let mapping = completed.unwrap().unwrap();
        assert_eq!((mapping.identity.clone(), mapping.generation), (identity("ada"), 0));
        assert_eq!(store.database.find(&ada).await.unwrap(), Some(mapping.clone()));
        let late = store
            .database
            .claim(&ada, Uuid::new_v4(), NOW + CLAIMED, NOW + 2 * CLAIMED);
        assert!(matches!(late.await.unwrap(), Claim::Completed(mapped) if mapped == mapping));
        assert!(store.all_due_deletions().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn expired_claim_is_taken_over() {
    on_each(async |store| {
        let (ada, first, second) = (user("ada"), Uuid::new_v4(), Uuid::new_v4());
        store.granted(&ada, first, NOW).await;
        let early = NOW + CLAIMED - MICROSECOND;
        let early = store.database.claim(&ada, second, early, early + CLAIMED).await;
        assert!(matches!(early.unwrap(), Claim::Held { .. }));
        assert!(store.granted(&ada, second, NOW + CLAIMED).await);

        let late = store
            .database
            .complete(&ada, first, &identity("late"), NOW + CLAIMED)
            .await;
        assert_eq!(late.unwrap(), None);
        assert_eq!(store.database.find(&ada).await.unwrap(), None);
        assert_eq!(store.all_due_deletions().await, [identity("late")]);

        let completed = store
            .database
            .complete(&ada, second, &identity("ada"), NOW + CLAIMED)
            .await;
        assert_eq!(completed.unwrap().unwrap().identity, identity("ada"));
        let late = store
            .database
            .complete(&ada, first, &identity("later"), NOW + 2 * CLAIMED)
            .await;
        assert_eq!(late.unwrap(), None);
        assert_eq!(store.all_due_deletions().await, [identity("late"), identity("later")]);
    })
    .await;
}

#[tokio::test]
async fn completing_again_changes_nothing() {
    on_each(async |store| {
        let (ada, first) = (user("ada"), Uuid::new_v4());
        store.granted(&ada, first, NOW).await;
        for _ in 0..2 {
            let completed = store.database.complete(&ada, first, &identity("ada"), NOW).await;
            assert_eq!(completed.unwrap().unwrap().identity, identity("ada"));
        }
        assert!(store.all_due_deletions().await.is_empty());
        for now in [NOW, NOW + CLAIMED] {
            let late = store
                .database
                .complete(&ada, Uuid::new_v4(), &identity("late"), now)
                .await;
            assert_eq!(late.unwrap(), None);
        }
        assert_eq!(
            store.database.due_deletions(None, NOW, 10).await.unwrap(),
            [identity("late")]
        );
    })
    .await;
}

#[tokio::test]
async fn expired_claim_can_be_completed_until_taken_over() {
    on_each(async |store| {
        let (ada, first) = (user("ada"), Uuid::new_v4());
        store.granted(&ada, first, NOW).await;
        let completed = store
            .database
            .complete(&ada, first, &identity("ada"), NOW + 2 * CLAIMED)
            .await;
        assert_eq!(completed.unwrap().unwrap().identity, identity("ada"));
    })
    .await;
}

#[tokio::test]
async fn claim_is_released_by_its_holder_only() {
    on_each(async |store| {
        let (ada, first, second) = (user("ada"), Uuid::new_v4(), Uuid::new_v4());
        store.granted(&ada, first, NOW).await;
        assert!(!store.database.release(&ada, second).await.unwrap());
        let other = store.database.claim(&ada, second, NOW, NOW + CLAIMED).await;
        assert!(matches!(other.unwrap(), Claim::Held { .. }));

        assert!(store.database.release(&ada, first).await.unwrap());
        assert!(!store.database.release(&ada, first).await.unwrap());
        assert!(!store.granted(&ada, second, NOW + MICROSECOND).await);
        let completed = store
            .database
            .complete(&ada, second, &identity("ada"), NOW)
            .await
            .unwrap();
        assert!(!store.database.release(&ada, second).await.unwrap());
        assert_eq!(store.database.find(&ada).await.unwrap(), completed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_concurrent_claims_is_granted() {
    on_each(async |store| {
        let mut claims = JoinSet::new();
        for _ in 0..50 {
            let store: Store = store.clone();
            claims.spawn(async move {
                let ada = user("ada");
                let claim = store.database.claim(&ada, Uuid::new_v4(), NOW, NOW + CLAIMED).await;
                claim.unwrap()
            });
        }
        let claims = claims.join_all().await;
        let granted = claims
            .iter()
            .filter(|claim| matches!(claim, Claim::Granted { .. }))
            .count();
        let taken = claims
            .iter()
            .filter(|claim| matches!(claim, Claim::Held { .. }))
            .count();
        assert_eq!((granted, taken), (1, 49));
    })
    .await;
}

/// Concurrent tasks create and delete users and tokens. Each created identity is a user's, or is due for deletion.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_identity_is_lost_under_concurrency() {
    const TASKS: usize = 8;
    const ROUNDS: usize = 40;
    on_each(async |store| {
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let store: Store = store.clone();
            tasks.spawn(async move {
                let mut created = Vec::new();
                for round in 0..ROUNDS {
                    let user = user(&((task + round) % 3).to_string());
                    let holder = Uuid::new_v4();
                    // The claims of other tasks have always expired.
                    let now = NOW + i32::try_from(round).unwrap() * 2 * CLAIMED;
                    if let Claim::Granted { .. } = store.database.claim(&user, holder, now, now).await.unwrap() {
                        let identity = identity(&holder.to_string());
                        store.database.complete(&user, holder, &identity, NOW).await.unwrap();
                        created.push(identity);
                    }
                    if let Some(mapping) = store.database.find(&user).await.unwrap() {
                        let token = super::token("sealed", NOW);
                        store.database.put_token(&user, "chat", &mapping, &token).await.unwrap();
                        store.database.put_token(&user, "voip", &mapping, &token).await.unwrap();
                    }
                    match (task + round) % 4 {
                        0 => drop(store.database.delete_user(&user, NOW).await.unwrap()),
                        1 => drop(store.database.delete_tokens(&user).await.unwrap()),
                        _ => {}
                    }
                }
                created
            });
        }
        let created: HashSet<_> = tasks.join_all().await.into_iter().flatten().collect();
        let mut found: HashSet<_> = store
            .database
            .due_deletions(None, NOW, 10_000)
            .await
            .unwrap()
            .into_iter()
            .collect();
        for user in ["0", "1", "2"].map(user) {
            found.extend(
                store
                    .database
                    .find(&user)
                    .await
                    .unwrap()
                    .map(|mapping| mapping.identity),
            );
        }
        assert!(created.len() > 3);
        assert_eq!(created, found);
    })
    .await;
}

#[tokio::test]
async fn expired_claims_are_released() {
    on_each(async |store| {
        store.granted(&user("first"), Uuid::new_v4(), NOW).await;
        store.granted(&user("second"), Uuid::new_v4(), NOW).await;
        store.granted(&user("third"), Uuid::new_v4(), NOW + MICROSECOND).await;
        store.mapped(&user("ada"), "ada").await;
        let released = async |now| store.database.release_expired(now).await.unwrap();
        let end = NOW + CLAIMED;
        assert_eq!(released(end - MICROSECOND).await, 0);
        assert_eq!(released(end).await, 2);
        assert_eq!(released(end).await, 0);
        assert!(!store.granted(&user("first"), Uuid::new_v4(), end).await);
        let third = store.database.claim(&user("third"), Uuid::new_v4(), end, end).await;
        assert!(matches!(third.unwrap(), Claim::Held { .. }));
        assert!(store.database.find(&user("ada")).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn identity_of_a_deleted_user_is_due_until_completed() {
    on_each(async |store| {
        let (ada, bob) = (user("ada"), user("bob"));
        store.mapped(&ada, "ada").await;
        store.mapped(&bob, "bob").await;
        for (user, now, expected) in [
            (&bob, NOW + MICROSECOND, Deleted::Identity),
            (&ada, NOW, Deleted::Identity),
            (&ada, NOW + CLAIMED, Deleted::Nothing),
        ] {
            let deleted = store.database.delete_user(user, now).await.unwrap();
            assert_eq!(deleted, expected);
        }
        assert_eq!(store.database.find(&ada).await.unwrap(), None);

        assert_eq!(store.all_due_deletions().await, [identity("ada"), identity("bob")]);
        let due = async |user, before, limit| store.database.due_deletions(user, before, limit).await.unwrap();
        assert_eq!(due(None, NOW, 10).await, [identity("ada")]);
        assert_eq!(due(None, NOW + CLAIMED, 1).await, [identity("ada")]);
        assert_eq!(due(Some(&bob), NOW + MICROSECOND, 10).await, [identity("bob")]);
        assert_eq!(due(Some(&bob), NOW, 10).await, []);

        // A new identity does not change the deletion of the old one.
        let mapping = store.mapped(&ada, "again").await;
        assert_eq!((mapping.identity, mapping.generation), (identity("again"), 0));
        store.database.delete_user(&ada, NOW).await.unwrap();
        assert_eq!(due(Some(&ada), NOW, 10).await, [identity("ada"), identity("again")]);
        store.database.complete_deletion(&identity("ada")).await.unwrap();
        store.database.complete_deletion(&identity("ada")).await.unwrap();
        assert_eq!(store.all_due_deletions().await, [identity("again"), identity("bob")]);
    })
    .await;
}

#[tokio::test]
async fn identity_of_a_deleted_claim_is_due() {
    on_each(async |store| {
        let (ada, first) = (user("ada"), Uuid::new_v4());
        let delete = async || store.database.delete_user(&ada, NOW).await.unwrap();
        assert_eq!(delete().await, Deleted::Nothing);
        store.granted(&ada, first, NOW).await;
        assert_eq!(delete().await, Deleted::Claim);
        assert_eq!(delete().await, Deleted::Nothing);
        assert!(store.all_due_deletions().await.is_empty());
        let late = store.database.complete(&ada, first, &identity("late"), NOW).await;
        assert_eq!(late.unwrap(), None);
        assert_eq!(store.all_due_deletions().await, [identity("late")]);
        assert_eq!(store.database.find(&ada).await.unwrap(), None);
        // The user can return.
        assert!(!store.granted(&ada, Uuid::new_v4(), NOW).await);
    })
    .await;
}

#[tokio::test]
async fn postponed_deletion_comes_last() {
    on_each(async |store| {
        for name in ["ada", "bob"] {
            store.mapped(&user(name), name).await;
            store.database.delete_user(&user(name), NOW).await.unwrap();
        }
        store
            .database
            .postpone_deletion(&identity("ada"), NOW + MICROSECOND)
            .await
            .unwrap();
        assert_eq!(store.all_due_deletions().await, [identity("bob"), identity("ada")]);
    })
    .await;
}

#[tokio::test]
async fn ids_differ_by_any_character() {
    on_each(async |store| {
        let ids = [
            "ada",
            "Ada",
            "ada ",
            " ada",
            "äda",
            "a\u{308}da",
            "'; DROP TABLE users; --",
            "1",
            "1.0",
            "01",
            "",
        ];
        let long = ["a".repeat(512), format!("{}b", "a".repeat(511))];
        let ids = ids.into_iter().map(str::to_owned).chain(long).collect::<Vec<_>>();
        for (name, id) in ids.iter().enumerate() {
            store.mapped(&user(id), &name.to_string()).await;
        }
        let mut identities = HashSet::new();
        for (name, id) in ids.iter().enumerate() {
            let mapping = store.database.find(&user(id)).await.unwrap().unwrap();
            assert_eq!(mapping.identity, identity(&name.to_string()), "{id:?}");
            assert!(identities.insert(mapping.identity));
        }
    })
    .await;
}

#[tokio::test]
async fn invalid_values_are_refused_without_showing_them() {
    on_each(async |store| {
        let mapping = store.mapped(&user("ada"), "ada").await;
        for id in ["secret".repeat(86), "sec\0ret".to_owned()] {
            let (holder, scopes) = (Uuid::new_v4(), id.as_str());
            let token = super::token("sealed", NOW);
            let database = &store.database;
            let refusals = [
                database
                    .complete(&user("ada"), holder, &identity(&id), NOW)
                    .await
                    .map(drop),
                database.postpone_deletion(&identity(&id), NOW).await,
                database.complete_deletion(&identity(&id)).await,
                database.find_token(&user("ada"), scopes, &mapping).await.map(drop),
                database.put_token(&user("ada"), scopes, &mapping, &token).await,
            ];
            for (row, refusal) in refusals.into_iter().enumerate() {
                let error = refusal.expect_err(&row.to_string());
                assert_eq!(error.kind(), StoreErrorKind::InvalidValue, "{row}");
                assert!(!format!("{error} {error:?}").contains("sec"), "{error:?}");
                assert!(error.to_string().contains("512 bytes"), "{error}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn identity_belongs_to_one_user() {
    on_each(async |store| {
        let holder = Uuid::new_v4();
        store.mapped(&user("ada"), "secret").await;
        store.granted(&user("bob"), holder, NOW).await;
        let completed = store
            .database
            .complete(&user("bob"), holder, &identity("secret"), NOW)
            .await;
        let error = completed.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Database);
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("store a user's identity: the database answered with code"),
            "{text}"
        );
        assert!(!text.contains("secret") && !text.contains("bob"), "{text}");
        assert_eq!(store.database.find(&user("bob")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn repeated_claim_of_its_holder_is_granted() {
    on_each(async |store| {
        let (ada, holder) = (user("ada"), Uuid::new_v4());
        for _ in 0..2 {
            assert!(!store.granted(&ada, holder, NOW).await, "it is the same attempt");
        }
        let other = store
            .database
            .claim(&ada, Uuid::new_v4(), NOW, NOW + CLAIMED)
            .await
            .unwrap();
        let Claim::Held { until } = other else {
            panic!("{other:?}");
        };
        assert_eq!(until, NOW + CLAIMED);
        let identity = identity("ada");
        let completed = store.database.complete(&ada, holder, &identity, NOW).await.unwrap();
        assert_eq!(completed.unwrap().identity, identity);
    })
    .await;
}

#[tokio::test]
async fn backlog_has_deletions_and_claims() {
    on_each(async |store| {
        assert_eq!(store.database.backlog(NOW).await.unwrap(), Backlog::default());
        for id in ["ada", "bob", "cleo"] {
            store.mapped(&user(id), id).await;
        }
        for id in ["ada", "bob"] {
            store.database.delete_user(&user(id), NOW).await.unwrap();
        }
        store.granted(&user("dan"), Uuid::new_v4(), NOW).await;
        let counted = async |now| {
            let backlog = store.database.backlog(now).await.unwrap();
            (backlog.deletions, backlog.claims, backlog.expired_claims)
        };
        assert_eq!(counted(NOW + CLAIMED - MICROSECOND).await, (2, 1, 0));
        assert_eq!(counted(NOW + CLAIMED).await, (2, 1, 1));
        store.database.complete_deletion(&identity("ada")).await.unwrap();
        store.database.release_expired(NOW + CLAIMED).await.unwrap();
        assert_eq!(counted(NOW + CLAIMED).await, (1, 0, 0));
    })
    .await;
}
