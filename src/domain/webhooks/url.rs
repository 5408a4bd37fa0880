//! The URL of a webhook: `http` or `https`, without a login.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

use crate::domain::WebhookForm;

/// Longest URL, characters.
const CHARS_MAX: usize = 2_000;

/// Where a webhook is sent. Its path or query may hold a token, so it is shown by [`WebhookUrl::shown`] and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

/// Why a text is not such a URL. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookUrlError {
    /// It cannot be read.
    #[error("expected a URL such as https://billing.example.com/vmacd, of at most {CHARS_MAX} characters")]
    Form,
    /// Another scheme.
    #[error("the URL must begin with https:// or http://")]
    Scheme,
    /// A user or a password.
    #[error("the URL must not hold a user or a password: the receiver recognises vmacd by the signature")]
    Login,
}

impl WebhookUrl {
    /// The whole URL, for the request alone.
    pub fn reveal(&self) -> &str {
        self.0.as_str()
    }

    /// Host and port to connect to.
    pub fn place(&self) -> (&str, u16) {
        (self.0.host_str().unwrap_or_default(), self.0.port_or_known_default().unwrap_or(443))
    }

    /// The address, where the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
            Host::Domain(_) => None,
        }
    }

    /// The URL for people. A query may hold a token, and Slack's path is one: neither is shown.
    pub fn shown(&self, form: WebhookForm) -> String {
        let origin = self.0.origin().ascii_serialization();
        let path = match form {
            WebhookForm::Standard => self.0.path(),
            WebhookForm::Slack => "/***",
        };
        let query = if self.0.query().is_some() { "?***" } else { "" };
        format!("{origin}{path}{query}")
    }
}

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;

    fn from_str(text: &str) -> Result<Self, WebhookUrlError> {
        let is_plain = text.len() <= CHARS_MAX && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        let url = Url::parse(text).ok().filter(|_| is_plain).ok_or(WebhookUrlError::Form)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(WebhookUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebhookUrlError::Login);
        }
        if !url.has_host() || url.fragment().is_some() {
            return Err(WebhookUrlError::Form);
        }
        Ok(Self(url))
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(WebhookForm::Slack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_urls_of_http_are_taken() {
        for (text, expected) in [
            ("https://hooks.example.com/a?b=c", Ok(())),
            ("http://[2001:db8::1]:8080/", Ok(())),
            ("ftp://hooks.example.com/", Err(WebhookUrlError::Scheme)),
            ("file:///etc/passwd", Err(WebhookUrlError::Scheme)),
            ("https://user@hooks.example.com/", Err(WebhookUrlError::Login)),
            ("https://:secret@hooks.example.com/", Err(WebhookUrlError::Login)),
            ("hooks.example.com", Err(WebhookUrlError::Form)),
            ("https://", Err(WebhookUrlError::Form)),
            ("https://a/ b", Err(WebhookUrlError::Form)),
            ("https://a/#b", Err(WebhookUrlError::Form)),
        ] {
            assert_eq!(text.parse::<WebhookUrl>().map(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn an_address_is_seen_however_it_is_written() {
        for text in ["http://10.0.0.8/", "http://0x0a000008/", "http://167772168/", "http://012.0.0.8/"] {
            let url: WebhookUrl = text.parse().expect("a URL");
            assert_eq!(url.ip(), Some([10, 0, 0, 8].into()), "{text}");
        }
    }

    #[test]
    fn what_may_hold_a_token_is_not_shown() {
        let url: WebhookUrl = "https://hooks.example.com:8443/services/T0/secret?token=secret".parse().expect("a URL");
        assert_eq!(url.shown(WebhookForm::Slack), "https://hooks.example.com:8443/***?***");
        assert_eq!(url.shown(WebhookForm::Standard), "https://hooks.example.com:8443/services/T0/secret?***");
        assert!(!format!("{url:?}").contains("secret"));
    }
}
