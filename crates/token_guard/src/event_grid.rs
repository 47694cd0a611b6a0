//! Azure Event Grid.

use crate::{builder::TokenGuardBuilder, entra::EntraApi, guard::TokenGuard};

/// The application of Event Grid in each tenant, and that in Azure Government
/// ([Microsoft](https://learn.microsoft.com/azure/event-grid/secure-webhook-delivery)).
const APPLICATION_ID: &str = "4962773b-9cdb-44cf-a8bf-237846a00ab7";
const APPLICATION_ID_GOVERNMENT: &str = "54316b56-3481-47f9-8f30-0300f5542a7b";

impl TokenGuard {
    /// Creates a builder for webhooks of Event Grid, such as those of incoming calls.
    ///
    /// A notification needs a token of Entra ID for the API, which was issued to Event Grid's own application, and has the
    /// role. The [authority](EntraApi::authority) decides between the application of Azure Government and that of other clouds;
    /// [`allowed_clients`](TokenGuardBuilder::allowed_clients) replaces it. Set up the subscription as Microsoft's
    /// [guide](https://learn.microsoft.com/azure/event-grid/secure-webhook-delivery) has it, with Entra authentication.
    ///
    /// [`Webhook`](crate::Webhook) also answers the handshakes of both schemas. These need no token, as Event Grid does not
    /// document one; an invalid token is refused there, too. A notification without a token is refused unless
    /// [`allow_unauthenticated_webhooks`](TokenGuardBuilder::allow_unauthenticated_webhooks) is set.
    ///
    /// # Arguments
    ///
    /// * `api` - The registration of the webhook, with the tenant of the subscriber.
    /// * `role` - The app role of the registration that Event Grid has. Microsoft's script creates
    ///   `AzureEventGridSecureWebhookSubscriber`.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, routing::any};
    /// use token_guard::{EntraApi, TokenGuard, Webhook};
    ///
    /// async fn incoming_call(webhook: Webhook) {
    ///     let events: serde_json::Value = serde_json::from_slice(&webhook.body).unwrap_or_default();
    /// }
    ///
    /// let api = EntraApi::new("aaaabbbb-0000-cccc-1111-dddd2222eeee", "00001111-aaaa-2222-bbbb-3333cccc4444");
    /// let guard = TokenGuard::event_grid(api, "AzureEventGridSecureWebhookSubscriber").build()?;
    /// // Of any method, as the handshake of the CloudEvents schema is an OPTIONS request.
    /// let app: Router = Router::new().route("/incoming-call", any(incoming_call)).with_state(guard);
    /// # Ok::<(), token_guard::ConfigurationError>(())
    /// ```
    pub fn event_grid(api: EntraApi, role: &str) -> TokenGuardBuilder {
        let application = if api.is_of_government() {
            APPLICATION_ID_GOVERNMENT
        } else {
            APPLICATION_ID
        };
        let mut builder = Self::entra(api).allowed_clients([application]);
        builder.requirements.roles.push(role.to_owned());
        builder.requirements.application = true;
        builder.webhooks.handshakes = true;
        builder
    }
}
