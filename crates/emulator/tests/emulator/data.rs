//! State that persists in the data file.

use crate::{
    client::{Client, PREVIEW, VERSION, decode, http, http_trusting},
    signer::KEY,
};
use acs_identity_emulator::{
    AccessKeyKind, Emulator, EmulatorBuilder, EntraTokenRequest, TokenAlgorithm, TokenKey, TokenStatus, Uuid,
};
use serde_json::{Value, json};
use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

const MINUTES_15: Duration = Duration::from_secs(15 * 60);

/// A path in the temporary directory of this crate's tests. The file is removed at the end.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    pub(crate) fn new() -> Self {
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.redb", Uuid::new_v4())))
    }
}

impl Deref for Temporary {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// Options of an emulator with this file and, if that is new, a token key that takes no time.
fn builder(path: &Path) -> EmulatorBuilder {
    Emulator::builder().data(path).token_algorithm(TokenAlgorithm::Es256)
}

async fn start(path: &Path) -> Emulator {
    builder(path).start().await.unwrap()
}

/// Asserts that a restart continues where the emulator ended.
async fn restarted_after(end: impl AsyncFn(Emulator)) {
    let path = Temporary::new();
    let emulator = start(&path).await;
    let client = Client::over_http(&emulator);
    let [plain, revoked, deleted] = [client.create().await, client.create().await, client.create().await];
    let active = client.issue_chat(&plain).await;
    let before_revocation = client.issue_chat(&revoked).await;
    client.revoke(&revoked).await;
    let after_revocation = client.issue_chat(&revoked).await;
    let of_deleted = client.issue_chat(&deleted).await;
    client.delete(&deleted).await;
    let (identities, resource_id) = (emulator.identities(), emulator.resource_id());
    assert_eq!(identities, [plain.as_str(), &revoked]);
    end(emulator).await;

    let emulator = start(&path).await;
    assert_eq!(
        (emulator.resource_id(), emulator.identities()),
        (resource_id, identities)
    );
    for (token, status) in [
        (active, TokenStatus::Active),
        (before_revocation, TokenStatus::Revoked),
        (after_revocation.clone(), TokenStatus::Active),
        (of_deleted, TokenStatus::IdentityDeleted),
    ] {
        assert_eq!(emulator.token_status(&token), status);
    }

    // Ids and revocations continue.
    let client = Client::over_http(&emulator);
    let successor = client.create().await;
    assert_eq!(emulator.identities(), [plain, revoked.clone(), successor]);
    client.revoke(&revoked).await;
    assert_eq!(emulator.token_status(&after_revocation), TokenStatus::Revoked);
    let new = client.issue_chat(&revoked).await;
    assert_eq!(emulator.token_status(&new), TokenStatus::Active);
}

#[tokio::test]
async fn identities_and_revocations_survive_a_shutdown() {
    restarted_after(Emulator::shutdown).await;
}

/// In the same process, without a delay.
#[tokio::test]
async fn identities_and_revocations_survive_a_drop() {
    restarted_after(async |emulator| drop(emulator)).await;
}

#[tokio::test]
async fn revocation_can_take_effect_after_a_restart() {
    let path = Temporary::new();
    let emulator = start(&path).await;
    emulator.set_revocation_delay(MINUTES_15);
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let token = client.issue_chat(&id).await;
    client.revoke(&id).await;
    emulator.shutdown().await;

    let emulator = start(&path).await;
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
    emulator.advance(MINUTES_15);
    assert_eq!(emulator.token_status(&token), TokenStatus::Revoked);
}

#[tokio::test]
async fn both_access_keys_survive() {
    let path = Temporary::new();
    let emulator = start(&path).await;
    let with = |emulator: &Emulator, key: String| Client::new(http(), emulator.endpoint(), &key);
    let first_secondary = emulator.secondary_access_key();
    let id = Client::over_http(&emulator).create().await;
    let of_primary = Client::over_http(&emulator).issue_chat(&id).await;
    let of_first_secondary = with(&emulator, first_secondary.clone()).issue_chat(&id).await;
    let regenerated = emulator.regenerate_access_key(AccessKeyKind::Secondary).await;
    regenerated.unwrap();
    let of_secondary = with(&emulator, emulator.secondary_access_key()).issue_chat(&id).await;
    let keys = [emulator.access_key(), emulator.secondary_access_key()];
    emulator.shutdown().await;

    let emulator = start(&path).await;
    assert_eq!([emulator.access_key(), emulator.secondary_access_key()], keys);
    for key in keys {
        with(&emulator, key).create().await;
    }
    let refused = with(&emulator, first_secondary).delete(&id).await;
    assert_eq!(refused.status, 401);
    for (token, status) in [
        (&of_primary, TokenStatus::Active),
        (&of_first_secondary, TokenStatus::Revoked),
        (&of_secondary, TokenStatus::Active),
    ] {
        assert_eq!(emulator.token_status(token), status);
    }
    // Nor is the number of a key reused.
    emulator.regenerate_access_key(AccessKeyKind::Primary).await.unwrap();
    let token = Client::over_http(&emulator).issue_chat(&id).await;
    assert_eq!(emulator.token_status(&token), TokenStatus::Active);
    for (token, status) in [
        (of_primary, TokenStatus::Revoked),
        (of_first_secondary, TokenStatus::Revoked),
        (of_secondary, TokenStatus::Active),
    ] {
        assert_eq!(emulator.token_status(&token), status);
    }
}

#[tokio::test]
async fn given_access_key_replaces_the_primary() {
    let path = Temporary::new();
    let emulator = start(&path).await;
    let secondary = emulator.secondary_access_key();
    let id = Client::over_http(&emulator).create().await;
    let token = Client::over_http(&emulator).issue_chat(&id).await;
    emulator.shutdown().await;

    let emulator = builder(&path).access_key(KEY).start().await.unwrap();
    assert_eq!(emulator.token_status(&token), TokenStatus::Revoked);
    let token = Client::over_http(&emulator).issue_chat(&id).await;
    emulator.shutdown().await;

    // The same key again, then none.
    for builder in [builder(&path).access_key(KEY), builder(&path)] {
        let emulator = builder.start().await.unwrap();
        assert_eq!(
            (emulator.access_key(), emulator.secondary_access_key()),
            (KEY.to_owned(), secondary.clone())
        );
        assert_eq!(emulator.token_status(&token), TokenStatus::Active);
        emulator.shutdown().await;
    }
}

#[tokio::test]
async fn tokens_stay_valid_unless_the_algorithm_changes() {
    for (algorithm, other) in [
        (TokenAlgorithm::Rs256, TokenAlgorithm::Es256),
        (TokenAlgorithm::Es256, TokenAlgorithm::Rs256),
    ] {
        let path = Temporary::new();
        let builder = || Emulator::builder().data(&*path);
        let emulator = builder().token_algorithm(algorithm).start().await.unwrap();
        let client = Client::over_http(&emulator);
        let id = client.create().await;
        let token = client.issue_chat(&id).await;
        emulator.shutdown().await;

        for builder in [builder(), builder().token_algorithm(algorithm)] {
            let emulator = builder.start().await.unwrap();
            assert_eq!(emulator.token_status(&token), TokenStatus::Active);
            let header = decode(&Client::over_http(&emulator).issue_chat(&id).await, 0);
            assert_eq!(header, decode(&token, 0));
            emulator.shutdown().await;
        }

        let emulator = builder().token_algorithm(other).start().await.unwrap();
        assert_eq!(emulator.token_status(&token), TokenStatus::Unknown);
        let newer = Client::over_http(&emulator).issue_chat(&id).await;
        emulator.shutdown().await;
        let emulator = builder().start().await.unwrap();
        assert_eq!(emulator.token_status(&newer), TokenStatus::Active);
    }
}

#[tokio::test]
async fn default_token_key_is_rsa() {
    let path = Temporary::new();
    let emulator = Emulator::builder().data(&*path).start().await.unwrap();
    let client = Client::over_http(&emulator);
    let token = client.issue_chat(&client.create().await).await;
    assert_eq!(decode(&token, 0)["alg"], "RS256");
}

#[tokio::test]
async fn given_token_key_is_not_persisted() {
    let path = Temporary::new();
    let emulator = start(&path).await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let kept = client.issue_chat(&id).await;
    emulator.shutdown().await;

    let key = TokenKey::generate(TokenAlgorithm::Es256);
    let emulator = builder(&path).token_key(key).start().await.unwrap();
    assert_eq!(emulator.token_status(&kept), TokenStatus::Unknown);
    let given = Client::over_http(&emulator).issue_chat(&id).await;
    assert_eq!(emulator.token_status(&given), TokenStatus::Active);
    emulator.shutdown().await;

    let emulator = start(&path).await;
    assert_eq!(emulator.token_status(&kept), TokenStatus::Active);
    assert_eq!(emulator.token_status(&given), TokenStatus::Unknown);
}

#[tokio::test]
async fn ca_is_trusted_only_once() {
    let path = Temporary::new();
    let emulator = start(&path).await;
    let ca_pem = emulator.ca_pem().to_owned();
    emulator.shutdown().await;

    let emulator = start(&path).await;
    assert_eq!(emulator.ca_pem(), ca_pem);
    let client = Client::new(
        http_trusting(&ca_pem),
        emulator.https_endpoint(),
        &emulator.access_key(),
    );
    client.create().await;
}

/// An assigned user of Entra ID or Teams Phone extensibility.
struct Assigned {
    assignment: String,
    body: Value,
    exchange: String,
    entra_token: String,
}

impl Assigned {
    async fn new(emulator: &Emulator, request: EntraTokenRequest, is_entra: bool) -> Self {
        let entra = emulator.mint_entra_token(&request).await.unwrap();
        let (tenant, user) = (entra.tenant_id, entra.user_id);
        let mut body = json!({"principalType": "user", "clientIds": [entra.app_id]});
        let (assignment, exchange) = if is_entra {
            body["tenantId"] = json!(tenant);
            (
                format!("/access/entra/assignments/{user}{PREVIEW}"),
                format!("/access/entra/:exchangeAccessToken{PREVIEW}"),
            )
        } else {
            (
                format!("/access/teamsExtension/tenants/{tenant}/assignments/{user}{VERSION}"),
                format!("/access/teamsExtension/:exchangeAccessToken{VERSION}"),
            )
        };
        Self {
            assignment,
            body,
            exchange,
            entra_token: entra.token,
        }
    }

    async fn put(&self, emulator: &Emulator) -> u16 {
        let client = Client::over_http(emulator);
        client
            .send("PUT", &self.assignment, &self.body.to_string())
            .await
            .status
    }

    async fn exchange(&self, emulator: &Emulator) -> String {
        let client = Client::over_https(emulator);
        let response = client.exchange_own(&self.exchange, &self.entra_token).await;
        response.text("/accessToken/token")
    }
}

#[tokio::test]
async fn assignments_and_their_tokens_survive() {
    for (request, is_entra) in [
        (EntraTokenRequest::entra_user as fn() -> EntraTokenRequest, true),
        (EntraTokenRequest::teams_extension_user, false),
    ] {
        let path = Temporary::new();
        let emulator = start(&path).await;
        let stays = Assigned::new(&emulator, request(), is_entra).await;
        let goes = Assigned::new(&emulator, request(), is_entra).await;
        for user in [&goes, &stays] {
            assert_eq!(user.put(&emulator).await, 201);
        }
        let tokens = [stays.exchange(&emulator).await, goes.exchange(&emulator).await];
        let client = Client::over_http(&emulator);
        assert_eq!(client.send("DELETE", &goes.assignment, "").await.status, 204);
        let assignment = client.send("GET", &stays.assignment, "").await.body;
        emulator.shutdown().await;

        let emulator = start(&path).await;
        let client = Client::over_http(&emulator);
        assert_eq!(client.send("GET", &stays.assignment, "").await.body, assignment);
        assert_eq!(client.send("GET", &goes.assignment, "").await.status, 404);
        // A new assignment does not restore the tokens of the deleted one.
        assert_eq!(goes.put(&emulator).await, 201);
        let statuses = tokens.map(|token| emulator.token_status(&token));
        assert_eq!(statuses, [TokenStatus::Active, TokenStatus::Revoked]);
        // One for the same principal does not revoke the tokens.
        let token = stays.exchange(&emulator).await;
        assert_eq!(stays.put(&emulator).await, 200);
        emulator.shutdown().await;
        assert_eq!(start(&path).await.token_status(&token), TokenStatus::Active);
    }
}

/// A process that is killed then leaves the file so.
#[tokio::test]
async fn incomplete_file_is_created_again() {
    let path = Temporary::new();
    let incomplete = PathBuf::from(format!("{}.incomplete", path.display()));
    fs::write(&incomplete, vec![0; 1_589_248]).unwrap();
    let emulator = start(&path).await;
    assert!(!incomplete.exists());
    let id = Client::over_http(&emulator).create().await;
    drop(emulator);
    assert_eq!(start(&path).await.identities(), [id]);
}

#[tokio::test]
async fn an_empty_file_is_used() {
    let path = Temporary::new();
    fs::write(&*path, "").unwrap();
    let id = Client::over_http(&start(&path).await).create().await;
    assert_eq!(start(&path).await.identities(), [id]);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_file() {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    let (new, empty) = (Temporary::new(), Temporary::new());
    fs::write(&*empty, "").unwrap();
    fs::set_permissions(&*empty, Permissions::from_mode(0o644)).unwrap();
    for path in [new, empty] {
        drop(start(&path).await);
        let mode = fs::metadata(&*path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    }
}
