// The start of the documentation's examples, by `include!`: a fake sidecar, a client of it, and a caller's token.

type Outcome = Result<(), Box<dyn std::error::Error>>;

type Started = Result<
    (fake_entra_sidecar::FakeSidecar, entra_sidecar::SidecarClient, entra_sidecar::InboundToken),
    Box<dyn std::error::Error>,
>;

async fn start() -> Started {
    use fake_entra_sidecar::{DownstreamApi, FakeSidecar};

    let sidecar = FakeSidecar::builder()
        .api("Graph", DownstreamApi::graph())
        .api("Storage", DownstreamApi::new(["https://storage.azure.com/user_impersonation"]))
        .api("Acs", DownstreamApi::new(["https://communication.azure.com/.default"]).request_app_token())
        .start()
        .await?;
    let caller = sidecar.caller_token("7d0f1b0e-2a55-4ed8-9f83-5a1fb1cf7a01");
    let client = entra_sidecar::SidecarClient::new(&sidecar.url(), None)?;
    Ok((sidecar, client, entra_sidecar::InboundToken::bearer(caller)?))
}
