//! Claims, identities, and what is left of them.

use super::{CLAIMED, NOW, identity, on_each::on_each, user};
use crate::store::{Claim, Store, StoreErrorKind};
use std::collections::HashSet;
use time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

const MICROSECOND: Duration = Duration::microseconds(1);

#[tokio::test]
async fn whoever_claims_first_creates_the_identity() {
    on_each(async |store| {
        let (ada, first) = (user("ada"), Uuid::new_v4());
        assert_eq!(store.database.find(&ada).await.unwrap(), None);
        let custom_id = store.granted(&ada, first, NOW).await;

        let other = store.database.claim(&ada, Uuid::new_v4(), NOW, NOW + CLAIMED).await;
        assert!(matches!(other.unwrap(), Claim::Taken));
        assert_eq!(store.database.find(&ada).await.unwrap(), None);
        assert_eq!(store.granted(&ada, first, NOW).await, custom_id);
        assert_ne!(store.granted(&user("bob"), Uuid::new_v4(), NOW).await, custom_id);

        let settled = store.database.settle(&ada, first, &identity("ada"), NOW).await;
        let mapping = settled.unwrap().unwrap();
        assert_eq!((mapping.identity.clone(), mapping.generation), (identity("ada"), 0));
        assert_eq!(store.database.find(&ada).await.unwrap(), Some(mapping.clone()));
        let late = store
            .database
            .claim(&ada, Uuid::new_v4(), NOW + CLAIMED, NOW + 2 * CLAIMED);
        assert!(matches!(late.await.unwrap(), Claim::Mapped(mapped) if mapped == mapping));
        assert!(store.all_retired().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_ended_is_taken_over_with_its_custom_id() {
    on_each(async |store| {
        let (ada, first, second) = (user("ada"), Uuid::new_v4(), Uuid::new_v4());
        let custom_id = store.granted(&ada, first, NOW).await;
        let early = NOW + CLAIMED - MICROSECOND;
        let early = store.database.claim(&ada, second, early, early + CLAIMED).await;
        assert!(matches!(early.unwrap(), Claim::Taken));
        assert_eq!(store.granted(&ada, second, NOW + CLAIMED).await, custom_id);

        let late = store
            .database
            .settle(&ada, first, &identity("late"), NOW + CLAIMED)
            .await;
        assert_eq!(late.unwrap(), None);
        assert_eq!(store.database.find(&ada).await.unwrap(), None);
        assert_eq!(store.all_retired().await, [identity("late")]);

        let settled = store
            .database
            .settle(&ada, second, &identity("ada"), NOW + CLAIMED)
            .await;
        assert_eq!(settled.unwrap().unwrap().identity, identity("ada"));
        let late = store
            .database
            .settle(&ada, first, &identity("later"), NOW + 2 * CLAIMED)
            .await;
        assert_eq!(late.unwrap(), None);
        assert_eq!(store.all_retired().await, [identity("late"), identity("later")]);
    })
    .await;
}

#[tokio::test]
async fn an_identity_that_two_created_by_one_custom_id_stays_the_users() {
    on_each(async |store| {
        let (ada, first, second) = (user("ada"), Uuid::new_v4(), Uuid::new_v4());
        store.granted(&ada, first, NOW).await;
        store.granted(&ada, second, NOW + CLAIMED).await;
        let late = store
            .database
            .settle(&ada, first, &identity("ada"), NOW + CLAIMED)
            .await;
        assert_eq!(late.unwrap(), None);
        let settled = store
            .database
            .settle(&ada, second, &identity("ada"), NOW + CLAIMED)
            .await;
        assert_eq!(settled.unwrap().unwrap().identity, identity("ada"));
        assert!(store.all_retired().await.is_empty());

        let later = store
            .database
            .settle(&ada, first, &identity("ada"), NOW + CLAIMED)
            .await;
        assert_eq!(later.unwrap().unwrap().identity, identity("ada"));
        assert!(store.all_retired().await.is_empty());

        // When the user goes, it is theirs to be deleted.
        store.database.retire(&ada, NOW).await.unwrap();
        let retired = store.database.retired(Some(&ada), NOW, 10).await.unwrap();
        assert_eq!(retired, [identity("ada")]);
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_ended_is_still_its_holders_until_it_is_taken_over() {
    on_each(async |store| {
        let (ada, first) = (user("ada"), Uuid::new_v4());
        store.granted(&ada, first, NOW).await;
        let settled = store
            .database
            .settle(&ada, first, &identity("ada"), NOW + 2 * CLAIMED)
            .await;
        assert_eq!(settled.unwrap().unwrap().identity, identity("ada"));
    })
    .await;
}

#[tokio::test]
async fn a_claim_is_given_up_by_its_holder_only() {
    on_each(async |store| {
        let (ada, first, second) = (user("ada"), Uuid::new_v4(), Uuid::new_v4());
        let custom_id = store.granted(&ada, first, NOW).await;
        store.database.abandon(&ada, second).await.unwrap();
        let other = store.database.claim(&ada, second, NOW, NOW + CLAIMED).await;
        assert!(matches!(other.unwrap(), Claim::Taken));

        store.database.abandon(&ada, first).await.unwrap();
        store.database.abandon(&ada, first).await.unwrap();
        assert_ne!(store.granted(&ada, second, NOW).await, custom_id);
        let settled = store
            .database
            .settle(&ada, second, &identity("ada"), NOW)
            .await
            .unwrap();
        store.database.abandon(&ada, second).await.unwrap();
        assert_eq!(store.database.find(&ada).await.unwrap(), settled);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_claims_at_once_is_granted() {
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
        let taken = claims.iter().filter(|claim| matches!(claim, Claim::Taken)).count();
        assert_eq!((granted, taken), (1, 49));
    })
    .await;
}

/// Users come and go, and their tokens, all at once: every identity that was created is a user's, or is to be deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_identity_is_lost_while_much_happens_at_once() {
    const TASKS: usize = 8;
    const TURNS: usize = 40;
    on_each(async |store| {
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let store: Store = store.clone();
            tasks.spawn(async move {
                let mut created = Vec::new();
                for turn in 0..TURNS {
                    let user = user(&((task + turn) % 3).to_string());
                    let attempt = Uuid::new_v4();
                    // The claims of others have always ended.
                    let now = NOW + i32::try_from(turn).unwrap() * 2 * CLAIMED;
                    if let Claim::Granted { .. } = store.database.claim(&user, attempt, now, now).await.unwrap() {
                        let identity = identity(&attempt.to_string());
                        store.database.settle(&user, attempt, &identity, NOW).await.unwrap();
                        created.push(identity);
                    }
                    if let Some(mapping) = store.database.find(&user).await.unwrap() {
                        let token = super::token("sealed", NOW);
                        store.database.put_token(&user, "chat", &mapping, &token).await.unwrap();
                        store.database.put_token(&user, "voip", &mapping, &token).await.unwrap();
                    }
                    match (task + turn) % 4 {
                        0 => store.database.retire(&user, NOW).await.unwrap(),
                        1 => drop(store.database.forget_tokens(&user).await.unwrap()),
                        _ => {}
                    }
                }
                created
            });
        }
        let created: HashSet<_> = tasks.join_all().await.into_iter().flatten().collect();
        let mut left: HashSet<_> = store
            .database
            .retired(None, NOW, 10_000)
            .await
            .unwrap()
            .into_iter()
            .collect();
        for user in ["0", "1", "2"].map(user) {
            left.extend(
                store
                    .database
                    .find(&user)
                    .await
                    .unwrap()
                    .map(|mapping| mapping.identity),
            );
        }
        assert!(created.len() > 3);
        assert_eq!(created, left);
    })
    .await;
}

#[tokio::test]
async fn creations_that_were_not_finished_are_listed_from_when_their_claims_end() {
    on_each(async |store| {
        store.granted(&user("second"), Uuid::new_v4(), NOW + MICROSECOND).await;
        store.granted(&user("first"), Uuid::new_v4(), NOW).await;
        store.granted(&user("later"), Uuid::new_v4(), NOW + CLAIMED).await;
        store.mapped(&user("ada"), "ada").await;
        let unfinished = async |now, limit| {
            let unfinished = store.database.unfinished(now, limit).await.unwrap();
            unfinished
                .iter()
                .map(|user| user.as_str().to_owned())
                .collect::<Vec<_>>()
        };
        let end = NOW + CLAIMED;
        assert_eq!(unfinished(end - MICROSECOND, 10).await, [""; 0]);
        assert_eq!(unfinished(end, 10).await, ["first"]);
        let both = ["first", "second"];
        assert_eq!(unfinished(end + MICROSECOND, 10).await, both);
        assert_eq!(unfinished(end + MICROSECOND, 1).await, both[..1]);
    })
    .await;
}

#[tokio::test]
async fn the_identity_of_a_removed_user_is_remembered_until_it_is_buried() {
    on_each(async |store| {
        let (ada, bob) = (user("ada"), user("bob"));
        store.mapped(&ada, "ada").await;
        store.mapped(&bob, "bob").await;
        store.database.retire(&bob, NOW + MICROSECOND).await.unwrap();
        store.database.retire(&ada, NOW).await.unwrap();
        store.database.retire(&ada, NOW + CLAIMED).await.unwrap();
        assert_eq!(store.database.find(&ada).await.unwrap(), None);

        assert_eq!(store.all_retired().await, [identity("ada"), identity("bob")]);
        let retired = async |user, before, limit| store.database.retired(user, before, limit).await.unwrap();
        assert_eq!(retired(None, NOW, 10).await, [identity("ada")]);
        assert_eq!(retired(None, NOW + CLAIMED, 1).await, [identity("ada")]);
        assert_eq!(retired(Some(&bob), NOW + MICROSECOND, 10).await, [identity("bob")]);
        assert_eq!(retired(Some(&bob), NOW, 10).await, []);

        // A new identity is another one, and the old one is still to be deleted.
        let mapping = store.mapped(&ada, "again").await;
        assert_eq!((mapping.identity, mapping.generation), (identity("again"), 0));
        store.database.retire(&ada, NOW).await.unwrap();
        assert_eq!(retired(Some(&ada), NOW, 10).await, [identity("ada"), identity("again")]);
        store.database.bury(&identity("ada")).await.unwrap();
        store.database.bury(&identity("ada")).await.unwrap();
        assert_eq!(store.all_retired().await, [identity("again"), identity("bob")]);
    })
    .await;
}

#[tokio::test]
async fn what_is_being_created_for_a_user_who_was_removed_is_to_be_deleted() {
    on_each(async |store| {
        let (ada, first) = (user("ada"), Uuid::new_v4());
        store.granted(&ada, first, NOW).await;
        store.database.retire(&ada, NOW).await.unwrap();
        assert!(store.all_retired().await.is_empty());
        let late = store.database.settle(&ada, first, &identity("late"), NOW).await;
        assert_eq!(late.unwrap(), None);
        assert_eq!(store.all_retired().await, [identity("late")]);
        assert_eq!(store.database.find(&ada).await.unwrap(), None);
        // They can come back.
        store.granted(&ada, Uuid::new_v4(), NOW).await;
    })
    .await;
}

#[tokio::test]
async fn a_claim_of_a_user_who_was_removed_keeps_its_custom_id() {
    on_each(async |store| {
        let (ada, first, second) = (user("ada"), Uuid::new_v4(), Uuid::new_v4());
        let custom_id = store.granted(&ada, first, NOW).await;
        store.database.retire(&ada, NOW).await.unwrap();
        assert_eq!(store.granted(&ada, second, NOW + CLAIMED).await, custom_id);
        let settled = store.database.settle(&ada, second, &identity("ada"), NOW).await;
        assert_eq!(settled.unwrap(), None);
        assert_eq!(store.all_retired().await, [identity("ada")]);
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_is_handed_back_is_taken_over_at_once() {
    on_each(async |store| {
        let (ada, first, second) = (user("ada"), Uuid::new_v4(), Uuid::new_v4());
        let custom_id = store.granted(&ada, first, NOW).await;
        store.database.hand_back(&ada, second, NOW).await.unwrap();
        let other = store.database.claim(&ada, second, NOW, NOW + CLAIMED).await.unwrap();
        assert!(matches!(other, Claim::Taken), "it was not theirs to hand back");

        store.database.hand_back(&ada, first, NOW).await.unwrap();
        let other = store.database.claim(&ada, second, NOW, NOW + CLAIMED).await.unwrap();
        let Claim::Granted(granted) = other else {
            panic!("{other:?}");
        };
        assert_eq!((granted.custom_id, granted.taken_over), (custom_id, true));
    })
    .await;
}

#[tokio::test]
async fn an_identity_that_cannot_be_deleted_goes_behind_the_others() {
    on_each(async |store| {
        for name in ["ada", "bob"] {
            store.mapped(&user(name), name).await;
            store.database.retire(&user(name), NOW).await.unwrap();
        }
        store
            .database
            .postpone(&identity("ada"), NOW + MICROSECOND)
            .await
            .unwrap();
        assert_eq!(store.all_retired().await, [identity("bob"), identity("ada")]);
    })
    .await;
}

#[tokio::test]
async fn users_are_told_apart_to_the_last_character() {
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
async fn what_does_not_fit_is_refused_and_not_told() {
    on_each(async |store| {
        let mapping = store.mapped(&user("ada"), "ada").await;
        for id in ["secret".repeat(86), "sec\0ret".to_owned()] {
            let (long, attempt, scopes) = (user(&id), Uuid::new_v4(), id.as_str());
            let token = super::token("sealed", NOW);
            let database = &store.database;
            let refusals = [
                database.find(&long).await.map(drop),
                database.claim(&long, attempt, NOW, NOW).await.map(drop),
                database.settle(&long, attempt, &identity("late"), NOW).await.map(drop),
                database
                    .settle(&user("ada"), attempt, &identity(&id), NOW)
                    .await
                    .map(drop),
                database.abandon(&long, attempt).await,
                database.forget_tokens(&long).await.map(drop),
                database.retire(&long, NOW).await,
                database.retired(Some(&long), NOW, 10).await.map(drop),
                database.bury(&identity(&id)).await,
                database.token(&user("ada"), scopes, &mapping).await.map(drop),
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
async fn an_identity_is_one_users_only() {
    on_each(async |store| {
        let attempt = Uuid::new_v4();
        store.mapped(&user("ada"), "secret").await;
        store.granted(&user("bob"), attempt, NOW).await;
        let settled = store
            .database
            .settle(&user("bob"), attempt, &identity("secret"), NOW)
            .await;
        let error = settled.unwrap_err();
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
