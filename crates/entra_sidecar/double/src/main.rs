//! A sidecar for clients in other languages. It says on one line of its output where it listens, as a JSON document, and
//! ends when its input does.

use entra_sidecar_double::{AllowOverrides, CLIENT_ID, DownstreamApi, SidecarDouble, TENANT_ID};
use std::io::{self, Read as _, Write as _};

#[tokio::main]
async fn main() -> io::Result<()> {
    let builder = SidecarDouble::builder()
        .api("Graph", DownstreamApi::graph())
        .api(
            "default",
            DownstreamApi::new(["https://api.botframework.com/.default"]).request_app_token(),
        )
        .api(
            "refused",
            DownstreamApi::new(["https://api.botframework.com/.default"])
                .tokens(|_| Err("AADSTS7000215: Invalid client secret provided.".to_owned())),
        );
    let strict = builder.start().await?;
    let open = SidecarDouble::builder()
        .api(
            "default",
            DownstreamApi::new(["https://api.botframework.com/.default"]).request_app_token(),
        )
        .api(
            "agenticblueprint",
            DownstreamApi::new(["api://AzureADTokenExchange/.default"]).request_app_token(),
        )
        .allow_overrides(AllowOverrides::everywhere())
        .start()
        .await?;
    let unhealthy = SidecarDouble::builder().start().await?;
    unhealthy.set_healthy(false);

    let mut output = io::stdout();
    writeln!(
        output,
        r#"{{"url":"{}","openUrl":"{}","unhealthyUrl":"{}","clientId":"{CLIENT_ID}","tenantId":"{TENANT_ID}"}}"#,
        strict.url(),
        open.url(),
        unhealthy.url()
    )?;
    output.flush()?;
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
