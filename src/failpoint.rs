//! Places where tests make the program fail. Without the feature `failpoints` they are nothing at all.
//!
//! The variable `FAILPOINTS` says what happens where, `NAME=ACTION` separated by `;`:
//! - `abort`: the process dies at once, as by `kill -9`;
//! - `panic`: the task panics, each time; `2*panic` only the first two times;
//! - `hang`: the task waits for ever, where the place can wait ([`pause`]).

#[cfg(feature = "failpoints")]
pub use armed::{hit, hit_with, pause};
#[cfg(not(feature = "failpoints"))]
pub use unarmed::{hit, hit_with, pause};

#[cfg(not(feature = "failpoints"))]
mod unarmed {
    /// Fails here where the tests say so.
    #[inline(always)]
    pub fn hit(_name: &str) {}

    /// As [`hit`], by a name that is made only where it is needed.
    #[inline(always)]
    pub fn hit_with(_name: impl FnOnce() -> String) {}

    /// As [`hit`], in a place that can wait.
    #[inline(always)]
    pub fn pause(_name: &str) -> std::future::Ready<()> {
        std::future::ready(())
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashMap;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static ACTIONS: LazyLock<HashMap<String, Action>> =
        LazyLock::new(|| parse(&std::env::var("FAILPOINTS").unwrap_or_default()));

    pub(super) enum Action {
        Abort,
        /// So many times.
        Panic(AtomicUsize),
        Hang,
    }

    /// Fails here where the tests say so.
    #[track_caller]
    pub fn hit(name: &str) {
        match ACTIONS.get(name) {
            Some(Action::Abort) => std::process::abort(),
            Some(Action::Panic(times)) if take_one(times) => panic!("failpoint {name}"),
            _ => {}
        }
    }

    /// As [`hit`], by a name that is made only where it is needed.
    #[track_caller]
    pub fn hit_with(name: impl FnOnce() -> String) {
        hit(&name());
    }

    /// As [`hit`], in a place that can wait.
    #[track_caller]
    pub fn pause(name: &str) -> impl Future<Output = ()> + use<> {
        hit(name);
        let hangs = matches!(ACTIONS.get(name), Some(Action::Hang));
        async move {
            if hangs {
                std::future::pending().await
            }
        }
    }

    fn take_one(times: &AtomicUsize) -> bool {
        times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// What cannot be read is a fault of the test, which must not pass for it.
    pub(super) fn parse(text: &str) -> HashMap<String, Action> {
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        let point = |part: &str| {
            let (name, action) = part.split_once('=').unwrap_or_else(|| panic!("FAILPOINTS: no action in {part:?}"));
            (name.to_owned(), action_of(action))
        };
        parts.map(point).collect()
    }

    fn action_of(text: &str) -> Action {
        let (times, name) = match text.split_once('*') {
            Some((times, name)) => (times.parse().unwrap_or_else(|_| panic!("FAILPOINTS: {text:?}")), name),
            None => (usize::MAX, text),
        };
        match name {
            "abort" => Action::Abort,
            "panic" => Action::Panic(AtomicUsize::new(times)),
            "hang" => Action::Hang,
            _ => panic!("FAILPOINTS: {text:?} is not a known action"),
        }
    }
}

#[cfg(all(test, feature = "failpoints"))]
mod tests {
    use super::armed::{Action, parse};

    #[test]
    fn points_have_actions_and_panics_a_number_of_times() {
        let actions = parse("a::b=abort; c=2*panic;d=panic;e=hang;");
        assert!(matches!(actions["a::b"], Action::Abort));
        assert!(matches!(&actions["c"], Action::Panic(times) if times.load(std::sync::atomic::Ordering::Relaxed) == 2));
        assert!(matches!(actions["e"], Action::Hang));
        assert_eq!(actions.len(), 4);
    }

    #[test]
    #[should_panic(expected = "not a known action")]
    fn an_unknown_action_is_refused() {
        parse("a=explode");
    }
}
