//! Deletion of users and their identities.

use crate::setup::Setup;
use acs_identity_emulator::{Fault, Operation, TokenStatus};
use axum::http::StatusCode;
use std::time::Duration;

#[tokio::test]
async fn deleted_user_has_no_identity_and_can_return() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    let identity = setup.post("/api/user", &alice).await.text("/acsUserIdentity");
    let token = setup.get("/api/token", &alice).await.text("/token");

    setup.delete("/api/user", &alice).await.assert_status(204);
    assert_eq!(setup.emulator.identity_count(), 0);
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::IdentityDeleted);
    setup.get("/api/user", &alice).await.assert_error(404, "no_identity");
    setup.get("/api/token", &alice).await.assert_error(404, "no_identity");
    setup.delete("/api/user", &alice).await.assert_status(204);

    let another = setup.post("/api/user", &alice).await;
    assert_ne!(another.assert_status(201).text("/acsUserIdentity"), identity);
    setup.get("/api/token", &alice).await.assert_status(201);
}

#[tokio::test]
async fn deleting_an_unknown_user_succeeds() {
    let setup = Setup::start().await;
    setup
        .delete("/api/user", &setup.caller("unknown"))
        .await
        .assert_status(204);
}

#[tokio::test]
async fn repeated_deletion_deletes_the_identity() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    setup
        .emulator
        .inject(Fault::status(503).times(1).operation(Operation::DeleteIdentity))
        .unwrap();
    setup
        .delete("/api/user", &alice)
        .await
        .assert_error(503, "acs_unavailable");
    setup.get("/api/user", &alice).await.assert_error(404, "no_identity");
    assert_eq!(setup.emulator.identity_count(), 1);

    setup.delete("/api/user", &alice).await.assert_status(204);
    assert_eq!(setup.emulator.identity_count(), 0);
}

#[tokio::test]
async fn sweep_completes_a_failed_deletion() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    setup
        .emulator
        .inject(Fault::status(503).times(2).operation(Operation::DeleteIdentity))
        .unwrap();
    setup
        .delete("/api/user", &alice)
        .await
        .assert_error(503, "acs_unavailable");
    assert_eq!(
        setup.service.sweep().await.unwrap().deleted,
        0,
        "the deletion is left to the request for a minute"
    );

    setup.clock.advance(Duration::from_secs(61));
    assert_eq!(
        setup.service.sweep().await.unwrap().failed,
        1,
        "the service is in trouble"
    );
    setup.clock.advance(Duration::from_secs(61));
    assert_eq!(setup.service.sweep().await.unwrap().deleted, 1);
    assert_eq!(setup.emulator.identity_count(), 0);
    assert_eq!(setup.service.sweep().await.unwrap(), token_service::Swept::default());
}

#[tokio::test]
async fn foreign_404_does_not_complete_a_deletion() {
    let (setup, gate) = Setup::gated(|builder| builder).await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    gate.respond(StatusCode::NOT_FOUND, "text/html", "<h1>no such site</h1>");
    setup.delete("/api/user", &alice).await.assert_error(502, "acs_refused");
    setup.get("/api/user", &alice).await.assert_error(404, "no_identity");
    assert_eq!(setup.emulator.identity_count(), 1);

    setup.clock.advance(Duration::from_secs(61));
    assert_eq!(setup.service.sweep().await.unwrap().deleted, 1);
    assert_eq!(setup.emulator.identity_count(), 0);
}

#[tokio::test]
async fn refused_deletion_does_not_block_others() {
    let setup = Setup::start().await;
    for user in ["alice", "bob"] {
        setup.post("/api/user", &setup.caller(user)).await.assert_status(201);
    }
    setup
        .emulator
        .inject(Fault::status(400).times(3).operation(Operation::DeleteIdentity))
        .unwrap();
    for user in ["alice", "bob"] {
        let reply = setup.delete("/api/user", &setup.caller(user)).await;
        reply.assert_error(502, "acs_refused");
        setup.clock.advance(Duration::from_secs(1));
    }
    setup.clock.advance(Duration::from_secs(61));
    let swept = setup.service.sweep().await.unwrap();
    assert_eq!((swept.deleted, swept.failed), (0, 1));
    let swept = setup.service.sweep().await.unwrap();
    assert_eq!((swept.deleted, swept.failed), (1, 0), "the other one is first now");
    setup.clock.advance(Duration::from_secs(61));
    assert_eq!(setup.service.sweep().await.unwrap().deleted, 1);
    assert_eq!(setup.emulator.identity_count(), 0);
}
