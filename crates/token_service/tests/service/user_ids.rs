//! The identification of users by claims.

use crate::setup::{DatabaseFile, Options, Setup};
use serde_json::{Value, json};
use token_service::{Store, UserIdClaims};

const TENANT: &str = "5a9a1f3e-3a4b-45b9-8a06-32f1b7ea7a3a";

async fn entra() -> Setup {
    Setup::with(Options::default(), |builder| {
        builder.user_id_claims(UserIdClaims::EntraObject)
    })
    .await
}

#[tokio::test]
async fn entra_user_is_the_same_in_every_application() {
    let setup = entra().await;
    let claims = |sub: &str, oid: &str, tid: &str| setup.caller_with(&json!({ "sub": sub, "oid": oid, "tid": tid }));
    let one = setup.post("/api/user", &claims("pairwise-1", "oid-1", TENANT)).await;
    let other = setup.post("/api/user", &claims("pairwise-2", "oid-1", TENANT)).await;
    assert_eq!(
        one.text("/acsUserIdentity"),
        other.assert_status(200).text("/acsUserIdentity")
    );
    for another in [
        claims("pairwise-1", "oid-2", TENANT),
        claims("pairwise-1", "oid-1", "another tenant"),
    ] {
        setup.post("/api/user", &another).await.assert_status(201);
    }
}

#[tokio::test]
async fn entra_user_needs_a_tenant_and_an_object_id() {
    let setup = entra().await;
    for claims in [
        json!({ "sub": "alice" }),
        json!({ "sub": "alice", "tid": TENANT }),
        json!({ "sub": "alice", "tid": TENANT, "oid": "" }),
        json!({ "sub": "alice", "oid": "oid-1" }),
        json!({ "sub": "alice", "oid": "oid-1", "tid": "" }),
    ] {
        let reply = setup.post("/api/user", &setup.caller_with(&claims)).await;
        reply.assert_error(403, "not_an_entra_user");
    }
    assert_eq!(setup.emulator.identity_count(), 0);
}

/// Other issuers may let users choose these claims.
#[tokio::test]
async fn entra_claims_of_other_issuers_are_ignored() {
    let setup = Setup::start().await;
    let victim = json!({ "sub": "victim", "tid": TENANT, "oid": "oid-1" });
    let identity = async |claims: &Value, status: u16| {
        let reply = setup.post("/api/user", &setup.caller_with(claims)).await;
        reply.assert_status(status).text("/acsUserIdentity")
    };
    let victims = identity(&victim, 201).await;
    let forger = json!({ "sub": "forger", "tid": TENANT, "oid": "oid-1" });
    assert_ne!(identity(&forger, 201).await, victims);
    let forger = json!({ "sub": format!("{TENANT} oid-1") });
    assert_ne!(identity(&forger, 201).await, victims);
    assert_eq!(identity(&json!({ "sub": "victim" }), 200).await, victims);
    let elsewhere = json!({ "sub": "victim", "tid": "another", "oid": "oid-2" });
    assert_eq!(identity(&elsewhere, 200).await, victims);
}

#[tokio::test]
async fn subject_of_another_issuer_is_another_user() {
    let file = DatabaseFile::new();
    let setup = Setup::with(Options::with_database(&file), |builder| builder).await;
    let options = Options {
        connection_string: Some(setup.emulator.connection_string()),
        ..Options::with_database(&file)
    };
    let other = Setup::with(options, |builder| builder).await;
    setup.post("/api/user", &setup.caller("alice")).await.assert_status(201);
    other
        .get("/api/user", &other.caller("alice"))
        .await
        .assert_error(404, "no_identity");
    other.post("/api/user", &other.caller("alice")).await.assert_status(201);
    setup.get("/api/user", &other.caller("alice")).await.assert_status(401);
}

#[tokio::test]
async fn aliases_of_an_issuer_share_their_users() {
    let file = DatabaseFile::new();
    let old = Setup::with(Options::with_database(&file), |builder| builder).await;
    let identity = old
        .post("/api/user", &old.caller("alice"))
        .await
        .text("/acsUserIdentity");
    let options = || Options {
        connection_string: Some(old.emulator.connection_string()),
        ..Options::with_database(&file)
    };
    let url = old.issuer.url();
    let new = Setup::with(options(), |builder| builder).await;
    let elsewhere = new.issuer.url().to_owned();
    let aliased = new
        .replica(options(), |builder| builder.issuer_aliases(url, [elsewhere.as_str()]))
        .await;
    let alice = new.caller("alice");
    let found = aliased.get("/api/user", &alice).await;
    assert_eq!(found.assert_status(200).text("/acsUserIdentity"), identity);
    aliased
        .get("/api/user", &new.caller("bob"))
        .await
        .assert_error(404, "no_identity");

    // The other name becomes the first one.
    let store = Store::connect(&file.url(), 1).await.unwrap();
    assert_eq!(store.rename_issuer(url, &elsewhere, false).await.unwrap(), 1);
    let found = new.get("/api/user", &alice).await;
    assert_eq!(found.assert_status(200).text("/acsUserIdentity"), identity);
    let renamed = old
        .replica(options(), |builder| builder.issuer_aliases(&elsewhere, [url]))
        .await;
    let found = renamed.get("/api/user", &old.caller("alice")).await;
    assert_eq!(found.assert_status(200).text("/acsUserIdentity"), identity);
}

#[tokio::test]
async fn invalid_user_id_is_refused() {
    let setup = Setup::start().await;
    for name in ["a".repeat(600), "nul\0".to_owned()] {
        let caller = setup.caller(&name);
        setup
            .post("/api/user", &caller)
            .await
            .assert_error(403, "bad_user_name");
        setup
            .get("/api/token", &caller)
            .await
            .assert_error(403, "bad_user_name");
    }
    assert_eq!(setup.emulator.identity_count(), 0);
    setup
        .post("/api/user", &setup.caller(&"a".repeat(400)))
        .await
        .assert_status(201);
}
