//! A fake sidecar for clients in other languages. It prints its addresses as one line of JSON, and ends when its input does.

use fake_entra_sidecar::{AllowOverrides, CLIENT_ID, DownstreamApi, FakeSidecar, TENANT_ID, unsigned_token};
use serde_json::json;
use std::{
    io::{self, Read as _, Write as _},
    sync::atomic::{AtomicUsize, Ordering},
};

const BOT_FRAMEWORK: [&str; 1] = ["https://api.botframework.com/.default"];

/// An API whose tokens are distinct. They expire in the year 2100.
fn numbered() -> DownstreamApi {
    let issued = AtomicUsize::new(0);
    DownstreamApi::new(BOT_FRAMEWORK).request_app_token().tokens(move |_| {
        let number = issued.fetch_add(1, Ordering::Relaxed);
        Ok(unsigned_token(
            &json!({ "exp": 4_102_444_800_u32, "jti": number.to_string() }),
        ))
    })
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let refused =
        DownstreamApi::new(BOT_FRAMEWORK).tokens(|_| Err("AADSTS7000215: Invalid client secret provided.".to_owned()));
    let strict = FakeSidecar::builder()
        .api("Graph", DownstreamApi::graph())
        .api("default", DownstreamApi::new(BOT_FRAMEWORK).request_app_token())
        .api("refused", refused)
        .api("numbered", numbered())
        .start()
        .await?;
    let open = FakeSidecar::builder()
        .api("default", DownstreamApi::new(BOT_FRAMEWORK).request_app_token())
        .api(
            "agenticblueprint",
            DownstreamApi::new(["api://AzureADTokenExchange/.default"]).request_app_token(),
        )
        .api("numbered", numbered())
        .allow_overrides(AllowOverrides::everywhere())
        .start()
        .await?;
    let unhealthy = FakeSidecar::builder().start().await?;
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
