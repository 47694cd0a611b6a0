//! The command `serve`: the API and its watcher.

use crate::{
    api::Api,
    azure::client_options,
    code::CodeHasher,
    config::{ApiConfig, CloudConfig, Issuer, IssuerKind},
    key_vault::VaultSecret,
    local::LocalCloud,
    number_service::NumberService,
    output::print_line,
    queue::Queue,
    requester::AttemptLimit,
    table::{CodeTable, Quota},
    watcher::Watcher,
};
use aws_lc_rs::rand;
use axum::BoxError;
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use database::DatabaseError;
use std::{
    error::Error,
    future::IntoFuture,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use token_guard::{EntraApi, TokenGuard};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// The pause between two deletions of what idle callers have left.
const CLEANING_INTERVAL: Duration = Duration::from_mins(1);

/// The services that the API uses, in the cloud or in this process.
struct Services {
    guard: Option<TokenGuard>,
    numbers: NumberService,
    local: Option<LocalCloud>,
}

/// Serves until `stop` is cancelled, and finishes in-flight requests.
pub(crate) async fn serve(
    open: bool,
    config: ApiConfig,
    queue: Arc<dyn Queue>,
    table: Arc<dyn CodeTable>,
    watcher: Option<Watcher>,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let services = Services::connect(config.cloud, open).await?;
    if let Some(guard) = &services.guard {
        // An unavailable issuer is an error now rather than at the first request.
        guard.load_keys().await.map_err(|error| match error.source() {
            Some(reason) => format!("{error} {reason}"),
            None => error.to_string(),
        })?;
    }
    let hasher = hasher(config.hash_key)?;
    let api = Api {
        guard: services.guard.clone(),
        numbers: services.numbers.clone(),
        hasher: hasher.clone(),
        queue,
        table: table.clone(),
        code_ttl: config.code_ttl,
        limit: AttemptLimit {
            table: table.clone(),
            hasher,
            quota: Quota {
                per_minute: config.attempts_per_minute,
            },
        },
    };
    let port = config.port;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        format!(
            "the API cannot listen on port {port}: {error}. Set PORT to another one; without it, any free one is taken."
        )
    })?;
    services.print_usage(&format!("http://{}", listener.local_addr()?))?;

    let routes = api.routes().into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned());
    let watching = async {
        if let Some(watcher) = watcher {
            watcher.run(&stop).await;
        }
    };
    let cleaning = async {
        loop {
            tokio::time::sleep(CLEANING_INTERVAL).await;
            if let Err(error) = delete_idle_callers(&*table).await {
                tracing::warn!(%error, "the attempts of idle callers stay in the table until the next time");
            }
        }
    };
    let working = async { tokio::join!(serving.into_future(), watching).0 };
    tokio::select! {
        result = working => Ok(result?),
        () = cleaning => Ok(()),
    }
}

async fn delete_idle_callers(table: &dyn CodeTable) -> Result<(), DatabaseError> {
    let now = table.now().await?;
    table.delete_idle_callers(now).await
}

/// Creates the hasher. Without a key, it has a random one, and only this process can verify its codes.
fn hasher(key: Option<Zeroizing<Vec<u8>>>) -> Result<CodeHasher, BoxError> {
    if let Some(key) = key {
        return Ok(CodeHasher::new(&key));
    }
    let mut key = Zeroizing::new([0; 32]);
    rand::fill(&mut *key)?;
    Ok(CodeHasher::new(&*key))
}

impl Services {
    async fn connect(cloud: Option<CloudConfig>, open: bool) -> Result<Self, BoxError> {
        let Some(cloud) = cloud else {
            let local = LocalCloud::start().await?;
            return Ok(Self {
                guard: if open { None } else { Some(local.guard()?) },
                numbers: local.numbers()?,
                local: Some(local),
            });
        };
        let client_options = client_options(&cloud.vault)?;
        let credential = cloud.credential.create(client_options.clone())?;
        let options = SecretClientOptions {
            client_options,
            ..SecretClientOptions::default()
        };
        let vault = SecretClient::new(cloud.vault.as_str(), credential, Some(options))?;
        let key = VaultSecret::new(vault, cloud.secret_name);
        Ok(Self {
            guard: cloud.issuer.map(guard).transpose()?,
            numbers: NumberService::new(cloud.number_service, key)?,
            local: None,
        })
    }

    /// Prints how to use the API.
    fn print_usage(&self, url: &str) -> Result<(), BoxError> {
        print_line(format_args!("The API listens at {url}\n"));
        let header = match (&self.guard, &self.local) {
            (None, _) => "",
            (Some(_), local) => {
                print_line(format_args!(
                    "Without a token, it answers 401:\n\n  curl -i {url}/api/v1/getcode\n"
                ));
                match local {
                    Some(local) => {
                        print_line(format_args!(
                            "With the token of a test user, for an hour, it gives a code and takes it once:\n"
                        ));
                        print_line(format_args!("  TOKEN='{}'", local.token("alice")?));
                    }
                    None => print_line(format_args!(
                        "With a token of your issuer, it gives a code and takes it once:\n"
                    )),
                }
                " -H \"Authorization: Bearer $TOKEN\""
            }
        };
        print_line(format_args!("  curl {url}/api/v1/getcode{header}"));
        print_line(format_args!(
            "  curl {url}/api/v1/verify{header} --json '{{\"code\":\"...\"}}'\n"
        ));
        print_line(format_args!(
            "A code is valid when a watcher has handled its message, within two seconds. Until then, verify answers 404.\n"
        ));
        if let Some(local) = &self.local {
            if self.guard.is_some() {
                print_line(format_args!(
                    "Another user cannot use that code:\n\n  TOKEN='{}'\n",
                    local.token("bob")?
                ));
            }
            print_line(format_args!(
                "The number service takes another key, which is put into the vault, after:\n"
            ));
            print_line(format_args!("  curl -X POST {}\n", local.rotation_url()));
        }
        Ok(())
    }
}

fn guard(issuer: Issuer) -> Result<TokenGuard, BoxError> {
    let guard = match issuer.kind {
        IssuerKind::OpenId { issuer, audience } => TokenGuard::builder(&issuer, [audience]),
        IssuerKind::Entra { tenant_id, client_id } => TokenGuard::entra(EntraApi::new(&tenant_id, &client_id)),
    };
    Ok(guard.build()?.requiring_scopes(issuer.scope))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use token_guard::{GuardError, testing::TestIssuer};

    #[tokio::test]
    async fn guard_requires_the_scope_of_the_configuration() {
        const AUDIENCE: &str = "https://codes.contoso.com";
        let issuer = TestIssuer::start().await.unwrap();
        let token = |scope: &str| issuer.token(json!({ "aud": AUDIENCE, "scope": scope })).unwrap();
        let guard_with = |scope: Option<&str>| {
            let kind = IssuerKind::OpenId {
                issuer: issuer.url().to_owned(),
                audience: AUDIENCE.to_owned(),
            };
            let scope = scope.map(str::to_owned);
            guard(Issuer { kind, scope }).unwrap()
        };
        let requiring = guard_with(Some("access_as_user"));
        requiring.verify(&token("access_as_user")).await.unwrap();
        let refused = requiring.verify(&token("email")).await.unwrap_err();
        assert!(matches!(refused, GuardError::Forbidden(_)), "{refused}");
        guard_with(None).verify(&token("email")).await.unwrap();
    }
}
