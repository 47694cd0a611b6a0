//! The connection string that the Azure portal shows: `endpoint=https://…;accesskey=…`.

use super::AzureKeyCredential;
use crate::error::invalid_argument;
use azure_core::Result;

/// The two parts of a connection string.
pub(crate) struct ConnectionString<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) access_key: AzureKeyCredential,
}

impl<'a> ConnectionString<'a> {
    /// Takes a connection string apart.
    ///
    /// Names are read in any case and order, white space around parts is dropped, one `;` may end the string, and
    /// other names are passed over. An error names the part that is wrong and never shows its value.
    pub(crate) fn parse(text: &'a str) -> Result<Self> {
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
            endpoint,
            access_key: AzureKeyCredential::new(access_key).map_err(|_| invalid("`accesskey` is not base64"))?,
        })
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
        let parts = ConnectionString::parse(text).unwrap();
        (parts.endpoint.to_owned(), authorization(&parts.access_key))
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
        let expected = ("https://contoso".to_owned(), authorization(&key));
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
            ("endpoint=SECRET;;accesskey=SECRET", "has no `=`"),
            ("endpoint=SECRET;accesskey=SECRET;;", "has no `=`"),
            ("endpoint=SECRET;SECRET;accesskey=SECRET", "has no `=`"),
        ] {
            let error = ConnectionString::parse(text).map(drop).unwrap_err();
            assert!(error.to_string().contains(reason), "{text:?}: {error}");
            assert!(error.to_string().contains("<resource>.communication.azure.com"));
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        }
    }
}
