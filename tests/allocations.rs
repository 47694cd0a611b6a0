//! The number of allocations of a call.

#![allow(clippy::print_stdout, reason = "prints its counts, with `--nocapture`")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../benches/support/mod.rs"]
mod support;

use allocation_counter::measure;
use support::{Caller, Server};

/// The most allocations of a call of `get_token`, over azure_core's own HTTP client. Its pipeline alone makes 132.
const LIMIT: u64 = 146;

/// A reallocation counts as an allocation. Those of the server, on another thread, do not count.
#[test]
fn a_call_makes_few_allocations() {
    let endpoint = Server::bind().unwrap().serve_in_background();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut counts = [Caller::client(&endpoint), Caller::pipeline(&endpoint)].map(|caller| {
        let mut caller = caller.unwrap();
        // The first one opens the connection.
        let mut get_token = || drop(runtime.block_on(caller.get_token()).unwrap());
        get_token();
        (0..10).map(|_| measure(&mut get_token).count_total).collect::<Vec<_>>()
    });
    println!("client: {:?}\npipeline: {:?}", counts[0], counts[1]);
    let [client, _] = &mut counts;
    client.sort_unstable();
    assert!(client[5] <= LIMIT, "{client:?}");
}
