//! A database and the resource that it belongs to.

use crate::{
    setup::{DatabaseFile, Options, Setup},
    support::gate::Gate,
};
use acs_identity_emulator::Emulator;
use reqwest::StatusCode;
use token_service::VerifyError;

/// The id of the resource of an identity.
fn resource_of(identity: &str) -> &str {
    identity.strip_prefix("8:acs:").unwrap().split_once('_').unwrap().0
}

/// Returns the options of a service with this database and another resource.
fn of_other(file: &DatabaseFile, other: &Emulator) -> Options {
    Options {
        connection_string: Some(other.connection_string()),
        ..Options::with_database(file)
    }
}

#[tokio::test]
async fn other_resource_is_a_mismatch_with_both_ids() {
    let file = DatabaseFile::new();
    let service = Setup::with(Options::with_database(&file), |builder| builder).await;
    service.service.verify_resource().await.unwrap();
    let identity = service.post("/api/user", &service.caller("alice")).await;
    let identity = identity.text("/acsUserIdentity");
    service.service.verify_resource().await.unwrap();
    assert_eq!(
        service.acs_requests("createIdentity").await,
        1,
        "a known endpoint needs no check"
    );

    let other = Emulator::builder().start().await.unwrap();
    let moved = service.replica(of_other(&file, &other), |builder| builder).await;
    let error = moved.service.verify_resource().await.unwrap_err();
    let text = error.to_string();
    let VerifyError::Mismatch(_) = error else {
        panic!("{text}");
    };
    assert!(text.contains(resource_of(&identity)), "{text}");
    assert!(text.contains(&other.resource_id().to_string()), "{text}");
}

#[tokio::test]
async fn other_endpoint_of_the_resource_is_verified_once() {
    let file = DatabaseFile::new();
    let service = Setup::with(Options::with_database(&file), |builder| builder).await;
    service
        .post("/api/user", &service.caller("alice"))
        .await
        .assert_status(201);
    let gate = Gate::before(&service.emulator).await;
    for created in [2, 2] {
        let renamed = service
            .replica(Options::with_database(&file).behind(&gate), |builder| builder)
            .await;
        renamed.service.verify_resource().await.unwrap();
        assert_eq!(service.acs_requests("createIdentity").await, created);
        assert_eq!(service.emulator.identity_count(), 1);
    }
}

#[tokio::test]
async fn unverified_other_resource_loses_no_identity() {
    let file = DatabaseFile::new();
    let service = Setup::with(Options::with_database(&file), |builder| builder).await;
    let alice = service.caller("alice");
    service.post("/api/user", &alice).await.assert_status(201);
    let other = Emulator::builder().start().await.unwrap();
    let moved = service.replica(of_other(&file, &other), |builder| builder).await;
    moved
        .get("/api/token", &alice)
        .await
        .assert_error(502, "other_resource");
    moved
        .delete("/api/token", &alice)
        .await
        .assert_error(502, "other_resource");
    moved
        .post("/api/user", &moved.caller("bob"))
        .await
        .assert_error(502, "other_resource");
    moved
        .delete("/api/user", &alice)
        .await
        .assert_error(502, "other_resource");
    assert_eq!(moved.service.sweep().await.unwrap().deleted, 0);

    // The database still knows the identity, and the right service deletes it.
    service.delete("/api/user", &alice).await.assert_status(204);
    assert_eq!(service.emulator.identities(), Vec::<String>::new());
    assert_eq!(other.identities(), Vec::<String>::new(), "nothing is left there");
}

#[tokio::test]
async fn silent_resource_is_verified_at_the_first_creation() {
    let file = DatabaseFile::new();
    let service = Setup::with(Options::with_database(&file), |builder| builder).await;
    let alice = service.caller("alice");
    service.post("/api/user", &alice).await.assert_status(201);
    let other = Emulator::builder().start().await.unwrap();
    let gate = Gate::before(&other).await;
    let moved = service
        .replica(Options::with_database(&file).behind(&gate), |builder| builder)
        .await;
    gate.respond(StatusCode::BAD_GATEWAY, "text/html", "<html></html>");
    moved.service.verify_resource().await.unwrap();
    moved
        .post("/api/user", &moved.caller("bob"))
        .await
        .assert_error(502, "other_resource");
    service.get("/api/token", &alice).await.assert_status(201);
}
