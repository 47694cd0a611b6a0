//! The service without configuration.

use crate::process::{Process, command, directory};
use std::ffi::OsStr;
use tokio::process::Command;

/// Starts a service without configuration, and returns its printed lines.
async fn start() -> (Process, Vec<String>) {
    let mut process = Process::spawn(command(&[]).current_dir(directory())).await.unwrap();
    let lines = process.lines_until("The requests to the emulator").await;
    (process, lines)
}

/// Runs a printed command.
async fn run(line: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", line])
        .env("no_proxy", "*")
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn status(reply: &str) -> &str {
    reply.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn demonstration_is_started_explicitly_too() {
    for (arguments, variables) in [
        (&[][..], &[][..]),
        (&[OsStr::new("--local")], &[("TOKEN_SERVICE_LISTEN", "0.0.0.0:1")]),
    ] {
        let mut command = command(arguments);
        command.current_dir(directory()).envs(variables.iter().copied());
        let process = Process::spawn(&mut command).await.unwrap();
        assert!(
            process.text("endpoint").starts_with("http://127.0.0.1:"),
            "{}",
            process.ready
        );
        process.signal("-TERM").await;
        let log = process.ended().await.log;
        assert!(log.lines().next().unwrap().contains("this is a demonstration"), "{log}");
    }
    let refused = [
        OsStr::new("--local"),
        OsStr::new("--config"),
        OsStr::new("service.toml"),
    ];
    let output = command(&refused).output().await.unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[tokio::test]
async fn printed_commands_work() {
    let (process, lines) = start().await;
    assert_eq!(process.text("event"), "ready");
    let endpoint = process.text("endpoint").to_owned();
    let commands: Vec<_> = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| line.starts_with("curl "))
        .collect();
    let expected = [
        ("local/token?user=alice'", "-s", "eyJ"),
        ("api/user", "-X POST", "201"),
        ("api/user", "", "200"),
        ("api/token", "", "201"),
        ("api/token/teams", "", "201"),
        ("api/token/teams-phone", "", "201"),
        ("api/token", "-X DELETE", "204"),
        ("api/user", "-X DELETE", "204"),
        ("healthz", "", "200"),
        ("readyz", "", "200"),
        ("metrics", "-s", "# HELP"),
        ("openapi.json", "-s", "{\"openapi\":\"3."),
    ];
    assert_eq!(commands.len(), expected.len(), "{commands:#?}");
    // The second round creates the user again.
    for _ in 0..2 {
        for (command, (path, method, reply)) in commands.iter().zip(expected) {
            assert!(
                command.contains(&format!("{endpoint}{path}")) && command.contains(method),
                "{command}"
            );
            let output = run(command).await;
            if reply.len() == 3 && reply != "eyJ" {
                assert_eq!(status(&output), reply, "{command}: {output}");
            } else {
                assert!(output.starts_with(reply), "{command}: {output}");
            }
        }
    }

    process.signal("-INT").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert!(
        ended.log.contains("WARN") && ended.log.contains("this is a demonstration"),
        "{ended:?}"
    );
    for secret in ["8:acs:", "alice", "eyJ"] {
        assert!(!ended.log.contains(secret), "{ended:?}");
    }
}

#[tokio::test]
async fn second_service_takes_another_port() {
    let first = start().await;
    let second = start().await;
    assert_ne!(first.0.text("endpoint"), second.0.text("endpoint"));
    for (process, lines) in [first, second] {
        let port = process
            .text("endpoint")
            .trim_end_matches('/')
            .rsplit(':')
            .next()
            .unwrap()
            .to_owned();
        let says_so = lines.contains(&format!("Port 8080 is taken, so it is {port} this time."));
        assert_eq!(says_so, port != "8080", "{lines:?}");
        let reply = run(&format!("curl -si {}", process.url("readyz"))).await;
        assert_eq!(status(&reply), "200", "{reply}");
    }
}

#[tokio::test]
async fn users_are_distinguished() {
    let (process, _) = start().await;
    let bearer = |user| {
        let url = process.url(&format!("local/token?user={user}"));
        format!("-H \"Authorization: Bearer $(curl -s '{url}')\"")
    };
    let user = process.url("api/user");
    assert_eq!(
        status(&run(&format!("curl -si -X POST {user} {}", bearer("alice"))).await),
        "201"
    );
    assert_eq!(
        status(&run(&format!("curl -si {user} {}", bearer("alice"))).await),
        "200"
    );
    assert_eq!(status(&run(&format!("curl -si {user} {}", bearer("bob"))).await), "404");
    assert_eq!(status(&run(&format!("curl -si {user}")).await), "401");
    let unnamed = run(&format!("curl -si {}", process.url("local/token"))).await;
    assert_eq!(status(&unnamed), "400", "{unnamed}");
}
