//! The watcher of the queue, which makes codes valid, and invalid at their expiry.
//!
//! A queue delivers a message at least once, and a watcher can end at any moment. So each step can be repeated without
//! harm, and a message is deleted last: an interrupted one is delivered again, with the same result. A watcher claims the
//! row of a code while it handles the message that makes it valid, so that of several deliveries one is handled.

use crate::{
    azure::CloudError,
    message::{Action, CodeMessage},
    queue::{Delivery, Queue, VISIBILITY_TIMEOUT},
    table::{Claim, CodeTable},
};
use serde_json::json;
use std::{error::Error, sync::Arc, time::Duration as StdDuration};
use time::{Duration, OffsetDateTime};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The claims to handle a message whose watcher has ended before it returned, after which the message goes to the poison
/// queue. A delivery that no watcher began to handle does not count, nor a failure of the table or the queue.
const MAX_UNFINISHED_CLAIMS: i64 = 5;

/// The longest validity of a code. It exceeds the API's limit.
const MAX_CODE_TTL: Duration = Duration::DAY;

/// The first pause when the queue is empty. Each further one is twice as long, up to the watcher's maximum.
const MIN_POLL_INTERVAL: StdDuration = StdDuration::from_millis(100);

/// The bytes of a poison message that are kept. With its quotes escaped, the text must fit the 64 KiB of a message.
const MAX_POISON_TEXT_BYTES: usize = 24 * 1024;

type BoxError = Box<dyn Error + Send + Sync>;

/// Handles the messages of a queue. Several watchers can share one queue.
pub(crate) struct Watcher {
    queue: Arc<dyn Queue>,
    table: Arc<dyn CodeTable>,
    max_poll_interval: StdDuration,
}

impl Watcher {
    /// Creates a watcher that polls the queue at least every `max_poll_interval`.
    pub(crate) fn new(queue: Arc<dyn Queue>, table: Arc<dyn CodeTable>, max_poll_interval: StdDuration) -> Self {
        Self {
            queue,
            table,
            max_poll_interval,
        }
    }

    /// Watches until `stop` is cancelled, and finishes the messages that it has received.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let mut pause = StdDuration::ZERO;
        loop {
            pause = match self.poll().await {
                Ok(0) => (pause * 2).max(MIN_POLL_INTERVAL).min(self.max_poll_interval),
                Ok(_) => StdDuration::ZERO,
                Err(error) => {
                    tracing::warn!(%error, "the queue gives no messages");
                    self.max_poll_interval
                }
            };
            let paused = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
            if paused.is_none() {
                return;
            }
        }
    }

    /// Handles the visible messages, and returns their number.
    async fn poll(&self) -> Result<usize, CloudError> {
        let received = Instant::now();
        let deliveries = self.queue.receive().await?;
        for delivery in &deliveries {
            let hidden_for = VISIBILITY_TIMEOUT.saturating_sub(received.elapsed());
            if hidden_for.is_zero() {
                tracing::warn!("messages were received and not begun in time; they will come again");
                break;
            }
            if let Err(error) = self.handle(delivery, hidden_for).await {
                let message = &delivery.receipt.message_id;
                tracing::warn!(message, %error, "a message was not handled, and will come again");
            }
        }
        Ok(deliveries.len())
    }

    /// Handles a message that is hidden from other watchers for a time.
    async fn handle(&self, delivery: &Delivery, hidden_for: StdDuration) -> Result<(), BoxError> {
        let message = match CodeMessage::parse(&delivery.text) {
            Ok(message) => message,
            Err(reason) => {
                self.send_poison(delivery, &reason.to_string()).await?;
                return Ok(self.queue.delete(&delivery.receipt).await?);
            }
        };
        let id = message.id;
        // The clock of the table, as those of the watchers can differ.
        let now = self.table.now().await?;
        let remaining = message.expires_at - now;
        if remaining > MAX_CODE_TTL {
            let reason = "its code would be valid for more than a day";
            self.send_poison(delivery, reason).await?;
            return Ok(self.queue.delete(&delivery.receipt).await?);
        }
        match message.action {
            Action::Activate if remaining.is_positive() => {
                return self.activate(delivery, &message, now, hidden_for).await;
            }
            Action::Activate => tracing::warn!(%id, "a code expired before its message was handled"),
            Action::Expire if remaining.is_positive() => {
                tracing::debug!(%id, "a code has not expired yet; its message is hidden again");
                return Ok(self.queue.hide(&delivery.receipt, to_whole_seconds(remaining)).await?);
            }
            Action::Expire => {
                self.table.expire(&message.code_hash, now).await?;
                self.table.delete_old(now).await?;
                tracing::info!(%id, "a code was made invalid, unless it was");
            }
        }
        Ok(self.queue.delete(&delivery.receipt).await?)
    }

    /// Makes a code valid, and sends the message that makes it invalid. Of several watchers with the message, one does.
    async fn activate(
        &self,
        delivery: &Delivery,
        message: &CodeMessage,
        now: OffsetDateTime,
        hidden_for: StdDuration,
    ) -> Result<(), BoxError> {
        let CodeMessage {
            id,
            code_hash,
            expires_at,
            ..
        } = message;
        let holder = Uuid::new_v4();
        // The claim ends when the message is delivered again, at the latest.
        let claim = self
            .table
            .claim(code_hash, *expires_at, holder, now, now + hidden_for)
            .await?;
        match claim {
            Claim::Completed => tracing::info!(%id, "a code had been made valid"),
            Claim::Held { until } => {
                tracing::info!(%id, "another watcher makes a code valid, or has ended; its message is hidden");
                let delay = to_whole_seconds(until - now).max(Duration::SECOND);
                return Ok(self.queue.hide(&delivery.receipt, delay).await?);
            }
            Claim::Granted { unfinished } if unfinished > MAX_UNFINISHED_CLAIMS => {
                let reason = format!("{MAX_UNFINISHED_CLAIMS} watchers have ended while they handled it");
                self.send_poison(delivery, &reason).await?;
                self.table.complete(code_hash, holder).await?;
            }
            Claim::Granted { .. } => {
                let expire = CodeMessage {
                    action: Action::Expire,
                    ..message.clone()
                };
                let delay = to_whole_seconds(*expires_at - now);
                let sent = timeout(hidden_for, self.queue.send(expire.to_text()?, delay)).await;
                let sent = sent.unwrap_or_else(|_| Err(CloudError::new("it did not answer in time")));
                if let Err(error) = sent {
                    self.table.release(code_hash, holder, now).await?;
                    return Err(error.into());
                }
                self.table.complete(code_hash, holder).await?;
                tracing::info!(%id, "a code was made valid");
            }
        }
        Ok(self.queue.delete(&delivery.receipt).await?)
    }

    async fn send_poison(&self, delivery: &Delivery, reason: &str) -> Result<(), CloudError> {
        let message = &delivery.receipt.message_id;
        tracing::warn!(message, why = reason, "a message was set aside");
        self.queue.send_poison(poison_note(delivery, reason)).await
    }
}

/// Describes a message for the poison queue, with the reason and at most [`MAX_POISON_TEXT_BYTES`] of its text.
fn poison_note(delivery: &Delivery, reason: &str) -> String {
    let text = &delivery.text;
    let kept = text
        .get(..text.floor_char_boundary(MAX_POISON_TEXT_BYTES))
        .unwrap_or_default();
    json!({
        "why": reason,
        "message_id": delivery.receipt.message_id,
        "dequeue_count": delivery.dequeue_count,
        "text": kept,
        "is_cut": kept.len() < text.len(),
    })
    .to_string()
}

/// Rounds a time up to whole seconds.
fn to_whole_seconds(time: Duration) -> Duration {
    Duration::seconds(time.whole_seconds() + i64::from(time.subsec_nanoseconds() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        code::{CodeHash, CodeHasher},
        fakes::{FailFrom, FakeQueue},
        queue::Receipt,
        table::TestTable,
    };
    use serde_json::Value;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-08-01 12:00 UTC);
    const EXPIRES: OffsetDateTime = datetime!(2026-08-01 12:10 UTC);
    /// The time at which a message of [`NOW`] that was not deleted is delivered again.
    const REDELIVERY: OffsetDateTime = datetime!(2026-08-01 12:00:30 UTC);

    struct Setup {
        queue: Arc<FakeQueue>,
        table: TestTable,
        watcher: Watcher,
    }

    impl Setup {
        async fn new() -> Self {
            let queue = Arc::new(FakeQueue::default());
            let table = TestTable::in_memory(NOW).await;
            let watcher = Watcher::new(queue.clone(), table.table.clone(), StdDuration::from_secs(2));
            Self { queue, table, watcher }
        }

        /// Polls until the queue is empty at this time, or fails.
        async fn watch(&self, now: OffsetDateTime) {
            self.watch_with_clocks(now, now).await;
        }

        /// Polls as [`watch`](Self::watch) does, with the clock of the queue and that of the table.
        async fn watch_with_clocks(&self, of_queue: OffsetDateTime, of_table: OffsetDateTime) {
            self.queue.set_time(of_queue);
            self.table.set_time(of_table);
            while self.watcher.poll().await.is_ok_and(|handled| handled > 0) {}
        }

        async fn verify(&self, now: OffsetDateTime) -> bool {
            self.table.table.verify(&code(), now).await.unwrap()
        }

        /// Claims the message at a time, as a watcher does that is killed before it returns from its work.
        async fn killed_watcher(&self, now: OffsetDateTime) {
            let holder = Uuid::new_v4();
            let until = now + VISIBILITY_TIMEOUT;
            let claim = self.table.table.claim(&code(), EXPIRES, holder, now, until).await;
            assert!(matches!(claim.unwrap(), Claim::Granted { .. }));
        }

        fn poison(&self) -> Vec<Value> {
            self.queue
                .poison()
                .iter()
                .map(|note| serde_json::from_str(note).unwrap())
                .collect()
        }
    }

    fn code() -> CodeHash {
        CodeHasher::new(b"key").hash(None, "ojE-161-pTv")
    }

    fn message(action: &str, expires_at: &str) -> String {
        json!({
            "id": "1b4e28ba-2fa1-4d2b-883f-0016d3cca427",
            "code_hash": code(),
            "action": action,
            "expires_at": expires_at,
        })
        .to_string()
    }

    fn activate() -> String {
        message("activate", "2026-08-01T12:10:00Z")
    }

    #[tokio::test]
    async fn code_is_valid_from_its_message_to_its_expiry() {
        let setup = Setup::new().await;
        setup.queue.add(&activate());
        assert!(!setup.verify(NOW).await);
        setup.watch(NOW).await;
        assert_eq!(setup.table.states().await, ["valid"]);
        let hidden: Vec<Value> = setup
            .queue
            .texts()
            .iter()
            .map(|text| serde_json::from_str(text).unwrap())
            .collect();
        assert_eq!(
            hidden,
            [serde_json::from_str::<Value>(&message("expire", "2026-08-01T12:10:00Z")).unwrap()]
        );

        setup.watch(EXPIRES - Duration::SECOND).await;
        assert_eq!(setup.table.states().await, ["valid"]);
        setup.watch(EXPIRES).await;
        assert_eq!(setup.table.states().await, ["expired"]);
        assert!(setup.queue.texts().is_empty());
        assert!(setup.poison().is_empty());
    }

    #[tokio::test]
    async fn expire_message_is_not_early() {
        let setup = Setup::new().await;
        setup.queue.add(&activate());
        setup.watch(NOW + Duration::milliseconds(1)).await;
        setup.watch(EXPIRES - Duration::milliseconds(1)).await;
        assert_eq!(setup.table.states().await, ["valid"]);
        setup.watch(EXPIRES + Duration::SECOND).await;
        assert_eq!(setup.table.states().await, ["expired"]);
    }

    #[tokio::test]
    async fn repeated_message_changes_nothing() {
        let setup = Setup::new().await;
        setup.queue.add(&activate());
        setup.queue.add(&activate());
        setup.watch(NOW).await;
        assert!(setup.verify(NOW).await);
        setup.queue.add(&activate());
        setup.watch(NOW).await;
        assert!(!setup.verify(NOW).await);
        setup.watch(EXPIRES).await;
        setup.queue.add(&message("expire", "2026-08-01T12:10:00Z"));
        setup.queue.add(&activate());
        setup.watch(EXPIRES).await;
        assert_eq!(setup.table.states().await, ["used"]);
        assert!(setup.queue.texts().is_empty());
    }

    #[tokio::test]
    async fn expired_code_never_becomes_valid() {
        let setup = Setup::new().await;
        setup.queue.add(&activate());
        setup.watch(EXPIRES).await;
        assert!(setup.table.states().await.is_empty());
        assert!(setup.queue.texts().is_empty());
    }

    /// A watcher calls the queue three times for an activation: receive, send, delete. It ends before or after one of these
    /// calls, and the watcher that replaces it does so too.
    #[tokio::test]
    async fn interrupted_activation_has_the_same_result() {
        let failures: Vec<FailFrom> = (0..3)
            .flat_map(|call| [FailFrom::Before(call), FailFrom::After(call)])
            .collect();
        for first in &failures {
            for second in &failures {
                let setup = Setup::new().await;
                setup.queue.add(&activate());
                setup.queue.fail_from(*first);
                setup.watch(NOW).await;
                setup.queue.fail_from(*second);
                setup.watch(REDELIVERY).await;
                setup.queue.recover();
                let last = REDELIVERY + Duration::seconds(30);
                setup.watch(last).await;

                assert_eq!(setup.table.states().await, ["valid"], "{first:?} {second:?}");
                assert!(
                    setup.verify(last).await && !setup.verify(last).await,
                    "{first:?} {second:?}"
                );
                setup.watch(EXPIRES).await;
                assert_eq!(setup.table.states().await, ["used"], "{first:?} {second:?}");
                assert!(setup.queue.texts().is_empty(), "{first:?} {second:?}");
                assert!(setup.poison().is_empty(), "{first:?} {second:?}");
            }
        }
    }

    #[tokio::test]
    async fn code_used_between_deliveries_stays_used() {
        for moment in [FailFrom::Before(1), FailFrom::After(1), FailFrom::Before(2)] {
            let setup = Setup::new().await;
            setup.queue.add(&activate());
            setup.queue.fail_from(moment);
            setup.watch(NOW).await;
            setup.queue.recover();
            assert!(setup.verify(NOW).await, "{moment:?}");
            setup.watch(REDELIVERY).await;
            assert!(!setup.verify(REDELIVERY).await, "{moment:?}");
        }
    }

    #[tokio::test]
    async fn table_is_written_before_the_queue() {
        let setup = Setup::new().await;
        setup.table.destroy().await;
        setup.queue.add(&activate());
        setup.watch(NOW).await;
        assert_eq!(setup.queue.texts(), [activate()]);
    }

    #[tokio::test]
    async fn malformed_message_goes_to_the_poison_queue() {
        let setup = Setup::new().await;
        setup.queue.add("{'code': 'ojE-161-pTv'}");
        setup.queue.add(&activate());
        setup.watch(NOW).await;
        let [note] = &setup.poison()[..] else {
            panic!("not one note: {:?}", setup.poison());
        };
        assert_eq!(note["text"], "{'code': 'ojE-161-pTv'}");
        assert_eq!(note["why"], "it is neither JSON nor the base64 of JSON");
        assert_eq!(note["dequeue_count"], 1);
        assert_eq!(note["is_cut"], false);
        assert_eq!(setup.table.states().await, ["valid"]);
    }

    #[tokio::test]
    async fn message_that_ends_five_watchers_is_set_aside() {
        let setup = Setup::new().await;
        setup.queue.add(&activate());
        let mut now = NOW;
        for _ in 0..5 {
            setup.killed_watcher(now).await;
            now += Duration::seconds(30);
        }
        setup.watch(now).await;
        let [note] = &setup.poison()[..] else {
            panic!("not one note: {:?}", setup.poison());
        };
        assert_eq!(note["text"], activate());
        assert_eq!(note["why"], "5 watchers have ended while they handled it");
        assert!(setup.queue.texts().is_empty());
        // The table decides.
        assert!(setup.verify(now).await);
    }

    #[tokio::test]
    async fn message_that_ends_four_watchers_is_handled() {
        let setup = Setup::new().await;
        setup.queue.add(&activate());
        let mut now = NOW;
        for _ in 0..4 {
            setup.killed_watcher(now).await;
            now += Duration::seconds(30);
        }
        setup.watch(now).await;
        assert!(setup.poison().is_empty());
        assert!(setup.verify(now).await);
        assert_eq!(setup.queue.texts().len(), 1);
    }

    #[tokio::test]
    async fn untouched_messages_of_killed_watchers_are_kept() {
        let setup = Setup::new().await;
        setup.queue.add(&activate());
        let mut now = NOW;
        for _ in 0..15 {
            // Each has received the message, and not begun to handle it.
            setup.queue.set_time(now);
            assert_eq!(setup.queue.receive().await.unwrap().len(), 1);
            now += Duration::seconds(30);
        }
        setup.watch(now).await;
        assert!(setup.poison().is_empty());
        assert!(setup.verify(now).await);
    }

    #[tokio::test]
    async fn messages_outlast_an_outage_of_the_table() {
        let setup = Setup::new().await;
        setup.queue.add(&activate());
        setup.table.destroy().await;
        let mut now = NOW;
        for _ in 0..15 {
            setup.watch(now).await;
            now += Duration::seconds(30);
        }
        setup.table.repair().await;
        setup.watch(now).await;
        assert!(setup.poison().is_empty());
        assert_eq!(setup.table.states().await, ["valid"]);
        setup.table.destroy().await;
        for _ in 0..15 {
            setup.watch(now + Duration::minutes(10)).await;
            now += Duration::seconds(30);
        }
        setup.table.repair().await;
        setup.watch(now + Duration::minutes(10)).await;
        assert!(setup.poison().is_empty() && setup.queue.texts().is_empty());
        assert_eq!(setup.table.states().await, ["expired"]);
    }

    #[tokio::test]
    async fn messages_outlast_an_outage_of_the_queue() {
        let setup = Setup::new().await;
        setup.queue.add(&activate());
        let mut now = NOW;
        for _ in 0..15 {
            setup.queue.fail_from(FailFrom::Before(1));
            setup.watch(now).await;
            now += Duration::seconds(30);
        }
        setup.queue.recover();
        setup.watch(now).await;
        assert!(setup.poison().is_empty());
        assert!(setup.verify(now).await);
        assert_eq!(setup.queue.texts().len(), 1);
    }

    #[tokio::test]
    async fn message_of_a_killed_watcher_waits_for_its_claim() {
        let setup = Setup::new().await;
        setup.queue.add(&activate());
        setup.killed_watcher(NOW).await;
        // Another delivery of it comes while the claim lasts.
        setup.watch(NOW + Duration::SECOND).await;
        assert_eq!(setup.queue.texts(), [activate()]);
        setup.watch(REDELIVERY - Duration::SECOND).await;
        assert_eq!(setup.queue.texts(), [activate()]);
        setup.watch(REDELIVERY).await;
        assert_eq!(setup.queue.texts().len(), 1);
        assert_ne!(setup.queue.texts(), [activate()]);
        assert!(setup.verify(REDELIVERY).await);
    }

    #[tokio::test]
    async fn repeated_message_is_answered_once() {
        let setup = Setup::new().await;
        for _ in 0..3 {
            setup.queue.add(&activate());
        }
        setup.watch(NOW).await;
        let expire: CodeMessage = CodeMessage::parse(&message("expire", "2026-08-01T12:10:00Z")).unwrap();
        let texts = setup.queue.texts();
        let [text] = &texts[..] else {
            panic!("not one message: {texts:?}");
        };
        assert_eq!(CodeMessage::parse(text).unwrap(), expire);
    }

    #[tokio::test]
    async fn expire_message_that_is_early_is_hidden_again() {
        for ahead in [Duration::SECOND, Duration::minutes(10), Duration::hours(3)] {
            let setup = Setup::new().await;
            setup.queue.add(&activate());
            setup.watch(NOW).await;
            // The clock of the queue, or of the watcher that has sent the message, is ahead.
            setup
                .watch_with_clocks(EXPIRES + ahead, EXPIRES - Duration::SECOND)
                .await;
            assert_eq!(setup.table.states().await, ["valid"], "{ahead}");
            assert_eq!(setup.queue.texts().len(), 1, "{ahead}");
            setup.watch_with_clocks(EXPIRES + ahead, EXPIRES).await;
            assert_eq!(setup.table.states().await, ["valid"], "{ahead}");
            setup
                .watch_with_clocks(EXPIRES + ahead + Duration::SECOND, EXPIRES)
                .await;
            assert_eq!(setup.table.states().await, ["expired"], "{ahead}");
            assert!(setup.queue.texts().is_empty(), "{ahead}");
        }
    }

    #[tokio::test]
    async fn expire_message_that_is_late_extends_nothing() {
        let setup = Setup::new().await;
        setup.queue.add(&activate());
        setup.watch(NOW).await;
        // The clock of the queue is behind.
        setup.watch_with_clocks(EXPIRES - Duration::minutes(5), EXPIRES).await;
        assert_eq!(setup.table.states().await, ["valid"]);
        assert!(!setup.verify(EXPIRES).await);
    }

    /// A watcher calls the queue three times for a poison message, too: receive, send, delete.
    #[tokio::test]
    async fn interrupted_poisoning_loses_no_message() {
        for moment in (0..3).flat_map(|call| [FailFrom::Before(call), FailFrom::After(call)]) {
            let setup = Setup::new().await;
            setup.queue.add("hello");
            setup.queue.fail_from(moment);
            setup.watch(NOW).await;
            setup.queue.recover();
            setup.watch(REDELIVERY).await;
            let notes = setup.poison();
            // A message that was not deleted yet goes to the poison queue again.
            assert!((1..=2).contains(&notes.len()), "{moment:?}");
            assert!(notes.iter().all(|note| note["text"] == "hello"), "{moment:?}");
            assert!(setup.queue.texts().is_empty(), "{moment:?}");
        }
    }

    #[tokio::test]
    async fn code_for_more_than_a_day_is_refused() {
        let setup = Setup::new().await;
        setup.queue.add(&message("activate", "2026-08-02T12:00:01Z"));
        setup.watch(NOW).await;
        assert_eq!(setup.poison()[0]["why"], "its code would be valid for more than a day");
        assert!(setup.table.states().await.is_empty());
    }

    #[tokio::test]
    async fn messages_that_are_begun_too_late_are_left() {
        let setup = Setup::new().await;
        let other = CodeHasher::new(b"key").hash(None, "another");
        setup.queue.add(&activate());
        setup.queue.add(&activate().replace(code().as_str(), other.as_str()));
        // Both are received at once, and the first one takes all of the time that they are hidden for.
        setup.queue.slow_down(VISIBILITY_TIMEOUT);
        setup.queue.set_time(NOW);
        assert_eq!(setup.watcher.poll().await.unwrap(), 2);
        assert_eq!(setup.table.states().await, ["valid"]);
        setup.queue.slow_down(StdDuration::ZERO);
        setup.watch(REDELIVERY).await;
        assert_eq!(setup.table.states().await, ["valid", "valid"]);
        assert!(setup.poison().is_empty());
    }

    #[tokio::test]
    async fn watcher_stops_when_cancelled() {
        let setup = Setup::new().await;
        tokio::time::pause();
        let stop = CancellationToken::new();
        let (running, stopping) = (stop.clone(), async {
            tokio::time::sleep(StdDuration::from_mins(1)).await;
            stop.cancel();
        });
        tokio::join!(setup.watcher.run(&running), stopping);
        // 0.1 + 0.2 + 0.4 + 0.8 + 1.6 seconds, and then every two.
        assert!((30..=36).contains(&setup.queue.calls()), "{}", setup.queue.calls());
    }

    #[test]
    fn poison_note_fits_a_message() {
        for filling in ["\"", "가", "a"] {
            let delivery = Delivery {
                text: filling.repeat(64 * 1024 / filling.len()),
                dequeue_count: 1,
                receipt: Receipt {
                    message_id: "1b4e28ba-2fa1-4d2b-883f-0016d3cca427".to_owned(),
                    pop_receipt: String::new(),
                },
            };
            let note = poison_note(&delivery, "it is neither JSON nor the base64 of JSON");
            assert!(note.len() < 64 * 1024);
            let note: Value = serde_json::from_str(&note).unwrap();
            assert_eq!(note["is_cut"], true);
            assert!(delivery.text.starts_with(note["text"].as_str().unwrap()));
            assert!(note["text"].as_str().unwrap().len() > 24_000);
        }
    }
}
