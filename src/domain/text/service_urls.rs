//! The URLs of a service that has several nodes: none of their passwords ever prints.
//!
//! Each is taken apart by itself, by the rules of [`ServiceUrl`]. A `,` that belongs to a password would end its URL early, so
//! a list is shown only where each of its parts is a whole URL, and where all have a login or none has.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::service_url::{ServiceUrl, UrlError};

/// URLs separated by commas, as they were set; printed with their passwords as `***`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ServiceUrls(String);

impl ServiceUrls {
    /// Wraps URLs separated by commas.
    pub fn new(urls: impl Into<String>) -> Self {
        Self(urls.into())
    }

    /// True when none was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = ServiceUrl> + '_ {
        self.0.split(',').map(str::trim).filter(|_| !self.is_empty()).map(ServiceUrl::new)
    }

    /// Checks that each URL has one of these schemes and that its parts are certain. `expected` says to people what it may
    /// begin with.
    ///
    /// # Errors
    /// [`UrlError`]; of a list, [`UrlError::List`] where a `,` may stand in a wrong place.
    pub fn check(&self, schemes: &[&str], expected: &'static str) -> Result<(), UrlError> {
        let urls: Vec<ServiceUrl> = self.iter().collect();
        let of_list = |error| match error {
            UrlError::Scheme { .. } | UrlError::Host if urls.len() > 1 => UrlError::List,
            error => error,
        };
        for url in &urls {
            url.check(schemes, expected).map_err(of_list)?;
        }
        let logins = urls.iter().filter(|url| url.has_login()).count();
        if logins == 0 || logins == urls.len() { Ok(()) } else { Err(UrlError::List) }
    }

    fn is_certain(&self) -> bool {
        self.check(ServiceUrl::SCHEMES, "").is_ok()
    }
}

impl fmt::Display for ServiceUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_certain() {
            return f.write_str("***");
        }
        let shown: Vec<String> = self.iter().map(|url| url.to_string()).collect();
        f.write_str(&shown.join(","))
    }
}

impl fmt::Debug for ServiceUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for ServiceUrls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AMQP: &[&str] = &["amqp", "amqps"];

    fn check(urls: &str) -> Result<(), UrlError> {
        ServiceUrls::new(urls).check(AMQP, "amqp://")
    }

    #[test]
    fn urls_print_without_their_passwords() {
        for (urls, shown, count) in [
            ("amqp://u:s3cret@mq", "amqp://u:***@mq", 1),
            ("amqp://u:one@mq1:1/v, amqps://u:two@mq2/v?heartbeat=3", "amqp://u:***@mq1:1/v,amqps://u:***@mq2/v", 2),
            ("amqps://mq1,amqps://mq2,amqps://[::1]", "amqps://mq1,amqps://mq2,amqps://[::1]", 3),
            ("amqp://u:a%2Cb@mq1,amqp://u:c@mq2", "amqp://u:***@mq1,amqp://u:***@mq2", 2),
            ("", "", 0),
        ] {
            let set = ServiceUrls::new(urls);
            assert_eq!((set.to_string().as_str(), set.iter().count()), (shown, count));
            assert_eq!(check(urls), Ok(()), "{urls}");
        }
    }

    #[test]
    fn a_list_whose_parts_are_not_certain_is_hidden_as_a_whole_and_refused() {
        for (urls, problem) in [
            ("amqp://u:pa,ss@mq", UrlError::List),
            ("amqp://u:12,ss@mq", UrlError::List),
            ("amqp://u:12,amqp://ss@mq", UrlError::List),
            ("amqp://mq1,mq2", UrlError::List),
            ("amqp://u:s3cret@mq1,", UrlError::List),
            (",amqp://u:s3cret@mq1", UrlError::List),
            ("amqp://u:s3cret@mq1,amqp://mq2", UrlError::List),
            ("amqp://u:s3cret@mq1,amqp://u:pa/ss@mq2", UrlError::Unescaped),
            ("amqp://u:s3cret@mq1,amqp://u:pa@ss@mq2", UrlError::Unescaped),
            ("s3cret", UrlError::Scheme { expected: "amqp://" }),
        ] {
            assert_eq!(check(urls), Err(problem), "{urls}");
            assert_eq!(ServiceUrls::new(urls).to_string(), "***", "{urls}");
        }
        assert_eq!(check("amqp://mq1,sqlite://mq2"), Err(UrlError::List));
    }

    proptest! {
        #[test]
        fn no_password_of_a_list_is_ever_shown(password in "\u{b6}[ -~\u{e9}\n]{0,24}\u{b6}", form in 0usize..5) {
            let urls = match form {
                0 => format!("amqp://user:{password}@one"),
                1 => format!("amqp://user:{password}@one,amqp://user:{password}@two"),
                2 => format!("amqp://user:1,amqp://user:{password}@two/v"),
                3 => format!("amqp://one,amqp://user:{password}@two"),
                _ => format!("amqp://user:12{password},amqp://user:34@two"),
            };
            let urls = ServiceUrls::new(urls);
            let problem = urls.check(AMQP, "amqp://").err().map(|error| format!("{error} {error:?}"));
            let json = serde_json::to_string(&urls).expect("JSON");
            let shown = format!("{urls} {urls:?} {json} {problem:?}");
            for part in password.split(|of: char| !of.is_alphanumeric()).filter(|part| part.len() > 4) {
                prop_assert!(!shown.contains(part), "{} shows {}", shown, part);
            }
            prop_assert!(!shown.contains('\u{b6}'), "{}", shown);
        }
    }
}
