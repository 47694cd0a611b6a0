//! Whether a user can do something about a token that was not acquired.

/// Entra ID's errors that a user can do something about: consent, sign in again, or prove who they are once more.
///
/// Source: learn.microsoft.com, "Microsoft Entra authentication and authorization error codes".
const BY_THE_USER: [u32; 26] = [
    16_000,  // InteractionRequired
    50_013,  // the assertion, which is the caller's token, is not valid
    50_055,  // InvalidPasswordExpiredPassword
    50_058,  // UserInformationNotProvided: the session is not enough
    50_072,  // UserStrongAuthEnrollmentRequiredInterrupt
    50_074,  // UserStrongAuthClientAuthNRequiredInterrupt
    50_076,  // UserStrongAuthClientAuthNRequired
    50_078,  // UserStrongAuthExpired
    50_079,  // UserStrongAuthEnrollmentRequired
    50_097,  // DeviceAuthenticationRequired
    50_125,  // PasswordResetRegistrationRequiredInterrupt
    50_132,  // SsoArtifactInvalidOrExpired
    50_133,  // SsoArtifactRevoked
    50_144,  // InvalidPasswordExpiredOnPremPassword
    50_158,  // ExternalSecurityChallenge
    50_173,  // FreshTokenNeeded
    53_000,  // DeviceNotCompliant
    53_001,  // DeviceNotDomainJoined
    53_003,  // BlockedByConditionalAccess
    53_004,  // ProofUpBlockedDueToRisk: the user has to register for multi-factor authentication
    65_001,  // DelegationDoesNotExist: no consent
    65_004,  // UserDeclinedConsent
    70_008,  // ExpiredOrRevokedGrant
    70_043,  // BadTokenDueToSignInFrequency
    500_133, // the assertion has expired
    700_082, // ExpiredOrRevokedGrantInactiveToken
];

/// How OAuth calls them.
const NAMES: [&str; 3] = ["interaction_required", "consent_required", "login_required"];

/// What Entra ID's error codes begin with.
const CODE: &str = "AADSTS";

/// Whether the text of MSAL's error says that the user has to do something.
pub(super) fn is_required(detail: &str) -> bool {
    codes(detail).any(|code| BY_THE_USER.contains(&code)) || NAMES.iter().any(|name| detail.contains(name))
}

/// The numbers of Entra ID's errors in a text.
fn codes(detail: &str) -> impl Iterator<Item = u32> {
    detail.split(CODE).skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_asked_where_they_can_help() {
        for (detail, required) in [
            (
                "AADSTS65001: The user or administrator has not consented to use the application",
                true,
            ),
            (
                "A configuration issue: see inner. AADSTS50076: Due to a configuration change",
                true,
            ),
            ("AADSTS500133: Assertion is not within its valid time range.", true),
            ("error: interaction_required", true),
            ("AADSTS7000215: Invalid client secret provided.", false),
            ("AADSTS50055: The password is expired.", true),
            ("AADSTS50078: Presented multi-factor authentication has expired", true),
            ("AADSTS53004: ProofUpBlockedDueToRisk", true),
            ("AADSTS70008: The refresh token has expired due to inactivity.", true),
            ("AADSTS700082: The refresh token has expired due to inactivity.", true),
            // It takes another application, or an administrator.
            ("AADSTS53002: The app used is not an approved app", false),
            ("AADSTS90094: Administrator consent is required.", false),
            ("AADSTS90002: Tenant 'x' not found.", false),
            ("AADSTS650010: not the code above", false),
            ("AADSTS", false),
            ("AADSTS99999999999999999999", false),
            ("65001", false),
            ("", false),
        ] {
            assert_eq!(is_required(detail), required, "{detail}");
        }
    }
}
