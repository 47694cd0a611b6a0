//! The number of faults, and of the calls that meet them.

use crate::{
    clock, connections,
    harness::{calls, operations, variations},
    keep_alive, kinds, redirects, responses, silence,
    support::operation::Operation,
    table, unreached, waits,
};

/// The least number of faults.
const FLOOR: usize = 900;

/// Prints the number of faults of each table, and the number of calls that meet them, in Markdown.
#[test]
#[allow(clippy::print_stdout, reason = "prints its counts, with `--nocapture`")]
fn the_number_of_faults() {
    let (each, all, operations) = (variations().len(), Operation::ALL.len(), operations().len());
    let statuses = responses::STATUSES.len();
    let bodies = responses::BODIES.len() - 1;
    let tables = [
        ("faults of every back end", table::table().len(), each),
        ("sequences of two of them", table::pairs().len(), calls().count()),
        ("statuses without a body", statuses, each),
        ("statuses with bodies of all kinds", statuses * bodies, operations),
        (
            "successes without their content",
            responses::successes().len(),
            operations,
        ),
        ("bodies longer than a mebibyte", responses::long().len(), operations),
        ("waits", waits::waits().len(), each),
        (
            "broken connections, malformed responses",
            connections::BROKEN.len(),
            each,
        ),
        (
            "failures whose body breaks off",
            connections::broken_failures().len(),
            each,
        ),
        ("odd responses that are whole", connections::ODD.len(), each),
        ("extra responses", keep_alive::EXTRA.len(), 2 * all),
        (
            "stalled responses",
            silence::SILENCES.len() + silence::SILENT_FAILURES.len(),
            all,
        ),
        ("unreached servers", unreached::OBSTACLES.len(), all),
        (
            "redirects",
            redirects::STATUSES.len() * redirects::TARGETS.len(),
            2 * all,
        ),
        ("clocks ten minutes off", clock::OFFSETS.len(), 2 * all),
        ("refusals with a date far off", clock::FAR_OFF.len(), 2 * all),
        ("errors of a policy or transport", kinds::errors().len(), all),
    ];
    println!("| table | faults | calls on one back end |\n| --- | --- | --- |");
    let (mut faults, mut calls) = (0, 0);
    for (name, its_faults, calls_each) in tables {
        println!("| {name} | {its_faults} | {} |", its_faults * calls_each);
        faults += its_faults;
        calls += its_faults * calls_each;
    }
    println!("| total | {faults} | {calls} |");
    assert!(faults >= FLOOR, "{faults}");
}
