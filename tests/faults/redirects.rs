//! Redirects are responses, and never followed: a signature is for one host only.

use crate::{
    bounded,
    recorder::{Recorder, client},
    redaction::assert_fit_to_show,
    reply::response,
    request::SECRETS,
    rule::{Failure, Kind},
    support::{
        child::is_child,
        fixtures::KEY,
        http_client::http_client,
        operation::{Operation, Subject},
        raw_server::RawServer,
    },
};
use azure_communication_identity::CommunicationIdentityClientOptions;

pub(crate) const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// The targets of redirects.
pub(crate) const TARGETS: [Target; 3] = [Target::SameHost, Target::SamePath, Target::AnotherHost];

#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    SameHost,
    /// The request itself.
    SamePath,
    AnotherHost,
}

async fn run(options: impl Fn() -> CommunicationIdentityClientOptions) {
    for (status, target) in STATUSES
        .into_iter()
        .flat_map(|status| TARGETS.map(|target| (status, target)))
    {
        let other = RawServer::start(|_| async { Ok(()) }).await;
        let elsewhere = other.endpoint.clone();
        let server = RawServer::start(move |mut connection| {
            let elsewhere = elsewhere.clone();
            async move {
                while let Some(request) = connection.read_request().await? {
                    let path = request.split(' ').nth(1).unwrap_or_default();
                    let location = match target {
                        Target::SameHost => "/elsewhere".to_owned(),
                        Target::SamePath => path.to_owned(),
                        Target::AnotherHost => format!("{}{}", elsewhere.trim_end_matches('/'), path),
                    };
                    let location = format!("location: {location}\r\n");
                    connection.write(response(status, &location, "").to_bytes()).await?;
                }
                Ok(())
            }
        })
        .await;
        for operation in Operation::ALL {
            let case = &format!("{status}, {target:?}, {operation:?}");
            let before = server.requests();
            let client = client(&server.endpoint, KEY, options());
            let error = bounded(operation.call(&client, &Subject::default())).await.unwrap_err();
            let expected = Failure {
                kind: Kind::HttpResponse(status),
                // RFC 9110, section 15.4.4: a 303 can be the response to a request that was executed.
                outcome_unknown: status == 303 && operation.creates_user(),
            };
            assert_eq!(Failure::of(&error), expected, "{case}");
            assert!(
                error.to_string().contains("The service never redirects"),
                "{case}: {error}"
            );
            assert_fit_to_show(&error, &SECRETS.map(str::to_owned), case);
            assert_eq!(server.requests() - before, 1, "{case}");
            assert_eq!(other.connections(), 0, "{case}");
        }
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    run(|| Recorder::new(&http_client()).options()).await;
}

#[test]
fn the_default_transport_follows_no_redirect() {
    if is_child("redirects::the_default_transport_follows_no_redirect", &[]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime
            .unwrap()
            .block_on(run(CommunicationIdentityClientOptions::default));
    }
}
