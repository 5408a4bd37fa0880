//! `--dry-run` of a request: each switch shows what it would change, and keeps nothing.

use crate::broker::Message;
use crate::cli::app_env::AppEnv;
use crate::cli::args::Target;
use crate::cli::fault::did_you_mean;
use crate::cli::fault::{Fault, FaultKind};
use crate::cli::ui::diff::write_diff;
use crate::cli::ui::output::Output;
use crate::cli::ui::progress::Progress;
use crate::cli::ui::style::{Cell, Page, Tone};
use crate::domain::plan::{EndState, Planned, Step, Wish};
use crate::domain::{BindableAddress, Failure, FailureClass, InterfaceName, Mac, SwitchName, VlanName};
use crate::store::{Admission, CommandOutcome, Outcome};
use crate::web::{DryRunChange, DryRunReport, DryRunSwitch};
use crate::worker::{DryRun, dry_run};

/// Simulates the messages and reports what each switch says. What cannot be done is a fault.
pub async fn run(env: AppEnv, output: Output, messages: Vec<Message>, target: &Target) -> Result<(), Fault> {
    let store = env.store().await?;
    let comparing = Progress::spinner(output, "comparing on the switches".to_owned());
    let tried = dry_run(&store, &env.settings, messages, target.timeout).await?;
    comparing.done();
    let summary = Summary::new(&tried);
    output.print(&output.page(&summary.data(), |page| summary.write(page))?)?;
    match summary.failures().as_slice() {
        [] => Ok(()),
        [failure] => Err(did_you_mean::for_server(&store, fault_of(failure), failure, target.server).await),
        failures => Err(fault_of_several(failures, summary.changes.len())),
    }
}

/// The same for programs, here and over the API.
pub fn report(tried: &DryRun) -> DryRunReport {
    Summary::new(tried).data()
}

/// One address, on one port of a switch where it goes that far.
#[derive(Debug)]
struct Change {
    ip_address: BindableAddress,
    switch: Option<SwitchName>,
    interface: Option<InterfaceName>,
    vlan: Option<VlanName>,
    /// The MAC that the address would have afterwards.
    mac_address: Option<Mac>,
    /// Another MAC is chosen when the command runs.
    mac_is_example: bool,
    /// `would_bind`, `would_restore`, `would_remove`, `unchanged` or `refused`.
    outcome: &'static str,
    text: String,
    failure: Option<Failure>,
}

/// One switch.
struct SwitchResult<'a> {
    switch: &'a SwitchName,
    difference: &'a str,
    failure: Option<&'a Failure>,
}

/// The result of a dry run.
struct Summary<'a> {
    changes: Vec<Change>,
    switches: Vec<SwitchResult<'a>>,
}

impl<'a> Summary<'a> {
    fn new(tried: &'a DryRun) -> Self {
        let (mut changes, mut switches) = (Vec::new(), Vec::new());
        for (switch, result) in &tried.switches {
            let (difference, failure) = match result {
                Ok(preview) => {
                    changes.extend(preview.planned.iter().map(|planned| on_switch(switch, planned, &tried.drawn)));
                    (preview.difference.as_str(), None)
                }
                Err(failure) => ("", Some(failure)),
            };
            switches.push(SwitchResult { switch, difference, failure });
        }
        let without_switch = tried.admissions.iter().filter_map(|(ip, admission)| without_switch(*ip, admission));
        changes.extend(without_switch);
        changes.sort_by_key(|change| change.ip_address);
        Self { changes, switches }
    }

    fn failures(&self) -> Vec<&Failure> {
        let of_switches = self.switches.iter().filter_map(|result| result.failure);
        self.changes.iter().filter_map(|change| change.failure.as_ref()).chain(of_switches).collect()
    }

    fn data(&self) -> DryRunReport {
        let code = |failure: &Failure| failure.code.to_string();
        let switches = self.switches.iter().map(|result| DryRunSwitch {
            switch: result.switch.to_string(),
            diff: result.difference.to_owned(),
            code: result.failure.map(code),
            text: result.failure.map(|failure| failure.text.clone()),
        });
        let changes = self.changes.iter().map(|change| DryRunChange {
            ip_address: change.ip_address.to_string(),
            switch: change.switch.as_ref().map(ToString::to_string),
            interface: change.interface.as_ref().map(ToString::to_string),
            vlan: change.vlan.as_ref().map(ToString::to_string),
            mac_address: change.mac_address.map(|mac| mac.to_string()),
            mac_is_example: change.mac_is_example,
            outcome: change.outcome.to_owned(),
            text: change.text.clone(),
            code: change.failure.as_ref().map(code),
        });
        DryRunReport { dry_run: true, changes: changes.collect(), switches: switches.collect() }
    }

    fn write(&self, page: &mut Page) {
        for result in &self.switches {
            page.put(Cell::new(Tone::Title, result.switch.as_str())).end();
            match result.failure {
                Some(failure) => page.put(Cell::new(Tone::Bad, failure.to_string())).end(),
                None if result.difference.is_empty() => page.put("nothing would change").end(),
                None => write_diff(page, result.difference),
            }
            self.lines(page, Some(result.switch));
        }
        self.lines(page, None);
        page.put("nothing was changed").end();
    }

    fn lines(&self, page: &mut Page, switch: Option<&SwitchName>) {
        for change in self.changes.iter().filter(|change| change.switch.as_ref() == switch) {
            let tone = if change.failure.is_some() { Tone::Bad } else { Tone::Plain };
            page.put(format!("{} ", change.ip_address)).put(Cell::new(tone, change.text.clone())).end();
        }
    }
}

fn on_switch(switch: &SwitchName, planned: &Planned, drawn: &[i64]) -> Change {
    match planned {
        Ok(step) => planned_change(switch, step, drawn.contains(&step.wish.vmac_id)),
        Err((wish, failure)) => {
            let refused = Change { interface: Some(wish.interface.clone()), ..refused(wish.ip, failure) };
            Change { switch: Some(switch.clone()), ..refused }
        }
    }
}

fn planned_change(switch: &SwitchName, step: &Step, mac_is_example: bool) -> Change {
    let Step { wish, changes, end, .. } = step;
    let Wish { interface, vlan, ip, .. } = wish;
    let mac = match end {
        EndState::Bound => Some(wish.mac),
        EndState::Restored => Some(wish.pxe_mac),
        EndState::Removed => None,
    };
    let outcome = match (changes.is_empty(), end) {
        (true, _) => "unchanged",
        (false, EndState::Bound) => "would_bind",
        (false, EndState::Restored) => "would_restore",
        (false, EndState::Removed) => "would_remove",
    };
    Change {
        ip_address: *ip,
        switch: Some(switch.clone()),
        interface: Some(interface.clone()),
        vlan: vlan.clone(),
        mac_address: mac,
        mac_is_example: mac_is_example && *end == EndState::Bound,
        outcome,
        text: sentence(step, mac_is_example),
        failure: None,
    }
}

fn sentence(step: &Step, mac_is_example: bool) -> String {
    let Step { wish: Wish { interface, mac, pxe_mac, .. }, changes, end, .. } = step;
    let vlan = step.wish.vlan.as_ref().map(|vlan| format!(" in {vlan}")).unwrap_or_default();
    let example = if mac_is_example { " (an example: the MAC is chosen when the command runs)" } else { "" };
    match (changes.is_empty(), end) {
        (false, EndState::Bound) => format!("would be bound on {interface}{vlan} to {mac}{example}"),
        (false, EndState::Restored) => {
            format!("would be bound again to {pxe_mac}, the server's own MAC, on {interface}{vlan}")
        }
        (false, EndState::Removed) => format!("would be removed from {interface}{vlan}"),
        (true, EndState::Bound) => format!("is already bound on {interface}{vlan} to {mac}"),
        (true, EndState::Restored) => format!("already has {pxe_mac}, the server's own MAC, on {interface}"),
        (true, EndState::Removed) => format!("is not bound on {interface}"),
    }
}

/// The change of a command that reaches no switch; none for others.
fn without_switch(ip: BindableAddress, admission: &Admission) -> Option<Change> {
    match admission {
        Admission::Work { .. } => None,
        Admission::Done { outcome } => {
            Some(Change { outcome: "unchanged", text: already_done(outcome), ..empty_change(ip) })
        }
        Admission::Refused { failure } | Admission::Waits { failure } => Some(refused(ip, failure)),
    }
}

fn already_done(outcome: &CommandOutcome) -> String {
    let is_nothing = outcome.status == Outcome::Revoked && outcome.vmac_id.is_none();
    outcome.text.clone().unwrap_or_else(|| match is_nothing {
        true => "has no virtual MAC on this server: nothing would be revoked".to_owned(),
        false => format!("is already {}", outcome.status),
    })
}

fn refused(ip: BindableAddress, failure: &Failure) -> Change {
    Change { outcome: "refused", text: failure.to_string(), failure: Some(failure.clone()), ..empty_change(ip) }
}

fn empty_change(ip_address: BindableAddress) -> Change {
    let (switch, interface, vlan, mac_address, text) = (None, None, None, None, String::new());
    Change {
        ip_address,
        switch,
        interface,
        vlan,
        mac_address,
        mac_is_example: false,
        outcome: "unchanged",
        text,
        failure: None,
    }
}

fn fault_kind(failure: &Failure) -> FaultKind {
    if failure.class() == FailureClass::Permanent { FaultKind::Input } else { FaultKind::Service }
}

fn fault_of(failure: &Failure) -> Fault {
    Fault { kind: fault_kind(failure), ..Fault::from(failure.clone()) }
}

fn fault_of_several(failures: &[&Failure], of: usize) -> Fault {
    let text = format!("{} of {} requests cannot be done", failures.len(), of.max(failures.len()));
    match failures.iter().any(|failure| fault_kind(failure) == FaultKind::Input) {
        true => Fault::input(text),
        false => Fault::service(anyhow::Error::msg(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::ColorWhen;
    use crate::domain::{Code, Desired};
    use crate::switch::ChangePreview;

    fn wish(ip: &str) -> Wish {
        Wish {
            vmac_id: 7,
            desired: Desired::Bound,
            leaving: false,
            interface: "ge-0/0/1.0".parse().expect("a name"),
            ip: ip.parse().expect("an address"),
            mac: "02:5e:10:00:00:01".parse().expect("a MAC"),
            pxe_mac: "0c:c4:7a:00:00:01".parse().expect("a MAC"),
            primary_ip: None,
            vlan: Some("VLAN.13".parse().expect("a name")),
        }
    }

    fn step(ip: &str, end: EndState) -> Step {
        let wish = wish(ip);
        let interface = wish.interface.clone();
        let changes = vec![crate::domain::plan::Change::Remove { interface, vlan: None, ip: wish.ip, group: None }];
        Step { wish, changes, end, previous_mac: None, instead: Vec::new(), also_elsewhere: None }
    }

    fn tried() -> DryRun {
        let foreign = Failure::new(Code::ForeignBinding, "10.0.48.9 is bound to somebody's\u{1b}[2J MAC");
        let unreachable = Failure::new(Code::Unreachable, "sw-002 cannot be reached");
        let unchanged = Step { changes: Vec::new(), ..step("10.0.48.10", EndState::Bound) };
        let preview = ChangePreview {
            difference: "[edit vlans VLAN.13]\n+  static-ip 10.0.48.6 mac 02:5e:10:00:00:01;\n-  static-ip 10.0.48.8;"
                .to_owned(),
            planned: vec![
                Ok(step("10.0.48.6", EndState::Bound)),
                Ok(step("10.0.48.7", EndState::Restored)),
                Ok(step("10.0.48.8", EndState::Removed)),
                Err((wish("10.0.48.9"), foreign)),
                Ok(unchanged),
            ],
        };
        let taken = Failure::new(Code::AddressTaken, "10.0.48.5 has a virtual MAC for server 9");
        DryRun {
            admissions: vec![("10.0.48.5".parse().expect("an address"), Admission::Refused { failure: taken })],
            drawn: vec![7],
            switches: vec![
                ("sw-001".parse().expect("a name"), Ok(preview)),
                ("sw-002".parse().expect("a name"), Err(unreachable)),
            ],
        }
    }

    #[test]
    fn each_switch_has_its_difference_and_each_address_its_line() {
        let (tried, output) = (tried(), Output::new(false, ColorWhen::Never));
        let summary = Summary::new(&tried);
        let page = output.page(&summary.data(), |page| summary.write(page)).expect("a page");
        insta::assert_snapshot!(page.text, @r"
        sw-001
        [edit vlans VLAN.13]
        +  static-ip 10.0.48.6 mac 02:5e:10:00:00:01;
        -  static-ip 10.0.48.8;
        10.0.48.6 would be bound on ge-0/0/1.0 in VLAN.13 to 02:5e:10:00:00:01 (an example: the MAC is chosen when the command runs)
        10.0.48.7 would be bound again to 0c:c4:7a:00:00:01, the server's own MAC, on ge-0/0/1.0 in VLAN.13
        10.0.48.8 would be removed from ge-0/0/1.0 in VLAN.13
        10.0.48.9 foreign_binding: 10.0.48.9 is bound to somebody's\u001b[2J MAC
        10.0.48.10 is already bound on ge-0/0/1.0 in VLAN.13 to 02:5e:10:00:00:01
        sw-002
        unreachable: sw-002 cannot be reached
        10.0.48.5 address_taken: 10.0.48.5 has a virtual MAC for server 9
        nothing was changed
        ");
        assert_eq!(page.data["changes"][1]["mac_is_example"], true);
        assert_eq!(page.data["changes"][0]["code"], "address_taken");
        assert_eq!(page.data["switches"][1]["code"], "unreachable");
        assert_eq!(summary.failures().len(), 3);
        assert_eq!(fault_of_several(&summary.failures(), summary.changes.len()).kind, FaultKind::Input);
    }
}
