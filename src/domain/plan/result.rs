//! What became of a wish.

use super::{EndState, Wish};
use crate::domain::{BindingState, Failure, Mac};

/// What a push reached for a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// How the address ends, read back from the switch.
    pub end: EndState,
    /// The MAC bound to the address before.
    pub previous_mac: Option<Mac>,
    /// The push and the backup before it; none where nothing had to be changed.
    pub push: Option<(String, Option<i64>)>,
}

/// The result for one wish, with interface and VLAN as the switch has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WishResult {
    /// The wish.
    pub wish: Wish,
    /// What became of it.
    pub end: Result<Reached, Failure>,
}

impl Reached {
    /// The state of the port's binding then, and the MAC that is bound to the address, where it is ours or the server's.
    pub const fn binding(&self, wish: &Wish) -> (BindingState, Mac) {
        match self.end {
            EndState::Bound => (BindingState::Bound, wish.mac),
            EndState::Restored => (BindingState::Restored, wish.pxe_mac),
            EndState::Removed => (BindingState::Removed, wish.mac),
        }
    }
}
