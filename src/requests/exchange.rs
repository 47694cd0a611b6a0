//! Requests that exchange an Entra token for one of Communication Services.

use super::Service;
use crate::models::TeamsUserTokenRequest;
use azure_core::{
    Result,
    http::{Method, Request},
};
use serde::Serialize;

/// `POST /teamsUser/:exchangeAccessToken`
pub(crate) fn exchange_teams_user_token(service: &Service, teams_user: &TeamsUserTokenRequest) -> Result<Request> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        token: &'a str,
        app_id: &'a str,
        user_id: &'a str,
    }

    let body = Body {
        token: teams_user.token.secret(),
        app_id: &teams_user.client_id,
        user_id: &teams_user.user_object_id,
    };
    service.request_with_json(Method::Post, "/teamsUser/:exchangeAccessToken", &body)
}

/// `POST /access/entra/:exchangeAccessToken`, which the Entra token itself authenticates.
pub(crate) fn exchange_entra_token(service: &Service) -> Result<Request> {
    exchange_own_token(service, "/access/entra/:exchangeAccessToken")
}

/// `POST /access/teamsExtension/:exchangeAccessToken`, which the Entra token itself authenticates.
pub(crate) fn exchange_teams_extension_token(service: &Service) -> Result<Request> {
    exchange_own_token(service, "/access/teamsExtension/:exchangeAccessToken")
}

fn exchange_own_token(service: &Service, path: &str) -> Result<Request> {
    #[derive(Serialize)]
    struct Body {}

    service.request_with_json(Method::Post, path, &Body {})
}
