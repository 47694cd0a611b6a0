//! The service without configuration.

use crate::process::{Process, command, directory};
use tokio::process::Command;

/// Starts a service without configuration, and returns what it invites to.
async fn start() -> (Process, Vec<String>) {
    let mut process = Process::spawn(command(&[]).current_dir(directory())).await.unwrap();
    let lines = process.lines_until("The requests to the emulator").await;
    (process, lines)
}

/// Runs a command as it was printed.
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

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn the_printed_curl_commands_work_from_the_first_to_the_last() {
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
        ("api/token", "-X DELETE", "204"),
        ("api/user", "-X DELETE", "204"),
        ("healthz", "", "200"),
        ("readyz", "", "200"),
        ("metrics", "-s", "# HELP"),
        ("openapi.json", "-s", "{\"openapi\":\"3."),
    ];
    assert_eq!(commands.len(), expected.len(), "{commands:#?}");
    // They can be run again: the user is created anew.
    for _ in 0..2 {
        for (command, (path, method, answer)) in commands.iter().zip(expected) {
            assert!(
                command.contains(&format!("{endpoint}{path}")) && command.contains(method),
                "{command}"
            );
            let output = run(command).await;
            if answer.len() == 3 && answer != "eyJ" {
                assert_eq!(status(&output), answer, "{command}: {output}");
            } else {
                assert!(output.starts_with(answer), "{command}: {output}");
            }
        }
    }

    process.signal("-INT").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert!(
        ended.log.contains("WARN") && ended.log.contains("no configuration: "),
        "{ended:?}"
    );
    for secret in ["8:acs:", "alice", "eyJ"] {
        assert!(!ended.log.contains(secret), "{ended:?}");
    }
}

#[tokio::test]
async fn a_second_one_takes_another_port_and_says_so() {
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
        let answer = run(&format!("curl -si {}", process.url("readyz"))).await;
        assert_eq!(status(&answer), "200", "{answer}");
    }
}

#[tokio::test]
async fn users_are_told_apart() {
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
    let nobody = run(&format!("curl -si {}", process.url("local/token"))).await;
    assert_eq!(status(&nobody), "400", "{nobody}");
}
