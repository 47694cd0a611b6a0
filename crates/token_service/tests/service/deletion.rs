//! Users who leave.

use crate::{
    gate::Gate,
    setup::{Options, World},
};
use acs_identity_emulator::{Fault, Operation, TokenStatus};
use axum::http::StatusCode;
use std::time::Duration;

#[tokio::test]
async fn a_removed_user_has_no_identity_and_can_come_back() {
    let world = World::start().await;
    let alice = world.caller("alice");
    let identity = world.post("/api/user", &alice).await.text("/acsUserIdentity");
    let token = world.get("/api/token", &alice).await.text("/token");

    world.delete("/api/user", &alice).await.assert_status(204);
    assert_eq!(world.emulator.identity_count(), 0);
    assert_eq!(world.emulator.token_status(&token), TokenStatus::IdentityDeleted);
    world.get("/api/user", &alice).await.assert_error(404, "no_identity");
    world.get("/api/token", &alice).await.assert_error(404, "no_identity");
    world.delete("/api/user", &alice).await.assert_status(204);

    let another = world.post("/api/user", &alice).await;
    assert_ne!(another.assert_status(201).text("/acsUserIdentity"), identity);
    world.get("/api/token", &alice).await.assert_status(201);
}

#[tokio::test]
async fn a_user_who_never_was_is_removed_all_the_same() {
    let world = World::start().await;
    world
        .delete("/api/user", &world.caller("nobody"))
        .await
        .assert_status(204);
}

#[tokio::test]
async fn the_mapping_goes_first_and_a_repetition_deletes_the_identity() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world.post("/api/user", &alice).await.assert_status(201);
    world
        .emulator
        .inject(Fault::status(503).times(1).operation(Operation::DeleteIdentity))
        .unwrap();
    world
        .delete("/api/user", &alice)
        .await
        .assert_error(503, "acs_unavailable");
    world.get("/api/user", &alice).await.assert_error(404, "no_identity");
    assert_eq!(world.emulator.identity_count(), 1);

    world.delete("/api/user", &alice).await.assert_status(204);
    assert_eq!(world.emulator.identity_count(), 0);
}

#[tokio::test]
async fn the_sweep_deletes_what_a_removal_has_left() {
    let world = World::start().await;
    let alice = world.caller("alice");
    world.post("/api/user", &alice).await.assert_status(201);
    world
        .emulator
        .inject(Fault::status(503).times(2).operation(Operation::DeleteIdentity))
        .unwrap();
    world
        .delete("/api/user", &alice)
        .await
        .assert_error(503, "acs_unavailable");
    assert_eq!(
        world.service.sweep().await.unwrap().deleted,
        0,
        "the request may still be at it"
    );

    world.clock.advance(Duration::from_secs(61));
    assert_eq!(
        world.service.sweep().await.unwrap().failed,
        1,
        "the service is in trouble"
    );
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(world.service.sweep().await.unwrap().deleted, 1);
    assert_eq!(world.emulator.identity_count(), 0);
    assert_eq!(world.service.sweep().await.unwrap(), token_service::Swept::default());
}

#[tokio::test]
async fn a_404_that_is_not_the_services_buries_nothing() {
    let outer = World::start().await;
    let gate = Gate::before(&outer.emulator).await;
    let options = Options {
        connection_string: Some(gate.connection_string()),
        ..Options::default()
    };
    let world = outer.replica(options, |builder| builder).await;
    let alice = world.caller("alice");
    world.post("/api/user", &alice).await.assert_status(201);
    gate.answer(StatusCode::NOT_FOUND, "text/html", "<h1>no such site</h1>");
    world.delete("/api/user", &alice).await.assert_error(502, "acs_refused");
    world.get("/api/user", &alice).await.assert_error(404, "no_identity");
    assert_eq!(world.emulator.identity_count(), 1);

    world.clock.advance(Duration::from_secs(61));
    assert_eq!(world.service.sweep().await.unwrap().deleted, 1);
    assert_eq!(world.emulator.identity_count(), 0);
}

#[tokio::test]
async fn an_identity_that_is_refused_holds_up_no_other() {
    let world = World::start().await;
    for user in ["alice", "bob"] {
        world.post("/api/user", &world.caller(user)).await.assert_status(201);
    }
    world
        .emulator
        .inject(Fault::status(400).times(3).operation(Operation::DeleteIdentity))
        .unwrap();
    for user in ["alice", "bob"] {
        let answer = world.delete("/api/user", &world.caller(user)).await;
        answer.assert_error(502, "acs_refused");
        world.clock.advance(Duration::from_secs(1));
    }
    world.clock.advance(Duration::from_secs(61));
    let swept = world.service.sweep().await.unwrap();
    assert_eq!((swept.deleted, swept.failed), (0, 1));
    let swept = world.service.sweep().await.unwrap();
    assert_eq!((swept.deleted, swept.failed), (1, 0), "the other one is first now");
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(world.service.sweep().await.unwrap().deleted, 1);
    assert_eq!(world.emulator.identity_count(), 0);
}
