//! The time that signatures carry: the machine's, put right by the service's.

use super::Clock;
use crate::{
    error::{header, message_of},
    service::{CLOCK_MARGIN_MINUTES, DATE},
};
use azure_core::{
    http::{RawResponse, StatusCode},
    time::{Duration, OffsetDateTime, parse_rfc7231},
};
use std::sync::atomic::{AtomicI64, Ordering};
use tracing::warn;

/// The furthest that a machine's clock is corrected: more than any mistaken time zone. Whoever answers in the service's
/// name cannot have requests signed for a time beyond it.
const MAX_CORRECTION: Duration = Duration::hours(24);

/// What the service's message about a refused date holds (Azure question 2224395 on learn.microsoft.com).
const REFUSED_DATE: &str = "time difference between the originating client and the server";

/// The machine's clock, and how far the service's is ahead of it.
#[derive(Debug)]
pub(crate) struct SigningClock {
    machine: Clock,
    corrects_itself: bool,
    offset_seconds: AtomicI64,
}

impl SigningClock {
    pub(crate) fn new(machine: Clock, corrects_itself: bool) -> Self {
        Self {
            machine,
            corrects_itself,
            offset_seconds: AtomicI64::new(0),
        }
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        let offset = Duration::seconds(self.offset_seconds.load(Ordering::Relaxed));
        self.machine.now().saturating_add(offset)
    }

    /// Whether an answer with this status may be one that [`correct`](Self::correct) learns from.
    pub(crate) fn may_learn_from(&self, status: StatusCode) -> bool {
        self.corrects_itself && status == StatusCode::Unauthorized
    }

    /// Follows the service's clock if an answer shows that it refused a request for its date. Returns whether it did, so
    /// that the request is worth another try.
    pub(crate) fn correct(&self, signed_date: OffsetDateTime, answer: &RawResponse) -> bool {
        let Some(service_date) = header(answer.headers(), &DATE).and_then(|date| parse_rfc7231(date).ok()) else {
            return false;
        };
        let is_far_off = (service_date - signed_date).abs() > Duration::minutes(CLOCK_MARGIN_MINUTES);
        if !is_far_off && !message_of(answer.body()).is_some_and(|message| message.contains(REFUSED_DATE)) {
            return false;
        }
        let offset = service_date - self.machine.now();
        if offset.abs() > MAX_CORRECTION {
            return false;
        }
        let offset_seconds = offset.whole_seconds();
        if self.offset_seconds.swap(offset_seconds, Ordering::Relaxed) != offset_seconds {
            warn!(
                offset_seconds,
                "the service refused the date of a request: from now on requests carry this machine's time plus the offset"
            );
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CommunicationIdentityClient, CommunicationIdentityClientOptions,
        auth::{AzureKeyCredential, MovedClock},
        fake_service::{Answer, FakeService, created, respond},
    };
    use std::sync::Arc;

    /// What the machine's clock says.
    const NOW: &str = "2026-08-01T00:00:00Z";
    const NOW_AS_A_DATE: &str = "Sat, 01 Aug 2026 00:00:00 GMT";
    const TEN_MINUTES_LATER: &str = "Sat, 01 Aug 2026 00:10:00 GMT";

    fn client(service: &Arc<FakeService>, clock: &MovedClock, correct_clock_skew: bool) -> CommunicationIdentityClient {
        let options = CommunicationIdentityClientOptions {
            client_options: service.client_options(),
            correct_clock_skew,
            ..Default::default()
        };
        CommunicationIdentityClient::build_with_key(
            "https://contoso.communication.azure.com/".parse().unwrap(),
            AzureKeyCredential::new("a2V5").unwrap(),
            &options,
            clock.clock(),
        )
        .unwrap()
    }

    fn denied(date: &'static str, message: &str) -> Answer {
        let body = format!(r#"{{"error":{{"code":"Denied","message":"{message}"}}}}"#);
        respond(StatusCode::Unauthorized, &[("date", date)], body)
    }

    fn dates(service: &FakeService) -> Vec<String> {
        let date =
            |request: &azure_core::http::Request| header(request.headers(), &"x-ms-date".into()).unwrap().to_owned();
        service.requests().iter().map(date).collect()
    }

    #[tokio::test]
    async fn a_refused_date_is_put_right_for_this_request_and_for_those_of_clones() {
        let service = FakeService::new([
            denied(TEN_MINUTES_LATER, "Denied by the resource provider."),
            created(),
            created(),
        ]);
        let clock = MovedClock::new(NOW);
        let client = client(&service, &clock, true);
        client.create_user(None).await.unwrap();
        clock.advance(Duration::minutes(1));
        client.clone().create_user(None).await.unwrap();
        assert_eq!(
            dates(&service),
            [NOW_AS_A_DATE, TEN_MINUTES_LATER, "Sat, 01 Aug 2026 00:11:00 GMT"]
        );
    }

    #[tokio::test]
    async fn a_correction_is_taken_back_when_the_machine_is_set_right() {
        let service = FakeService::new([
            denied("Fri, 31 Jul 2026 23:50:00 GMT", ""),
            created(),
            denied(TEN_MINUTES_LATER, ""),
            created(),
        ]);
        let clock = MovedClock::new(NOW);
        let client = client(&service, &clock, true);
        client.create_user(None).await.unwrap();
        clock.advance(Duration::minutes(10));
        client.create_user(None).await.unwrap();
        assert_eq!(
            dates(&service),
            [
                NOW_AS_A_DATE,
                "Fri, 31 Jul 2026 23:50:00 GMT",
                NOW_AS_A_DATE,
                TEN_MINUTES_LATER
            ]
        );
    }

    #[tokio::test]
    async fn the_services_word_is_taken_at_the_edge_of_the_margin() {
        let date = "Sat, 01 Aug 2026 00:05:00 GMT";
        let message = "The given request could not be resolved. The time difference between the originating client and \
                       the server is greater than the allowed margin of 5 minutes.";
        let service = FakeService::new([denied(date, message), created()]);
        client(&service, &MovedClock::new(NOW), true)
            .create_user(None)
            .await
            .unwrap();
        assert_eq!(dates(&service), [NOW_AS_A_DATE, date]);
    }

    #[tokio::test]
    async fn a_refusal_for_another_reason_is_not_tried_again() {
        for answer in [
            denied("Sat, 01 Aug 2026 00:05:00 GMT", "Denied by the resource provider."),
            // Further off than a clock is corrected.
            denied("Sun, 02 Aug 2026 00:00:01 GMT", ""),
            denied("Thu, 30 Jul 2026 23:59:59 GMT", ""),
            denied("yesterday", ""),
            respond(StatusCode::Unauthorized, &[], ""),
            respond(StatusCode::Forbidden, &[("date", TEN_MINUTES_LATER)], ""),
        ] {
            let service = FakeService::new([answer]);
            let client = client(&service, &MovedClock::new(NOW), true);
            client.create_user(None).await.unwrap_err();
            assert_eq!(dates(&service), [NOW_AS_A_DATE]);
        }
    }

    #[tokio::test]
    async fn a_day_is_the_most_that_a_clock_is_corrected() {
        let a_day_later = "Sun, 02 Aug 2026 00:00:00 GMT";
        let service = FakeService::new([denied(a_day_later, ""), created()]);
        client(&service, &MovedClock::new(NOW), true)
            .create_user(None)
            .await
            .unwrap();
        assert_eq!(dates(&service), [NOW_AS_A_DATE, a_day_later]);
    }

    #[tokio::test]
    async fn a_request_is_tried_again_once() {
        let service = FakeService::new([
            denied(TEN_MINUTES_LATER, ""),
            denied("Sat, 01 Aug 2026 01:00:00 GMT", ""),
        ]);
        let error = client(&service, &MovedClock::new(NOW), true)
            .create_user(None)
            .await
            .unwrap_err();
        assert_eq!(error.http_status(), Some(StatusCode::Unauthorized));
        assert_eq!(service.requests().len(), 2);
    }

    #[tokio::test]
    async fn an_option_turns_it_off() {
        let service = FakeService::new([denied(TEN_MINUTES_LATER, "")]);
        let error = client(&service, &MovedClock::new(NOW), false)
            .create_user(None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("clock is 10m behind"), "{error}");
    }
}
