//! An emulator whose data file cannot grow, as on a full disk.

use crate::{
    client::{Client, PREVIEW, Response, VERSION},
    data::Temporary,
    process::{BINARY, Process, piped},
};
use acs_identity_emulator::Uuid;
use serde_json::json;
use tokio::process::Command;

/// An emulator that may write this many blocks of 512 bytes, or of 1024 in some shells. A new file is smaller.
fn limited(blocks: usize, arguments: &[&str]) -> Command {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    piped("sh", &[&["-c", &script, BINARY], arguments].concat())
}

async fn create(client: &Client) -> Response {
    client.send("POST", &format!("/identities{VERSION}"), "").await
}

#[tokio::test]
async fn unwritable_changes_are_refused_until_restart() {
    let path = Temporary::new();
    let arguments = ["--data", path.to_str().unwrap(), "--token-algorithm", "ES256"];
    let process = Process::spawn(&mut limited(400, &arguments)).await.unwrap();
    let client = process.client();
    let mut ids = Vec::new();
    let refused = loop {
        let response = create(&client).await;
        if response.status != 201 {
            break response;
        }
        ids.push(response.text("/identity/id"));
        assert!(ids.len() < 5000, "the file is not full");
    };
    refused.assert_error(500, "InternalServerError", "The request could not be processed.", None);
    // A change that needs no space is refused too, as the file lacks those before it.
    let token = client.issue_chat(&ids[0]).await;
    assert_eq!(client.delete(&ids[0]).await.status, 500);
    // So is every request that depends on it, as the next start undoes it.
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
        let response = client.send(method, &target, body).await;
        assert_eq!(response.status, 500, "{method} {target}");
    }
    let introspect = format!("{}tokens/introspect", process.text("controlEndpoint"));
    let introspect = client.http.post(introspect).json(&json!({"token": token}));
    assert_eq!(Response::of(introspect).await.status, 500);
    let health = format!("{}health", process.text("controlEndpoint"));
    let health = Response::of(client.http.get(health)).await;
    assert_eq!(
        (health.status, health.text("/status").as_str()),
        (503, "dataFileFailed")
    );
    // A request without a change succeeds.
    client.issue_chat(&ids[1]).await;
    let log = process.into_log().await;
    assert!(
        log.contains(" ERROR ") && log.contains("the state cannot be written"),
        "{log}"
    );
    assert!(log.contains("the change cannot be written to the data file"), "{log}");

    let process = Process::start(&arguments).await;
    let resource = format!("{}resource", process.text("controlEndpoint"));
    let resource = Response::of(client.http.get(resource)).await;
    assert_eq!(resource.body["identities"], ids.len());
    let client = process.client();
    for id in &ids {
        client.issue_chat(id).await;
    }
    assert_eq!(create(&client).await.status, 201);
}
