//! `get-ethernet-switching-table-information`: the MACs that a switch has learned. The root element tells the dialect.

use super::guarding;
use crate::sim::config::in_force::in_force;
use crate::sim::config::tree::Node;
use crate::sim::device::commit_check::SimBinding;
use crate::sim::switch::Switch;
use crate::sim::xml::escape;

pub(crate) fn switching_table(switch: &Switch, summary: bool) -> String {
    let (release, els) = (switch.model.namespace_release(), switch.model.els);
    let committed = in_force(&switch.device().committed);
    let learned = guarding::learned(switch, &committed);
    match (els, summary) {
        (true, true) => macdb(release, &els_summary(learned.len())),
        (true, false) => macdb(release, &entries(&learned, &committed, els_entry)),
        (false, true) => table(release, "summary", &summary_entry(learned.len())),
        (false, false) => table(release, "extensive", &entries(&learned, &committed, entry)),
    }
}

fn entries(learned: &[(SimBinding, bool)], tree: &Node, entry: fn(&SimBinding, bool, &str) -> String) -> String {
    learned.iter().map(|(binding, kept)| entry(binding, *kept, &vlan_id(tree, &binding.vlan))).collect()
}

fn vlan_id(tree: &Node, vlan: &str) -> String {
    let id = tree.find(&["vlans", vlan]).and_then(|vlan| vlan.child("vlan-id")).and_then(|id| id.value());
    id.map_or_else(|| "0".to_owned(), |id| id.to_string())
}

fn table(release: &str, style: &str, entries: &str) -> String {
    format!(
        "<ethernet-switching-table-information xmlns=\"http://xml.juniper.net/junos/{release}/junos-esw\" junos:style=\"{style}\">\n<ethernet-switching-table junos:style=\"{style}\">\n{entries}</ethernet-switching-table>\n</ethernet-switching-table-information>\n"
    )
}

fn summary_entry(count: usize) -> String {
    format!(
        "<mac-table-entry junos:style=\"summary\">\n<mac-table-total-count>{count}</mac-table-total-count>\n</mac-table-entry>\n"
    )
}

fn entry(binding: &SimBinding, kept: bool, vlan_id: &str) -> String {
    format!(
        "<mac-table-entry junos:style=\"extensive\">\n<mac-vlan>{}</mac-vlan>\n<mac-vlan-tag>{vlan_id}</mac-vlan-tag>\n<mac-address>{}</mac-address>\n<mac-interface>{}</mac-interface>\n<mac-type>{}</mac-type>\n</mac-table-entry>\n",
        escape(&binding.vlan),
        escape(&binding.mac),
        escape(&binding.interface),
        if kept { "Persistent" } else { "Learn" },
    )
}

fn macdb(release: &str, inner: &str) -> String {
    format!(
        "<l2ng-l2ald-rtb-macdb xmlns=\"http://xml.juniper.net/junos/{release}/junos-l2al\">\n{inner}</l2ng-l2ald-rtb-macdb>\n"
    )
}

fn els_summary(count: usize) -> String {
    format!(
        "<l2ng-l2ald-ethernet-switching-table-summary>\n<l2ng-l2-total-mac-count>{count}</l2ng-l2-total-mac-count>\n<l2ng-l2-total-smac-count>0</l2ng-l2-total-smac-count>\n</l2ng-l2ald-ethernet-switching-table-summary>\n"
    )
}

fn els_entry(binding: &SimBinding, kept: bool, vlan_id: &str) -> String {
    format!(
        "<l2ng-l2ald-mac-entry-vlan junos:style=\"extensive-vlan\">\n<l2ng-l2-mac-vlan-name>{}</l2ng-l2-mac-vlan-name>\n<l2ng-l2-vlan-id>{vlan_id}</l2ng-l2-vlan-id>\n<l2ng-l2-mac-address>{}</l2ng-l2-mac-address>\n<l2ng-l2-mac-logical-interface>{}</l2ng-l2-mac-logical-interface>\n<l2ng-l2-mac-flags>{}</l2ng-l2-mac-flags>\n</l2ng-l2ald-mac-entry-vlan>\n",
        escape(&binding.vlan),
        escape(&binding.mac),
        escape(&binding.interface),
        if kept { "P" } else { "D" },
    )
}
