//! How many requests Azure Communication Services is sent.

use async_trait::async_trait;
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        Context, Method, Request,
        policies::{Policy, PolicyResult},
    },
};
use prometheus_client::metrics::gauge::Gauge;
use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

/// The time over which the service counts requests.
pub(crate) const WINDOW: Duration = Duration::from_secs(30);

/// Keeps a client within the [documented limits][limits] of Azure Communication Services.
///
/// In any 30 seconds, 1000 identities are created and 1000 tokens issued at most; 500 identities deleted, 500 times the
/// tokens of one revoked, and 500 tokens exchanged. Every request counts, also one that is sent again. What comes too soon
/// waits its turn in a queue, for 10 seconds at most; if that is full, the request is given up at once. Neither is sent.
///
/// It is a policy for each try of a client:
///
/// ```
/// use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
/// use std::{num::NonZeroU32, sync::Arc};
/// use token_service::ServiceLimits;
///
/// let limits = ServiceLimits::new(NonZeroU32::MIN, 1000);
/// let mut options = CommunicationIdentityClientOptions::default();
/// options.client_options.per_try_policies.push(Arc::new(limits.clone()));
/// # let connection_string = "endpoint=https://contoso.communication.azure.com;accessKey=c2VjcmV0";
/// let identities = CommunicationIdentityClient::with_connection_string(connection_string, Some(options))?;
/// # let _ = identities;
/// # Ok::<(), azure_core::Error>(())
/// ```
///
/// [limits]: https://learn.microsoft.com/azure/communication-services/concepts/service-limits#identity
#[derive(Clone)]
pub struct ServiceLimits(Arc<Shared>);

struct Shared {
    create: Limit,
    issue: Limit,
    exchange: Limit,
    revoke: Limit,
    delete: Limit,
    waiting: Gauge,
}

/// The longest wait in a queue: a third of the time that a request has, unless a service says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// As many permits as there may be requests in a window. A permit comes back a window after its request was answered, so
/// that no window of the service, wherever it begins, has more of them.
struct Limit {
    permits: Arc<Semaphore>,
    queue: Semaphore,
}

/// The queue for Azure Communication Services is full, or too long.
#[derive(Debug)]
pub(crate) struct QueueFull;

impl QueueFull {
    /// By then, every permit that is out now has come back.
    pub(crate) const RETRY_AFTER: Duration = WINDOW;
}

impl ServiceLimits {
    /// Limits for one of several replicas, which share them evenly.
    ///
    /// # Arguments
    ///
    /// * `replicas` - How many processes use the resource.
    /// * `queue` - How many requests may wait, of each operation.
    #[must_use]
    pub fn new(replicas: NonZeroU32, queue: usize) -> Self {
        let limit = |requests: u32| {
            let share = (requests / replicas).max(1);
            Limit {
                permits: Arc::new(Semaphore::new(share.try_into().unwrap_or(usize::MAX))),
                queue: Semaphore::new(queue.min(Semaphore::MAX_PERMITS)),
            }
        };
        Self(Arc::new(Shared {
            create: limit(1000),
            issue: limit(1000),
            exchange: limit(500),
            revoke: limit(500),
            delete: limit(500),
            waiting: Gauge::default(),
        }))
    }

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> Gauge {
        self.0.waiting.clone()
    }

    /// The limit that a request counts for, if it has one.
    fn limit_of(&self, request: &Request) -> Option<&Limit> {
        let limits = &*self.0;
        let path = request.url().path();
        match request.method() {
            Method::Delete => Some(&limits.delete),
            Method::Post if path.ends_with("/:issueAccessToken") => Some(&limits.issue),
            Method::Post if path.ends_with("/:revokeAccessTokens") => Some(&limits.revoke),
            Method::Post if path.ends_with("/:exchangeAccessToken") => Some(&limits.exchange),
            Method::Post if path.ends_with("/identities") => Some(&limits.create),
            _ => None,
        }
    }
}

impl Shared {
    /// Takes a permit, which comes back by itself.
    async fn take(&self, limit: &Limit) -> Result<Permit, QueueFull> {
        if let Ok(permit) = limit.permits.clone().try_acquire_owned() {
            return Ok(Permit(Some(permit)));
        }
        let _place = limit.queue.try_acquire().map_err(|_| QueueFull)?;
        let _waiting = Waiting::new(&self.waiting);
        match timeout(PATIENCE, limit.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Permit(Some(permit))),
            _ => Err(QueueFull),
        }
    }
}

/// One request of a window.
struct Permit(Option<OwnedSemaphorePermit>);

/// The request was answered, or given up, and may have reached the service until now.
impl Drop for Permit {
    fn drop(&mut self) {
        let permit = self.0.take();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                sleep(WINDOW).await;
                drop(permit);
            });
        }
    }
}

/// Counts a request among those that wait.
struct Waiting<'a>(&'a Gauge);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a Gauge) -> Self {
        waiting.inc();
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[async_trait]
impl Policy for ServiceLimits {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let _permit = match self.limit_of(request) {
            Some(limit) => Some(
                self.0
                    .take(limit)
                    .await
                    .map_err(|full| Error::new(ErrorKind::Other, full))?,
            ),
            None => None,
        };
        match next.split_first() {
            Some((policy, next)) => policy.send(ctx, request, next).await,
            None => Err(Error::with_message(
                ErrorKind::Other,
                "there is no policy that sends the request",
            )),
        }
    }
}

impl fmt::Debug for ServiceLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceLimits")
            .field("waiting", &self.0.waiting.get())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many requests wait for Azure Communication Services")
    }
}

impl std::error::Error for QueueFull {}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::{AsyncRawResponse, StatusCode, Url, headers::Headers};
    use std::{
        future::Future,
        sync::atomic::{AtomicUsize, Ordering},
    };
    use tokio::time::Instant;

    /// Counts what would have been sent, and answers at once.
    #[derive(Debug, Default)]
    struct Sent(AtomicUsize);

    #[async_trait]
    impl Policy for Sent {
        async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), ""))
        }
    }

    #[derive(Clone)]
    struct Client {
        limits: ServiceLimits,
        sent: Arc<Sent>,
    }

    impl Client {
        fn new(replicas: u32, queue: usize) -> Self {
            Self {
                limits: ServiceLimits::new(NonZeroU32::new(replicas).unwrap(), queue),
                sent: Arc::default(),
            }
        }

        fn send(&self, method: Method, path: &str) -> impl Future<Output = bool> + Send + 'static {
            let url = Url::parse("https://contoso.communication.azure.com")
                .unwrap()
                .join(path)
                .unwrap();
            let (client, mut request) = (self.clone(), Request::new(url, method));
            async move {
                let next: [Arc<dyn Policy>; 1] = [client.sent.clone()];
                match client.limits.send(&Context::new(), &mut request, &next).await {
                    Ok(_) => true,
                    Err(error) => {
                        let source = std::error::Error::source(&error);
                        assert!(source.is_some_and(<dyn std::error::Error>::is::<QueueFull>));
                        false
                    }
                }
            }
        }

        fn sent(&self) -> usize {
            self.sent.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_has_more_than_a_thousand_requests() {
        let client = Client::new(1, 5000);
        let issue = || tokio::spawn(client.send(Method::Post, "/identities/8:acs:x/:issueAccessToken"));
        let first: Vec<_> = (0..1000).map(|_| issue()).collect();
        sleep(Duration::from_millis(29_900)).await;
        let late: Vec<_> = (0..1500).map(|_| issue()).collect();
        sleep(Duration::from_millis(50)).await;
        assert_eq!(client.sent(), 1000);
        assert_eq!(client.limits.waiting().get(), 1500);
        sleep(Duration::from_millis(200)).await;
        assert_eq!(client.sent(), 2000);
        assert_eq!(client.limits.waiting().get(), 500);
        for request in first {
            assert!(request.await.unwrap());
        }
        // The last 500 would have to wait for another window.
        let started = Instant::now();
        let mut sent = 0;
        for request in late {
            sent += usize::from(request.await.unwrap());
        }
        assert_eq!(sent, 1000);
        assert!(started.elapsed() < PATIENCE);
        assert_eq!(client.limits.waiting().get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn each_operation_has_a_limit_of_its_own() {
        let client = Client::new(500, 0);
        for (method, path, limit) in [
            (Method::Post, "/identities", 2),
            (Method::Post, "/identities/8:acs:x/:issueAccessToken", 2),
            (Method::Post, "/identities/8:acs:x/:revokeAccessTokens", 1),
            (Method::Post, "/teamsUser/:exchangeAccessToken", 1),
            (Method::Delete, "/identities/8:acs:x", 1),
        ] {
            for _ in 0..limit {
                assert!(client.send(method, path).await, "{path}");
            }
            assert!(!client.send(method, path).await, "{path}");
        }
        assert_eq!(client.sent(), 7);
        for _ in 0..10 {
            assert!(client.send(Method::Get, "/identities/8:acs:x").await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_given_up_leaves_the_queue() {
        let client = Client::new(1000, 1);
        assert!(client.send(Method::Post, "/identities").await);
        let waiting = tokio::spawn(client.send(Method::Post, "/identities"));
        sleep(Duration::from_secs(1)).await;
        assert!(!client.send(Method::Post, "/identities").await, "the queue is full");
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(client.limits.waiting().get(), 0);
        sleep(Duration::from_secs(20)).await;
        assert!(
            client.send(Method::Post, "/identities").await,
            "there is a place, and soon a permit"
        );
    }
}
