//! Passwords from a credential.

use crate::store::{Store, StoreErrorKind, password::Password};
use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
};
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use time::{Duration, OffsetDateTime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const SCOPE: &str = "https://ossrdbms-aad.database.windows.net/.default";

/// A credential whose tokens are numbered. Every other request fails if it is `flaky`.
#[derive(Debug, Default)]
struct Numbered {
    flaky: bool,
    requests: AtomicUsize,
    scopes: Mutex<Vec<String>>,
}

#[async_trait]
impl TokenCredential for Numbered {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        self.scopes
            .lock()
            .unwrap()
            .extend(scopes.iter().map(|&scope| scope.to_owned()));
        if self.flaky && number % 2 == 1 {
            return Err(azure_core::Error::with_message(
                ErrorKind::Credential,
                "the identity is away",
            ));
        }
        Ok(AccessToken::new(
            format!("token/{number}"),
            OffsetDateTime::now_utc() + Duration::HOUR,
        ))
    }
}

/// Reads a message of PostgreSQL's protocol without its type: its length, and what follows.
async fn message(stream: &mut TcpStream) -> Vec<u8> {
    let length = stream.read_i32().await.unwrap();
    let mut rest = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut rest).await.unwrap();
    rest
}

/// Answers one connection as a server that wants a password in clear text and refuses it. Returns the startup and the
/// password.
async fn refuse(listener: &TcpListener) -> (String, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let startup = message(&mut stream).await;
    stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'p');
    let password = message(&mut stream).await;
    let fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0";
    let length = i32::try_from(fields.len() + 4).unwrap();
    stream.write_all(b"E").await.unwrap();
    stream.write_i32(length).await.unwrap();
    stream.write_all(fields).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned();
    (text(startup), text(password))
}

#[tokio::test]
async fn token_is_the_password_of_the_first_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!(
        "postgres://service@{}/tokens?sslmode=disable",
        listener.local_addr().unwrap()
    );
    let credential = Arc::new(Numbered::default());
    let connecting = Store::connect_with_credential(&url, 1, true, credential.clone(), SCOPE);
    let (connected, (startup, password)) = tokio::join!(connecting, refuse(&listener));
    assert!(startup.contains("user\0service\0database\0tokens"), "{startup:?}");
    assert_eq!(password, "token/0");
    assert_eq!(*credential.scopes.lock().unwrap(), [SCOPE]);
    let error = connected.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("token/0"), "{error:?}");
}

#[tokio::test]
async fn credential_without_a_token_is_an_error() {
    let credential = Arc::new(Numbered {
        flaky: true,
        requests: AtomicUsize::new(1),
        ..Numbered::default()
    });
    let error = Store::connect_with_credential("postgres://service@127.0.0.1:1/tokens", 1, true, credential, SCOPE)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("the identity is away"), "{error}");
}

/// Lets the other task run until it waits.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn password_of_new_connections_is_renewed() {
    for flaky in [false, true] {
        let options: PgConnectOptions = "postgres://service@127.0.0.1:1/tokens".parse().unwrap();
        let pool = PgPoolOptions::new().connect_lazy_with(options);
        let credential = Arc::new(Numbered {
            flaky,
            ..Numbered::default()
        });
        let password = Password::new(credential.clone(), SCOPE);
        let first = password.request().await.unwrap();
        let renewal = tokio::spawn(password.renew(pool.clone(), first));
        for _ in 0..if flaky { 2 } else { 1 } {
            settle().await;
            tokio::time::advance(std::time::Duration::from_mins(31)).await;
            settle().await;
        }
        let expected = if flaky { "token%2F2" } else { "token%2F1" };
        let url = pool.connect_options().to_url_lossy();
        assert!(url.as_str().contains(expected), "{url}");
        pool.close().await;
        renewal.await.unwrap();
    }
}
