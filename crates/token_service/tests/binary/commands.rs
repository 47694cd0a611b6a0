//! The subcommands, and a database of another resource.

use crate::{
    process::{Ended, Process, command},
    setup::Setup,
    support::http,
};
use acs_identity_emulator::Emulator;
use serde_json::Value;
use std::{ffi::OsStr, fs};
use token_guard::testing::TestIssuer;

impl Setup {
    /// Runs a command with a configuration, until it ends.
    pub(crate) async fn run(&self, configuration: &str, arguments: &[&str]) -> Ended {
        let path = self.directory.join("service.toml");
        fs::write(&path, configuration).unwrap();
        let mut all: Vec<_> = arguments.iter().map(OsStr::new).collect();
        all.extend([OsStr::new("--config"), path.as_os_str()]);
        let mut command = command(&all);
        Process::begin(command.current_dir(&self.directory)).ended().await
    }
}

/// Creates alice's identity, and returns it.
async fn identity(process: &Process, token: &str) -> String {
    let response = http()
        .post(process.url("api/user"))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    let user: Value = response.json().await.unwrap();
    user["acsUserIdentity"].as_str().unwrap().to_owned()
}

async fn stop(process: Process) {
    process.signal("-TERM").await;
    assert_eq!(process.ended().await.code, Some(0));
}

#[tokio::test]
async fn database_moves_to_another_resource_on_request_only() {
    let setup = Setup::new().await;
    let configuration = setup.configuration("", "");
    let process = setup.start(&configuration).await;
    let alice = setup.token("alice");
    let before = identity(&process, &alice).await;
    stop(process).await;

    let other = Emulator::builder().start().await.unwrap();
    let moved = setup.configuration_for(&other.connection_string(), "", "");
    let refused = setup.run(&moved, &[]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
    let (old, new) = (
        setup.emulator.resource_id().to_string(),
        other.resource_id().to_string(),
    );
    let remedy = format!("token_service move-resource {old} {new}");
    assert!(refused.log.lines().last().unwrap().contains(&remedy), "{refused:?}");

    let wrong = setup.run(&moved, &["move-resource", &new, &old]).await;
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(1), ""), "{wrong:?}");
    let ended = setup.run(&moved, &["move-resource", &old, &new]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let left: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(left["identity"], before.as_str());
    assert!(left["userId"].as_str().unwrap().ends_with(" alice"), "{left}");

    let process = setup.start(&moved).await;
    let after = identity(&process, &alice).await;
    assert!(after.contains(&new) && !after.contains(&old), "{after}");
    assert_eq!(setup.emulator.identities(), [before]);
}

#[tokio::test]
async fn renamed_issuer_keeps_its_users() {
    let mut setup = Setup::new().await;
    let process = setup.start(&setup.configuration("", "")).await;
    let before = identity(&process, &setup.token("alice")).await;
    stop(process).await;

    let alice = setup.token("alice");
    let old = std::mem::replace(&mut setup.issuer, TestIssuer::start().await.unwrap());
    let aliases = |url: &str, alias: &str| {
        let configuration = setup.configuration("", "").replace(setup.issuer.url(), url);
        configuration.replace("kind = 'oidc'", &format!("kind = 'oidc'\naliases = ['{alias}']"))
    };
    // Before the change, both addresses are of the same users.
    let process = setup.start(&aliases(old.url(), setup.issuer.url())).await;
    for token in [&alice, &setup.token("alice")] {
        assert_eq!(identity(&process, token).await, before);
    }
    stop(process).await;

    let configuration = aliases(setup.issuer.url(), old.url());
    let other_slash = format!("{}/", old.url());
    let refused = setup
        .run(&configuration, &["rename-issuer", &other_slash, setup.issuer.url()])
        .await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.log.contains("error: no user is renamed"), "{refused:?}");
    assert!(refused.log.contains("token_service users list"), "{refused:?}");
    let ended = setup
        .run(&configuration, &["rename-issuer", old.url(), setup.issuer.url()])
        .await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "1 users are renamed\n"),
        "{ended:?}"
    );
    let process = setup.start(&configuration).await;
    for token in [&alice, &setup.token("alice")] {
        assert_eq!(identity(&process, token).await, before);
    }
}

#[tokio::test]
async fn service_without_migrations_waits_for_the_command() {
    let setup = Setup::new().await;
    let configuration = setup.configuration("", "[database]\nmigrate = false");
    let refused = setup.run(&configuration, &[]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.log.contains("run `token_service migrate`"), "{refused:?}");
    let ended = setup.run(&configuration, &["migrate"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let process = setup.start(&configuration).await;
    identity(&process, &setup.token("alice")).await;
}

#[tokio::test]
async fn command_without_configuration_is_refused() {
    for name in ["migrate", "forget-tokens"] {
        let ended = Process::begin(&mut command(&[OsStr::new(name)])).ended().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    }
}
