//! Assignments of Teams Phone extensibility, and the exchange that they permit.

use crate::{
    client,
    fake_service::{FakeService, respond, status},
    header,
};
use azure_communication_identity::{TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType};
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
async fn requests_about_assignments_are_those_of_the_specification() {
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
                format!("/access/teamsExtension/tenants/{TENANT}/assignments/{OBJECT}?api-version=2025-06-30")
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
async fn an_assignment_is_read_as_it_comes() {
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
async fn an_assignment_that_there_is_not_is_a_404() {
    let service = FakeService::new([status(StatusCode::NotFound)]);
    let error = client(&service)
        .get_teams_extension_assignment(&assignment(), None)
        .await
        .unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::NotFound));
}
