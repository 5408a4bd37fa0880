//! The form of what a webhook is sent, and what became of a delivery.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $type:ident, $what:literal, { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $type {
            /// As it is stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(concat!("expected ", $what).to_owned()),
                }
            }
        }
    };
}

words!(
    /// What a webhook is sent.
    WebhookForm, "`standard` or `slack`", {
        /// The event as RabbitMQ has it, in the envelope of Standard Webhooks.
        Standard = "standard",
        /// One sentence for people, as Slack, Mattermost and others take it.
        Slack = "slack",
    }
);

words!(
    /// What became of one event for one webhook.
    DeliveryState, "`waiting`, `delivered` or `dead`", {
        /// It is still to be sent, for the first time or again.
        Waiting = "waiting",
        /// The receiver has it.
        Delivered = "delivered",
        /// Nobody tries any more until it is replayed.
        Dead = "dead",
    }
);
