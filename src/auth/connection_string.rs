//! The connection string that the Azure portal shows: `endpoint=https://…;accesskey=…`.

use super::{AzureKeyCredential, Plaintext, parse_endpoint};
use crate::error::invalid_argument;
use azure_core::{Result, http::Url};
use std::fmt;

/// The connection string of a Communication Services resource: its endpoint and an access key.
///
/// [`CommunicationIdentityClient::with_connection_string`](crate::CommunicationIdentityClient::with_connection_string) takes
/// the text itself. This type is for other calls to the resource, with [`access_key_policy`](crate::access_key_policy).
/// `Debug` shows the endpoint and not the key.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::ConnectionString;
///
/// # fn main() -> azure_core::Result<()> {
/// let resource = ConnectionString::parse(
///     "endpoint=https://contoso.communication.azure.com/;accesskey=a2V5IG9mIHRoZSByZXNvdXJjZQ==",
/// )?;
/// assert_eq!(resource.endpoint().as_str(), "https://contoso.communication.azure.com/");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ConnectionString {
    endpoint: Url,
    credential: AzureKeyCredential,
}

impl ConnectionString {
    /// Parses a connection string.
    ///
    /// Names are read in any case and order, white space around parts is dropped, one `;` may end the string, and other
    /// names are skipped.
    ///
    /// # Arguments
    ///
    /// * `text` - `endpoint=https://<resource>.communication.azure.com/;accesskey=<key>`, as the Azure portal shows it under
    ///   *Keys*. Plain http is accepted for a loopback host, where an emulator listens.
    ///
    /// # Errors
    ///
    /// A part is missing, empty, there twice or not valid. The error names the part and never shows its value.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(invalid("it is empty"));
        }
        let text = text.strip_suffix(';').unwrap_or(text);
        let mut endpoint = None;
        let mut access_key = None;
        for part in text.split(';') {
            let Some((name, value)) = part.split_once('=') else {
                return Err(invalid("a part has no `=`"));
            };
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case("endpoint") {
                set_once(&mut endpoint, value, "endpoint")?;
            } else if name.eq_ignore_ascii_case("accesskey") {
                set_once(&mut access_key, value, "accesskey")?;
            }
        }
        let endpoint = endpoint.ok_or_else(|| invalid("`endpoint` is missing"))?;
        let access_key = access_key.ok_or_else(|| invalid("`accesskey` is missing"))?;
        Ok(Self {
            credential: AzureKeyCredential::new(access_key).map_err(|_| invalid("`accesskey` is not base64"))?,
            endpoint: parse_endpoint(endpoint, Plaintext::Loopback)?,
        })
    }

    /// The endpoint of the resource, with the path `/`.
    #[must_use]
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The access key. Its clones share the key, so that an update reaches all of them.
    #[must_use]
    pub fn credential(&self) -> &AzureKeyCredential {
        &self.credential
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionString")
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}

fn set_once<'a>(part: &mut Option<&'a str>, value: &'a str, name: &str) -> Result<()> {
    if value.is_empty() {
        return Err(invalid(&format!("`{name}` is empty")));
    }
    if part.replace(value).is_some() {
        return Err(invalid(&format!("`{name}` appears twice")));
    }
    Ok(())
}

fn invalid(reason: &str) -> azure_core::Error {
    invalid_argument(format!(
        "invalid connection string: {reason}; the resource's Keys page in the Azure portal shows it as \
         `endpoint=https://<resource>.communication.azure.com/;accesskey=<key>`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::signing::Unsigned;
    use azure_core::http::Method;

    /// The endpoint of a connection string, and the signature that its key gives a request.
    fn parse(text: &str) -> (String, String) {
        let parsed = ConnectionString::parse(text).unwrap();
        assert!(!format!("{parsed:?}").contains("a2V5"), "{parsed:?}");
        (parsed.endpoint().to_string(), authorization(parsed.credential()))
    }

    fn authorization(key: &AzureKeyCredential) -> String {
        let request = Unsigned {
            method: Method::Get,
            url: &"https://contoso".parse().unwrap(),
            date: "",
            body: b"",
        };
        key.sign(&request).authorization
    }

    #[test]
    fn names_come_in_any_case_and_order_and_white_space_is_dropped() {
        let key = AzureKeyCredential::new("a2V5cw==").unwrap();
        let expected = ("https://contoso/".to_owned(), authorization(&key));
        for text in [
            "endpoint=https://contoso;accesskey=a2V5cw==",
            "endpoint=https://contoso;accesskey=a2V5cw==;",
            "Endpoint=https://contoso;AccessKey=a2V5cw==",
            "ACCESSKEY=a2V5cw==;ENDPOINT=https://contoso",
            "  endpoint = https://contoso ; accesskey\t= a2V5cw== ; ",
            "endpoint=https://contoso;accesskey=a2V5cw==\n",
            "endpoint=https://contoso;other=x;accesskey=a2V5cw==",
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn an_error_names_the_part_and_never_shows_a_value() {
        for (text, reason) in [
            ("", "it is empty"),
            (" ", "it is empty"),
            (";", "has no `=`"),
            ("SECRET", "has no `=`"),
            ("endpoint=SECRET", "`accesskey` is missing"),
            ("accesskey=SECRET==", "`endpoint` is missing"),
            ("other=SECRET", "`endpoint` is missing"),
            ("endpoint=;accesskey=SECRET", "`endpoint` is empty"),
            ("endpoint=SECRET;accesskey= ", "`accesskey` is empty"),
            ("endpoint=SECRET;accesskey=SECRET!", "`accesskey` is not base64"),
            (
                "endpoint=SECRET;endpoint=SECRET;accesskey=SECRET",
                "`endpoint` appears twice",
            ),
            (
                "endpoint=SECRET;accesskey=SECRET;AccessKey=SECRET",
                "`accesskey` appears twice",
            ),
            ("endpoint=SECRET;accesskey=a2V5", "invalid endpoint"),
            ("endpoint=http://SECRET;accesskey=a2V5", "must use https"),
            ("endpoint=SECRET;;accesskey=SECRET", "has no `=`"),
            ("endpoint=SECRET;accesskey=SECRET;;", "has no `=`"),
            ("endpoint=SECRET;SECRET;accesskey=SECRET", "has no `=`"),
        ] {
            let error = ConnectionString::parse(text).unwrap_err();
            assert!(error.to_string().contains(reason), "{text:?}: {error}");
            assert!(error.to_string().contains("<resource>.communication.azure.com"));
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        }
    }
}
