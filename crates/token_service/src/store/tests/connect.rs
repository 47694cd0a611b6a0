//! URLs, migrations, and several stores of one database.

use super::{
    CLAIMED, NOW,
    databases::{TempDir, on_each, on_each_shared},
    user,
};
use crate::store::{Claim, Store, StoreErrorKind};
use sqlx::{PgPool, SqlitePool, migrate::Migrator};
use tokio::{net::TcpListener, task::JoinSet};
use uuid::Uuid;

#[tokio::test]
async fn unusable_url_is_not_shown() {
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
        ("postgres://app@db/users?passphrase=secret", "unknown parameter"),
        ("postgres://app:pw@db/users?secret=1", "unknown parameter"),
        ("postgres://app:pw/secret@db/users", "percent-encoded"),
        ("postgres://app:12/secret@db/users", "percent-encoded"),
        ("postgres://app:12?secret@db/users", "percent-encoded"),
        ("postgres://app:12#secret@db/users", "percent-encoded"),
        ("postgres://app:p@/secret@db/users", "percent-encoded"),
        ("postgres://db/users?user=app&password=s@secret", "percent-encoded"),
    ];
    for (url, message) in table {
        let checked = Store::check_url(url).unwrap_err();
        let refused = Store::connect(url, 1).await.unwrap_err();
        for error in [checked, refused] {
            assert_eq!(error.kind(), StoreErrorKind::Configuration, "{url}");
            let text = format!("{error} {error:?}");
            assert!(text.contains(message), "{url}: {text}");
            assert!(!text.contains("secret"), "{url}: {text}");
        }
    }
}

#[test]
fn encoded_characters_are_accepted() {
    for url in [
        "postgres://app:p%2F%3F%23%40%25s@db/users?sslmode=require",
        "postgres://app%40contoso:p@db/users?options[statement_timeout]=5s",
        "postgres://app@%2Fvar%2Frun%2Fpostgresql/users",
        "postgres://db/users?user=app%40contoso.com",
        "sqlite://a@b?mode=rwc",
        "sqlite::memory:",
    ] {
        Store::check_url(url).unwrap();
    }
}

#[tokio::test]
async fn refused_connection_is_unavailable_at_once() {
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let refused = Store::connect(&format!("postgres://app:secret@{free}/users"), 1).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("Connection refused"), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn silent_server_is_unavailable_after_five_seconds() {
    // It accepts connections, and sends nothing.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("postgres://app:secret@{}/users", silent.local_addr().unwrap());
    let error = Store::connect(&url, 1).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("did not answer within 5 seconds"), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[tokio::test]
async fn missing_file_is_created_unless_mode_is_rw() {
    let directory = TempDir::new();
    let url = directory.database_url();
    let refused = Store::connect(&format!("{url}?mode=rw"), 1).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the store could not open the database: unable to open database file (code 14); create its directory, let the service \
         write to it, or add ?mode=rwc to the URL to create the file"
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
async fn closed_store_is_unavailable() {
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
async fn values_persist_across_connections() {
    on_each_shared(async |url| {
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
async fn concurrent_replicas_create_the_tables() {
    on_each_shared(async |url| {
        all_connect(&url).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_replicas_upgrade_the_tables() {
    on_each_shared(async |url| {
        // An earlier version with the table of migrations and no other.
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

/// Runs statements on a database of either kind.
async fn execute(url: &str, statements: &'static str) {
    if url.starts_with("sqlite:") {
        let pool = SqlitePool::connect(url).await.unwrap();
        sqlx::raw_sql(statements).execute(&pool).await.unwrap();
        pool.close().await;
    } else {
        let pool = PgPool::connect(url).await.unwrap();
        sqlx::raw_sql(statements).execute(&pool).await.unwrap();
        pool.close().await;
    }
}

#[tokio::test]
async fn older_program_starts_beside_a_newer_one() {
    on_each_shared(async |url| {
        let newer = Store::connect(&url, 2).await.unwrap();
        let mapping = newer.mapped(&user("ada"), "ada").await;
        execute(
            &url,
            "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) \
             SELECT 1000, 'newer', installed_on, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1; \
             ALTER TABLE users ADD COLUMN newer TEXT",
        )
        .await;
        for store in [
            Store::connect(&url, 2).await.unwrap(),
            Store::connect_without_migration(&url, 2).await.unwrap(),
        ] {
            assert_eq!(store.database.find(&user("ada")).await.unwrap().as_ref(), Some(&mapping));
            store.close().await;
        }
        execute(&url, "INSERT INTO settings (name, value) VALUES ('minimum_version', '1000')").await;
        let error = Store::connect(&url, 2).await.unwrap_err();
        assert!(error.to_string().contains("newer version"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn tables_are_checked_without_the_right_to_change_them() {
    on_each_shared(async |url| {
        let error = Store::connect_without_migration(&url, 2).await.unwrap_err();
        assert!(error.to_string().contains("token_service migrate"), "{error}");
        Store::connect(&url, 2).await.unwrap().close().await;
        Store::connect_without_migration(&url, 2).await.unwrap().close().await;
        execute(&url, "DELETE FROM _sqlx_migrations WHERE version = 2").await;
        let error = Store::connect_without_migration(&url, 2).await.unwrap_err();
        assert!(error.to_string().contains("token_service migrate"), "{error}");
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
async fn one_claim_of_several_replicas_is_granted() {
    on_each_shared(async |url| {
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
