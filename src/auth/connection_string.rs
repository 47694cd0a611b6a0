//! Connection strings, `endpoint=https://…;accesskey=…`, and endpoints.

use super::{AzureKeyCredential, Credential};
use crate::error::invalid_argument;
use azure_core::{Result, http::Url};
use client_core::host::is_loopback;
use std::fmt;
use url::ParseError;

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
    /// Names may be in any case and order, white space around parts is dropped, one `;` may end the string, and other
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
        let credential = AzureKeyCredential::new(access_key).map_err(|_| invalid("`accesskey` is not base64"))?;
        Ok(Self {
            endpoint: parse_endpoint(endpoint, &Credential::AccessKey(credential.clone()))?,
            credential,
        })
    }

    /// Returns the endpoint of the resource, with the path `/`.
    #[must_use]
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Returns the access key. Its clones share the key, so that an update reaches all of them.
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

/// Parses an endpoint, `https://<resource>.communication.azure.com` with or without trailing slashes.
///
/// An access key may be used over plain http to a loopback host, where an emulator listens: a signature does not reveal the
/// key. An Entra token would be readable, and azure_core refuses to send one.
///
/// An error never shows the text: it could be a connection string.
pub(crate) fn parse_endpoint(endpoint: &str, credential: &Credential) -> Result<Url> {
    let mut url = Url::parse(endpoint).map_err(|error| match error {
        ParseError::RelativeUrlWithoutBase => invalid_endpoint("it does not start with https://"),
        _ => invalid_endpoint("it is not a URL"),
    })?;
    match (url.scheme(), credential) {
        ("https", _) => {}
        ("http", Credential::AccessKey(_)) if is_loopback(&url) => {}
        ("http", Credential::AccessKey(_)) => {
            return Err(invalid_endpoint("it must use https; http is for loopback hosts only"));
        }
        ("http", _) => {
            return Err(invalid_endpoint(
                "it must use https, because an Entra token must not travel in plain text (with an access key, http \
                 to a loopback host is accepted)",
            ));
        }
        _ => return Err(invalid_endpoint("it does not start with https://")),
    }
    // The parser drops a user name that is empty.
    if endpoint.contains('@') {
        return Err(invalid_endpoint("it holds a user name or password"));
    }
    if url.path().bytes().any(|byte| byte != b'/') {
        return Err(invalid_endpoint("it has a path"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid_endpoint("it has a query or fragment"));
    }
    url.set_path("/");
    Ok(url)
}

fn invalid_endpoint(reason: &str) -> azure_core::Error {
    invalid_argument(format!(
        "invalid endpoint: {reason}; the resource's Keys page in the Azure portal shows it as \
         https://<resource>.communication.azure.com"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::signature::Unsigned;
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
    fn names_may_be_in_any_case_and_order() {
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
    fn an_error_names_the_part_and_shows_no_value() {
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

    fn access_key() -> Credential {
        Credential::AccessKey(AzureKeyCredential::new("a2V5").unwrap())
    }

    fn endpoint(text: &str) -> String {
        parse_endpoint(text, &access_key()).unwrap().to_string()
    }

    fn refused(endpoint: &str, credential: &Credential) -> String {
        let error = parse_endpoint(endpoint, credential).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        error.to_string()
    }

    #[test]
    fn https_is_accepted_with_or_without_slashes() {
        for text in [
            "https://contoso.communication.azure.com",
            "https://contoso.communication.azure.com/",
            "https://contoso.communication.azure.com//",
            " https://contoso.communication.azure.com/\n",
            "HTTPS://Contoso.Communication.Azure.COM",
            "https://contoso.communication.azure.com:443/",
        ] {
            assert_eq!(endpoint(text), "https://contoso.communication.azure.com/");
        }
        assert_eq!(endpoint("https://contoso:8443"), "https://contoso:8443/");
    }

    #[test]
    fn http_is_for_loopback_and_access_keys() {
        for text in [
            "http://localhost:8080/",
            "http://127.0.0.1:8080/",
            "http://127.1.2.3/",
            "http://[::1]:8080/",
        ] {
            assert_eq!(endpoint(text), text);
            assert!(refused(text, &Credential::UserToken).contains("must use https"));
        }
        for endpoint in [
            "http://contoso.communication.azure.com",
            "http://localhost.contoso.com",
            "http://127.0.0.1.contoso.com",
            "http://10.0.0.1",
            "http://[::2]",
        ] {
            assert!(
                refused(endpoint, &access_key()).contains("must use https"),
                "{endpoint}"
            );
        }
    }

    #[test]
    fn an_error_does_not_show_the_endpoint() {
        for (endpoint, reason) in [
            ("", "does not start with https://"),
            ("SECRET.communication.azure.com", "does not start with https://"),
            (
                "endpoint=https://contoso;accesskey=SECRET",
                "does not start with https://",
            ),
            ("https://", "not a URL"),
            ("https://a b", "not a URL"),
            ("contoso:443", "does not start with https://"),
            ("file:///SECRET", "does not start with https://"),
            ("wss://SECRET", "does not start with https://"),
            ("https://@contoso", "user name or password"),
            ("https://:@contoso", "user name or password"),
            ("https://SECRET@contoso", "user name or password"),
            ("https://a:SECRET@contoso", "user name or password"),
            ("https://contoso/SECRET", "has a path"),
            ("https://contoso/;accesskey=SECRET", "has a path"),
            ("https://contoso/?a=SECRET", "query or fragment"),
            ("https://contoso/?", "query or fragment"),
            ("https://contoso/#SECRET", "query or fragment"),
        ] {
            let error = refused(endpoint, &access_key());
            assert!(error.contains(reason), "{endpoint}: {error}");
        }
    }
}
