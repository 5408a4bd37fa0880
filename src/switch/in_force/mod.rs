//! Asking a switch whether bindings are in force: nothing is locked and nothing changed.

pub(in crate::switch) mod guards;
mod learned_macs;
mod port_guard;
mod security_table;

use std::collections::BTreeMap;

use crate::domain::audit::LearnedMac;
use crate::domain::evidence::{EvidenceTable, TableEntries};
use crate::domain::in_force::{AskedBinding, InForceVerdict, PortGuard, ShownTable, SwitchAnswers, verdict};
use crate::switch::client::SwitchClient;
use crate::switch::client::queries::{COMMITTED, SPELLED_OUT};
use crate::switch::dialect;
use crate::switch::error::SwitchError;
use crate::switch::netconf::Reply;
use guards::VlanGuards;
use security_table::Requests;

/// What was found out about a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForceReport {
    /// Whether it is in force.
    pub verdict: InForceVerdict,
    /// For each table that was read, whether it shows the binding.
    pub tables: BTreeMap<EvidenceTable, bool>,
}

impl SwitchClient {
    /// Whether the VLANs make use of their bindings.
    ///
    /// # Errors
    /// [`SwitchError`].
    pub async fn guards(&mut self) -> Result<Vec<VlanGuards>, SwitchError> {
        let configuration = self.configuration(COMMITTED, SPELLED_OUT, guards::FILTER).await?;
        Ok(guards::read(&configuration))
    }

    /// The MACs that it has learned on its ports.
    ///
    /// # Errors
    /// [`SwitchError`]; [`SwitchError::Refused`] where it keeps no such table or the login may not see it.
    pub async fn learned(&mut self) -> Result<Vec<LearnedMac>, SwitchError> {
        let ask = "<get-ethernet-switching-table-information><extensive/></get-ethernet-switching-table-information>";
        let reply = self.ask("tell the MACs that it has learned", ask).await?;
        Ok(learned_macs::read(&reply.root))
    }

    /// What the switch shows of these bindings, in their order: from its configuration of their ports and VLANs, the MACs that
    /// it has learned, what its IP source guard goes by, and, where that does not settle all, its tables of bindings.
    ///
    /// # Errors
    /// [`SwitchError`], other than a refusal to show a table.
    pub async fn in_force(&mut self, bindings: &[AskedBinding]) -> Result<Vec<InForceReport>, SwitchError> {
        if bindings.is_empty() {
            return Ok(Vec::new());
        }
        let configuration = self.configuration(COMMITTED, SPELLED_OUT, &port_guard::filter(bindings)).await?;
        let guards: Vec<PortGuard> = bindings.iter().map(|binding| port_guard::read(&configuration, binding)).collect();
        let present = dialect::bindings(self.dialect(), &configuration);
        let mut seen = SwitchAnswers { present, learned: self.shown_learned().await?, ..SwitchAnswers::default() };
        let requests = security_table::requests(self.dialect());
        let guarded: Vec<(&AskedBinding, &PortGuard)> = bindings.iter().zip(&guards).collect();
        self.source_guard(&requests, &guarded, &mut seen).await?;
        self.binding_tables(&requests, &guarded, &mut seen).await?;
        let found = |(binding, guard): (&AskedBinding, &PortGuard)| InForceReport {
            verdict: verdict(binding, guard, &seen),
            tables: seen.tables(binding),
        };
        Ok(guarded.into_iter().map(found).collect())
    }

    /// Asked for where it is on in a VLAN of theirs.
    async fn source_guard(
        &mut self,
        requests: &Requests,
        guarded: &[(&AskedBinding, &PortGuard)],
        seen: &mut SwitchAnswers,
    ) -> Result<(), SwitchError> {
        let is_on = |(binding, guard): &(&AskedBinding, &PortGuard)| {
            !binding.ip.ip().is_ipv6() && guard.vlan.is_some_and(|vlan| vlan.sources)
        };
        if guarded.iter().any(is_on) {
            seen.source_guard = self.table(EvidenceTable::IpSourceGuard, requests.source_guard).await?;
        }
        Ok(())
    }

    /// Asked for where the verdict may depend on them.
    async fn binding_tables(
        &mut self,
        requests: &Requests,
        guarded: &[(&AskedBinding, &PortGuard)],
        seen: &mut SwitchAnswers,
    ) -> Result<(), SwitchError> {
        let open =
            guarded.iter().filter(|(binding, guard)| !matches!(verdict(binding, guard, seen), InForceVerdict::Yes(_)));
        let (v6, v4): (Vec<&AskedBinding>, Vec<&AskedBinding>) =
            open.map(|(binding, _)| *binding).partition(|binding| binding.ip.ip().is_ipv6());
        if !v4.is_empty() {
            let (table, request) = requests.bindings;
            seen.bindings = self.table(table, request).await?;
        }
        if let Some(request) = requests.bindings_v6.filter(|_| !v6.is_empty()) {
            seen.bindings_v6 = self.table(EvidenceTable::DhcpSecurityV6, request).await?;
        }
        Ok(())
    }

    async fn table(&mut self, table: EvidenceTable, request: &str) -> Result<Option<ShownTable>, SwitchError> {
        let reply = unless_refused(self.ask("show a table of bindings", request).await)?;
        Ok(reply.map(|Reply { root, .. }| ShownTable { table, entries: TableEntries::of(security_table::read(&root)) }))
    }

    async fn shown_learned(&mut self) -> Result<Option<Vec<LearnedMac>>, SwitchError> {
        unless_refused(self.learned().await)
    }
}

/// None where the release has no such request, or the login may not see the answer.
fn unless_refused<T>(asked: Result<T, SwitchError>) -> Result<Option<T>, SwitchError> {
    match asked {
        Ok(told) => Ok(Some(told)),
        Err(SwitchError::Refused { .. } | SwitchError::PermissionDenied { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
