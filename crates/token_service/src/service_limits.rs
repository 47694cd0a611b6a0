//! Client-side limits on the requests to Azure Communication Services.

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

/// The window in which the service counts requests.
pub(crate) const WINDOW: Duration = Duration::from_secs(30);

/// Keeps a client within the [documented limits][limits] of Azure Communication Services.
///
/// In any 30 seconds, the client creates at most 1000 identities and issues 1000 tokens, deletes 500 identities, revokes the
/// tokens of 500 and exchanges 500 tokens. Each attempt counts, also a retry. An attempt beyond the limit waits in a queue
/// for at most 10 seconds. It fails without being sent after that time, or if the queue is full.
///
/// Add it to the policies of each attempt:
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
pub struct ServiceLimits(Arc<Limits>);

struct Limits {
    create: Limit,
    issue: Limit,
    exchange: Limit,
    revoke: Limit,
    delete: Limit,
    waiting: Gauge,
}

/// The longest wait in a queue: a third of the default request timeout.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// The permits of one operation, one for each request of a window. A permit returns a window after its request was answered,
/// so no window of the service exceeds the limit, regardless of its start.
struct Limit {
    permits: Arc<Semaphore>,
    queue: Semaphore,
}

/// A full queue, or a wait in it that exceeded [`QUEUE_TIMEOUT`].
#[derive(Debug)]
pub(crate) struct QueueFull;

impl QueueFull {
    /// The time after which every current permit has returned.
    pub(crate) const RETRY_AFTER: Duration = WINDOW;
}

impl ServiceLimits {
    /// Creates the limits of one replica. Replicas share the service's limits evenly.
    ///
    /// # Arguments
    ///
    /// * `replicas` - The number of processes that use the resource.
    /// * `queue` - The number of requests of each operation that may wait.
    #[must_use]
    pub fn new(replicas: NonZeroU32, queue: usize) -> Self {
        let limit = |requests: u32| {
            let share = (requests / replicas).max(1);
            Limit {
                permits: Arc::new(Semaphore::new(share.try_into().unwrap_or(usize::MAX))),
                queue: Semaphore::new(queue.min(Semaphore::MAX_PERMITS)),
            }
        };
        Self(Arc::new(Limits {
            create: limit(1000),
            issue: limit(1000),
            exchange: limit(500),
            revoke: limit(500),
            delete: limit(500),
            waiting: Gauge::default(),
        }))
    }

    /// Returns the gauge of waiting requests.
    pub(crate) fn waiting(&self) -> Gauge {
        self.0.waiting.clone()
    }

    /// Returns the limit that applies to a request.
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

impl Limits {
    /// Waits for a permit.
    async fn acquire(&self, limit: &Limit) -> Result<Permit, QueueFull> {
        if let Ok(permit) = limit.permits.clone().try_acquire_owned() {
            return Ok(Permit(Some(permit)));
        }
        let _slot = limit.queue.try_acquire().map_err(|_| QueueFull)?;
        let _waiting = Waiting::new(&self.waiting);
        match timeout(QUEUE_TIMEOUT, limit.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Permit(Some(permit))),
            _ => Err(QueueFull),
        }
    }
}

/// The permit of one request.
struct Permit(Option<OwnedSemaphorePermit>);

/// Returns the permit after a window, as the request may have reached the service until now.
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

/// Counts a waiting request.
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
                    .acquire(limit)
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

    /// Counts the requests that would be sent, and answers at once.
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
    async fn no_window_exceeds_a_thousand_requests() {
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
        assert!(started.elapsed() < QUEUE_TIMEOUT);
        assert_eq!(client.limits.waiting().get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn operations_have_separate_limits() {
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
    async fn cancelled_request_leaves_the_queue() {
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
