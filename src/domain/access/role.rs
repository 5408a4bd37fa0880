//! Roles of tokens, and what each permits.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Longest name of a token, characters.
const NAME_CHARS_MAX: usize = 40;

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// To look up one address or one order.
    LookUp,
    /// To read everything else.
    Read,
    /// To create, revoke, move and rotate.
    Order,
    /// To change what orders and switches depend on: dead letters, freezes, reservations, the inventory.
    Operate,
    /// Tokens and the log.
    Administer,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Orders, and looks up its orders and their addresses.
    Producer,
    /// Reads, orders, and operates.
    Operator,
    /// Everything.
    Admin,
}

/// A role that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such role; expected viewer, producer, operator or admin")]
pub struct RoleError;

/// A token's name: what the log says who it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TokenName(String);

/// Why a text is no name of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token's name has 1 to {NAME_CHARS_MAX} letters, digits, `.`, `_`, `-` or `@`, and begins with a letter or digit"
)]
pub struct TokenNameError;

impl Role {
    /// Every one, from the least to the most.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Producer, Self::Operator, Self::Admin];

    /// Whether it permits that.
    pub const fn permits(self, permission: Permission) -> bool {
        match (self, permission) {
            (Self::Admin, _) | (_, Permission::LookUp) => true,
            (_, Permission::Administer) => false,
            (Self::Operator, _) => true,
            (Self::Viewer, permission) => matches!(permission, Permission::Read),
            (Self::Producer, permission) => matches!(permission, Permission::Order),
        }
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Producer => "producer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoleError)
    }
}

impl Permission {
    /// The roles that permit it.
    pub fn roles(self) -> Vec<&'static str> {
        Role::ALL.into_iter().filter(|role| role.permits(self)).map(Role::as_str).collect()
    }
}

impl TokenName {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TokenName {
    type Err = TokenNameError;

    fn from_str(text: &str) -> Result<Self, TokenNameError> {
        let is_allowed = |symbol: char| symbol.is_ascii_alphanumeric() || matches!(symbol, '.' | '_' | '-' | '@');
        let is_name = text.len() <= NAME_CHARS_MAX
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.chars().all(is_allowed);
        if is_name { Ok(Self(text.to_owned())) } else { Err(TokenNameError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_permits_what_its_row_says() {
        use Permission::{Administer, LookUp, Operate, Order, Read};
        for (role, permitted) in [
            (Role::Viewer, &[LookUp, Read][..]),
            (Role::Producer, &[LookUp, Order]),
            (Role::Operator, &[LookUp, Read, Order, Operate]),
            (Role::Admin, &[LookUp, Read, Order, Operate, Administer]),
        ] {
            let all = [LookUp, Read, Order, Operate, Administer];
            let found: Vec<Permission> = all.into_iter().filter(|one| role.permits(*one)).collect();
            assert_eq!(found, permitted, "{role}");
        }
        assert_eq!(Permission::Operate.roles(), ["operator", "admin"]);
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(RoleError));
    }

    #[test]
    fn names_are_short_and_safe_to_show() {
        for name in ["billing", "ops-1", "a@example.com", "7"] {
            assert_eq!(name.parse::<TokenName>().map(|name| name.to_string()), Ok(name.to_owned()));
        }
        for wrong in ["", "-x", "a b", "a\n", "é", &"x".repeat(41)] {
            assert_eq!(wrong.parse::<TokenName>(), Err(TokenNameError), "{wrong:?}");
        }
    }
}
