//! The faults of the emulator, which knows what was executed.

use crate::{
    bounded,
    hidden::assert_fit_to_show,
    matrix::variations,
    rule::{
        Failure, Outcome,
        Rule::{self, Failed, FailedForGood, Harmless, Interrupted, Refused, TurnedAway, TurnedAwayForLong},
        Times,
    },
    support::{
        emulator::teams_user,
        http_client::trusting,
        operation::{Operation, Subject},
    },
    wiretap::{Wiretap, client},
};
use acs_identity_emulator::{Emulator, Fault};
use azure_core::error::ErrorKind;

/// Faults as text, the rules for them, and whether the operation runs all the same.
pub(crate) const FAULTS: [(&str, Rule, bool); 29] = [
    ("status=400", Refused(400), false),
    ("status=401", Refused(401), false),
    ("status=403", Refused(403), false),
    ("status=404", Refused(404), false),
    ("status=408", Failed(408), false),
    ("status=409", Refused(409), false),
    ("status=429", TurnedAway(429), false),
    ("status=429,retry-after=0", TurnedAway(429), false),
    ("status=429,retry-after=3600", TurnedAwayForLong(429), false),
    ("status=500", Failed(500), false),
    ("status=500,retry-after=3600", Failed(500), false),
    ("status=501", FailedForGood(501), false),
    ("status=502", Failed(502), false),
    ("status=502,retry-after=3600", Failed(502), false),
    ("status=503", TurnedAway(503), false),
    ("status=503,retry-after=0", TurnedAway(503), false),
    ("status=503,retry-after=3600", TurnedAwayForLong(503), false),
    ("status=504", Failed(504), false),
    ("status=599", FailedForGood(599), false),
    ("html-body", Failed(502), false),
    // A gateway's, after the service has executed the request.
    ("status=502,after-commit", Failed(502), true),
    ("status=503,after-commit", Failed(503), true),
    ("status=503,retry-after=0,after-commit", Failed(503), true),
    ("status=503,retry-after=3600,after-commit", FailedForGood(503), true),
    ("status=504,after-commit", Failed(504), true),
    ("latency=1ms", Harmless, true),
    ("reset-before-commit", Interrupted, false),
    ("reset-after-commit", Interrupted, true),
    ("truncated-body", Interrupted, true),
];

/// What clients connect by.
pub(crate) const SCHEMES: [&str; 2] = ["http", "https"];

/// A user who exists, and a Teams user who has signed in.
pub(crate) async fn subject(emulator: &Emulator) -> Subject {
    let http_client = trusting(&[emulator.ca_pem()]);
    let client = client(
        emulator.endpoint(),
        &emulator.access_key(),
        Wiretap::new(&http_client).options(),
    );
    Subject {
        user: client.create_user(None).await.unwrap().into_model().unwrap(),
        teams_user: teams_user(emulator).await,
    }
}

/// The rule for an operation of the emulator: an empty body is whole however much of it is cut off, and `README.md` says
/// what a deletion answers that is retried after it was executed.
fn rule(fault: &str, rule: Rule, operation: Operation) -> Rule {
    if fault == "truncated-body" && !operation.has_result() {
        return Harmless;
    }
    rule
}

/// How many users a call leaves behind.
fn users_made(outcome: Outcome, commits: bool, operation: Operation) -> usize {
    match (operation.creates_user(), commits) {
        (false, _) => 0,
        (true, true) => outcome.tries,
        (true, false) => usize::from(outcome.failure.is_none()),
    }
}

#[tokio::test]
async fn users_are_made_as_often_as_the_outcome_says() {
    let emulator = crate::support::emulator::start().await;
    let http_client = trusting(&[emulator.ca_pem()]);
    for scheme in SCHEMES {
        let endpoint = match scheme {
            "http" => emulator.endpoint(),
            _ => emulator.https_endpoint(),
        };
        for (fault, its_rule, commits) in FAULTS {
            for (operation, retry_uncertain_creation, times) in variations() {
                let case = &format!("{scheme}, {fault}, {operation:?}, {times:?}, {retry_uncertain_creation}");
                let subject = subject(&emulator).await;
                let wiretap = Wiretap::new(&http_client);
                let mut options = wiretap.options();
                options.retry_uncertain_creation = retry_uncertain_creation;
                let client = client(endpoint, &emulator.access_key(), options);
                let before = emulator.identity_count();
                let parsed: Fault = fault.parse().unwrap();
                let fault_met = match times {
                    Times::Once => parsed.times(1),
                    Times::Always => parsed,
                };
                emulator.inject(fault_met).unwrap();
                let result = bounded(operation.call(&client, &subject)).await;
                emulator.clear_faults();

                let refused = Refused(401).outcome(operation, false, times).failure;
                let mut expected = rule(fault, its_rule, operation).outcome(operation, retry_uncertain_creation, times);
                let answer_is_lost = fault.contains("after-commit");
                let is_repeated = expected.tries > 1 && times == Times::Once;
                if operation == Operation::DeleteUser && answer_is_lost && is_repeated {
                    // `IdentityNotOwned`
                    expected.failure = refused;
                }
                let outcome = Outcome {
                    tries: wiretap.sent(),
                    failure: result.as_ref().err().map(Failure::of),
                };
                assert_eq!(outcome, expected, "{case}: {result:?}");
                if let Err(error) = &result {
                    let mut secrets = wiretap.secrets();
                    secrets.extend([emulator.access_key(), subject.teams_user.token.secret().to_owned()]);
                    assert_fit_to_show(error, &secrets, case);
                    if let ErrorKind::HttpResponse { error_code, .. } = error.kind() {
                        let is_page = fault == "html-body" || fault.contains(",after-commit");
                        assert!(
                            error_code.is_none() == is_page || expected.failure == refused,
                            "{case}: {error}"
                        );
                    }
                }

                let deleted = usize::from(operation == Operation::DeleteUser && (commits || result.is_ok()));
                let made = emulator.identity_count() + deleted - before;
                assert_eq!(made, users_made(expected, commits, operation), "{case}");
                assert!(made <= 1 || retry_uncertain_creation, "{case}");
                if let Ok(Some(user)) = result.map(|gained| gained.user) {
                    assert!(emulator.identities().contains(&user.to_string()), "{case}");
                }
                bounded(client.create_user(None)).await.unwrap();
            }
        }
    }
}
