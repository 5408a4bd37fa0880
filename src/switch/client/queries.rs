//! What a session asks a switch without changing anything.

use super::SwitchClient;
use crate::domain::plan::{Change, PortVlans, PresentBinding};
use crate::domain::{Dialect, InterfaceName, readable};
use crate::switch::commits::history::{self, CommitEntry};
use crate::switch::dialect;
use crate::switch::error::SwitchError;
use crate::switch::netconf::{Element, Message, Reply};
use crate::switch::vlans;

/// The configuration that is in force.
pub(in crate::switch) const COMMITTED: &str = "committed";
/// The one that is being edited.
const CANDIDATE: &str = "candidate";

/// Groups and interface ranges in place, each inherited element with its group's name (JNPR "get-configuration", attributes
/// `inherit` and `groups`).
pub(in crate::switch) const SPELLED_OUT: &str = "inherit=\"inherit\" groups=\"groups\"";

/// What a switch is asked when its configuration is read.
pub(in crate::switch) const SHOW: &str = "show its configuration";

/// What a switch says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SwitchFacts {
    /// Its host name.
    pub host_name: Option<String>,
    /// Its model, such as `ex3300-48t`.
    pub model: Option<String>,
    /// Its Junos release.
    pub release: Option<String>,
}

impl SwitchClient {
    /// The dialect by the root of the switching table's summary: `l2ng-...` is ELS (Juniper/py-junos-eznc,
    /// facts/ethernet_mac_table.py); where that is refused, by the hierarchy that the configuration uses.
    pub(in crate::switch) async fn find_dialect(&mut self) -> Result<Dialect, SwitchError> {
        let ask = "<get-ethernet-switching-table-information><summary/></get-ethernet-switching-table-information>";
        match self.ask("tell its dialect", ask).await {
            Ok(reply) if reply.root.find("l2ng-l2ald-rtb-macdb").is_some() => return Ok(Dialect::Els),
            Ok(reply) if reply.root.find("ethernet-switching-table-information").is_some() => {
                return Ok(Dialect::NonEls);
            }
            Err(error) if error.breaks_session() => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let configuration = self.configuration(COMMITTED, "", dialect::filter(Dialect::NonEls)).await?;
        let non_els = configuration.child("ethernet-switching-options").is_some();
        Ok(if non_els { Dialect::NonEls } else { Dialect::Els })
    }

    /// The committed configuration as text, for the backup, byte for byte; without the line that says when it was
    /// committed, so that the same configuration is the same text.
    ///
    /// # Errors
    /// [`SwitchError::NotUnderstood`] when the reply holds no configuration, or [`SwitchError`].
    pub async fn committed_text(&mut self) -> Result<Vec<u8>, SwitchError> {
        self.text_of(COMMITTED).await
    }

    /// The candidate in the same form.
    ///
    /// # Errors
    /// As [`Self::committed_text`].
    pub async fn candidate_text(&mut self) -> Result<Vec<u8>, SwitchError> {
        self.text_of(CANDIDATE).await
    }

    async fn text_of(&mut self, database: &str) -> Result<Vec<u8>, SwitchError> {
        let message = self.exchange(SHOW, text_request(database)).await?;
        self.text_in(&message)
    }

    /// The configuration in the reply to [`text_request`].
    pub(in crate::switch) fn text_in(&self, message: &Message) -> Result<Vec<u8>, SwitchError> {
        let (reply, text) = message.text("configuration-text").map_err(|error| self.broken(SHOW, Some(&error)))?;
        self.accepted(SHOW, Ok(reply))?;
        match text.map(|text| without_header(&text)).filter(|text| !text.trim_ascii().is_empty()) {
            Some(text) => Ok(text),
            None => Err(self.not_understood(SHOW, "no configuration text")),
        }
    }

    /// The bindings in the committed configuration.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn bindings(&mut self) -> Result<Vec<PresentBinding>, SwitchError> {
        self.bindings_in(COMMITTED, dialect::filter(self.dialect())).await
    }

    /// The committed bindings of the addresses that these changes are about, on their ports.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn changed_bindings(&mut self, changes: &[Change]) -> Result<Vec<PresentBinding>, SwitchError> {
        self.bindings_in(COMMITTED, &dialect::entries_filter(self.dialect(), changes)).await
    }

    /// All committed bindings on the ports that these changes are made on.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub(in crate::switch) async fn bindings_on_ports_of(
        &mut self,
        changes: &[Change],
    ) -> Result<Vec<PresentBinding>, SwitchError> {
        self.bindings_in(COMMITTED, &dialect::ports_filter(self.dialect(), changes)).await
    }

    /// The bindings in the candidate.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn candidate_bindings(&mut self) -> Result<Vec<PresentBinding>, SwitchError> {
        self.bindings_in(CANDIDATE, dialect::filter(self.dialect())).await
    }

    async fn bindings_in(&mut self, database: &str, filter: &str) -> Result<Vec<PresentBinding>, SwitchError> {
        let configuration = self.configuration(database, SPELLED_OUT, filter).await?;
        Ok(dialect::bindings(self.dialect(), &configuration))
    }

    /// What the candidate would change, in the switch's own words: what `show | compare` prints (JNPR
    /// "get-configuration", attribute `compare`). Empty when it changes nothing.
    ///
    /// # Errors
    /// [`SwitchError::NotUnderstood`] when the reply holds no difference, or [`SwitchError`].
    pub async fn difference(&mut self) -> Result<String, SwitchError> {
        let ask = "<get-configuration compare=\"rollback\" rollback=\"0\" format=\"text\"/>";
        // Some releases leave the output out when nothing changes: then the element around it is enough.
        let (what, whole) = ("compare its candidate", "configuration-information");
        let message = self.exchange(what, ask).await?;
        let (reply, output) = message.text("configuration-output").map_err(|error| self.broken(what, Some(&error)))?;
        match self.accepted(what, Ok(reply))?.root.find(whole) {
            Some(_) => Ok(readable(&output.unwrap_or_default()).trim_matches('\n').to_owned()),
            None => Err(self.not_understood(what, "no difference")),
        }
    }

    /// What these ports and the VLANs say of VLANs, with groups and interface ranges spelled out.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn port_vlans<'a>(
        &mut self,
        ports: impl Iterator<Item = &'a InterfaceName> + Clone,
    ) -> Result<PortVlans, SwitchError> {
        let configuration = self.configuration(COMMITTED, SPELLED_OUT, &vlans::filter(ports.clone())).await?;
        Ok(vlans::read(&configuration, ports))
    }

    /// A part of a configuration.
    pub(in crate::switch) async fn configuration(
        &mut self,
        database: &str,
        attributes: &str,
        filter: &str,
    ) -> Result<Element, SwitchError> {
        let reply = self.ask(SHOW, xml_request(database, attributes, filter)).await?;
        Ok(configuration_in(reply))
    }

    /// The commit history, newest first.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn history(&mut self) -> Result<Vec<CommitEntry>, SwitchError> {
        let reply = self.ask("tell its commits", history::REQUEST).await?;
        Ok(history::read(&reply.root))
    }

    /// The switch's own time, seconds since 1970; none if its reply has none.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn clock_s(&mut self) -> Result<Option<i64>, SwitchError> {
        let reply = self.ask("tell the time", "<get-system-uptime-information/>").await?;
        let time = reply.root.find("current-time").and_then(|time| time.child("date-time"));
        Ok(time.and_then(|time| time.attribute("seconds")).and_then(|seconds| seconds.parse().ok()))
    }

    /// What the switch says of itself.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn facts(&mut self) -> Result<SwitchFacts, SwitchError> {
        let reply = self.ask("tell its release", "<get-software-information/>").await?;
        let text = |name: &str| reply.root.find(name).map(|found| found.text.trim().to_owned());
        let package = reply.root.find("package-information").and_then(|package| package.text_of("comment"));
        let in_brackets = package.and_then(|text| Some(text.split_once('[')?.1.split_once(']')?.0.to_owned()));
        Ok(SwitchFacts {
            host_name: text("host-name"),
            model: text("product-model"),
            release: text("junos-version").or(in_brackets),
        })
    }
}

/// Asks for a whole configuration in braces.
pub(in crate::switch) fn text_request(database: &str) -> String {
    format!("<get-configuration database=\"{database}\" format=\"text\"/>")
}

/// Asks for a part of a configuration in XML.
pub(in crate::switch) fn xml_request(database: &str, attributes: &str, filter: &str) -> String {
    format!(
        "<get-configuration database=\"{database}\" format=\"xml\" {attributes}><configuration>{filter}</configuration></get-configuration>"
    )
}

/// The configuration in the reply to [`xml_request`]. A hierarchy that is not there may be answered with nothing at all.
pub(in crate::switch) fn configuration_in(mut reply: Reply) -> Element {
    let at = reply.root.children.iter().position(|child| child.name == "configuration");
    at.map_or_else(Element::default, |at| reply.root.children.swap_remove(at))
}

/// Junos starts with `## Last commit: ... by ...` or `## Last changed: ...`, and may say below that a confirmed commit waits. Loaded
/// again, a line with a single `#` would become an annotation.
fn without_header(text: &[u8]) -> Vec<u8> {
    const HEADER: [&[u8]; 2] = [b"## Last ", b"# commit confirmed will be rolled back"];
    let mut rest = text.trim_ascii_start();
    while HEADER.iter().any(|start| rest.starts_with(start)) {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        rest = rest[end..].trim_ascii_start();
    }
    rest.to_vec()
}

#[cfg(test)]
mod tests {
    use super::without_header;

    #[test]
    fn what_the_switch_says_above_a_configuration_is_no_part_of_it() {
        let configuration = "# core\nsystem {\n    host-name a;\n}\n";
        for header in [
            "",
            "\n## Last commit: 2026-11-29 12:00:00 UTC by admin\n",
            "## Last changed: 2026-11-29 12:00:00 UTC\n# commit confirmed will be rolled back in 4 minutes\n",
            "# commit confirmed will be rolled back in 1 minute\n## Last commit: 2026-11-29 12:00:00 UTC by admin\n\n",
        ] {
            let text = format!("{header}{configuration}");
            assert_eq!(without_header(text.as_bytes()), configuration.as_bytes(), "{header}");
        }
        assert_eq!(without_header(b"## Last commit: now"), b"");
    }
}
