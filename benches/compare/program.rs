//! The program that `build` builds: it creates a user and gets a token for them. Without a transport it does so in vain.

use azure_communication_identity::{
    CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationTokenScope,
};
use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let connection_string = env::var("COMMUNICATION_SAMPLES_CONNECTION_STRING")?;
        let client = CommunicationIdentityClient::with_connection_string(&connection_string, Some(options()))?;
        let user = client.create_user(None).await?.into_model()?;
        let token = client
            .get_token(&user, &[CommunicationTokenScope::Chat], None)
            .await?
            .into_model()?;
        println!("{user}: until {}", token.expires_on);
        Ok(())
    })
}

#[cfg(feature = "default")]
fn options() -> CommunicationIdentityClientOptions {
    CommunicationIdentityClientOptions::default()
}

#[cfg(not(feature = "default"))]
fn options() -> CommunicationIdentityClientOptions {
    let mut options = CommunicationIdentityClientOptions::default();
    options.client_options.transport = Some(azure_core::http::Transport::new(std::sync::Arc::new(NoTransport)));
    options
}

#[cfg(not(feature = "default"))]
#[derive(Debug)]
struct NoTransport;

#[cfg(not(feature = "default"))]
#[async_trait::async_trait]
impl azure_core::http::HttpClient for NoTransport {
    async fn execute_request(
        &self,
        _: &azure_core::http::Request,
    ) -> azure_core::Result<azure_core::http::AsyncRawResponse> {
        Err(azure_core::Error::with_message(
            azure_core::error::ErrorKind::Connection,
            "there is no transport",
        ))
    }
}
