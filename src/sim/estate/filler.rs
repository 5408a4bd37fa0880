//! A configuration as large as that of a switch that has been in use for years: bindings of earlier customers, and a
//! firewall filter for each group of them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::base_config::{add, binding};
use super::options::Options;
use super::plan::{EXTRA_ADDRESSES, SimServer};
use crate::sim::config::print_text::print_text;
use crate::sim::config::tree::Node;
use crate::sim::device::commit_check::SimBinding;
use crate::sim::device::model::Model;

/// Terms of one filter.
const TERMS: usize = 100;

/// `tree` with as many bindings and as much text as `options` ask for.
pub(crate) fn filled(mut tree: Arc<Node>, model: &Model, servers: &[SimServer], options: &Options) -> Arc<Node> {
    if options.bindings > 0 {
        let lines: String = bindings(servers, options.bindings).map(|extra| binding(model.els, &extra)).collect();
        add(Arc::make_mut(&mut tree), &lines);
    }
    let missing = options.config_size.saturating_sub(print_text(&tree).len());
    if missing > 0 {
        let lines: String = (0..(missing * TERMS).div_ceil(filter_size())).map(term).collect();
        add(Arc::make_mut(&mut tree), &lines);
    }
    tree
}

/// `count` bindings over all ports in turn, from each port's last address down.
fn bindings(servers: &[SimServer], count: usize) -> impl Iterator<Item = SimBinding> {
    let of = |number: usize| {
        let (lap, server) = (number / servers.len(), &servers[number % servers.len()]);
        let ip = server.extra_ip(u8::try_from(EXTRA_ADDRESSES - 1 - lap).unwrap_or(0)).unwrap_or_default();
        SimBinding { mac: mac(&ip), ip, ..server.primary_binding() }
    };
    (0..count).map(of)
}

/// A MAC that no other address has, outside of the prefix that `vmacd` takes MACs from.
fn mac(ip: &str) -> String {
    let [a, b, c, d] = ip.parse().unwrap_or(Ipv4Addr::UNSPECIFIED).octets();
    format!("06:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn term(number: usize) -> String {
    let [_, a, b, c] = u32::try_from(number).unwrap_or(0).to_be_bytes();
    let (filter, term) = (number / TERMS, number % TERMS);
    let term = format!("set firewall family ethernet-switching filter customers-{filter:04} term server-{term:02}");
    format!("{term} from source-mac-address 06:01:00:{a:02x}:{b:02x}:{c:02x}\n{term} then accept\n")
}

/// What a further filter adds to the text.
fn filter_size() -> usize {
    let of = |filters: usize| {
        let mut tree = Node::default();
        add(&mut tree, &(0..filters * TERMS).map(term).collect::<String>());
        print_text(&tree).len()
    };
    of(3) - of(2)
}

#[cfg(test)]
mod tests {
    use super::super::base_config::{common, own};
    use super::*;
    use crate::sim::config::set_lines::parse_any;
    use crate::sim::device::commit_check::{DuplicateScope, bindings, check};
    use crate::sim::device::model::Dialect;

    #[test]
    fn a_switch_in_use_for_years_has_a_megabyte_and_two_thousand_bindings() {
        for dialect in [Dialect::NonEls, Dialect::Els] {
            let model = Model::of(dialect, 0, "sw-001", None);
            let servers: Vec<SimServer> = (0..48).map(|port| SimServer::at(0, port, 48)).collect();
            let options = Options { bindings: 2_000, config_size: 1_000_000, ..Options::default() };
            let small = own(&common(model.els, 48, None).unwrap(), &model, &servers);
            let tree = filled(small, &model, &servers, &options);
            let text = print_text(&tree);
            assert!((1_000_000..1_005_000).contains(&text.len()), "{}", text.len());
            assert_eq!(bindings(&tree).len(), 2_048);
            assert_eq!(check(&tree, DuplicateScope::Switch), []);
            assert_eq!(print_text(&parse_any(&text).unwrap()), text);
        }
    }
}
