//! Reading what a switch holds, as far as a push needs it: all at once, and with the version that it is of.
//!
//! One request shows the configuration in braces, for the backup; one shows in XML where bindings stand and what ports
//! and VLANs say. Under the candidate's lock nobody else commits; without it the history is asked before and after.

use super::client::SwitchClient;
use super::dialect;
use super::error::SwitchError;
use super::history::{self, CommitEntry};
use super::known::{Before, Known, Version};
use super::netconf::{Message, Request};
use super::questions::{COMMITTED, SHOW, SPELLED_OUT, configuration_in, text_request, xml_request};
use super::vlans;

impl SwitchClient {
    /// Reads what the switch holds, without a lock; none where somebody commits meanwhile, or its history does not tell
    /// one version from another.
    ///
    /// # Errors
    /// [`SwitchError`]; [`SwitchError::NotUnderstood`] where the configuration cannot be read whole.
    pub async fn read_ahead(&mut self) -> Result<Option<Known>, SwitchError> {
        let asked = [self.asks(history::REQUEST), self.text(), self.places(), self.asks(history::REQUEST)];
        let (replies, ended) = self.exchange_all(&asked).await;
        let history = |place| self.one_of("tell its commits", &replies, place, ended.as_ref());
        let (before, after) = (history::read(&history(0)?.root), history::read(&history(3)?.root));
        let version = Version::of(&before).filter(|version| version.is(&after));
        version.map(|version| self.known(Some(version), &replies[1], &replies[2])).transpose()
    }

    /// Reads what the switch holds, under our lock; `history` was told under it.
    pub(super) async fn read_locked(&mut self, history: &[CommitEntry]) -> Result<Known, SwitchError> {
        let (replies, ended) = self.exchange_all(&[self.text(), self.places()]).await;
        match replies.as_slice() {
            [text, places] => self.known(Version::of(history), text, places),
            _ => Err(self.broken(SHOW, ended.as_ref())),
        }
    }

    fn asks(&self, operation: &str) -> Request {
        Request::new(operation, self.rpc_timeout())
    }

    fn text(&self) -> Request {
        self.asks(&text_request(COMMITTED))
    }

    fn places(&self) -> Request {
        self.asks(&xml_request(COMMITTED, SPELLED_OUT, vlans::EVERYWHERE))
    }

    fn known(&self, version: Option<Version>, text: &Message, places: &Message) -> Result<Known, SwitchError> {
        let before = Before::Text(self.text_in(text)?);
        let configuration = configuration_in(self.accepted(SHOW, places.reply())?);
        let bindings = dialect::bindings(self.dialect(), &configuration);
        let ports = vlans::ports(&configuration, &bindings);
        let port_vlans = vlans::read(&configuration, ports.iter());
        Ok(Known { version, dialect: self.dialect(), before, bindings, port_vlans, ports: ports.into_iter().collect() })
    }
}
