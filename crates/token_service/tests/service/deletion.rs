//! Users who leave.

use crate::setup::World;
use acs_identity_emulator::{Fault, Operation, TokenStatus};
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
        world.service.sweep().await.unwrap().left,
        1,
        "the service is in trouble"
    );
    assert_eq!(world.service.sweep().await.unwrap().deleted, 1);
    assert_eq!(world.emulator.identity_count(), 0);
    assert_eq!(world.service.sweep().await.unwrap(), token_service::Swept::default());
}
