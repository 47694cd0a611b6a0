//! Assignments of Teams Phone extensibility, and the exchange that they permit.

use crate::{
    client, header,
    support::{
        fake_service::{FakeService, respond, status},
        fixtures::API_VERSION,
    },
};
use azure_communication_identity::{
    CommunicationIdentifier, CommunicationIdentityClient, CommunicationIdentityClientOptions,
    TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType,
};
use azure_core::{
    Bytes,
    error::ErrorKind,
    http::{Method, StatusCode},
};

// From the specification's examples.
const TENANT: &str = "c70d068c-2f32-484d-9455-73070cd5aadd";
const OBJECT: &str = "b27b64b9-39d2-44a3-869d-67700b74e805";
const RESOURCE_ACCOUNT: &str = r#"{
    "objectId": "b27b64b9-39d2-44a3-869d-67700b74e805",
    "tenantId": "c70d068c-2f32-484d-9455-73070cd5aadd",
    "principalType": "resourceAccount"
}"#;

fn assignment() -> TeamsExtensionAssignmentId {
    TeamsExtensionAssignmentId {
        tenant_id: TENANT.parse().unwrap(),
        object_id: OBJECT.parse().unwrap(),
    }
}

#[tokio::test]
async fn assignment_requests_match_the_specification() {
    let service = FakeService::new([
        respond(StatusCode::Created, &[], RESOURCE_ACCOUNT),
        respond(StatusCode::Ok, &[], RESOURCE_ACCOUNT),
        respond(StatusCode::Ok, &[], RESOURCE_ACCOUNT),
        status(StatusCode::NoContent),
    ]);
    let client = client(&service);
    let account = TeamsExtensionPrincipal {
        principal_type: TeamsExtensionPrincipalType::ResourceAccount,
        client_ids: Vec::new(),
    };
    let user = TeamsExtensionPrincipal {
        principal_type: TeamsExtensionPrincipalType::User,
        client_ids: vec!["07474a86-625a-452f-977b-db4e13f21260".to_owned()],
    };
    for principal in [&account, &user] {
        let response = client
            .create_or_replace_teams_extension_assignment(&assignment(), principal, None)
            .await
            .unwrap();
        assert_eq!(response.into_model().unwrap().principal, account);
    }
    let found = client
        .get_teams_extension_assignment(&assignment(), None)
        .await
        .unwrap();
    assert_eq!(found.into_model().unwrap().id, assignment());
    client
        .delete_teams_extension_assignment(&assignment(), None)
        .await
        .unwrap();

    let sent: Vec<_> = service
        .requests()
        .iter()
        .map(|request| {
            assert_eq!(
                request.path_and_query(),
                format!("/access/teamsExtension/tenants/{TENANT}/assignments/{OBJECT}?api-version={API_VERSION}")
            );
            assert!(header(request, "authorization").unwrap().starts_with("HMAC-SHA256 "));
            (
                request.method(),
                String::from_utf8(Bytes::from(request.body()).to_vec()).unwrap(),
            )
        })
        .collect();
    assert_eq!(
        sent,
        [
            (Method::Put, r#"{"principalType":"resourceAccount"}"#.to_owned()),
            (
                Method::Put,
                r#"{"principalType":"user","clientIds":["07474a86-625a-452f-977b-db4e13f21260"]}"#.to_owned()
            ),
            (Method::Get, String::new()),
            (Method::Delete, String::new()),
        ]
    );
}

#[tokio::test]
async fn an_assignment_of_any_kind_is_read() {
    for (rest, principal_type, client_ids) in [
        (
            r#""principalType":"user","clientIds":["a","b"]"#,
            TeamsExtensionPrincipalType::User,
            vec!["a".to_owned(), "b".to_owned()],
        ),
        (
            r#""principalType":"teamsResourceAccount","clientIds":null"#,
            TeamsExtensionPrincipalType::TeamsResourceAccount,
            Vec::new(),
        ),
        (
            r#""principalType":"bot","more":{}"#,
            TeamsExtensionPrincipalType::UnknownValue("bot".to_owned()),
            Vec::new(),
        ),
    ] {
        let body = format!(r#"{{"objectId":"{OBJECT}","tenantId":"{TENANT}",{rest}}}"#);
        let service = FakeService::new([respond(StatusCode::Ok, &[], body)]);
        let response = client(&service)
            .get_teams_extension_assignment(&assignment(), None)
            .await;
        let principal = response.unwrap().into_model().unwrap().principal;
        assert_eq!(
            principal,
            TeamsExtensionPrincipal {
                principal_type,
                client_ids
            }
        );
    }
    for (body, place) in [
        (r#"{"tenantId":"nowhere"}"#, "at `tenantId`"),
        (
            r#"{"tenantId":"c70d068c-2f32-484d-9455-73070cd5aadd"}"#,
            "has no `objectId`",
        ),
    ] {
        let service = FakeService::new([respond(StatusCode::Ok, &[], body)]);
        let response = client(&service)
            .get_teams_extension_assignment(&assignment(), None)
            .await;
        let error = response.unwrap().into_model().unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::DataConversion);
        assert!(error.to_string().contains(place), "{error}");
    }
}

#[tokio::test]
async fn a_missing_assignment_is_a_404() {
    let service = FakeService::new([status(StatusCode::NotFound)]);
    let error = client(&service)
        .get_teams_extension_assignment(&assignment(), None)
        .await
        .unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::NotFound));
}

#[tokio::test]
async fn the_users_own_token_authenticates_an_exchange() {
    // The response of the specification's example.
    let exchanged = r#"{
        "identity": {"id": "8:acs:2dee53b4-368b-45b4-ab52-8493fb117652_c70d068c-2f32-484d-9455-73070cd5aadd_b27b64b9-39d2-44a3-869d-67700b74e805"},
        "accessToken": {"token": "token", "expiresOn": "2025-07-10T21:39:39.3244584+00:00"}
    }"#;
    let service = FakeService::new([
        status(StatusCode::ServiceUnavailable),
        respond(StatusCode::Ok, &[], exchanged),
    ]);
    let client = client(&service);
    tokio::time::pause();
    let response = client
        .get_token_for_teams_extension_user("entra-token".into(), None)
        .await
        .unwrap();
    let exchanged = response.into_model().unwrap();
    let CommunicationIdentifier::TeamsExtensionUser(user) = exchanged.identity else {
        panic!("{:?}", exchanged.identity);
    };
    assert_eq!(
        (user.parts().tenant_id.as_str(), user.parts().user_id.as_str()),
        (TENANT, OBJECT)
    );
    assert_eq!(exchanged.access_token.token.secret(), "token");

    for request in service.requests() {
        assert_eq!(request.method(), Method::Post);
        assert_eq!(
            request.path_and_query(),
            format!("/access/teamsExtension/:exchangeAccessToken?api-version={API_VERSION}")
        );
        assert_eq!(Bytes::from(request.body()), "{}");
        assert_eq!(header(&request, "authorization").as_deref(), Some("Bearer entra-token"));
        // No signature with the client's own key.
        assert_eq!(header(&request, "x-ms-content-sha256"), None);
    }
}

#[tokio::test]
async fn an_entra_token_never_travels_in_plain_text() {
    let service = FakeService::new([]);
    let options = CommunicationIdentityClientOptions {
        client_options: service.client_options(),
        ..Default::default()
    };
    let client =
        CommunicationIdentityClient::with_connection_string("endpoint=http://localhost/;accesskey=a2V5", Some(options))
            .unwrap();
    let result = client
        .get_token_for_teams_extension_user("entra-token".into(), None)
        .await;
    let error = result.unwrap_err();
    assert!(error.to_string().contains("https"), "{error}");
    assert_eq!(service.requests().len(), 0);
}

#[tokio::test]
async fn a_refused_user_token_names_the_assignment() {
    for code in ["Denied", "InvalidAccessToken"] {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"No."}}}}"#);
        let service = FakeService::new([respond(StatusCode::Unauthorized, &[], body)]);
        let error = client(&service)
            .get_token_for_teams_extension_user("entra-token".into(), None)
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("assignment of this resource admits its user"), "{text}");
        assert!(!text.contains("access key"), "{text}");
    }
}
