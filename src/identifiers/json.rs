//! The JSON form of identifiers: the services' `CommunicationIdentifierModel`.

use super::{
    CommunicationCloudEnvironment, CommunicationIdentifier, CommunicationUserIdentifier, MicrosoftTeamsAppIdentifier,
    MicrosoftTeamsUserIdentifier, PhoneNumberIdentifier, TeamsExtensionUserIdentifier, TeamsExtensionUserParts,
    UnknownIdentifier,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An identifier on the wire.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Model {
    #[serde(skip_serializing)]
    kind: Option<String>,
    raw_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    communication_user: Option<CommunicationUserModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<PhoneNumberModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    microsoft_teams_user: Option<MicrosoftTeamsUserModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    microsoft_teams_app: Option<MicrosoftTeamsAppModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    teams_extension_user: Option<TeamsExtensionUserModel>,
}

#[derive(Deserialize, Serialize)]
struct CommunicationUserModel {
    id: CommunicationUserIdentifier,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhoneNumberModel {
    value: String,
    is_anonymous: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asserted_id: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct MicrosoftTeamsUserModel {
    user_id: String,
    is_anonymous: Option<bool>,
    cloud: Option<CommunicationCloudEnvironment>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct MicrosoftTeamsAppModel {
    app_id: String,
    cloud: Option<CommunicationCloudEnvironment>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct TeamsExtensionUserModel {
    user_id: String,
    tenant_id: String,
    resource_id: String,
    cloud: Option<CommunicationCloudEnvironment>,
}

impl Serialize for CommunicationIdentifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Model::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CommunicationIdentifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Model::deserialize(deserializer)?
            .into_identifier()
            .map_err(de::Error::custom)
    }
}

impl From<CommunicationIdentifier> for Model {
    fn from(identifier: CommunicationIdentifier) -> Self {
        let mut model = Self {
            raw_id: Some(identifier.raw_id().to_owned()),
            ..Self::default()
        };
        match identifier {
            CommunicationIdentifier::CommunicationUser(id) => {
                model.communication_user = Some(CommunicationUserModel { id });
            }
            CommunicationIdentifier::PhoneNumber(phone) => {
                model.phone_number = Some(PhoneNumberModel {
                    value: phone.phone_number().to_owned(),
                    is_anonymous: Some(phone.is_anonymous()),
                    asserted_id: phone.asserted_id().map(str::to_owned),
                });
            }
            CommunicationIdentifier::MicrosoftTeamsUser(user) => {
                model.microsoft_teams_user = Some(MicrosoftTeamsUserModel {
                    user_id: user.user_id().to_owned(),
                    is_anonymous: Some(user.is_anonymous()),
                    cloud: Some(user.cloud().clone()),
                });
            }
            CommunicationIdentifier::MicrosoftTeamsApp(app) => {
                model.microsoft_teams_app = Some(MicrosoftTeamsAppModel {
                    app_id: app.app_id().to_owned(),
                    cloud: Some(app.cloud().clone()),
                });
            }
            CommunicationIdentifier::TeamsExtensionUser(user) => {
                let parts = user.parts().clone();
                model.teams_extension_user = Some(TeamsExtensionUserModel {
                    user_id: parts.user_id,
                    tenant_id: parts.tenant_id,
                    resource_id: parts.resource_id,
                    cloud: Some(parts.cloud),
                });
            }
            CommunicationIdentifier::Unknown(_) => {}
        }
        model
    }
}

impl Model {
    fn into_identifier(self) -> Result<CommunicationIdentifier, &'static str> {
        let raw_id = self.raw_id;
        let with = raw_id.as_deref().unwrap_or_default();
        let objects = [
            self.communication_user
                .map(|user| ("communicationUser", user.id.into())),
            self.phone_number
                .map(|phone| ("phoneNumber", phone.into_identifier(with))),
            self.microsoft_teams_user
                .map(|user| ("microsoftTeamsUser", user.into_identifier(with))),
            self.microsoft_teams_app
                .map(|app| ("microsoftTeamsApp", app.into_identifier(with))),
            self.teams_extension_user
                .map(|user| ("teamsExtensionUser", user.into_identifier(with))),
        ];
        let mut objects = objects.into_iter().flatten();
        let object = objects.next();
        if objects.next().is_some() {
            return Err(
                "an identifier has only one of `communicationUser`, `phoneNumber`, `microsoftTeamsUser`, \
                 `microsoftTeamsApp` and `teamsExtensionUser`",
            );
        }
        match object {
            Some((kind, identifier)) if self.kind.is_none_or(|found| found == kind) => Ok(identifier),
            _ => raw_id
                .map(|raw_id| UnknownIdentifier::new(raw_id).into())
                .ok_or("an identifier of an unknown kind needs a `rawId`"),
        }
    }
}

impl PhoneNumberModel {
    fn into_identifier(self, raw_id: &str) -> CommunicationIdentifier {
        PhoneNumberIdentifier::from_parts(self.value, self.is_anonymous, self.asserted_id)
            .with_raw_id(raw_id)
            .into()
    }
}

impl MicrosoftTeamsUserModel {
    fn into_identifier(self, raw_id: &str) -> CommunicationIdentifier {
        let is_anonymous = self.is_anonymous.unwrap_or_default();
        MicrosoftTeamsUserIdentifier::from_parts(self.user_id, is_anonymous, self.cloud.unwrap_or_default())
            .with_raw_id(raw_id)
            .into()
    }
}

impl MicrosoftTeamsAppModel {
    fn into_identifier(self, raw_id: &str) -> CommunicationIdentifier {
        MicrosoftTeamsAppIdentifier::new(self.app_id, self.cloud.unwrap_or_default())
            .with_raw_id(raw_id)
            .into()
    }
}

impl TeamsExtensionUserModel {
    fn into_identifier(self, raw_id: &str) -> CommunicationIdentifier {
        let parts = TeamsExtensionUserParts {
            user_id: self.user_id,
            tenant_id: self.tenant_id,
            resource_id: self.resource_id,
            cloud: self.cloud.unwrap_or_default(),
        };
        TeamsExtensionUserIdentifier::new(parts).with_raw_id(raw_id).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(json: &Value) -> Result<CommunicationIdentifier, String> {
        CommunicationIdentifier::deserialize(json).map_err(|error| error.to_string())
    }

    /// Identifiers and their JSON form, as the JavaScript library writes it.
    fn written() -> [(&'static str, Value); 7] {
        [
            (
                "8:acs:a_b",
                json!({ "rawId": "8:acs:a_b", "communicationUser": { "id": "8:acs:a_b" } }),
            ),
            (
                "4:+14255550121",
                json!({
                    "rawId": "4:+14255550121",
                    "phoneNumber": { "value": "+14255550121", "isAnonymous": false },
                }),
            ),
            (
                "4:+14255550121_2",
                json!({
                    "rawId": "4:+14255550121_2",
                    "phoneNumber": { "value": "+14255550121_2", "isAnonymous": false, "assertedId": "2" },
                }),
            ),
            (
                "8:teamsvisitor:a",
                json!({
                    "rawId": "8:teamsvisitor:a",
                    "microsoftTeamsUser": { "userId": "a", "isAnonymous": true, "cloud": "public" },
                }),
            ),
            (
                "28:dod:a",
                json!({ "rawId": "28:dod:a", "microsoftTeamsApp": { "appId": "a", "cloud": "dod" } }),
            ),
            (
                "8:gcch-acs:r_t_u",
                json!({
                    "rawId": "8:gcch-acs:r_t_u",
                    "teamsExtensionUser": { "userId": "u", "tenantId": "t", "resourceId": "r", "cloud": "gcch" },
                }),
            ),
            ("28:a", json!({ "rawId": "28:a" })),
        ]
    }

    #[test]
    fn an_identifier_is_written_with_its_object() {
        for (raw_id, json) in written() {
            let identifier = CommunicationIdentifier::from_raw_id(raw_id);
            assert_eq!(serde_json::to_value(&identifier).unwrap(), json);
        }
    }

    #[test]
    fn written_identifiers_are_read_back() {
        for (raw_id, json) in written() {
            let identifier = read(&json).unwrap();
            assert_eq!(identifier.raw_id(), raw_id);
            assert_eq!(serde_json::to_value(&identifier).unwrap(), json);
        }
    }

    #[test]
    fn optional_properties_have_documented_defaults() {
        for (json, written) in [
            (
                json!({ "microsoftTeamsUser": { "userId": "a" } }),
                json!({
                    "rawId": "8:orgid:a",
                    "microsoftTeamsUser": { "userId": "a", "isAnonymous": false, "cloud": "public" },
                }),
            ),
            (
                json!({ "microsoftTeamsApp": { "appId": "a" }, "rawId": "", "phoneNumber": null }),
                json!({ "rawId": "28:orgid:a", "microsoftTeamsApp": { "appId": "a", "cloud": "public" } }),
            ),
            (
                json!({ "teamsExtensionUser": { "userId": "u", "tenantId": "t", "resourceId": "r", "cloud": null } }),
                json!({
                    "rawId": "8:acs:r_t_u",
                    "teamsExtensionUser": { "userId": "u", "tenantId": "t", "resourceId": "r", "cloud": "public" },
                }),
            ),
            (
                json!({ "phoneNumber": { "value": "+1" } }),
                json!({ "rawId": "4:+1", "phoneNumber": { "value": "+1", "isAnonymous": false } }),
            ),
            (
                json!({ "communicationUser": { "id": "8:acs:a_b" } }),
                json!({ "rawId": "8:acs:a_b", "communicationUser": { "id": "8:acs:a_b" } }),
            ),
        ] {
            let identifier = read(&json).unwrap();
            assert_eq!(serde_json::to_value(&identifier).unwrap(), written);
        }
    }

    #[test]
    fn the_properties_of_a_service_are_kept() {
        for json in [
            json!({
                "rawId": "4:withheld",
                "phoneNumber": { "value": "anonymous", "isAnonymous": true, "assertedId": "7" },
            }),
            json!({
                "rawId": "8:orgid:legacyFormat",
                "microsoftTeamsUser": { "userId": "a", "isAnonymous": true, "cloud": "moon" },
            }),
            json!({ "rawId": "28:legacyFormat", "microsoftTeamsApp": { "appId": "a", "cloud": "public" } }),
            json!({
                "rawId": "8:acs:resource_tenant_user",
                "teamsExtensionUser": { "userId": "u", "tenantId": "t", "resourceId": "r", "cloud": "dod" },
            }),
        ] {
            let identifier = read(&json).unwrap();
            assert_eq!(identifier.raw_id(), json["rawId"]);
            assert_eq!(serde_json::to_value(&identifier).unwrap(), json);
        }
    }

    #[test]
    fn the_kind_decides_and_others_are_ignored() {
        for (raw_id, json) in written() {
            let mut json = json;
            let object = json.as_object().unwrap().keys().find(|name| *name != "rawId").cloned();
            json["kind"] = object.unwrap_or("unknown".to_owned()).into();
            json["futureProperty"] = json!({ "a": 1 });
            let identifier = read(&json).unwrap();
            assert_eq!(
                serde_json::to_value(&identifier).unwrap(),
                serde_json::to_value(CommunicationIdentifier::from_raw_id(raw_id)).unwrap()
            );

            for kind in ["futureKind", "unknown"] {
                json["kind"] = kind.into();
                let identifier = read(&json).unwrap();
                assert!(
                    matches!(identifier, CommunicationIdentifier::Unknown(_)),
                    "{identifier:?}"
                );
                assert_eq!(identifier.raw_id(), raw_id);
            }
        }
    }

    #[test]
    fn an_error_names_missing_and_extra_objects() {
        for (json, named) in [
            (json!({}), "rawId"),
            (json!({ "kind": "phoneNumber" }), "rawId"),
            (json!({ "kind": "unknown", "phoneNumber": { "value": "+1" } }), "rawId"),
            (json!({ "rawId": "a", "communicationUser": {} }), "`id`"),
            (
                json!({ "rawId": "a", "communicationUser": { "id": ".." } }),
                "id is empty",
            ),
            (
                json!({ "rawId": "a", "phoneNumber": { "isAnonymous": true } }),
                "`value`",
            ),
            (
                json!({ "rawId": "a", "microsoftTeamsUser": { "cloud": "dod" } }),
                "`userId`",
            ),
            (json!({ "rawId": "a", "microsoftTeamsApp": {} }), "`appId`"),
            (
                json!({ "teamsExtensionUser": { "tenantId": "t", "resourceId": "r" } }),
                "`userId`",
            ),
            (
                json!({ "teamsExtensionUser": { "userId": "u", "resourceId": "r" } }),
                "`tenantId`",
            ),
            (
                json!({ "teamsExtensionUser": { "userId": "u", "tenantId": "t" } }),
                "`resourceId`",
            ),
            (
                json!({ "rawId": "a", "phoneNumber": { "value": "+1" }, "communicationUser": { "id": "a" } }),
                "only one of",
            ),
            (
                json!({
                    "kind": "microsoftTeamsApp",
                    "microsoftTeamsApp": { "appId": "a" },
                    "microsoftTeamsUser": { "userId": "a" },
                }),
                "only one of",
            ),
        ] {
            let error = read(&json).unwrap_err();
            assert!(error.contains(named), "{json}: {error}");
        }
    }
}
