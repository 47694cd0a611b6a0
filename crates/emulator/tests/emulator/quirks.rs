//! Requests of official SDKs, byte for byte.

use crate::{
    client::{Client, builder},
    signer::{self, ToSign},
    wire::{address, exchange, raw_request},
};

#[derive(Clone, Copy)]
struct Form {
    who: &'static str,
    sent_target: &'static str,
    sent_host: &'static str,
    signed_target: &'static str,
    signed_host: &'static str,
    date_header: &'static str,
    documented: bool,
}

/// `ID` stands for an identity, `H:P` for host and port.
const DOCUMENTED: Form = Form {
    who: ".NET and newer Python",
    sent_target: "/identities/8%3Aacs%3AID/:revokeAccessTokens?api-version=2023-10-01",
    sent_host: "H:P",
    signed_target: "/identities/8%3Aacs%3AID/:revokeAccessTokens?api-version=2023-10-01",
    signed_host: "H:P",
    date_header: "x-ms-date",
    documented: true,
};
const DECODED: &str = "/identities/8:acs:ID/:revokeAccessTokens?api-version=2023-10-01";
const SLASHLESS: &str = "identities/8%3Aacs%3AID/:revokeAccessTokens?api-version=2023-10-01";

const FORMS: [Form; 9] = [
    DOCUMENTED,
    Form {
        who: "asynchronous Python",
        sent_target: DECODED,
        signed_target: DECODED,
        ..DOCUMENTED
    },
    Form {
        who: "JavaScript in Node.js",
        sent_host: "H:P:P",
        signed_host: "H:P:P",
        ..DOCUMENTED
    },
    Form {
        who: "JavaScript in a browser",
        signed_host: "H:P:P",
        documented: false,
        ..DOCUMENTED
    },
    Form {
        who: "Java",
        signed_host: "H",
        documented: false,
        ..DOCUMENTED
    },
    Form {
        who: "a transport that encodes",
        signed_target: DECODED,
        documented: false,
        ..DOCUMENTED
    },
    Form {
        who: "older Python on http",
        signed_target: SLASHLESS,
        documented: false,
        ..DOCUMENTED
    },
    Form {
        who: "Python, default port typed",
        sent_host: "H",
        signed_host: "H:443",
        documented: false,
        ..DOCUMENTED
    },
    Form {
        who: "the list of 2021",
        date_header: "date",
        documented: false,
        ..DOCUMENTED
    },
];

#[tokio::test]
async fn official_sdks_are_accepted_unless_strict() {
    for strict in [false, true] {
        let emulator = builder().strict(strict).start().await.unwrap();
        let client = Client::over_http(&emulator);
        let (host, port) = address(emulator.endpoint()).split_once(':').unwrap();
        for form in FORMS {
            let id = client.create().await;
            let target = |text: &str| text.replace("ID", id.strip_prefix("8:acs:").unwrap());
            let authority = |text: &str| text.replace('H', host).replace('P', port);
            let to_sign = ToSign {
                method: "POST",
                target: &target(form.signed_target),
                host: &authority(form.signed_host),
                date: &signer::now(),
                body: b"",
            };
            let (sent_target, sent_host) = (target(form.sent_target), authority(form.sent_host));
            let request = raw_request(
                &to_sign,
                &sent_target,
                &sent_host,
                form.date_header,
                &emulator.access_key(),
            );
            let response = exchange(emulator.endpoint(), &request).await;
            let expected = if strict && !form.documented {
                "HTTP/1.1 401 "
            } else {
                "HTTP/1.1 204 "
            };
            assert!(
                response.starts_with(expected),
                "{}, strict: {strict}: {response}",
                form.who
            );
        }
    }
}

#[tokio::test]
async fn no_quirk_admits_another_host_or_path() {
    let emulator = builder().start().await.unwrap();
    let address = address(emulator.endpoint());
    let path = "/identities?api-version=2023-10-01";
    for (signed_target, signed_host) in [
        (path, "localhost"),
        (path, "127.0.0.1:1"),
        (path, "127.0.0.1:443"),
        ("//identities?api-version=2023-10-01", address),
        ("/identities?api-version=2022-10-01", address),
        ("/identities", address),
    ] {
        let to_sign = ToSign {
            method: "POST",
            target: signed_target,
            host: signed_host,
            date: &signer::now(),
            body: b"",
        };
        let request = raw_request(&to_sign, path, address, "x-ms-date", &emulator.access_key());
        let response = exchange(emulator.endpoint(), &request).await;
        assert!(
            response.starts_with("HTTP/1.1 401 "),
            "{signed_host} {signed_target}: {response}"
        );
    }
    assert_eq!(emulator.identity_count(), 0);
}
