//! The message queue and its poison queue, in Azure Queue Storage.

use crate::azure::{CloudError, is_loopback};
use async_trait::async_trait;
use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, RetryOptions, Url},
};
use azure_storage_queue::{
    QueueClient, QueueClientOptions,
    models::{
        PeekedMessage, QueueClientPeekMessagesOptions, QueueClientReceiveMessagesOptions,
        QueueClientSendMessageOptions, QueueMessage, ReceivedMessage,
    },
};
use std::{sync::Arc, time::Duration as StdDuration};
use time::Duration;

/// The service's maximum of one request.
const MAX_MESSAGES: i32 = 32;

/// The time for which a received message is hidden. Unless it is deleted by then, it is delivered again.
pub(crate) const VISIBILITY_TIMEOUT: StdDuration = StdDuration::from_secs(30);

/// A queue that delivers each message at least once.
#[async_trait]
pub(crate) trait Queue: Send + Sync {
    /// Adds a message that is hidden for `delay`, in whole seconds.
    async fn send(&self, text: String, delay: Duration) -> Result<(), CloudError>;

    /// Receives messages, which are hidden from other watchers for [`VISIBILITY_TIMEOUT`].
    async fn receive(&self) -> Result<Vec<Delivery>, CloudError>;

    /// Deletes a message, unless another watcher has received it since.
    async fn delete(&self, receipt: &Receipt) -> Result<(), CloudError>;

    /// Hides a received message for `delay`, in whole seconds, unless another watcher has received it since.
    async fn hide(&self, receipt: &Receipt, delay: Duration) -> Result<(), CloudError>;

    /// Adds a message to the poison queue.
    async fn send_poison(&self, text: String) -> Result<(), CloudError>;
}

/// A received message.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) text: String,
    /// The number of deliveries, this one included.
    pub(crate) dequeue_count: i64,
    pub(crate) receipt: Receipt,
}

/// The proof of a delivery, which deletes the message.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) message_id: String,
    pub(crate) pop_receipt: String,
}

/// Two queues of Azure Queue Storage: one for messages, one for those that cannot be handled.
pub(crate) struct StorageQueue {
    messages: QueueClient,
    poison: QueueClient,
}

impl StorageQueue {
    /// Creates clients of the queues at these URLs, which are signed or need a credential. `options` has the transport.
    pub(crate) fn new(
        messages: Url,
        poison: Url,
        credential: Option<&Arc<dyn TokenCredential>>,
        options: &ClientOptions,
    ) -> Result<Self, CloudError> {
        let client = |url: Url| {
            let options = queue_options(&url, options.clone());
            QueueClient::new(url, credential.cloned(), Some(options))
        };
        Ok(Self {
            messages: client(messages)?,
            poison: client(poison)?,
        })
    }

    /// Creates the queues that do not exist.
    pub(crate) async fn create(&self) -> Result<(), CloudError> {
        for queue in [&self.messages, &self.poison] {
            if !queue.exists().await? {
                queue.create(None).await?;
            }
        }
        Ok(())
    }

    /// Returns the messages at the front of a queue, and leaves them there.
    pub(crate) async fn peek(&self, poison: bool) -> Result<Vec<PeekedMessage>, CloudError> {
        let options = QueueClientPeekMessagesOptions {
            number_of_messages: Some(MAX_MESSAGES),
            ..Default::default()
        };
        let peeked = self.queue(poison).peek_messages(Some(options)).await?.into_model()?;
        Ok(peeked.items.unwrap_or_default())
    }

    /// Removes all messages of a queue.
    pub(crate) async fn clear(&self, poison: bool) -> Result<(), CloudError> {
        self.queue(poison).clear(None).await?;
        Ok(())
    }

    /// Returns the name of a queue: the last segment of its URL.
    pub(crate) fn name(&self, poison: bool) -> String {
        let path = self.queue(poison).url().path().trim_end_matches('/');
        path.rsplit('/').next().unwrap_or_default().to_owned()
    }

    fn queue(&self, poison: bool) -> &QueueClient {
        if poison { &self.poison } else { &self.messages }
    }
}

/// Returns the options of a queue's client. On loopback, the queue is Azurite's.
fn queue_options(url: &Url, client_options: ClientOptions) -> QueueClientOptions {
    let mut options = QueueClientOptions {
        client_options,
        ..QueueClientOptions::default()
    };
    if is_loopback(url) {
        // The newest version that Azurite 3.35 knows. It answers 400 to the client's default.
        "2025-11-05".clone_into(&mut options.version);
        // A local server that does not listen will not do so within the retries.
        options.client_options.retry = RetryOptions::none();
    }
    options
}

async fn send(queue: &QueueClient, text: String, delay: Duration) -> Result<(), CloudError> {
    let message = QueueMessage {
        message_text: Some(text),
    };
    let options = QueueClientSendMessageOptions {
        visibility_timeout: i32::try_from(delay.whole_seconds()).ok(),
        ..Default::default()
    };
    queue.send_message(message.try_into()?, Some(options)).await?;
    Ok(())
}

/// Ignores that a message became visible again: it is another watcher's then.
fn unless_received_since<T>(outcome: azure_core::Result<T>) -> Result<(), CloudError> {
    match outcome.map_err(CloudError::from) {
        Err(error) if matches!(error.code(), Some("MessageNotFound" | "PopReceiptMismatch")) => Ok(()),
        outcome => outcome.map(drop),
    }
}

#[async_trait]
impl Queue for StorageQueue {
    async fn send(&self, text: String, delay: Duration) -> Result<(), CloudError> {
        send(&self.messages, text, delay).await
    }

    async fn receive(&self) -> Result<Vec<Delivery>, CloudError> {
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: Some(MAX_MESSAGES),
            visibility_timeout: i32::try_from(VISIBILITY_TIMEOUT.as_secs()).ok(),
            ..Default::default()
        };
        let list = self.messages.receive_messages(Some(options)).await?.into_model()?;
        list.items
            .unwrap_or_default()
            .into_iter()
            .map(TryInto::try_into)
            .collect()
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), CloudError> {
        let Receipt {
            message_id,
            pop_receipt,
        } = receipt;
        unless_received_since(self.messages.delete_message(message_id, pop_receipt, None).await)
    }

    async fn hide(&self, receipt: &Receipt, delay: Duration) -> Result<(), CloudError> {
        let Receipt {
            message_id,
            pop_receipt,
        } = receipt;
        let seconds = i32::try_from(delay.whole_seconds()).unwrap_or(i32::MAX).max(1);
        let hidden = self.messages.update_message(message_id, pop_receipt, seconds, None);
        unless_received_since(hidden.await)
    }

    async fn send_poison(&self, text: String) -> Result<(), CloudError> {
        send(&self.poison, text, Duration::ZERO).await
    }
}

impl TryFrom<ReceivedMessage> for Delivery {
    type Error = CloudError;

    fn try_from(message: ReceivedMessage) -> Result<Self, CloudError> {
        let (Some(message_id), Some(pop_receipt)) = (message.message_id, message.pop_receipt) else {
            return Err(CloudError::new("it gave a message without an id or a receipt"));
        };
        Ok(Self {
            text: message.message_text.unwrap_or_default(),
            dequeue_count: message.dequeue_count.unwrap_or(1),
            receipt: Receipt {
                message_id,
                pop_receipt,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, http::StatusCode};
    use tokio::net::TcpListener;

    /// Starts a service that answers every request with this error.
    async fn failing_queue(status: StatusCode, code: &'static str) -> StorageQueue {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/account/codes", listener.local_addr().unwrap());
        let router = Router::new().fallback(async move || (status, [("x-ms-error-code", code)]));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let poison = format!("{url}-poison");
        let url = url.parse().unwrap();
        let options = crate::azure::client_options(&url).unwrap();
        StorageQueue::new(url, poison.parse().unwrap(), None, &options).unwrap()
    }

    /// The codes are those of the
    /// [service](https://learn.microsoft.com/rest/api/storageservices/queue-service-error-codes).
    #[tokio::test]
    async fn message_of_another_watcher_is_left() {
        let receipt = Receipt {
            message_id: "1b4e28ba-2fa1-4d2b-883f-0016d3cca427".to_owned(),
            pop_receipt: "AgAAAAMAAAAAAAAA".to_owned(),
        };
        for (status, code, is_done) in [
            (StatusCode::NOT_FOUND, "MessageNotFound", true),
            (StatusCode::BAD_REQUEST, "PopReceiptMismatch", true),
            (StatusCode::NOT_FOUND, "QueueNotFound", false),
            (StatusCode::FORBIDDEN, "AuthorizationFailure", false),
        ] {
            let queue = failing_queue(status, code).await;
            assert_eq!(queue.delete(&receipt).await.is_ok(), is_done, "{code}");
            assert_eq!(queue.hide(&receipt, Duration::MINUTE).await.is_ok(), is_done, "{code}");
        }
    }

    #[tokio::test]
    async fn queue_name_is_the_last_url_segment() {
        let queue = failing_queue(StatusCode::NOT_FOUND, "QueueNotFound").await;
        assert_eq!((&*queue.name(false), &*queue.name(true)), ("codes", "codes-poison"));
        assert_eq!(queue.peek(false).await.unwrap_err().code(), Some("QueueNotFound"));
    }
}
