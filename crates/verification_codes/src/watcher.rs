//! The watcher of the queue, which makes codes valid, and invalid when their time has come.
//!
//! A queue gives a message at least once, and a watcher can end at any moment. So each step can be done again without
//! harm, and a message is deleted last: what was interrupted comes again, and has the same result.

use crate::{
    cloud_error::CloudError,
    message::{Action, CodeMessage},
    poison,
    queue::{Queue, Received},
    table::CodeTable,
};
use std::{error::Error, sync::Arc, time::Duration as StdDuration};
use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;

/// How often a message is tried: whatever prevents it is not going to pass.
const MOST_TRIES: i64 = 5;

/// The longest that a code can be valid. It is more than what is allowed to those who issue codes, whose clocks may differ.
const LONGEST_LIFE: Duration = Duration::DAY;

/// How long to wait for messages where there were none: twice as long each time, from this to the longest wait.
const SHORTEST_WAIT: StdDuration = StdDuration::from_millis(100);

/// Handles the messages of a queue. Several can watch the same one.
pub(crate) struct Watcher {
    queue: Arc<dyn Queue>,
    table: CodeTable,
    longest_wait: StdDuration,
}

impl Watcher {
    /// A watcher that looks for messages at least every `longest_wait`.
    pub(crate) fn new(queue: Arc<dyn Queue>, table: CodeTable, longest_wait: StdDuration) -> Self {
        Self {
            queue,
            table,
            longest_wait,
        }
    }

    /// Watches until it is told to stop, and then finishes with the messages it has.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let mut wait = StdDuration::ZERO;
        loop {
            wait = match self.step(OffsetDateTime::now_utc()).await {
                Ok(0) => (wait * 2).max(SHORTEST_WAIT).min(self.longest_wait),
                Ok(_) => StdDuration::ZERO,
                Err(error) => {
                    tracing::warn!(%error, "the queue gives no messages");
                    self.longest_wait
                }
            };
            let waited = stop.run_until_cancelled(tokio::time::sleep(wait)).await;
            if waited.is_none() {
                return;
            }
        }
    }

    /// Handles the messages that there are now, and says how many.
    async fn step(&self, now: OffsetDateTime) -> Result<usize, CloudError> {
        let messages = self.queue.receive().await?;
        for message in &messages {
            if let Err(error) = self.handle(message, now).await {
                let message = &message.receipt.message_id;
                tracing::warn!(message, %error, "a message was not handled, and will come again");
            }
        }
        Ok(messages.len())
    }

    async fn handle(&self, received: &Received, now: OffsetDateTime) -> Result<(), Box<dyn Error + Send + Sync>> {
        match understand(received, now) {
            Ok(message) => self.carry_out(&message, now).await?,
            Err(why) => {
                let message = &received.receipt.message_id;
                tracing::warn!(message, why, "a message was set aside");
                self.queue.set_aside(poison::note(received, &why)).await?;
            }
        }
        self.queue.delete(&received.receipt).await?;
        Ok(())
    }

    async fn carry_out(&self, message: &CodeMessage, now: OffsetDateTime) -> Result<(), Box<dyn Error + Send + Sync>> {
        let CodeMessage { id, code_hash, .. } = message;
        match message.action {
            Action::Activate if message.expires_at <= now => {
                tracing::info!(%id, "a code had expired before it was made valid");
            }
            Action::Activate => {
                self.table.activate(code_hash, message.expires_at).await?;
                let expire = CodeMessage {
                    action: Action::Expire,
                    ..message.clone()
                };
                self.queue
                    .send(expire.to_text()?, until(message.expires_at, now))
                    .await?;
                tracing::info!(%id, "a code was made valid, unless it had been");
            }
            Action::Expire => {
                self.table.expire(code_hash).await?;
                self.table.forget(now).await?;
                tracing::info!(%id, "a code was made invalid, unless it was");
            }
        }
        Ok(())
    }
}

/// The message, or why it is set aside.
fn understand(received: &Received, now: OffsetDateTime) -> Result<CodeMessage, String> {
    let message = CodeMessage::parse(&received.text).map_err(|reason| reason.to_string())?;
    if received.dequeue_count > MOST_TRIES {
        return Err(format!(
            "it was received more than {MOST_TRIES} times, and never handled to the end"
        ));
    }
    if message.expires_at > now + LONGEST_LIFE {
        return Err("its code would be valid for more than a day".to_owned());
    }
    Ok(message)
}

/// The whole seconds after which a time has come.
fn until(time: OffsetDateTime, now: OffsetDateTime) -> Duration {
    let left = time - now;
    Duration::seconds(left.whole_seconds() + i64::from(left.subsec_nanoseconds() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake_queue::{FakeQueue, Moment},
        hash::{CodeHash, CodeHasher},
    };
    use serde_json::{Value, json};
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-08-01 12:00 UTC);
    const EXPIRES: OffsetDateTime = datetime!(2026-08-01 12:10 UTC);
    /// When a message that was received and not deleted is there again.
    const AGAIN: OffsetDateTime = datetime!(2026-08-01 12:00:30 UTC);

    struct Setup {
        queue: Arc<FakeQueue>,
        table: CodeTable,
        watcher: Watcher,
    }

    impl Setup {
        async fn new() -> Self {
            let queue = Arc::new(FakeQueue::default());
            let table = CodeTable::in_memory().await;
            let watcher = Watcher::new(queue.clone(), table.clone(), StdDuration::from_secs(2));
            Self { queue, table, watcher }
        }

        /// Has a watcher handle everything that there is at this time, or end before it has.
        async fn watch(&self, now: OffsetDateTime) {
            self.queue.set_time(now);
            while self.watcher.step(now).await.is_ok_and(|handled| handled > 0) {}
        }

        async fn verify(&self, now: OffsetDateTime) -> bool {
            self.table.verify(&code(), now).await.unwrap()
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
    async fn a_code_is_valid_when_the_watcher_has_seen_it_and_until_its_time_has_come() {
        let setup = Setup::new().await;
        setup.queue.put(&activate());
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
    async fn the_second_message_comes_no_earlier_than_the_code_expires() {
        let setup = Setup::new().await;
        setup.queue.put(&activate());
        setup.watch(NOW + Duration::milliseconds(1)).await;
        setup.watch(EXPIRES - Duration::milliseconds(1)).await;
        assert_eq!(setup.table.states().await, ["valid"]);
        setup.watch(EXPIRES + Duration::SECOND).await;
        assert_eq!(setup.table.states().await, ["expired"]);
    }

    #[tokio::test]
    async fn a_message_that_is_there_twice_does_what_it_does_once() {
        let setup = Setup::new().await;
        setup.queue.put(&activate());
        setup.queue.put(&activate());
        setup.watch(NOW).await;
        assert!(setup.verify(NOW).await);
        setup.queue.put(&activate());
        setup.watch(NOW).await;
        assert!(!setup.verify(NOW).await);
        setup.watch(EXPIRES).await;
        setup.queue.put(&message("expire", "2026-08-01T12:10:00Z"));
        setup.queue.put(&activate());
        setup.watch(EXPIRES).await;
        assert_eq!(setup.table.states().await, ["used"]);
        assert!(setup.queue.texts().is_empty());
    }

    #[tokio::test]
    async fn a_code_that_has_expired_before_is_never_valid() {
        let setup = Setup::new().await;
        setup.queue.put(&activate());
        setup.watch(EXPIRES).await;
        assert!(setup.table.states().await.is_empty());
        assert!(setup.queue.texts().is_empty());
    }

    /// The watcher uses the queue three times for an activation: it receives, sends, deletes. It ends at two of these
    /// moments, one after the other, and another watcher takes its place.
    #[tokio::test]
    async fn wherever_a_watcher_ends_the_result_is_the_same() {
        let moments: Vec<Moment> = (0..3)
            .flat_map(|call| [Moment::Before(call), Moment::After(call)])
            .collect();
        for first in &moments {
            for second in &moments {
                let setup = Setup::new().await;
                setup.queue.put(&activate());
                setup.queue.fail_from(*first);
                setup.watch(NOW).await;
                setup.queue.fail_from(*second);
                setup.watch(AGAIN).await;
                setup.queue.recover();
                let last = AGAIN + Duration::seconds(30);
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
    async fn a_code_that_was_used_between_two_deliveries_stays_used() {
        for moment in [Moment::Before(1), Moment::After(1), Moment::Before(2)] {
            let setup = Setup::new().await;
            setup.queue.put(&activate());
            setup.queue.fail_from(moment);
            setup.watch(NOW).await;
            setup.queue.recover();
            assert!(setup.verify(NOW).await, "{moment:?}");
            setup.watch(AGAIN).await;
            assert!(!setup.verify(AGAIN).await, "{moment:?}");
        }
    }

    #[tokio::test]
    async fn nothing_is_sent_or_deleted_before_the_table_has_it() {
        let setup = Setup::new().await;
        setup.table.destroy().await;
        setup.queue.put(&activate());
        setup.watch(NOW).await;
        assert_eq!(setup.queue.texts(), [activate()]);
    }

    #[tokio::test]
    async fn a_message_that_cannot_be_understood_is_set_aside_with_the_reason() {
        let setup = Setup::new().await;
        setup.queue.put("{'code': 'ojE-161-pTv'}");
        setup.queue.put(&activate());
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
    async fn a_message_that_is_never_handled_to_the_end_is_set_aside() {
        let setup = Setup::new().await;
        setup.queue.put(&activate());
        let mut now = NOW;
        for _ in 0..5 {
            setup.queue.fail_from(Moment::Before(1));
            setup.watch(now).await;
            assert!(setup.poison().is_empty());
            now += Duration::seconds(30);
        }
        setup.queue.recover();
        setup.watch(now).await;
        assert_eq!(setup.poison().len(), 1);
        assert_eq!(setup.poison()[0]["text"], activate());
        assert_eq!(setup.poison()[0]["dequeue_count"], 6);
        assert!(setup.queue.texts().is_empty());
    }

    #[tokio::test]
    async fn a_message_is_tried_five_times() {
        let setup = Setup::new().await;
        setup.queue.put(&activate());
        let mut now = NOW;
        for _ in 0..4 {
            setup.queue.fail_from(Moment::Before(1));
            setup.watch(now).await;
            now += Duration::seconds(30);
        }
        setup.queue.recover();
        setup.watch(now).await;
        assert!(setup.poison().is_empty());
        assert!(setup.verify(now).await);
        assert_eq!(setup.queue.texts().len(), 1);
    }

    /// The watcher uses the queue three times here too: it receives, sets aside, deletes.
    #[tokio::test]
    async fn wherever_a_watcher_ends_a_message_is_set_aside_and_not_lost() {
        for moment in (0..3).flat_map(|call| [Moment::Before(call), Moment::After(call)]) {
            let setup = Setup::new().await;
            setup.queue.put("hello");
            setup.queue.fail_from(moment);
            setup.watch(NOW).await;
            setup.queue.recover();
            setup.watch(AGAIN).await;
            let notes = setup.poison();
            // One that was not yet deleted is set aside again.
            assert!((1..=2).contains(&notes.len()), "{moment:?}");
            assert!(notes.iter().all(|note| note["text"] == "hello"), "{moment:?}");
            assert!(setup.queue.texts().is_empty(), "{moment:?}");
        }
    }

    #[tokio::test]
    async fn a_code_cannot_be_made_valid_for_long() {
        let setup = Setup::new().await;
        setup.queue.put(&message("activate", "2026-08-02T12:00:01Z"));
        setup.watch(NOW).await;
        assert_eq!(setup.poison()[0]["why"], "its code would be valid for more than a day");
        assert!(setup.table.states().await.is_empty());
    }

    #[tokio::test]
    async fn a_watcher_stops_when_it_is_told_to() {
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
}
