//! Every row of a table against every operation, with a raw server in the place of the service.

use crate::{
    asked::{Asked, EXPIRES_ON, KEY, TOKEN, subject},
    bounded,
    hidden::assert_fit_to_show,
    reply::{Reply, documented},
    rule::{Failure, Outcome, Rule, Times},
    support::operation::{Gained, Operation},
    support::raw_server::RawServer,
    support::{fixtures::user, http_client::http_client},
    wiretap::{Wiretap, client},
};
use azure_communication_identity::CommunicationAccessToken;
use azure_core::time::parse_rfc3339;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A fault.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) reply: Arc<dyn Fn(&Asked) -> Reply + Send + Sync>,
    pub(crate) rule: Rule,
}

/// A row of a constant table: what it is called, what is answered, and the rule for it.
pub(crate) type Fault = (&'static str, fn(&Asked) -> Reply, Rule);

pub(crate) fn rows(table: &[Fault]) -> Vec<Row> {
    let row = |&(name, reply, rule): &Fault| Row {
        name: name.to_owned(),
        reply: Arc::new(reply),
        rule,
    };
    table.iter().map(row).collect()
}

/// The ways in which a row is tried: with each operation, as one that is met once and as one that is met at every try;
/// with creations that are retried at the caller's wish, too.
pub(crate) fn variations() -> Vec<(Operation, bool, Times)> {
    let mut variations = Vec::new();
    for operation in Operation::ALL {
        for times in [Times::Once, Times::Always] {
            variations.push((operation, false, times));
            if operation.creates_user() {
                variations.push((operation, true, times));
            }
        }
    }
    variations
}

/// The shorter way: each operation meets a row at every try.
pub(crate) fn operations() -> Vec<(Operation, bool, Times)> {
    Operation::ALL.map(|operation| (operation, false, Times::Always)).into()
}

pub(crate) async fn run(rows: Vec<Row>, variations: Vec<(Operation, bool, Times)>) {
    for row in rows {
        for &(operation, retry_uncertain_creation, times) in &variations {
            bounded(meet(&row, operation, retry_uncertain_creation, times)).await;
        }
    }
}

/// Has one operation meet one fault, and then once more without it.
async fn meet(row: &Row, operation: Operation, retry: bool, times: Times) {
    let case = &format!(
        "{}, {operation:?}, {times:?}, retry_uncertain_creation: {retry}",
        row.name
    );
    let faults_left = Arc::new(AtomicUsize::new(match times {
        Times::Once => 1,
        Times::Always => usize::MAX,
    }));
    let server = faulty_server(row.reply.clone(), faults_left.clone()).await;
    let wiretap = Wiretap::new(&http_client());
    let mut options = wiretap.options();
    options.retry_uncertain_creation = retry;
    let client = client(&server.endpoint, KEY, options);

    let result = operation.call(&client, &subject()).await;
    let outcome = Outcome {
        tries: wiretap.sent(),
        failure: result.as_ref().err().map(Failure::of),
    };
    let expected = row.rule.outcome(operation, retry, times);
    assert_eq!(outcome, expected, "{case}: {result:?}");
    assert_eq!(server.requests(), expected.tries, "{case}");
    match &result {
        Ok(gained) => assert_eq!(*gained, documented_gain(operation), "{case}"),
        Err(error) => {
            assert_fit_to_show(error, &wiretap.secrets(), case);
        }
    }

    faults_left.store(0, Ordering::SeqCst);
    settle().await;
    let gained = operation.call(&client, &subject()).await;
    assert_eq!(gained.unwrap(), documented_gain(operation), "afterwards: {case}");
    assert_eq!(wiretap.sent(), expected.tries + 1, "afterwards: {case}");
}

/// Lets the client see that a connection was closed before it sends on it. All of this runs on one thread, so the server
/// has closed it by now.
async fn settle() {
    // Tokio looks at its sockets after every 61 tasks at the latest.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// What [`Asked::documented`] answers.
pub(crate) fn documented_gain(operation: Operation) -> Gained {
    let brings_token = operation.has_result() && operation != Operation::CreateUser;
    let expires_on = parse_rfc3339(EXPIRES_ON).unwrap();
    Gained {
        user: operation.creates_user().then(user),
        token: brings_token.then(|| CommunicationAccessToken::new(TOKEN, expires_on)),
    }
}

/// A server that answers with a fault so many times, and then as documented.
async fn faulty_server(reply: Arc<dyn Fn(&Asked) -> Reply + Send + Sync>, faults_left: Arc<AtomicUsize>) -> RawServer {
    RawServer::start(move |mut connection| {
        let (reply, faults_left) = (reply.clone(), faults_left.clone());
        async move {
            while let Some(request) = connection.read_request().await? {
                let asked = Asked(request);
                let strikes = faults_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                let reply = if strikes.is_ok() {
                    reply(&asked)
                } else {
                    documented(&asked)
                };
                match reply.send(connection).await? {
                    Some(kept) => connection = kept,
                    None => return Ok(()),
                }
            }
            Ok(())
        }
    })
    .await
}
