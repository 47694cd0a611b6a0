//! Every fault of a table meets every operation, on each back end that can inject it.

use crate::{
    back_ends::{BackEnd, Emulated, FakeTransport, Route, Socket},
    fault::{Effect, Fault, Script},
    recorder::client,
    redaction::assert_fit_to_show,
    request::documented_output,
    rule::Outcome,
    support::operation::Operation,
};
use azure_core::{Error, error::ErrorKind};

/// A call of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) retry_uncertain_creation: bool,
}

/// The attempts that meet a fault.
#[derive(Clone, Copy)]
pub(crate) enum Times {
    Once,
    Always,
}

/// Returns a call of each operation, and one of each creation that the caller allows to be retried.
pub(crate) fn calls() -> impl Iterator<Item = Call> {
    let call = |operation, retry_uncertain_creation| Call {
        operation,
        retry_uncertain_creation,
    };
    let creations = Operation::ALL.into_iter().filter(|operation| operation.creates_user());
    let plain = Operation::ALL.into_iter().map(move |operation| call(operation, false));
    plain.chain(creations.map(move |operation| call(operation, true)))
}

/// Returns all calls, each with a fault of its first attempt and with one of every attempt.
pub(crate) fn variations() -> Vec<(Call, Times)> {
    calls()
        .flat_map(|call| [(call, Times::Once), (call, Times::Always)])
        .collect()
}

/// Returns a call of each operation, of which every attempt meets the fault.
pub(crate) fn operations() -> Vec<(Call, Times)> {
    calls()
        .filter(|call| !call.retry_uncertain_creation)
        .map(|call| (call, Times::Always))
        .collect()
}

/// Runs the faults that a transport without a network can inject. The runtime's time must be paused.
pub(crate) async fn over_a_fake_transport(faults: &[Fault], variations: &[(Call, Times)]) {
    run(&mut FakeTransport::new(), faults, variations).await;
}

/// Runs the faults that a raw server can inject.
pub(crate) async fn over_sockets(faults: &[Fault], variations: &[(Call, Times)]) {
    run(&mut Socket::start().await, faults, variations).await;
}

/// Runs the faults that the emulator can inject.
pub(crate) async fn over_the_emulator(route: Route, faults: &[Fault], variations: &[(Call, Times)]) {
    run(&mut Emulated::start(route).await, faults, variations).await;
}

async fn run<B: BackEnd>(back_end: &mut B, faults: &[Fault], variations: &[(Call, Times)]) {
    let mut injected = 0;
    for fault in faults {
        if !back_end.supports(&fault.effect) {
            continue;
        }
        back_end.renew();
        for &(call, times) in variations {
            let script = match times {
                Times::Once => Script::once(fault),
                Times::Always => Script::always(fault),
            };
            meet(back_end, &script, call).await;
        }
        injected += 1;
    }
    assert!(injected > 0);
}

/// Runs sequences of faults, as far as a back end can inject them.
pub(crate) async fn run_scripts<B: BackEnd>(back_end: &mut B, scripts: &[Script]) {
    let mut injected = 0;
    for script in scripts {
        if !script.faults().all(|fault| back_end.supports(&fault.effect)) {
            continue;
        }
        back_end.renew();
        for call in calls() {
            meet(back_end, script, call).await;
        }
        injected += 1;
    }
    assert!(injected > 0);
}

/// Has a call meet the faults of a script, and makes another one without faults.
async fn meet<B: BackEnd>(back_end: &mut B, script: &Script, call: Call) {
    let case = &format!("{}, {call:?}", script.name());
    let operation = call.operation;
    let mut target = back_end.begin(script).await;
    target.options.retry_uncertain_creation = call.retry_uncertain_creation;
    let client = client(&target.endpoint, &target.key, target.options);

    let result = bounded::<B, _>(case, operation.call(&client, &target.subject)).await;
    let outcome = Outcome::of(back_end.sent(), &result);
    let rules = back_end.rules(script, operation);
    let expected = Outcome::documented(rules, operation, call.retry_uncertain_creation);
    assert_eq!(outcome, expected, "{case}: {result:?}");
    back_end.check(case, script, call, expected);
    match &result {
        Ok(output) if back_end.is_stateless() => assert_eq!(*output, documented_output(operation), "{case}"),
        Ok(_) => {}
        Err(error) => {
            assert_remedy(error, expected, call, case);
            assert_code(error, script, expected, case);
            assert_fit_to_show(error, &back_end.secrets(), case);
        }
    }

    back_end.clear();
    settle().await;
    let operation = if back_end.is_stateless() {
        operation
    } else {
        Operation::CreateUser
    };
    let output = bounded::<B, _>(case, operation.call(&client, &target.subject)).await;
    let output = output.unwrap_or_else(|error| panic!("afterwards: {case}: {error}"));
    if back_end.is_stateless() {
        assert_eq!(output, documented_output(operation), "afterwards: {case}");
    }
    assert_eq!(back_end.sent(), expected.attempts + 1, "afterwards: {case}");
}

/// Asserts that an error says whether a user may exist, and how such creations are retried.
fn assert_remedy(error: &Error, expected: Outcome, call: Call, case: &str) {
    let text = error.to_string();
    let is_unknown = expected.failure.is_some_and(|failure| failure.outcome_unknown);
    let says = |part| text.contains(part);
    assert_eq!(
        says("It is not known whether the service created a user"),
        is_unknown,
        "{case}: {error}"
    );
    let retries = call.retry_uncertain_creation;
    assert_eq!(
        says("with several attempts several users"),
        is_unknown && retries,
        "{case}: {error}"
    );
    assert_eq!(
        says("so the request was not sent again"),
        is_unknown && !retries,
        "{case}: {error}"
    );
}

/// Asserts that an error has the service's code if the last response was the service's, and none if it was a gateway's.
fn assert_code(error: &Error, script: &Script, expected: Outcome, case: &str) {
    let last = script.fault(expected.attempts - 1).map(|fault| &fault.effect);
    let ErrorKind::HttpResponse { error_code, .. } = error.kind() else {
        return;
    };
    match last {
        Some(Effect::Emulated { text, .. }) if text.starts_with("status=") || text.starts_with("html-body") => {
            let is_page = text.starts_with("html-body") || (text.contains("after-commit") && !text.contains("code="));
            assert_eq!(error_code.is_none(), is_page, "{case}: {error}");
        }
        _ => {}
    }
}

/// Waits for a call that must not hang.
async fn bounded<B: BackEnd, F: Future>(case: &str, call: F) -> F::Output {
    tokio::time::timeout(B::HANGS_AFTER, Box::pin(call))
        .await
        .unwrap_or_else(|_| panic!("it hangs: {case}"))
}

/// Lets the client see the state of its connections before it sends on them. If the server runs on the same thread, it has
/// closed them already.
pub(crate) async fn settle() {
    // tokio polls its sockets after every 61 tasks at the latest.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
