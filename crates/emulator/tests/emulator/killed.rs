//! An emulator with a data file that is killed while it writes.
//!
//! The emulator runs as a process under load, and is killed after a number of responses. Started again, it must have
//! every change that it responded to. `KILLS` sets the number of rounds; the default is a short form for every day.

use crate::{
    client::{Client, Response, VERSION},
    data::Temporary,
    process::Process,
};
use serde_json::{Value, json};
use std::env;
use tokio::{
    sync::mpsc::{self, UnboundedSender},
    task::JoinSet,
};

/// The number of clients that send requests at the same time.
const CLIENTS: usize = 8;

/// The state of an operation when the emulator was killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Done {
    No,
    /// The emulator was killed before the response, so it may have been done or not.
    Perhaps,
    Yes,
}

/// An identity whose creation was confirmed, and its later operations.
#[derive(Debug)]
struct Identity {
    id: String,
    /// Issued with its creation.
    token: String,
    revocation: Done,
    deletion: Done,
}

#[expect(clippy::print_stdout, reason = "`.ci/soak` shows what was found")]
#[tokio::test(flavor = "multi_thread")]
async fn confirmed_changes_survive_a_kill() {
    let kills = env::var("KILLS").map_or(3, |kills| kills.parse().unwrap());
    let path = Temporary::new();
    let mut identities = Vec::new();
    for round in 0..kills {
        let process = start(&path).await;
        check(&process, &identities).await;
        // Soon after the start, and later; the numbers have no common divisor.
        load(process, 25 + round * 37 % 200, &mut identities).await;
    }
    let process = start(&path).await;
    check(&process, &identities).await;

    let count = |done: fn(&Identity) -> Done| identities.iter().filter(|identity| done(identity) == Done::Yes).count();
    let (revoked, deleted) = (
        count(|identity| identity.revocation),
        count(|identity| identity.deletion),
    );
    println!(
        "killed {kills} times while {CLIENTS} clients were at work: {} creations, {revoked} revocations and {deleted} \
         deletions were responded, and none is lost",
        identities.len()
    );
    assert!(revoked > 0 && deleted > 0);
}

async fn start(path: &Temporary) -> Process {
    Process::start(&["--data", path.to_str().unwrap(), "--token-algorithm", "ES256"]).await
}

/// Sends requests until the emulator has sent this many responses and is killed.
async fn load(mut process: Process, responses: usize, identities: &mut Vec<Identity>) {
    let (responded, mut count) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(work(process.client(), responded.clone()));
    }
    for _ in 0..responses {
        count.recv().await.unwrap();
    }
    process.kill();
    let ended = clients.join_all().await;
    process.into_log().await;
    identities.extend(ended.into_iter().flatten());
}

/// Creates identities, and revokes the tokens of some and deletes some, until a request is cut off.
async fn work(client: Client, responded: UnboundedSender<()>) -> Vec<Identity> {
    let mut identities: Vec<Identity> = Vec::new();
    for number in 0.. {
        let Some(identity) = create(&client).await else {
            break;
        };
        identities.push(identity);
        responded.send(()).ok();

        let Identity {
            id,
            revocation,
            deletion,
            ..
        } = &mut identities[number / 2];
        let (done, method, path) = match number % 3 {
            0 => (
                revocation,
                "POST",
                format!("/identities/{id}/:revokeAccessTokens{VERSION}"),
            ),
            1 => (deletion, "DELETE", format!("/identities/{id}{VERSION}")),
            _ => continue,
        };
        *done = Done::Perhaps;
        let Some((status, _)) = send(&client, method, &path, "").await else {
            break;
        };
        assert_eq!(status, 204, "{method} {path}");
        *done = Done::Yes;
        responded.send(()).ok();
    }
    identities
}

async fn create(client: &Client) -> Option<Identity> {
    let body = r#"{"createTokenWithScopes":["chat"]}"#;
    let (status, response) = send(client, "POST", &format!("/identities{VERSION}"), body).await?;
    assert_eq!(status, 201, "{response}");
    Some(Identity {
        id: response["identity"]["id"].as_str().unwrap().to_owned(),
        token: response["accessToken"]["token"].as_str().unwrap().to_owned(),
        revocation: Done::No,
        deletion: Done::No,
    })
}

/// The whole response; `None` if the emulator was killed before it.
async fn send(client: &Client, method: &str, target: &str, body: &str) -> Option<(u16, Value)> {
    let response = client.signed(method, target, body).send().await.ok()?;
    let status = response.status().as_u16();
    let body = response.bytes().await.ok()?;
    Some((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// Asserts that every confirmed change has persisted.
async fn check(process: &Process, identities: &[Identity]) {
    let client = process.client();
    let introspect = format!("{}tokens/introspect", process.text("controlEndpoint"));
    for identity in identities {
        let request = client.http.post(&introspect).json(&json!({"token": identity.token}));
        let status = Response::of(request).await.text("/status");
        match (identity.deletion, identity.revocation) {
            (Done::Yes, _) => assert_eq!(status, "identityDeleted", "{identity:?}"),
            (Done::Perhaps, _) => {}
            (Done::No, Done::Yes) => assert_eq!(status, "revoked", "{identity:?}"),
            (Done::No, Done::Perhaps) => assert!(matches!(&*status, "active" | "revoked"), "{status}: {identity:?}"),
            (Done::No, Done::No) => assert_eq!(status, "active", "{identity:?}"),
        }
    }
}
