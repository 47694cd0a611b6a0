//! The faults that every back end can inject, alone and in pairs.

use crate::{
    back_ends::{Emulated, FakeTransport, Route, Socket},
    fault::{Effect, Fault, Row, Script, faults},
    harness::{operations, over_a_fake_transport, over_sockets, over_the_emulator, run_scripts, variations},
    reply::{End, half, response},
    rule::Rule::{
        self, Busy, BusyTooLong, Harmless, Interrupted, NotSent, Permanent, Refused, Transient, Undocumented,
    },
    support::fake_service::BUSY,
};

/// Faults of the emulator, their consequences, and whether the service executes the request.
const EMULATED: [(&str, Rule, bool); 32] = [
    ("status=400", Refused(400), false),
    ("status=401", Refused(401), false),
    ("status=403", Refused(403), false),
    ("status=404", Refused(404), false),
    ("status=408", Transient(408), false),
    ("status=409", Refused(409), false),
    ("status=429", Busy(429), false),
    ("status=429,retry-after=0", Busy(429), false),
    ("status=429,retry-after=3600", BusyTooLong(429), false),
    ("status=500", Transient(500), false),
    ("status=500,retry-after=3600", Transient(500), false),
    ("status=501", Permanent(501), false),
    ("status=502", Transient(502), false),
    ("status=502,retry-after=3600", Transient(502), false),
    ("status=503", Busy(503), false),
    ("status=503,retry-after=0", Busy(503), false),
    ("status=503,retry-after=3600", BusyTooLong(503), false),
    ("status=504", Transient(504), false),
    ("status=599", Permanent(599), false),
    ("html-body", Transient(502), false),
    // A gateway's, after the service has executed the request.
    ("status=408,after-commit", Transient(408), true),
    ("status=500,after-commit", Transient(500), true),
    ("status=502,after-commit", Transient(502), true),
    ("status=503,after-commit", Transient(503), true),
    ("status=503,retry-after=0,after-commit", Transient(503), true),
    ("status=503,retry-after=3600,after-commit", Permanent(503), true),
    ("status=504,after-commit", Transient(504), true),
    // The limit of the rule: the service's own error says that it did not execute the request, and the client believes it.
    // If the service is wrong, a creation is retried, and a second user exists.
    ("status=503,code=ServiceUnavailable,after-commit", Busy(503), true),
    ("latency=1ms", Harmless, true),
    ("reset-before-commit", Interrupted, false),
    ("reset-after-commit", Interrupted, true),
    ("truncated-body", Interrupted, true),
];

/// Faults that the emulator does not have.
const REPLIES: [Row; 7] = [
    ("202", |_| response(202, "", ""), Undocumented(202)),
    ("408 of a gateway", |_| response(408, "", "<html>"), Transient(408)),
    (
        "503 of a gateway",
        |_| response(503, "", "<html>Service Unavailable</html>"),
        Transient(503),
    ),
    (
        "503 of a gateway with a wait",
        |_| response(503, "retry-after: 0\r\n", "{}"),
        Transient(503),
    ),
    (
        "half of the service's error",
        |_| response(503, "", &BUSY[..BUSY.len() - 1]),
        Transient(503),
    ),
    (
        "half of a success, reset",
        |request| half(request, 9).then(End::Reset),
        Interrupted,
    ),
    (
        "half of a success, closed",
        |request| half(request, 9).then(End::Close),
        Interrupted,
    ),
];

pub(crate) fn table() -> Vec<Fault> {
    let emulated = EMULATED.map(|(text, rule, executes)| Fault {
        name: text.to_owned(),
        effect: Effect::Emulated { text, executes },
        rule,
    });
    let no_connection = Fault {
        name: "no connection".to_owned(),
        effect: Effect::NoConnection,
        rule: NotSent,
    };
    let mut all = Vec::from(emulated);
    all.extend(faults(&REPLIES));
    all.push(no_connection);
    all
}

/// Faults of which every sequence of two is tested: one of each consequence after which a call is retried, and one that ends
/// it.
const PAIRED: [&str; 7] = [
    "status=401",
    "status=429",
    "status=500",
    "status=503",
    "reset-after-commit",
    "truncated-body",
    "no connection",
];

pub(crate) fn pairs() -> Vec<Script> {
    let is_paired = |fault: &Fault| PAIRED.contains(&fault.name.as_str());
    let faults: Vec<_> = table().into_iter().filter(is_paired).collect();
    assert_eq!(faults.len(), PAIRED.len());
    let mut pairs = Vec::new();
    for first in &faults {
        for second in &faults {
            if first.name != second.name {
                pairs.push(Script::two(first, second));
            }
        }
    }
    pairs
}

#[tokio::test(start_paused = true)]
async fn every_fault_over_a_fake_transport() {
    over_a_fake_transport(&table(), &variations()).await;
    run_scripts(&mut FakeTransport::new(), &pairs()).await;
}

#[tokio::test]
async fn every_fault_over_sockets() {
    over_sockets(&table(), &variations()).await;
    run_scripts(&mut Socket::start().await, &pairs()).await;
}

#[tokio::test]
async fn every_fault_over_the_emulator() {
    over_the_emulator(Route::Http, &table(), &variations()).await;
    run_scripts(&mut Emulated::start(Route::Http).await, &pairs()).await;
}

#[tokio::test]
async fn every_fault_over_the_emulator_with_tls() {
    over_the_emulator(Route::Https, &table(), &variations()).await;
}

#[tokio::test]
async fn every_fault_through_a_proxy() {
    over_the_emulator(Route::Tunnel, &table(), &operations()).await;
}
