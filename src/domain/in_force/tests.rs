use super::*;
use crate::domain::evidence::TableEntry;

const VMAC: &str = "02:5e:10:00:00:01";
const PXE: &str = "0c:c4:7a:00:00:01";
const PORT: &str = "ge-0/0/1.0";

fn binding() -> AskedBinding {
    AskedBinding {
        ip: "10.0.0.6".parse().expect("an address"),
        mac: VMAC.parse().expect("a MAC"),
        interface: PORT.parse().expect("a port"),
        vlan: Some("VLAN.13".parse().expect("a VLAN")),
        has_other_ports: false,
    }
}

/// A guarded access port.
fn guarded() -> PortGuard {
    PortGuard { vlan: Some(Guards { sources: true, inspection: true }), ..PortGuard::default() }
}

fn held(interface: &str, ip: &str, mac: &str) -> PresentBinding {
    PresentBinding::new(
        interface.parse().expect("a port"),
        ip.parse().expect("an address"),
        None,
        mac.parse().expect("a MAC"),
    )
}

fn table(table: EvidenceTable, macs: &[&str]) -> Option<ShownTable> {
    let entry = |mac: &&str| TableEntry {
        ip: binding().ip,
        mac: mac.parse().expect("a MAC"),
        interface: PORT.parse().expect("a port"),
    };
    Some(ShownTable { table, entries: TableEntries::of(macs.iter().map(entry).collect()) })
}

fn learned(on: &[(&str, &str)]) -> Option<Vec<LearnedMac>> {
    let learned = |(mac, interface): &(&str, &str)| LearnedMac {
        mac: mac.parse().expect("a MAC"),
        interface: interface.parse().expect("a port"),
        kept: false,
    };
    Some(on.iter().map(learned).collect())
}

/// A switch that shows the binding everywhere.
fn all_shown() -> SwitchAnswers {
    SwitchAnswers {
        source_guard: table(EvidenceTable::IpSourceGuard, &[VMAC]),
        bindings: table(EvidenceTable::DhcpSnooping, &[VMAC]),
        bindings_v6: None,
        learned: learned(&[(VMAC, "ge-0/0/1.0")]),
        present: vec![held(PORT, "10.0.0.6", VMAC)],
    }
}

/// The verdict as a short line.
fn verdict_text(guard: &PortGuard, seen: &SwitchAnswers) -> String {
    verdict_of(&binding(), guard, seen)
}

fn verdict_of(binding: &AskedBinding, guard: &PortGuard, seen: &SwitchAnswers) -> String {
    match verdict(binding, guard, seen) {
        InForceVerdict::Yes(table) => format!("yes: {}", table.as_str()),
        InForceVerdict::No(reason) => format!("no: {}: {}", reason.code.as_str(), reason.text),
        InForceVerdict::Unknown(reason) => format!("unknown: {}: {}", reason.code.as_str(), reason.text),
    }
}

#[test]
fn what_the_source_guard_goes_by_is_the_best_evidence_and_the_table_of_bindings_the_next() {
    assert_eq!(verdict_text(&guarded(), &all_shown()), "yes: ip-source-guard");
    let without = || SwitchAnswers { source_guard: None, ..all_shown() };
    assert_eq!(verdict_text(&guarded(), &without()), "yes: dhcp-snooping", "the release has no such request");
    let inspected = PortGuard { vlan: Some(Guards { sources: false, inspection: true }), ..guarded() };
    assert_eq!(verdict_text(&inspected, &without()), "yes: dhcp-snooping");
    let lacking = || SwitchAnswers { source_guard: table(EvidenceTable::IpSourceGuard, &[]), ..all_shown() };
    assert!(verdict_text(&guarded(), &lacking()).starts_with("no: not_in_table: the switch's table (ip-source-guard)"));
    assert_eq!(verdict_text(&inspected, &lacking()), "yes: dhcp-snooping", "the source guard is off there");
}

#[test]
fn a_table_that_answers_without_the_binding_says_no_and_one_that_does_not_answer_says_nothing() {
    let empty =
        SwitchAnswers { source_guard: None, bindings: table(EvidenceTable::DhcpSnooping, &[PXE]), ..all_shown() };
    let silent = SwitchAnswers { source_guard: None, bindings: None, ..all_shown() };
    let vlan_unknown = PortGuard { vlan: None, ..guarded() };
    let lines =
        [verdict_text(&guarded(), &empty), verdict_text(&guarded(), &silent), verdict_text(&vlan_unknown, &silent)];
    insta::assert_snapshot!(lines.join("\n"), @"
    no: not_in_table: the switch's table (dhcp-snooping) does not show 10.0.0.6 with 02:5e:10:00:00:01 on ge-0/0/1.0, though its configuration has the binding: some releases take it into force only after a lease has run out or a restart
    unknown: not_shown: the switch does not show its table of bindings: its release has no such request, or the login may not see it
    unknown: vlan_unknown: nothing tells the VLAN of the binding on ge-0/0/1.0, and so not whether it is guarded
    ");
}

#[test]
fn where_nothing_looks_at_the_port_the_binding_is_not_in_force_whatever_the_tables_show() {
    let seen = SwitchAnswers { source_guard: None, ..all_shown() };
    let exempt = |exempt| PortGuard { exempt: Some(exempt), ..guarded() };
    let off = PortGuard { vlan: Some(Guards::default()), ..guarded() };
    let lines = [
        verdict_text(&off, &seen),
        verdict_text(&exempt(Exempt::Trunk { untrusted: false }), &seen),
        verdict_text(&exempt(Exempt::Trusted("interface ge-0/0/1.0 dhcp-trusted".to_owned())), &seen),
        verdict_text(&exempt(Exempt::Trunk { untrusted: true }), &seen),
    ];
    insta::assert_snapshot!(lines.join("\n"), @"
    no: guards_off: neither `ip-source-guard` nor `arp-inspection` is on in VLAN.13: the binding blocks nothing
    no: trunk: ge-0/0/1.0 is a trunk, and the switch does not check what comes in there
    no: trusted: ge-0/0/1.0 is trusted (`interface ge-0/0/1.0 dhcp-trusted`), and the switch does not check what comes in there
    yes: dhcp-snooping
    ");
}

#[test]
fn a_mac_that_does_not_get_in_is_not_in_force() {
    let unheard = |on: &[(&str, &str)]| SwitchAnswers { learned: learned(on), ..all_shown() };
    let allowed = PortGuard { allowed: vec![PXE.parse().expect("a MAC")], ..guarded() };
    let limit = |macs, keeps| PortGuard {
        limit: Some(MacLimit { macs, statement: format!("mac-limit {macs}") }),
        keeps,
        ..guarded()
    };
    let mut kept = unheard(&[(VMAC, "ge-0/0/2.0")]);
    kept.learned.iter_mut().flatten().for_each(|learned| learned.kept = true);
    let mut crowded = unheard(&[]);
    crowded.present.push(held(PORT, "10.0.0.5", PXE));
    let lines = [
        verdict_text(&allowed, &all_shown()),
        verdict_text(&limit(1, false), &unheard(&[(PXE, PORT)])),
        verdict_text(&limit(1, false), &crowded),
        verdict_text(&limit(1, true), &unheard(&[(PXE, PORT)])),
        verdict_text(&guarded(), &kept),
        verdict_text(&guarded(), &unheard(&[(VMAC, "ge-0/0/2.0")])),
    ];
    insta::assert_snapshot!(lines.join("\n"), @"
    no: allowed_mac: ge-0/0/1.0 lets only the MACs of its `allowed-mac` list in, and 02:5e:10:00:00:01 is not on it
    no: mac_limit: `mac-limit 1` is reached on ge-0/0/1.0 by other MACs (1), so that 02:5e:10:00:00:01 is not let in
    no: mac_limit: `mac-limit 1` is too low for the 2 MACs that are bound on ge-0/0/1.0, and 02:5e:10:00:00:01 was not learned
    no: persistent_learning: ge-0/0/1.0 keeps the MACs that it has learned (`persistent-learning`): with 1 of them `mac-limit 1` is reached, and 02:5e:10:00:00:01 is not let in; clear those that are no longer used
    no: persistent_learning: ge-0/0/2.0 learned 02:5e:10:00:00:01 and keeps it (`persistent-learning`), so that ge-0/0/1.0 does not: clear it there (`clear ethernet-switching table persistent-learning`)
    no: learned_elsewhere: the switch has learned 02:5e:10:00:00:01 on ge-0/0/2.0, not on ge-0/0/1.0: look at the cabling, and who uses this MAC
    ");
    assert_eq!(verdict_text(&limit(1, true), &all_shown()), "yes: ip-source-guard", "it is in already");
    assert_eq!(verdict_text(&limit(2, false), &unheard(&[(PXE, PORT)])), "yes: ip-source-guard", "there is room");
}

#[test]
fn a_mac_that_is_bound_on_several_ports_may_be_learned_on_any_of_them() {
    let elsewhere = || SwitchAnswers { learned: learned(&[(VMAC, "ge-0/0/2.0")]), ..all_shown() };
    let mut twice = elsewhere();
    twice.present.push(held("ge-0/0/2", "10.0.0.6", VMAC));
    assert_eq!(verdict_text(&guarded(), &twice), "yes: ip-source-guard");
    let shared = AskedBinding { has_other_ports: true, ..binding() };
    assert_eq!(verdict_of(&shared, &guarded(), &elsewhere()), "yes: ip-source-guard");
}

#[test]
fn what_the_configuration_does_not_hold_is_not_in_force() {
    let mut inactive = all_shown();
    inactive.present[0].inactive = Some(crate::domain::plan::Inactive::Itself);
    let other = SwitchAnswers { present: vec![held(PORT, "10.0.0.6", PXE)], ..all_shown() };
    for seen in [inactive, other, SwitchAnswers { present: Vec::new(), ..all_shown() }] {
        assert!(verdict_text(&guarded(), &seen).starts_with("no: not_bound: "), "{}", verdict_text(&guarded(), &seen));
    }
}

#[test]
fn an_ipv6_binding_is_looked_for_in_the_table_of_its_family() {
    let ip: BindableAddress = "2001:db8::6".parse().expect("an address");
    let v6 = AskedBinding { ip, ..binding() };
    let present = || vec![held(PORT, "2001:db8::6", VMAC)];
    let silent = SwitchAnswers { present: present(), ..all_shown() };
    assert!(
        verdict_of(&v6, &guarded(), &silent).starts_with("unknown: not_shown"),
        "{}",
        verdict_of(&v6, &guarded(), &silent)
    );
    let entry = TableEntry { ip, mac: v6.mac, interface: v6.interface.clone() };
    let entries = TableEntries::of(vec![entry]);
    let bindings_v6 = Some(ShownTable { table: EvidenceTable::DhcpSecurityV6, entries });
    let seen = SwitchAnswers { bindings_v6, present: present(), ..all_shown() };
    assert_eq!(verdict_of(&v6, &guarded(), &seen), "yes: dhcpv6-security");
}

#[test]
fn a_change_is_news_and_so_is_a_new_binding_that_is_not_in_force() {
    let at = DateTime::UNIX_EPOCH;
    let no = |code| InForceVerdict::No(InForceReason { code, text: "no".to_owned() });
    let known = |verdict| InForce::of(verdict, at);
    let yes = || known(InForceVerdict::Yes(EvidenceTable::DhcpSnooping));
    let off = || known(no(InForceCode::GuardsOff));
    let unknown = || known(InForceVerdict::Unknown(InForceReason { code: InForceCode::NotShown, text: String::new() }));
    assert!(off().is_news_after(None) && !yes().is_news_after(None) && !unknown().is_news_after(None));
    assert!(
        yes().is_news_after(Some(&off())) && off().is_news_after(Some(&yes())) && unknown().is_news_after(Some(&yes()))
    );
    assert!(known(no(InForceCode::Trunk)).is_news_after(Some(&off())));
    assert!(!off().is_news_after(Some(&off())));
    assert!(
        !known(InForceVerdict::Yes(EvidenceTable::IpSourceGuard)).is_news_after(Some(&yes())),
        "another table is no news"
    );
}
