//! Claims challenges of Conditional Access, from Entra ID or an API to the caller.

use crate::{
    fake_service::respond,
    setup::{Setup, USER, any_caller, echoing, scripted},
};
use azure_core::Uuid;
use entra_sidecar::{
    Agent, DownstreamRequest, SidecarError, SidecarErrorKind, TokenOverrides,
    models::{SidecarClientAuthorizationHeaderOptions, SidecarClientCallDownstreamApiOptions},
    web::HandlerError,
};
use fake_entra_sidecar::{ApiResponse, DownstreamApi};

/// The example of learn.microsoft.com, "Claims challenges, claims requests and client capabilities".
const CHALLENGE: &str = "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
                         error=\"insufficient_claims\", \
                         claims=\"eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiY3AxIn19fQ==\"";

/// Its claims.
const CLAIMS: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"cp1"}}}"#;

/// The challenge that the caller gets.
const HANDED_ON: &str = "Bearer error=\"insufficient_claims\", \
                         claims=\"eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiY3AxIn19fQ==\"";

/// Returns the status of a response, and its challenge.
fn response(error: &HandlerError) -> (u16, Option<String>) {
    let mut headers = error.headers().into_iter();
    let challenge = headers.find(|(name, _)| *name == "www-authenticate");
    (error.status(), challenge.map(|(_, value)| value))
}

fn handed_on() -> (u16, Option<String>) {
    (401, Some(HANDED_ON.to_owned()))
}

/// An API for which Entra ID asks for a second factor.
fn protected() -> DownstreamApi {
    DownstreamApi::new(["User.Read"]).tokens(|_| Err("AADSTS50076: Due to a configuration change".to_owned()))
}

#[tokio::test]
async fn claims_of_entra_id_are_handed_on() {
    let unlisted = DownstreamApi::new(["User.Read"]).tokens(|_| Err("AADSTS50999: PERSON".to_owned()));
    let setup = Setup::of(
        echoing()
            .api("Source", protected())
            .api("Claims", protected().challenge(CHALLENGE))
            .api("Unlisted", unlisted.challenge(CHALLENGE)),
    )
    .await;
    let get = |api| setup.client.authorization_header(api, &setup.caller, None);

    // The sidecar's source leaves the claims out.
    let error = get("Source").await.unwrap_err();
    assert_eq!(SidecarError::from_error(&error).unwrap().claims_challenge(), None);
    assert_eq!(response(&error.into()), (401, Some("Bearer".to_owned())));

    for api in ["Claims", "Unlisted"] {
        let error = get(api).await.unwrap_err();
        let failure = SidecarError::from_error(&error).unwrap();
        assert_eq!(failure.kind(), SidecarErrorKind::InteractionRequired);
        assert_eq!(failure.claims_challenge(), Some(CLAIMS));
        assert!(!format!("{error} {failure:?}").contains("acrs"), "{failure:?}");
        let error = HandlerError::from(error);
        assert_eq!((response(&error), error.code()), (handed_on(), "interaction_required"));
        assert!(
            !error.body().contains("acrs") && !format!("{error:?}").contains("acrs"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn claims_of_an_api_are_handed_on_if_the_sidecar_does() {
    let challenging = |status| {
        let response = ApiResponse::text(status, "text/plain", "PERSON").header("WWW-Authenticate", CHALLENGE);
        DownstreamApi::new(["User.Read"]).respond(move |_| response.clone())
    };
    let builder = || echoing().api("D401", challenging(401)).api("D403", challenging(403));
    let call = async |setup: &Setup, api| {
        let request = DownstreamRequest::get("me");
        let response = setup.client.call_downstream_api(api, &setup.caller, request, None);
        response.await.unwrap()
    };

    // The sidecar's source passes on no such header.
    let setup = Setup::of(builder()).await;
    let answer = call(&setup, "D401").await;
    assert_eq!(answer.claims_challenge(), None);
    assert_eq!(response(&answer.error_for_status().unwrap_err().into()), (502, None));

    let setup = Setup::of(builder().pass_on_headers()).await;
    let answer = call(&setup, "D401").await;
    assert_eq!(answer.claims_challenge().as_deref(), Some(CLAIMS));
    assert_eq!(response(&answer.error_for_status().unwrap_err().into()), handed_on());
    // A challenge has the status 401.
    let answer = call(&setup, "D403").await;
    assert_eq!(answer.claims_challenge(), None);
    assert_eq!(response(&answer.error_for_status().unwrap_err().into()), (403, None));
}

#[tokio::test]
async fn claims_of_others_than_the_caller_are_not_handed_on() {
    let answer = ApiResponse::status(401).header("www-authenticate", CHALLENGE);
    let app = || DownstreamApi::new(["a/.default"]).request_app_token();
    let refused = |api: DownstreamApi| api.tokens(|_| Err("AADSTS50076: x".to_owned())).challenge(CHALLENGE);
    let setup = Setup::of(
        echoing()
            .api("App", refused(app()))
            .api("Graph", refused(DownstreamApi::new(["User.Read"])))
            .api("D401", app().respond(move |_| answer.clone()))
            .pass_on_headers(),
    )
    .await;
    let (client, caller) = (&setup.client, &setup.caller);
    let agent = Some(Agent::UserById {
        agent_id: Uuid::parse_str("a9a8f3de-6a8d-4c52-a1c6-91f3d3ab4f10").unwrap(),
        user_id: Uuid::parse_str(USER).unwrap(),
    });
    let as_agent = SidecarClientAuthorizationHeaderOptions {
        agent: agent.clone(),
        ..Default::default()
    };
    let as_app = SidecarClientAuthorizationHeaderOptions {
        overrides: TokenOverrides {
            request_app_token: true,
            ..Default::default()
        },
        ..Default::default()
    };
    for error in [
        client.authorization_header_as_app("App", None).await.unwrap_err(),
        client
            .authorization_header("Graph", caller, Some(as_agent))
            .await
            .unwrap_err(),
        client
            .authorization_header("Graph", caller, Some(as_app))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(SidecarError::from_error(&error).unwrap().claims_challenge(), None);
        assert_ne!(response(&error.into()), handed_on());
    }

    let request = || DownstreamRequest::get("me");
    let as_agent = SidecarClientCallDownstreamApiOptions {
        agent,
        ..Default::default()
    };
    for answer in [
        client
            .call_downstream_api_as_app("D401", request(), None)
            .await
            .unwrap(),
        client
            .call_downstream_api("D401", caller, request(), Some(as_agent))
            .await
            .unwrap(),
    ] {
        // The claims can be sent to the sidecar with TokenOverrides.
        assert_eq!(answer.claims_challenge().as_deref(), Some(CLAIMS));
        assert_eq!(response(&answer.error_for_status().unwrap_err().into()), (502, None));
    }
}

#[tokio::test]
async fn only_a_401_of_the_sidecar_is_a_challenge() {
    for (status, expected) in [(401, handed_on()), (403, (502, None)), (500, (502, None))] {
        let challenge = [("www-authenticate", CHALLENGE)];
        let (_, client) = scripted((0..3).map(|_| respond(status.into(), &challenge, "")));
        let error = client
            .authorization_header("Graph", &any_caller(), None)
            .await
            .unwrap_err();
        assert_eq!(response(&error.into()), expected, "{status}");
    }
}

#[test]
fn handlers_hand_on_challenges_of_their_own_calls() {
    let error = HandlerError::from_claims_challenge(CHALLENGE).unwrap();
    assert_eq!(response(&error), handed_on());
    for other in ["", "Bearer", "Bearer error=\"invalid_token\"", "Basic realm=\"x\""] {
        assert!(HandlerError::from_claims_challenge(other).is_none(), "{other}");
    }
}
