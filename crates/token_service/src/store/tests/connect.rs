//! URLs, migrations, and several stores on one database.

use super::{
    CLAIMED, NOW,
    on_each::{Directory, on_each, on_each_server},
    user,
};
use crate::store::{Claim, Store, StoreErrorKind};
use sqlx::{PgPool, SqlitePool, migrate::Migrator};
use tokio::{net::TcpListener, task::JoinSet};
use uuid::Uuid;

#[tokio::test]
async fn a_url_that_cannot_be_used_is_not_told() {
    let table = [
        ("mysql://app:secret@db/users", "sqlite:, postgres: or postgresql:"),
        ("secret", "sqlite:, postgres: or postgresql:"),
        ("", "sqlite:, postgres: or postgresql:"),
        ("SQLITE::memory:secret", "sqlite:, postgres: or postgresql:"),
        ("sqlite://users.db?secret=secret", "not one of SQLite"),
        ("sqlite://users.db?mode=secret", "not one of SQLite"),
        ("postgres://app:secret@db:port/users", "not one of PostgreSQL"),
        ("postgres://app:secret@[/users", "not one of PostgreSQL"),
        ("postgresql://app@db/users?sslmode=secret", "not one of PostgreSQL"),
        (
            "postgres://app@db/users?passphrase=secret",
            "parameter \"passphrase\" is unknown",
        ),
    ];
    for (url, told) in table {
        let error = Store::connect(url, 1).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Configuration, "{url}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(told), "{url}: {text}");
        assert!(!text.contains("secret"), "{url}: {text}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_connections_is_unavailable_at_once() {
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let refused = Store::connect(&format!("postgres://app:secret@{free}/users"), 1).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("Connection refused"), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_unavailable_in_the_end() {
    // It accepts, and never says anything.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("postgres://app:secret@{}/users", silent.local_addr().unwrap());
    let error = Store::connect(&url, 1).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("did not answer within 5 seconds"), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_created_unless_the_url_says_otherwise() {
    let directory = Directory::new();
    let url = directory.database();
    let refused = Store::connect(&format!("{url}?mode=rw"), 1).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the store could not open the database: unable to open database file (code 14)"
    );
    Store::connect(&url, 1).await.unwrap().database.close().await;
    Store::connect(&format!("{url}?mode=rw"), 1)
        .await
        .unwrap()
        .database
        .close()
        .await;
}

#[tokio::test]
async fn a_store_answers_until_it_is_closed() {
    on_each(async |store| {
        store.database.ping().await.unwrap();
        store.database.close().await;
        let error = store.database.ping().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the store could not reach its database: the store is closed"
        );
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    })
    .await;
}

#[tokio::test]
async fn what_was_stored_is_there_when_it_is_opened_again() {
    on_each_server(async |url| {
        let store = Store::connect(&url, 2).await.unwrap();
        let mapping = store.mapped(&user("ada"), "ada").await;
        store.database.close().await;
        let store = Store::connect(&url, 2).await.unwrap();
        assert_eq!(store.database.find(&user("ada")).await.unwrap(), Some(mapping));
        store.database.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_replicas_may_be_the_first_at_once() {
    on_each_server(async |url| {
        all_connect(&url).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_replicas_may_be_the_first_of_a_new_version_at_once() {
    on_each_server(async |url| {
        // An earlier version, which had no tables yet but knew of migrations.
        let earlier = Migrator::with_migrations(Vec::new());
        if url.starts_with("sqlite:") {
            let pool = SqlitePool::connect(&format!("{url}?mode=rwc")).await.unwrap();
            earlier.run(&pool).await.unwrap();
            pool.close().await;
        } else {
            let pool = PgPool::connect(&url).await.unwrap();
            earlier.run(&pool).await.unwrap();
            pool.close().await;
        }
        all_connect(&url).await;
    })
    .await;
}

async fn all_connect(url: &str) {
    let mut replicas = JoinSet::new();
    for _ in 0..6 {
        let url = url.to_owned();
        replicas.spawn(async move { Store::connect(&url, 2).await.unwrap() });
    }
    for store in replicas.join_all().await {
        assert_eq!(store.database.find(&user("ada")).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_the_claims_of_several_replicas_is_granted() {
    on_each_server(async |url| {
        let mut claims = JoinSet::new();
        for _ in 0..3 {
            let store = Store::connect(&url, 4).await.unwrap();
            for claim in 0..90 {
                let store = store.clone();
                claims.spawn(async move {
                    let user = user(&(claim % 30).to_string());
                    let claim = store.database.claim(&user, Uuid::new_v4(), NOW, NOW + CLAIMED).await;
                    (user, claim.unwrap())
                });
            }
        }
        let claims = claims.join_all().await;
        let mut granted = claims
            .iter()
            .filter(|(_, claim)| matches!(claim, Claim::Granted { .. }))
            .map(|(user, _)| user.as_str())
            .collect::<Vec<_>>();
        granted.sort_unstable();
        let count = granted.len();
        granted.dedup();
        assert_eq!((claims.len(), count, granted.len()), (270, 30, 30));
    })
    .await;
}
