//! When so much goes wrong at one site that its switches are better left alone until somebody has looked.
//!
//! What counts are commits that were rolled back or whose switch was lost after them, by distinct switches. A change
//! that a switch refuses is its producer's fault and harms nobody; a switch that does not answer is not tried at all.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{Code, Failure, SwitchName};

/// Pushes named in a reason.
const NAMED_MAX: usize = 5;

/// A push whose commit was rolled back, or whose switch was lost after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedPush {
    /// Its id.
    pub id: String,
    /// The switch.
    pub switch: SwitchName,
}

/// True for failures that may be the switch's after a commit; what stopped a push by our own doing says nothing of it.
pub const fn speaks_against_site(failure: &Failure) -> bool {
    !matches!(
        failure.code,
        Code::LeaseLost | Code::DatabaseTrouble | Code::WorkerTrouble | Code::Frozen | Code::SiteLimit
    )
}

/// Why a site with these failed pushes, oldest first, is to be stopped; none while they are of fewer switches than
/// `failures_max`, which is 0 where no site is ever stopped.
pub fn reason_to_stop(failed: &[FailedPush], failures_max: u32, window: Duration) -> Option<String> {
    let newest: BTreeMap<&SwitchName, &str> = failed.iter().map(|push| (&push.switch, push.id.as_str())).collect();
    let enough = usize::try_from(failures_max).is_ok_and(|max| max > 0 && newest.len() >= max);
    if !enough {
        return None;
    }
    let named: Vec<String> =
        newest.iter().take(NAMED_MAX).map(|(switch, id)| format!("{switch} (push {id})")).collect();
    let more = if newest.len() > NAMED_MAX { " and more" } else { "" };
    let window_s = window.as_secs();
    let (count, named) = (newest.len(), named.join(", "));
    Some(format!("commits on {count} switches were rolled back or lost within {window_s} s: {named}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);

    fn failed(pushes: &[(&str, &str)]) -> Vec<FailedPush> {
        let push =
            |(switch, id): &(&str, &str)| FailedPush { id: (*id).to_owned(), switch: switch.parse().expect("a name") };
        pushes.iter().map(push).collect()
    }

    #[test]
    fn switches_are_counted_not_pushes() {
        let one_culprit = failed(&[("sw-1", "a"), ("sw-1", "b"), ("sw-1", "c"), ("sw-2", "d")]);
        assert_eq!(reason_to_stop(&one_culprit, 3, WINDOW), None);
        assert!(reason_to_stop(&one_culprit, 2, WINDOW).is_some());
        assert_eq!(reason_to_stop(&one_culprit, 0, WINDOW), None, "switched off");
        assert_eq!(reason_to_stop(&[], 1, WINDOW), None);
    }

    #[test]
    fn the_reason_names_the_newest_push_of_each_switch() {
        let pushes = failed(&[("sw-1", "a"), ("sw-2", "b"), ("sw-1", "c")]);
        insta::assert_snapshot!(reason_to_stop(&pushes, 2, WINDOW).expect("enough"), @"commits on 2 switches were rolled back or lost within 600 s: sw-1 (push c), sw-2 (push b)");
        let many: Vec<_> = (0..9).map(|n| (format!("sw-{n}"), n.to_string())).collect();
        let many: Vec<_> = many.iter().map(|(switch, id)| (switch.as_str(), id.as_str())).collect();
        let reason = reason_to_stop(&failed(&many), 5, WINDOW).expect("enough");
        assert!(reason.ends_with("sw-4 (push 4) and more"), "{reason}");
    }

    #[test]
    fn our_own_trouble_speaks_against_no_site() {
        let speaks = |code| speaks_against_site(&Failure::new(code, ""));
        assert!(speaks(Code::CommitUnanswered) && speaks(Code::ReadBackDiffers) && speaks(Code::ConnectionLost));
        assert!(!speaks(Code::LeaseLost) && !speaks(Code::DatabaseTrouble) && !speaks(Code::Frozen));
    }
}
