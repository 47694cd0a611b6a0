//! One identity for each user: with many first requests at once, and with failures.

use crate::{
    gate::{CREATE, Gate},
    setup::{Answer, DatabaseFile, Options, World, settled},
};
use acs_identity_emulator::Fault;
use reqwest::Method;
use sqlx::Connection;
use std::{future::Future, time::Duration};
use token_service::Swept;

/// The number of creations that a service has given up.
const GIVEN_UP: &str = "token_service_creations_given_up_total";

/// A service with an identity for alice that her database did not take, as if the process had stopped in between.
struct Unstored {
    world: World,
    lost: Vec<String>,
    _file: DatabaseFile,
}

impl Unstored {
    async fn start() -> Self {
        let file = DatabaseFile::new();
        let options = Options {
            database: file.url(),
            ..Options::default()
        };
        let world = World::with(options, |builder| builder).await;
        let mut database = sqlx::SqliteConnection::connect(&file.url()).await.unwrap();
        sqlx::raw_sql(
            "CREATE TRIGGER full BEFORE UPDATE OF identity ON users BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
        )
        .execute(&mut database)
        .await
        .unwrap();
        let answer = world.post("/api/user", &world.caller("alice")).await;
        answer.assert_error(503, "database");
        sqlx::raw_sql("DROP TRIGGER full").execute(&mut database).await.unwrap();
        let lost = world.emulator.identities();
        assert_eq!(lost.len(), 1);
        Self {
            world,
            lost,
            _file: file,
        }
    }

    async fn given_up(&self) -> u64 {
        self.world.metric(GIVEN_UP).await
    }

    /// Alice has no identity, and signs in again.
    async fn assert_signs_in_again(&self) {
        let alice = || self.world.caller("alice");
        let answer = self.world.get("/api/user", &alice()).await;
        answer.assert_error(404, "no_identity");
        let answer = self.world.post("/api/user", &alice()).await;
        assert_ne!(answer.assert_status(201).text("/acsUserIdentity"), self.lost[0]);
        assert_eq!(self.world.emulator.identity_count(), 2);
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
async fn creation_with_unknown_outcome_is_given_up() {
    for (fault, left, given_up) in [
        (Fault::reset_before_commit(), 0, 1),
        (Fault::reset_after_commit(), 1, 1),
        (Fault::truncated_body(), 1, 1),
        (Fault::html_body(), 0, 1),
        (Fault::status(500), 0, 1),
        (Fault::status(504), 0, 1),
        (Fault::status(400), 0, 0),
        (Fault::status(401), 0, 0),
        (Fault::status(429), 0, 0),
    ] {
        let case = format!("{fault:?}");
        let world = World::start().await;
        let alice = world.caller("alice");
        world.emulator.inject(fault.times(1)).unwrap();
        let answer = world.post("/api/user", &alice).await;
        assert!(!answer.status.is_success(), "{case}: {answer:?}");
        assert_eq!(world.metric(GIVEN_UP).await, given_up, "{case}");
        assert_eq!(world.emulator.identity_count(), left, "{case}");

        let answer = world.post("/api/user", &alice).await;
        answer.assert_status(201);
        assert_eq!(world.metric(GIVEN_UP).await, given_up, "{case}");
        assert_eq!(world.emulator.identity_count(), left + 1, "{case}");
        world.clock.advance(Duration::from_secs(121));
        assert_eq!(world.service.sweep().await.unwrap().given_up, 0, "{case}");
    }
}

#[tokio::test]
async fn creation_that_times_out_is_given_up() {
    let outer = World::start().await;
    let gate = Gate::before(&outer.emulator).await;
    let options = Options {
        connection_string: Some(gate.connection_string()),
        acs_timeout: Duration::from_millis(50),
        ..Options::default()
    };
    let world = outer.replica(options, |builder| builder).await;
    let alice = world.caller("alice");
    let stop = gate.stop(CREATE);
    let answer = world.post("/api/user", &alice).await;
    answer.assert_error(503, "acs_unavailable");
    assert_eq!(stop.arrivals(), 1);
    assert_eq!(world.metric(GIVEN_UP).await, 1);

    stop.open();
    let options = Options {
        connection_string: Some(gate.connection_string()),
        ..Options::default()
    };
    let patient = outer.replica(options, |builder| builder).await;
    patient.post("/api/user", &alice).await.assert_status(201);
}

#[tokio::test]
async fn ended_claim_is_taken_over_and_counted() {
    let unstored = Unstored::start().await;
    assert_eq!(unstored.given_up().await, 0, "the claim has not ended");
    unstored.world.clock.advance(Duration::from_secs(121));
    unstored.assert_signs_in_again().await;
    assert_eq!(unstored.given_up().await, 1);
    unstored.world.clock.advance(Duration::from_secs(121));
    assert_eq!(unstored.world.service.sweep().await.unwrap(), Swept::default());
}

#[tokio::test]
async fn sweep_gives_up_ended_claims() {
    let unstored = Unstored::start().await;
    let sweep = || unstored.world.service.sweep();
    assert_eq!(sweep().await.unwrap(), Swept::default(), "the claim has not ended");
    unstored.world.clock.advance(Duration::from_secs(121));
    let swept = sweep().await.unwrap();
    assert_eq!((swept.given_up, swept.failed), (1, 0));
    assert_eq!(sweep().await.unwrap(), Swept::default());
    assert_eq!(unstored.given_up().await, 1);
    unstored.assert_signs_in_again().await;
    assert_eq!(unstored.given_up().await, 1);
}

#[tokio::test]
async fn removal_gives_up_an_open_claim() {
    let unstored = Unstored::start().await;
    let alice = unstored.world.caller("alice");
    unstored.world.delete("/api/user", &alice).await.assert_status(204);
    assert_eq!(unstored.given_up().await, 1);
    unstored.assert_signs_in_again().await;
    unstored.world.clock.advance(Duration::from_secs(121));
    assert_eq!(unstored.world.service.sweep().await.unwrap(), Swept::default());
    assert_eq!(unstored.given_up().await, 1);
}

/// A replica is slow, and its claim is gone when the identity has been created.
#[tokio::test]
async fn late_creation_is_deleted() {
    let file = DatabaseFile::new();
    let options = |connection_string| Options {
        database: file.url(),
        connection_string,
        ..Options::default()
    };
    let outer = World::start().await;
    let gate = Gate::before(&outer.emulator).await;
    let slow = outer
        .replica(options(Some(gate.connection_string())), |builder| builder)
        .await;
    let other = outer.replica(options(None), |builder| builder).await;
    let stop = gate.stop(CREATE);
    let late = slow.begin(Method::POST, "/api/user", &slow.caller("alice"));
    stop.arrived().await;

    other.clock.advance(Duration::from_secs(121));
    let answer = other.post("/api/user", &other.caller("alice")).await;
    let identity = answer.assert_status(201).text("/acsUserIdentity");
    assert_eq!(other.metric(GIVEN_UP).await, 1);
    stop.open();
    let answer = late.await.unwrap();
    assert_eq!(answer.assert_status(200).text("/acsUserIdentity"), identity);
    assert_eq!(slow.metric(GIVEN_UP).await, 0);
    assert_eq!(other.emulator.identity_count(), 2);

    other.clock.advance(Duration::from_secs(61));
    assert_eq!(other.service.sweep().await.unwrap().deleted, 1);
    assert_eq!(other.emulator.identities(), [identity]);
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
