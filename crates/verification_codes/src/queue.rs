//! The queue of messages, and the one beside it for those that cannot be handled.

use crate::{cloud_error::CloudError, http::is_loopback};
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
use std::sync::Arc;
use time::Duration;

/// The most that the service gives at once.
const BATCH: i32 = 32;

/// How long a message is hidden from other watchers while one handles it, in seconds. If it has not been deleted by then,
/// it comes again.
const HIDDEN_WHILE_HANDLED: i32 = 30;

/// A queue that gives each message at least once.
#[async_trait]
pub(crate) trait Queue: Send + Sync {
    /// Adds a message that nobody receives for as long as `hidden`, in whole seconds.
    async fn send(&self, text: String, hidden: Duration) -> Result<(), CloudError>;

    /// Messages, which nobody else receives for a while.
    async fn receive(&self) -> Result<Vec<Received>, CloudError>;

    /// Removes a message for good, unless somebody else has received it since.
    async fn delete(&self, receipt: &Receipt) -> Result<(), CloudError>;

    /// Adds a message to the queue for those that cannot be handled.
    async fn set_aside(&self, text: String) -> Result<(), CloudError>;
}

/// A message as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) text: String,
    /// How often it has been received, this time included.
    pub(crate) dequeue_count: i64,
    pub(crate) receipt: Receipt,
}

/// What it takes to delete a message.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) message_id: String,
    pub(crate) pop_receipt: String,
}

/// A queue of Azure Queue Storage.
pub(crate) struct StorageQueue {
    messages: QueueClient,
    poison: QueueClient,
}

impl StorageQueue {
    /// The queues at these URLs, which hold a signature or else need a credential. The options have the transport.
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

    /// Creates the queues that there are not.
    pub(crate) async fn create(&self) -> Result<(), CloudError> {
        for queue in [&self.messages, &self.poison] {
            if !queue.exists().await? {
                queue.create(None).await?;
            }
        }
        Ok(())
    }

    /// The messages at the front of the queue, which stay there as they are.
    pub(crate) async fn peek(&self, poison: bool) -> Result<Vec<PeekedMessage>, CloudError> {
        let options = QueueClientPeekMessagesOptions {
            number_of_messages: Some(BATCH),
            ..Default::default()
        };
        let peeked = self.queue(poison).peek_messages(Some(options)).await?.into_model()?;
        Ok(peeked.items.unwrap_or_default())
    }

    /// Removes all messages.
    pub(crate) async fn clear(&self, poison: bool) -> Result<(), CloudError> {
        self.queue(poison).clear(None).await?;
        Ok(())
    }

    /// The last part of its URL.
    pub(crate) fn name(&self, poison: bool) -> String {
        let path = self.queue(poison).url().path().trim_end_matches('/');
        path.rsplit('/').next().unwrap_or_default().to_owned()
    }

    fn queue(&self, poison: bool) -> &QueueClient {
        if poison { &self.poison } else { &self.messages }
    }
}

/// Returns the options for a queue. On this machine, it is Azurite's.
fn queue_options(url: &Url, client_options: ClientOptions) -> QueueClientOptions {
    let mut options = QueueClientOptions {
        client_options,
        ..QueueClientOptions::default()
    };
    if is_loopback(url) {
        // The newest that Azurite 3.35 knows; it answers 400 to the client's own.
        "2025-11-05".clone_into(&mut options.version);
        // Where nothing listens, nothing will in the next minute.
        options.client_options.retry = RetryOptions::none();
    }
    options
}

async fn send(queue: &QueueClient, text: String, hidden: Duration) -> Result<(), CloudError> {
    let message = QueueMessage {
        message_text: Some(text),
    };
    let options = QueueClientSendMessageOptions {
        visibility_timeout: i32::try_from(hidden.whole_seconds()).ok(),
        ..Default::default()
    };
    queue.send_message(message.try_into()?, Some(options)).await?;
    Ok(())
}

#[async_trait]
impl Queue for StorageQueue {
    async fn send(&self, text: String, hidden: Duration) -> Result<(), CloudError> {
        send(&self.messages, text, hidden).await
    }

    async fn receive(&self) -> Result<Vec<Received>, CloudError> {
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: Some(BATCH),
            visibility_timeout: Some(HIDDEN_WHILE_HANDLED),
            ..Default::default()
        };
        let received = self.messages.receive_messages(Some(options)).await?.into_model()?;
        received
            .items
            .unwrap_or_default()
            .into_iter()
            .map(TryInto::try_into)
            .collect()
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), CloudError> {
        match self
            .messages
            .delete_message(&receipt.message_id, &receipt.pop_receipt, None)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => match CloudError::from(error) {
                // This watcher took longer than the message was hidden; whoever has it now does the same with it.
                error if matches!(error.code(), Some("MessageNotFound" | "PopReceiptMismatch")) => Ok(()),
                error => Err(error),
            },
        }
    }

    async fn set_aside(&self, text: String) -> Result<(), CloudError> {
        send(&self.poison, text, Duration::ZERO).await
    }
}

impl TryFrom<ReceivedMessage> for Received {
    type Error = CloudError;

    fn try_from(message: ReceivedMessage) -> Result<Self, CloudError> {
        let (Some(message_id), Some(pop_receipt)) = (message.message_id, message.pop_receipt) else {
            return Err(CloudError::other("it gave a message without an id or a receipt"));
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

    /// A queue of a service that answers everything with this error.
    async fn queue_that_answers(status: StatusCode, code: &'static str) -> StorageQueue {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/account/codes", listener.local_addr().unwrap());
        let router = Router::new().fallback(async move || (status, [("x-ms-error-code", code)]));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let poison = format!("{url}-poison");
        let url = url.parse().unwrap();
        let options = crate::http::options(&url).unwrap();
        StorageQueue::new(url, poison.parse().unwrap(), None, &options).unwrap()
    }

    /// [The codes of the service](https://learn.microsoft.com/rest/api/storageservices/queue-service-error-codes).
    #[tokio::test]
    async fn a_message_that_another_watcher_has_taken_is_that_ones_to_delete() {
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
            let deleted = queue_that_answers(status, code).await.delete(&receipt).await;
            assert_eq!(deleted.is_ok(), is_done, "{code}");
        }
    }

    #[tokio::test]
    async fn a_queue_is_told_by_its_name() {
        let queue = queue_that_answers(StatusCode::NOT_FOUND, "QueueNotFound").await;
        assert_eq!((&*queue.name(false), &*queue.name(true)), ("codes", "codes-poison"));
        assert_eq!(queue.peek(false).await.unwrap_err().code(), Some("QueueNotFound"));
    }
}
