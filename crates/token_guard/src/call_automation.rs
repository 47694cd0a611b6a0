//! Call Automation of Azure Communication Services.

use crate::{
    algorithm::Algorithm,
    builder::{Issuer, MAX_LEEWAY, TokenGuardBuilder},
    entra::guid,
    error::TokenFault,
    guard::TokenGuard,
    keys::VerifyingKey,
    token::{AudienceRule, Claims, Identity, IssuerRule, TokenType},
};
use std::sync::Arc;

/// The issuer of the tokens.
const ISSUER: &str = "https://acscallautomation.communication.azure.com";

/// The discovery document, which is not where OpenID Connect has it.
const METADATA: &str = "https://acscallautomation.communication.azure.com/calling/.well-known/acsopenidconfiguration";

impl TokenGuard {
    /// Creates a builder for the tokens of Call Automation, which come with each event of a call and with each media web
    /// socket.
    ///
    /// The rules are those of Microsoft's
    /// [guide](https://learn.microsoft.com/azure/communication-services/how-tos/call-automation/secure-webhook-endpoint): RS256
    /// by a key of Call Automation, and the issuer, audience and expiry. The tokens need neither `sub` nor `typ`. Clocks may
    /// differ by 5 minutes, as in Microsoft's samples.
    ///
    /// Take events with [`Webhook`](crate::Webhook). For a web socket, take [`Caller`](crate::Caller) before the upgrade.
    ///
    /// # Arguments
    ///
    /// * `resource_id` - The immutable id of the resource, a GUID, which is the audience. The portal shows it, and each user
    ///   of the resource has it in `8:acs:{resource id}_…`.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, routing::{any, post}};
    /// use token_guard::{Caller, TokenGuard, Webhook};
    ///
    /// async fn events(webhook: Webhook) {
    ///     // A JSON array of CloudEvents.
    ///     let events: serde_json::Value = serde_json::from_slice(&webhook.body).unwrap_or_default();
    /// }
    ///
    /// async fn media(_: Caller) {
    ///     // Upgrade the connection here.
    /// }
    ///
    /// let guard = TokenGuard::call_automation("aaaabbbb-0000-cccc-1111-dddd2222eeee").build()?;
    /// let app: Router = Router::new().route("/events", post(events)).route("/media", any(media)).with_state(guard);
    /// # Ok::<(), token_guard::ConfigurationError>(())
    /// ```
    pub fn call_automation(resource_id: &str) -> TokenGuardBuilder {
        let (issuer, audience) = match guid(resource_id, "the resource id") {
            Ok(audience) => (Ok(issuer()), audience),
            // The error is that of `build`, which checks the audience first.
            Err(error) => (Err(error), ISSUER.to_owned()),
        };
        TokenGuardBuilder::new(issuer, AudienceRule::any(vec![audience]))
            .metadata_at(METADATA)
            .algorithms([Algorithm::Rs256])
            .token_type(TokenType::Jwt)
            .leeway(MAX_LEEWAY)
    }
}

fn issuer() -> Issuer {
    Issuer {
        base: ISSUER.to_owned(),
        names: vec![ISSUER.to_owned()],
        rule: Arc::new(CallAutomation),
    }
}

/// The issuer of Call Automation.
#[derive(Debug)]
struct CallAutomation;

impl IssuerRule for CallAutomation {
    fn accepts(&self, issuer: &str) -> bool {
        issuer == ISSUER
    }

    fn names(&self) -> Vec<String> {
        vec![ISSUER.to_owned()]
    }

    fn default_subject(&self) -> Option<&str> {
        Some(ISSUER)
    }

    fn reads_application_claims(&self) -> bool {
        false
    }

    fn identify(&self, standard: Identity, _: &str, _: &Claims, _: &VerifyingKey) -> Result<Identity, TokenFault> {
        Ok(Identity {
            is_application: true,
            ..standard
        })
    }
}
