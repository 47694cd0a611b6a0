//! One identity for each user, however many of their first requests come at once, and whatever fails.

use crate::{
    gate::{CREATE, Gate},
    setup::{Answer, DatabaseFile, Options, World, settled},
};
use acs_identity_emulator::Fault;
use reqwest::Method;
use sqlx::Connection;
use std::{future::Future, time::Duration};

fn custom_ids() -> Options {
    Options {
        custom_ids: true,
        ..Options::default()
    }
}

async fn all<T: Send + 'static>(
    requests: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = requests.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// One answer is 201, the others are 200, and all have the same identity.
#[track_caller]
fn assert_one_identity(answers: &[Answer]) {
    let identity = answers[0].text("/acsUserIdentity");
    for answer in answers {
        assert_eq!(answer.text("/acsUserIdentity"), identity, "{answer:?}");
    }
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_first_requests_creates_one_identity() {
    let world = World::start().await;
    let alice = world.caller("alice");
    let requests = (0..50).map(|_| world.request(Method::POST, "/api/user").bearer_auth(&alice));
    let answers = all(requests.map(crate::setup::send)).await;
    assert_one_identity(&answers);
    assert_eq!(world.emulator.identity_count(), 1);
    assert_eq!(world.acs_calls("create").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_with_one_database_create_one_identity() {
    let file = DatabaseFile::new();
    let options = |connection_string| Options {
        database: file.url(),
        connection_string,
        ..Options::default()
    };
    let outer = World::start().await;
    let gate = Gate::before(&outer.emulator).await;
    let world = outer
        .replica(options(Some(gate.connection_string())), |builder| builder)
        .await;
    let replica = outer
        .replica(options(Some(gate.connection_string())), |builder| builder)
        .await;
    let alice = world.caller("alice");
    let stop = gate.stop(CREATE);
    let requests = (0..20).map(|number| {
        let service = if number % 2 == 0 { &world } else { &replica };
        crate::setup::send(service.request(Method::POST, "/api/user").bearer_auth(&alice))
    });
    let answers = tokio::spawn(all(requests.collect::<Vec<_>>()));
    stop.arrived().await;
    settled().await;
    stop.open();
    assert_one_identity(&answers.await.unwrap());
    assert_eq!(world.emulator.identity_count(), 1);
    assert_eq!(stop.arrivals(), 1);
    assert_eq!(world.acs_calls("create").await + replica.acs_calls("create").await, 1);
}

#[tokio::test]
async fn a_creation_that_failed_is_tried_again_by_the_next_request() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world.emulator.inject(Fault::status(503).times(1)).unwrap();
    let answer = world.post("/api/user", &alice).await;
    answer.assert_error(503, "acs_unavailable");
    assert!(answer.header("retry-after").is_some());
    world.post("/api/user", &alice).await.assert_status(201);
    assert_eq!(world.emulator.identity_count(), 1);
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_found_again_by_its_custom_id() {
    let world = World::with(custom_ids(), |builder| builder).await;
    let alice = world.caller("alice");
    world.emulator.inject(Fault::reset_after_commit().times(1)).unwrap();
    world
        .post("/api/user", &alice)
        .await
        .assert_error(503, "acs_unavailable");
    let lost = world.emulator.identities();
    assert_eq!(lost.len(), 1, "it was created, and nobody was told");

    world.clock.advance(Duration::from_secs(121));
    let answer = world.post("/api/user", &world.caller("alice")).await;
    assert_eq!(answer.assert_status(201).text("/acsUserIdentity"), lost[0]);
    assert_eq!(world.emulator.identity_count(), 1);
}

#[tokio::test]
async fn the_sweep_finishes_a_sign_in_that_was_left() {
    let world = World::with(custom_ids(), |builder| builder).await;
    world.emulator.inject(Fault::reset_after_commit().times(1)).unwrap();
    world
        .post("/api/user", &world.caller("alice"))
        .await
        .assert_error(503, "acs_unavailable");
    let lost = world.emulator.identities();
    assert_eq!(
        world.service.sweep().await.unwrap().finished,
        0,
        "whoever has the claim may still be at it"
    );

    world.clock.advance(Duration::from_secs(121));
    let swept = world.service.sweep().await.unwrap();
    assert_eq!((swept.finished, swept.given_up, swept.failed), (1, 0, 0));
    let answer = world.get("/api/user", &world.caller("alice")).await;
    assert_eq!(answer.assert_status(200).text("/acsUserIdentity"), lost[0]);
    assert_eq!(world.emulator.identity_count(), 1);
}

#[tokio::test]
async fn without_custom_ids_a_lost_creation_is_counted_and_keeps_nobody_out() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world.emulator.inject(Fault::reset_after_commit().times(1)).unwrap();
    world
        .post("/api/user", &alice)
        .await
        .assert_error(503, "acs_unavailable");
    assert_eq!(world.metric("token_service_creations_given_up_total").await, 1);
    world.post("/api/user", &alice).await.assert_status(201);
}

#[tokio::test]
async fn a_claim_that_was_taken_over_in_vain_is_handed_back() {
    let world = World::with(custom_ids(), |builder| builder).await;
    let alice = || world.caller("alice");
    world.emulator.inject(Fault::reset_after_commit().times(1)).unwrap();
    world
        .post("/api/user", &alice())
        .await
        .assert_error(503, "acs_unavailable");
    let lost = world.emulator.identities();
    assert_eq!(lost.len(), 1);

    // Nothing is created this time, but what was created the first time is still to be found.
    world.clock.advance(Duration::from_secs(121));
    world.emulator.inject(Fault::status(429).times(1)).unwrap();
    world
        .post("/api/user", &alice())
        .await
        .assert_error(429, "service_busy");
    let answer = world.post("/api/user", &alice()).await;
    assert_eq!(answer.assert_status(201).text("/acsUserIdentity"), lost[0]);
    assert_eq!(world.emulator.identities(), lost);
}

#[tokio::test]
async fn a_user_who_is_removed_before_their_creation_was_finished_leaves_nothing() {
    let world = World::with(custom_ids(), |builder| builder).await;
    let alice = || world.caller("alice");
    world.emulator.inject(Fault::reset_after_commit().times(1)).unwrap();
    world
        .post("/api/user", &alice())
        .await
        .assert_error(503, "acs_unavailable");
    assert_eq!(world.emulator.identity_count(), 1);
    world.delete("/api/user", &alice()).await.assert_status(204);

    world.clock.advance(Duration::from_secs(121));
    world.service.sweep().await.unwrap();
    world.get("/api/user", &alice()).await.assert_error(404, "no_identity");
    world.clock.advance(Duration::from_secs(61));
    world.service.sweep().await.unwrap();
    assert_eq!(world.emulator.identity_count(), 0);
    assert_eq!(world.service.sweep().await.unwrap(), token_service::Swept::default());
}

#[tokio::test]
async fn an_identity_that_cannot_be_stored_is_found_again() {
    let file = DatabaseFile::new();
    let options = Options {
        database: file.url(),
        ..custom_ids()
    };
    let world = World::with(options, |builder| builder).await;
    let alice = || world.caller("alice");
    let mut database = sqlx::SqliteConnection::connect(&file.url()).await.unwrap();
    sqlx::raw_sql(
        "CREATE TRIGGER full BEFORE UPDATE OF identity ON users BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    )
    .execute(&mut database)
    .await
    .unwrap();
    world.post("/api/user", &alice()).await.assert_error(503, "database");
    let created = world.emulator.identities();
    assert_eq!(created.len(), 1);
    world.get("/api/user", &alice()).await.assert_error(404, "no_identity");

    sqlx::raw_sql("DROP TRIGGER full").execute(&mut database).await.unwrap();
    world.clock.advance(Duration::from_secs(121));
    assert_eq!(world.service.sweep().await.unwrap().finished, 1);
    let answer = world.get("/api/user", &alice()).await;
    assert_eq!(answer.assert_status(200).text("/acsUserIdentity"), created[0]);
    assert_eq!(world.emulator.identities(), created);
}

#[tokio::test]
async fn a_user_who_goes_away_has_an_identity_when_they_come_back() {
    let outer = World::start().await;
    let gate = Gate::before(&outer.emulator).await;
    let options = Options {
        connection_string: Some(gate.connection_string()),
        ..Options::default()
    };
    let world = outer.replica(options, |builder| builder).await;
    let alice = world.caller("alice");
    let stop = gate.stop(CREATE);
    let gone = world.begin(Method::POST, "/api/user", &alice);
    stop.arrived().await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    stop.open();
    let answer = world.post("/api/user", &alice).await;
    answer.assert_status(200);
    assert_eq!(world.emulator.identities(), [answer.text("/acsUserIdentity")]);
    assert_eq!(stop.arrivals(), 1);
}
