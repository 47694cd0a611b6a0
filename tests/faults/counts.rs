//! How many faults are tried, as BENCHMARKS.md has it.

use crate::{
    answers, clock, connections, dropped, emulator, keep_alive, kinds,
    matrix::{operations, variations},
    redirects, silence,
    support::operation::Operation,
    unreached,
};

/// What is tried, how many faults that is, and how many calls meet them.
fn tables() -> [(&'static str, usize, usize); 16] {
    let (each, all, operations) = (variations().len(), Operation::ALL.len(), operations().len());
    let statuses = answers::STATUSES.len();
    let more_bodies = answers::BODIES.len() - 1;
    let row = |name, faults, calls_each| (name, faults, faults * calls_each);
    [
        row("statuses without a body", statuses, each),
        row("statuses with bodies of all kinds", statuses * more_bodies, operations),
        row(
            "successes without their content",
            answers::successes().len(),
            operations,
        ),
        row("bodies longer than a mebibyte", answers::long().len(), operations),
        row("waits that are asked for", answers::waits().len(), each),
        row(
            "connections that break off, answers that are not HTTP",
            connections::BROKEN.len(),
            each,
        ),
        row(
            "failures whose body breaks off",
            connections::broken_failures().len(),
            each,
        ),
        row("odd answers that are whole", connections::ODD.len(), each),
        row("answers that were not asked for", keep_alive::EXTRA.len(), 2 * all),
        row("answers that do not come", silence::SILENCES.len(), all),
        row("servers that are not reached", unreached::OBSTACLES.len(), all),
        row(
            "redirects",
            redirects::STATUSES.len() * redirects::TARGETS.len(),
            2 * all,
        ),
        row(
            "faults of the emulator, over http and https",
            emulator::FAULTS.len() * emulator::SCHEMES.len(),
            each,
        ),
        row("clocks ten minutes off", clock::OFFSETS.len(), 2 * all),
        row("refusals with a date far off", clock::FAR_OFF.len(), 2 * all),
        row("errors of a caller's policy or transport", kinds::errors().len(), all),
    ]
}

#[test]
fn the_table_of_the_documentation_is_right() {
    let text = include_str!("../../BENCHMARKS.md");
    let (mut faults, mut calls) = (0, 0);
    for (name, its_faults, its_calls) in tables() {
        faults += its_faults;
        calls += its_calls;
        assert_told(text, &format!("| {name} | {its_faults} | {its_calls} |"));
    }
    assert_told(text, &format!("| in all | {faults} | {calls} |"));
    let points = dropped::SITUATIONS.len() * dropped::CONNECTIONS.len() * Operation::ALL.len();
    assert_told(text, &format!("in {points} situations"));
}

fn assert_told(text: &str, line: &str) {
    assert!(text.contains(line), "BENCHMARKS.md lacks: {line}");
}
