// What the examples of the documentation start with, by `include!`: an emulator, and a client of it that no proxy of the
// environment stands in the way of.

type Outcome = Result<(), Box<dyn std::error::Error>>;

type Started = Result<
    (acs_identity_emulator::Emulator, azure_communication_identity::CommunicationIdentityClient),
    Box<dyn std::error::Error>,
>;

async fn start() -> Started {
    let emulator = acs_identity_emulator::Emulator::builder()
        .token_algorithm(acs_identity_emulator::TokenAlgorithm::Es256)
        .start()
        .await?;
    let http_client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let mut options = azure_communication_identity::CommunicationIdentityClientOptions::default();
    options.client_options.transport = Some(azure_core::http::Transport::new(std::sync::Arc::new(http_client)));
    let client = azure_communication_identity::CommunicationIdentityClient::with_connection_string(
        &emulator.connection_string(),
        Some(options),
    )?;
    Ok((emulator, client))
}
