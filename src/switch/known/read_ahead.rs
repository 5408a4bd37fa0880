//! Reads what a push needs of a switch's configuration, all of it of one version.
//!
//! One request returns the configuration in braces, for the backup; another returns bindings, ports and VLANs as XML. Under
//! the candidate's lock nobody else commits; without it the history is read before and after.

use super::{KnownConfiguration, PushBackup, Version};
use crate::switch::client::SwitchClient;
use crate::switch::client::queries::{COMMITTED, SHOW, SPELLED_OUT, configuration_in, text_request, xml_request};
use crate::switch::commits::history::{self, CommitEntry};
use crate::switch::dialect;
use crate::switch::error::SwitchError;
use crate::switch::netconf::{Message, Request, SessionError};
use crate::switch::vlans;

/// What a switch is asked for its history.
const TELL: &str = "tell its commits";

impl SwitchClient {
    /// Reads what the switch holds, without a lock. `None` if somebody commits meanwhile, or if its commit history
    /// cannot identify a version.
    ///
    /// # Errors
    /// [`SwitchError`]; [`SwitchError::NotUnderstood`] where the configuration cannot be read whole.
    pub async fn read_ahead(&mut self) -> Result<Option<KnownConfiguration>, SwitchError> {
        let asked = [self.request(history::REQUEST), self.text(), self.places(), self.request(history::REQUEST)];
        let (replies, ended) = self.exchange_all(&asked).await;
        let before = history::read(&self.reply_at(TELL, &replies, 0, ended.as_ref())?.root);
        self.read_at(Version::of(&before), &replies[1..], ended.as_ref())
    }

    /// The same for a switch that was just left at that version: none as well where it has another one by now.
    ///
    /// # Errors
    /// As [`Self::read_ahead`].
    pub async fn read_left(&mut self, version: Version) -> Result<Option<KnownConfiguration>, SwitchError> {
        let (replies, ended) = self.exchange_all(&[self.text(), self.places(), self.request(history::REQUEST)]).await;
        self.read_at(Some(version), &replies, ended.as_ref())
    }

    /// What the replies hold: text, places, and the history, which must still be of the version.
    fn read_at(
        &self,
        version: Option<Version>,
        replies: &[Message],
        ended: Option<&SessionError>,
    ) -> Result<Option<KnownConfiguration>, SwitchError> {
        let after = history::read(&self.reply_at(TELL, replies, 2, ended)?.root);
        let version = version.filter(|version| version.is(&after));
        version.map(|version| self.known(Some(version), &replies[0], &replies[1])).transpose()
    }

    /// Reads what the switch holds, under our lock; `history` was read under it too.
    pub(in crate::switch) async fn read_locked(
        &mut self,
        history: &[CommitEntry],
    ) -> Result<KnownConfiguration, SwitchError> {
        let (replies, ended) = self.exchange_all(&[self.text(), self.places()]).await;
        match replies.as_slice() {
            [text, places] => self.known(Version::of(history), text, places),
            _ => Err(self.broken(SHOW, ended.as_ref())),
        }
    }

    fn request(&self, operation: &str) -> Request {
        Request::new(operation, self.rpc_timeout())
    }

    fn text(&self) -> Request {
        self.request(&text_request(COMMITTED))
    }

    fn places(&self) -> Request {
        self.request(&xml_request(COMMITTED, SPELLED_OUT, vlans::ALL_PLACES))
    }

    fn known(
        &self,
        version: Option<Version>,
        text: &Message,
        places: &Message,
    ) -> Result<KnownConfiguration, SwitchError> {
        let backup = PushBackup::Text(self.text_in(text)?);
        let configuration = configuration_in(self.accepted(SHOW, places.reply())?);
        let bindings = dialect::bindings(self.dialect(), &configuration);
        let ports = vlans::ports(&configuration, &bindings);
        let port_vlans = vlans::read(&configuration, ports.iter());
        Ok(KnownConfiguration {
            version,
            dialect: self.dialect(),
            backup,
            bindings,
            port_vlans,
            ports: ports.into_iter().collect(),
        })
    }
}
