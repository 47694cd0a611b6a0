//! Azure's own client of storage queues, with Azurite over https and tokens that the sidecar acquires: the application's
//! and a caller's. Azurite checks their audience, issuer and times.
//!
//! The arguments are `azurite-queue` and a directory for its certificate. `interop/azurite/run` gives them.

#![allow(clippy::print_stdout, reason = "says what it has seen")]

use azure_core::{
    credentials::TokenCredential,
    http::{RetryOptions, Transport, Url},
};
use azure_storage_queue::{QueueServiceClient, QueueServiceClientOptions, models::QueueMessage};
use entra_sidecar::{
    InboundToken, SidecarClient, SidecarCredential, SidecarError, SidecarErrorKind, SidecarOnBehalfOfCredential,
    SidecarScope,
};
use fake_entra_sidecar::{DownstreamApi, FakeSidecar};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{env, error::Error, path::Path, process::Stdio, sync::Arc};
use tokio::{
    fs,
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

const SCOPE: &str = "https://storage.azure.com/.default";

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let mut arguments = env::args().skip(1);
    let (Some(azurite), Some(directory)) = (arguments.next(), arguments.next()) else {
        return Err("the arguments are azurite-queue and a directory".into());
    };
    let ca = make_certificate(Path::new(&directory)).await?;
    let (_azurite, url) = start(&azurite, Path::new(&directory)).await?;

    let sidecar = FakeSidecar::builder()
        .api("Storage", DownstreamApi::new([SCOPE]).request_app_token())
        .api(
            "UserStorage",
            DownstreamApi::new(["https://storage.azure.com/user_impersonation"]),
        )
        .api(
            "Graph",
            DownstreamApi::new(["https://graph.microsoft.com/.default"]).request_app_token(),
        )
        .start()
        .await?;
    let client = SidecarClient::new(&sidecar.url(), None)?;
    let caller = InboundToken::bearer(sidecar.caller_token("7d0f1b0e-2a55-4ed8-9f83-5a1fb1cf7a01"))?;
    let scope = |api| [SidecarScope::new(SCOPE, api)];

    let app = SidecarCredential::new(client.clone(), scope("Storage"), None)?;
    use_queue(&url, &ca, app, "app").await?;
    println!("as the application: a queue was created, used and deleted");
    let behalf = SidecarOnBehalfOfCredential::new(client.clone(), caller, scope("UserStorage"), None)?;
    use_queue(&url, &ca, behalf, "caller").await?;
    println!("on behalf of a caller: a queue was created, used and deleted");
    if sidecar.requests().len() != 2 {
        return Err("one token serves all requests of a client, but the sidecar was asked for more".into());
    }

    let wrong = SidecarCredential::new(client, scope("Graph"), None)?;
    let Err(error) = queues(&url, &ca, wrong)?.queue_client("refused")?.create(None).await else {
        return Err("a token for Graph was taken for one for storage".into());
    };
    if SidecarError::from_error(&error).map(SidecarError::kind) != Some(SidecarErrorKind::UnexpectedToken) {
        return Err(error.into());
    }
    println!("a token for another API was refused before Azurite saw it");
    Ok(())
}

fn queues(url: &Url, ca: &str, credential: Arc<dyn TokenCredential>) -> Outcome<QueueServiceClient> {
    let http_client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(ca.as_bytes())?])
        .build()?;
    let mut options = QueueServiceClientOptions {
        // The newest that Azurite 3.35 knows.
        version: "2025-11-05".to_owned(),
        ..Default::default()
    };
    options.client_options.transport = Some(Transport::new(Arc::new(http_client)));
    options.client_options.retry = RetryOptions::none();
    Ok(QueueServiceClient::new(url.clone(), Some(credential), Some(options))?)
}

/// Sends a message to a new queue, and finds it there.
async fn use_queue(url: &Url, ca: &str, credential: Arc<dyn TokenCredential>, name: &str) -> Outcome {
    let queue = queues(url, ca, credential)?.queue_client(name)?;
    queue.create(None).await?;
    let message = QueueMessage {
        message_text: Some(format!("from the {name}")),
    };
    queue.send_message(message.try_into()?, None).await?;
    let peeked = queue.peek_messages(None).await?.into_model()?;
    let texts: Vec<Option<String>> = peeked
        .items
        .unwrap_or_default()
        .into_iter()
        .map(|message| message.message_text)
        .collect();
    if texts != [Some(format!("from the {name}"))] {
        return Err(format!("the queue has other messages: {texts:?}").into());
    }
    queue.delete(None).await?;
    Ok(())
}

/// Makes a certificate for 127.0.0.1 and returns that of its issuer.
async fn make_certificate(directory: &Path) -> Outcome<String> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &ca)?;
    fs::write(directory.join("leaf.pem"), leaf.pem()).await?;
    fs::write(directory.join("leaf.key"), key.serialize_pem()).await?;
    Ok(ca.pem())
}

/// Starts Azurite on a free port, and waits until it says where it listens.
async fn start(azurite: &str, directory: &Path) -> Outcome<(Child, Url)> {
    let mut child = Command::new(azurite)
        .args(["--queueHost", "127.0.0.1", "--queuePort", "0"])
        .args(["--inMemoryPersistence", "--disableTelemetry", "--oauth", "basic"])
        .arg("--cert")
        .arg(directory.join("leaf.pem"))
        .arg("--key")
        .arg(directory.join("leaf.key"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().ok_or("Azurite has no output")?;
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        println!("{line}");
        if let Some((_, address)) = line
            .split_once("listens on ")
            .or_else(|| line.split_once("listening at "))
        {
            let url = Url::parse(&format!("{}/devstoreaccount1", address.trim_end_matches(['/', '.'])))?;
            // Its log goes on.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok((child, url));
        }
    }
    Err("Azurite ended before it listened".into())
}
