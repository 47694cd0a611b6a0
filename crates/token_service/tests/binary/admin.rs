//! Operators of the program: their routes, and the commands `users` and `check`.

use crate::{
    entra::Entra,
    process::{Ended, Process},
    refused::{LEAST, faults, faults_of},
    setup::Setup,
    support::{AUDIENCE, http},
};
use acs_identity_emulator::{Fault, Operation, TokenStatus};
use fake_entra_sidecar::FakeSidecar;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{ffi::OsStr, fs, net::TcpListener};
use token_guard::testing::TestIssuer;

const BY_ROLE: &str = "[admin]\nrole = 'Operator'";

impl Ended {
    /// Returns the lines of JSON on stdout, of a command that succeeded.
    #[track_caller]
    fn records(&self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{self:?}");
        let lines = self.stdout.lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

async fn users(process: &Process, token: &str) -> StatusCode {
    let request = http().get(process.url("admin/users")).bearer_auth(token);
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn first_issuer_alone_appoints_operators() {
    let (setup, other) = (Setup::new().await, TestIssuer::start().await.unwrap());
    let sections = format!(
        "scope = 'calls'\n[[other_issuers]]\nkind = 'oidc'\nurl = '{}'\naudience = '{AUDIENCE}'\n{BY_ROLE}",
        other.url()
    );
    let process = setup.start(&setup.configuration("", &sections)).await;
    for (roles, issuer, status) in [
        (json!(["Operator"]), &setup.issuer, 200),
        (json!(["Other"]), &setup.issuer, 403),
        (json!(["Operator"]), &other, 401),
    ] {
        // Without the scope that users need, as applications of Entra ID have roles only.
        let claims = json!({ "sub": "olga", "aud": AUDIENCE, "roles": roles });
        assert_eq!(users(&process, &issuer.token(claims).unwrap()).await, status, "{roles}");
    }
    // Users of every issuer need what they needed before.
    let claims = json!({ "sub": "olga", "aud": AUDIENCE, "roles": ["Operator"] });
    for (issuer, status) in [(&setup.issuer, 403), (&other, 404)] {
        let request = http()
            .get(process.url("api/user"))
            .bearer_auth(issuer.token(claims.clone()).unwrap());
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn application_of_entra_id_can_be_an_operator() {
    let (setup, entra) = (Setup::new().await, Entra::start().await);
    let sections = format!("scope = 'access_as_user'\n{BY_ROLE}");
    let process = setup
        .start(&entra.configuration(&setup.emulator.connection_string(), &sections))
        .await;
    assert_eq!(users(&process, &entra.application_token(&["Operator"])).await, 200);
    assert_eq!(users(&process, &entra.application_token(&["Other"])).await, 403);
}

#[tokio::test]
async fn client_without_audience_needs_the_scope_of_the_api() {
    let setup = Setup::new().await;
    let configuration = setup.configuration("", &format!("scope = 'calls'\n{BY_ROLE}"));
    let configuration = configuration.replace(&format!("audience = '{AUDIENCE}'"), "client_ids = ['web']");
    let process = setup.start(&configuration).await;
    let claims = json!({ "sub": "olga", "client_id": "web", "token_use": "access", "roles": ["Operator"] });
    let mut with_scope = claims.clone();
    with_scope["scope"] = json!("calls");
    for (claims, status) in [(claims, 403), (with_scope, 200)] {
        let token = setup.issuer.token(claims.clone()).unwrap();
        assert_eq!(users(&process, &token).await, status, "{claims}");
    }
}

#[tokio::test]
async fn permission_that_every_caller_has_is_refused() {
    for (admin, expected) in [
        ("scope = 'calls'", vec!["admin.scope"]),
        ("scope = 'one two'\nrole = 'a b'", vec!["admin.role", "admin.scope"]),
        ("audit_ids = 'maybe'", vec!["admin.audit_ids"]),
        ("roles = 'Operator'", vec!["admin.roles"]),
    ] {
        let text = format!("{LEAST}scope = 'calls'\n[admin]\n{admin}");
        let mut found = faults_of(&faults(&text, &[]).await);
        found.sort();
        assert_eq!(found, expected, "{admin}");
    }
}

#[tokio::test]
async fn commands_show_and_change_users() {
    let setup = Setup::new().await;
    let configuration = setup.configuration("", "");
    let process = setup.start(&configuration).await;
    let token = setup.sign_in(&process, "alice").await;
    setup.sign_in(&process, "bob").await;
    let id = |subject: &str| format!("{} {subject}", setup.issuer.url());
    let run = async |arguments: &[&str]| {
        let all: Vec<_> = ["users"].iter().chain(arguments).copied().collect();
        setup.run(&configuration, &all).await
    };

    let [alice] = &run(&["show", &id("alice")]).await.records()[..] else {
        panic!();
    };
    assert_eq!(alice["userId"], id("alice"));
    let identity = alice["identity"].as_str().unwrap();
    assert!(setup.emulator.identities().contains(&identity.to_owned()));
    assert_eq!(&run(&["show", identity]).await.records()[0], alice);

    let page = run(&["list", "--limit", "1"]).await;
    assert_eq!(page.records(), std::slice::from_ref(alice));
    assert!(page.log.contains(&format!("--after \"{}\"", id("alice"))), "{page:?}");
    let rest = run(&["list", "--after", &id("alice")]).await;
    assert_eq!(rest.records()[0]["userId"], id("bob"));
    assert!(!rest.log.contains("--after"), "{rest:?}");
    assert_eq!(
        run(&["export"]).await.records(),
        [alice.clone(), rest.records()[0].clone()]
    );

    run(&["revoke", identity]).await.records();
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Revoked);
    setup
        .emulator
        .inject(Fault::status(400).times(1).operation(Operation::DeleteIdentity))
        .unwrap();
    let failed = run(&["delete", &id("alice")]).await;
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
    let due = run(&["deletions"]).await.records();
    assert_eq!(
        (&due[0]["identity"], &due[0]["userId"]),
        (&json!(identity), &json!(id("alice")))
    );
    run(&["delete", &id("alice")]).await.records();
    assert!(run(&["deletions"]).await.records().is_empty());
    assert_eq!(setup.emulator.identity_count(), 1);

    for unknown in [&id("alice"), identity, &id("Bob")] {
        for action in ["show", "delete"] {
            let ended = run(&[action, unknown]).await;
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
            assert!(ended.log.contains("error: there is no such user"), "{ended:?}");
        }
    }
    for wrong in [
        &["show"][..],
        &["list", "--limit", "0"],
        &["list", "--limit", "1001"],
        &["forget"],
    ] {
        assert_eq!(run(wrong).await.code, Some(2), "{wrong:?}");
    }
}

#[tokio::test]
async fn commands_write_to_the_audit_log() {
    let setup = Setup::new().await;
    let id = format!("{} alice-9c21", setup.issuer.url());
    let plain = setup.configuration("", "[log]\nformat = 'json'\nfilter = 'warn'");
    let hash = setup.run(&plain, &["users", "hash", &id]).await.records()[0]["hash"].clone();
    for (audit_ids, user) in [("false", hash), ("true", json!(id))] {
        let configuration = format!("{plain}[admin]\naudit_ids = {audit_ids}\n");
        let ended = setup.run(&configuration, &["users", "delete", &id]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let [line, _] = &ended.log.lines().collect::<Vec<_>>()[..] else {
            panic!("{ended:?}");
        };
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["target"], "token_service::audit");
        assert_eq!(
            (&line["action"], &line["outcome"]),
            (&json!("delete_user"), &json!("no_user"))
        );
        assert_eq!((&line["user"], &line["actor_kind"]), (&user, &json!("command")));
        assert!(line["actor"].as_str().is_some_and(|actor| !actor.is_empty()));
    }
}

#[tokio::test]
async fn commands_manage_assignments_of_teams_phone() {
    let setup = Setup::new().await;
    let configuration = setup.configuration("", "");
    let [tenant, object, client] = [
        "aaaabbbb-0000-cccc-1111-dddd2222eeee",
        "00001111-aaaa-2222-bbbb-3333cccc4444",
        "99998888-7777-6666-5555-444433332222",
    ];
    let run = async |action: &str, options: &[&str]| {
        let mut all = vec!["users", "teams-phone", action, tenant, object];
        all.extend(options);
        setup.run(&configuration, &all).await
    };
    assert_eq!(run("get", &[]).await.code, Some(1));
    let put = run("put", &["--client-id", client]).await.records();
    let expected = json!({ "tenantId": tenant, "objectId": object, "principalType": "user", "clientIds": [client] });
    assert_eq!(put, std::slice::from_ref(&expected));
    assert_eq!(run("get", &[]).await.records(), [expected]);
    let put = run("put", &["--principal-type", "resourceAccount"]).await.records();
    assert_eq!(put[0]["principalType"], "resourceAccount");
    run("delete", &[]).await.records();
    assert_eq!(run("get", &[]).await.code, Some(1));
    assert_eq!(run("put", &["--client-id", "app"]).await.code, Some(2));
}

#[tokio::test]
async fn commands_change_nothing_in_another_resource() {
    let setup = Setup::new().await;
    let configuration = setup.configuration("", "");
    let process = setup.start(&configuration).await;
    let token = setup.sign_in(&process, "alice").await;
    let id = format!("{} alice", setup.issuer.url());
    let principal = [
        "aaaabbbb-0000-cccc-1111-dddd2222eeee",
        "00001111-aaaa-2222-bbbb-3333cccc4444",
    ];
    let other = acs_identity_emulator::Emulator::builder().start().await.unwrap();
    let moved = setup.configuration_for(&other.connection_string(), "", "");
    let teams_phone = |action| [&["users", "teams-phone", action], &principal[..]].concat();
    for change in [
        vec!["users", "revoke", &id],
        vec!["users", "delete", &id],
        teams_phone("put"),
        teams_phone("delete"),
    ] {
        let ended = setup.run(&moved, &change).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        assert!(ended.log.contains("move-resource"), "{ended:?}");
    }
    // Reads do without, and change nothing.
    let shown = setup.run(&moved, &["users", "show", &id]).await;
    assert_eq!(shown.records()[0]["userId"], id);
    assert_eq!(setup.run(&moved, &teams_phone("get")).await.code, Some(1));
    assert_eq!(other.identity_count(), 0);
    assert_eq!(setup.emulator.token_status(&token), TokenStatus::Active);
}

/// Returns the verdicts and subjects of a check.
fn verdicts(ended: &Ended) -> Vec<String> {
    let lines = ended.stdout.lines();
    lines
        .map(|line| line.splitn(3, ": ").take(2).collect::<Vec<_>>().join(" "))
        .collect()
}

#[tokio::test]
async fn check_changes_nothing_and_finds_no_fault() {
    let setup = Setup::new().await;
    let sidecar = FakeSidecar::builder().start().await.unwrap();
    let configuration = setup.configuration("", &format!("[sidecar]\nurl = '{}'", sidecar.url()));
    let files = || {
        let mut files: Vec<_> = fs::read_dir(&setup.directory)
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        files.sort();
        files
    };
    let ended = setup.run(&configuration, &["check"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let expected = [
        "ok configuration",
        "ok database",
        "ok resource",
        "ok issuer",
        "ok sidecar",
    ];
    assert_eq!(verdicts(&ended), expected, "{ended:?}");
    assert!(ended.stdout.contains("its file does not exist yet"), "{ended:?}");
    assert_eq!(files(), ["service.toml"]);

    let process = setup.start(&configuration).await;
    setup.sign_in(&process, "alice").await;
    let ended = setup.run(&configuration, &["check"]).await;
    let expected = [
        "ok configuration",
        "ok database",
        "ok database",
        "ok resource",
        "ok issuer",
        "ok sidecar",
    ];
    assert_eq!(
        (ended.code, verdicts(&ended)),
        (Some(0), expected.map(str::to_owned).into()),
        "{ended:?}"
    );
    assert!(ended.stdout.contains("it belongs to the resource"), "{ended:?}");
    assert_eq!(setup.emulator.identity_count(), 1);
    process.signal("-TERM").await;
    process.ended().await;
    assert_eq!(files(), ["service.toml", "token_service.db"]);
}

#[tokio::test]
async fn check_says_what_only_an_identity_would_show() {
    let setup = Setup::new().await;
    let process = setup.start(&setup.configuration("", "")).await;
    setup.sign_in(&process, "alice").await;
    let other = acs_identity_emulator::Emulator::builder().start().await.unwrap();
    let moved = setup.configuration_for(&other.connection_string(), "", "");
    let ended = setup.run(&moved, &["check"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(verdicts(&ended)[2], "unknown database", "{ended:?}");
    assert_eq!(other.identity_count(), 0);
}

#[tokio::test]
async fn check_finds_all_faults_at_once() {
    let setup = Setup::new().await;
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let wrong_key = setup.emulator.connection_string();
    let (endpoint, _) = wrong_key.split_once(";accesskey=").unwrap();
    let configuration = format!(
        "listen = '127.0.0.1:0'\n[acs]\nconnection_string = '{endpoint};accesskey=c2VjcmV0'\n[database]\n\
         url = 'sqlite://service.db'\nmigrate = false\n[issuer]\nkind = 'oidc'\nurl = 'http://{free}'\naudience = 'api'\n\
         [[other_issuers]]\nkind = 'oidc'\nurl = '{}'\naudience = 'api'\n[sidecar]\nurl = 'http://{free}'\n",
        setup.issuer.url()
    );
    let ended = setup.run(&configuration, &["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expected = [
        "ok configuration",
        "fault database",
        "fault resource",
        "fault issuer",
        "ok other_issuers[0]",
        "fault sidecar",
    ];
    assert_eq!(verdicts(&ended), expected, "{ended:?}");
    assert!(ended.log.contains("error: there are 4 faults"), "{ended:?}");
    assert!(!setup.directory.join("service.db").exists());
    assert!(!format!("{ended:?}").contains("c2VjcmV0"));

    let ended = setup
        .run(&format!("{configuration}[limits]\nrequests = 1\n"), &["check"])
        .await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
}

#[tokio::test]
async fn commands_need_a_configuration() {
    for arguments in [&["check"][..], &["users", "list"]] {
        let arguments: Vec<_> = arguments.iter().map(OsStr::new).collect();
        let ended = Process::begin(&mut crate::process::command(&arguments)).ended().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    }
}
