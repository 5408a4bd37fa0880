//! Which MACs an order draws: by what its message is, so that the same message draws the same ones again (decision 0035).

use std::convert::Infallible;

use rand::TryRng;
use sha2::{Digest, Sha256};

use crate::domain::{BindableAddress, Mac, Pool, Pools};

/// How often an order draws before its pool is searched for a free MAC.
pub const DRAWS_MAX: u32 = 4;
/// Tells these draws from other uses of a message's identity. It never changes: with another one the same message would draw
/// other MACs than those that are on the switches.
const PURPOSE: &[u8] = b"vmacd draws a MAC, 1";

/// What one order draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws([u8; 32]);

impl Draws {
    /// The draws of the message with this identity for a server's address.
    pub fn of(message_identity: &str, server_id: i64, ip: BindableAddress) -> Self {
        let place = format!("/{server_id}/{ip}");
        Self(Sha256::new().chain_update(PURPOSE).chain_update(message_identity).chain_update(place).finalize().into())
    }

    fn octets(self, round: u32) -> Octets {
        Octets { draws: self, round, at: 0 }
    }
}

impl Pools {
    /// What the order draws from the pool in this round, the first being 0.
    pub fn drawn(&self, pool: &Pool, draws: Draws, round: u32) -> Mac {
        self.draw(pool, &mut draws.octets(round))
    }

    /// True where the order may have drawn the MAC, from whichever pool.
    pub fn may_have_drawn(&self, draws: Draws, mac: Mac) -> bool {
        self.iter().any(|pool| (0..DRAWS_MAX).any(|round| self.drawn(pool, draws, round) == mac))
    }
}

/// The octets of one draw. Its own source: that of a crate may give others in its next version.
struct Octets {
    draws: Draws,
    round: u32,
    at: u32,
}

impl TryRng for Octets {
    type Error = Infallible;

    /// One octet; a MAC is drawn octet by octet.
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let place = [self.round.to_be_bytes(), self.at.to_be_bytes()].concat();
        self.at += 1;
        Ok(Sha256::new().chain_update(self.draws.0).chain_update(place).finalize()[0].into())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(|| self.next_octet());
        Ok(())
    }
}

impl Octets {
    fn next_octet(&mut self) -> u8 {
        let Ok(octet) = self.try_next_u32();
        octet.to_be_bytes()[3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(identity: &str, server_id: i64, ip: &str) -> Draws {
        Draws::of(identity, server_id, ip.parse().expect("an address"))
    }

    #[test]
    fn a_message_draws_the_same_macs_in_every_version() {
        let pools = Pools::default();
        let pool = pools.iter().next().expect("the default pool");
        let drawn: Vec<String> =
            (0..3).map(|round| pools.drawn(pool, draws("m", 7, "10.0.0.9"), round).to_string()).collect();
        assert_eq!(drawn, ["02:80:79:b7:0d:7c", "02:be:65:3d:0e:31", "02:45:fa:c3:b2:2f"]);
    }

    #[test]
    fn another_message_address_server_or_round_draws_another() {
        let pools = Pools::default();
        let pool = pools.iter().next().expect("the default pool");
        let all = [
            draws("m", 7, "10.0.0.9"),
            draws("n", 7, "10.0.0.9"),
            draws("m", 7, "10.0.0.8"),
            draws("m", 8, "10.0.0.9"),
        ];
        let macs: std::collections::HashSet<Mac> = all
            .into_iter()
            .flat_map(|draws| (0..DRAWS_MAX).map(move |round| (draws, round)))
            .map(|(draws, round)| pools.drawn(pool, draws, round))
            .collect();
        assert_eq!(macs.len(), 16);
        let known = pools.drawn(pool, all[0], DRAWS_MAX - 1);
        assert!(pools.may_have_drawn(all[0], known) && !pools.may_have_drawn(all[1], known));
    }
}
