//! An emulator whose data file cannot grow, as on a full disk.

use crate::{
    client::{Answer, Client, PREVIEW, VERSION},
    data::Temporary,
    process::{BINARY, Process, piped},
};
use acs_identity_emulator::Uuid;
use serde_json::json;
use tokio::process::Command;

/// An emulator that may write so many blocks of 512 bytes, or of 1024 as some shells count. A new file is smaller.
fn limited(blocks: usize, arguments: &[&str]) -> Command {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    piped("sh", &[&["-c", &script, BINARY], arguments].concat())
}

async fn create(client: &Client) -> Answer {
    client.send("POST", &format!("/identities{VERSION}"), "").await
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_until_the_next_start() {
    let path = Temporary::new();
    let arguments = ["--data", path.to_str().unwrap(), "--token-algorithm", "ES256"];
    let process = Process::spawn(&mut limited(400, &arguments)).await.unwrap();
    let client = process.client();
    let mut ids = Vec::new();
    let refused = loop {
        let answer = create(&client).await;
        if answer.status != 201 {
            break answer;
        }
        ids.push(answer.text("/identity/id"));
        assert!(ids.len() < 5000, "the file is not full");
    };
    refused.assert_error(500, "InternalServerError", "The request could not be processed.", None);
    // Nor is a change that needs no space, as the file lacks those before it.
    let token = client.issue_chat(&ids[0]).await;
    assert_eq!(client.delete(&ids[0]).await.status, 500);
    // Nor is anything that depends on it: the next start undoes it.
    assert_eq!(client.delete(&ids[0]).await.status, 500);
    for (method, target, body) in [
        (
            "POST",
            format!("/identities/{}/:revokeAccessTokens{VERSION}", ids[0]),
            "",
        ),
        (
            "POST",
            format!("/identities/{}/:issueAccessToken{VERSION}", ids[0]),
            r#"{"scopes":["chat"]}"#,
        ),
        ("GET", format!("/access/entra/assignments/{}{PREVIEW}", Uuid::nil()), ""),
    ] {
        let answer = client.send(method, &target, body).await;
        assert_eq!(answer.status, 500, "{method} {target}");
    }
    let introspect = format!("{}tokens/introspect", process.text("controlEndpoint"));
    let introspect = client.http.post(introspect).json(&json!({"token": token}));
    assert_eq!(Answer::of(introspect).await.status, 500);
    // What needs no change goes on.
    client.issue_chat(&ids[1]).await;
    let log = process.into_log().await;
    assert!(
        log.contains(" ERROR ") && log.contains("the state cannot be written"),
        "{log}"
    );
    assert!(log.contains("the change cannot be written to the data file"), "{log}");

    let process = Process::start(&arguments).await;
    let resource = format!("{}resource", process.text("controlEndpoint"));
    let resource = Answer::of(client.http.get(resource)).await;
    assert_eq!(resource.body["identities"], ids.len());
    let client = process.client();
    for id in &ids {
        client.issue_chat(id).await;
    }
    assert_eq!(create(&client).await.status, 201);
}
