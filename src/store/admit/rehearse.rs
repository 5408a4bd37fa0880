//! Taking commands in and taking it back: what they would come to, by the very same decision.

use std::collections::{BTreeMap, HashMap};

use rand::Rng;

use super::{Admission, Incoming};
use crate::domain::SwitchName;
use crate::store::connect::Store;
use crate::store::database::error::{Clashes, StoreError};
use crate::store::work::item::WorkItem;
use crate::store::work::work_of;

/// What commands would come to as far as the database can tell.
#[derive(Debug, Default)]
pub struct Rehearsal {
    /// What each would get, in their order. The numbers of new rows are nobody's.
    pub admissions: Vec<Admission>,
    /// The new rows whose MAC was drawn: another one is drawn when it is done.
    pub drawn: Vec<i64>,
    /// What would wait for each switch because of them.
    pub work: BTreeMap<SwitchName, Vec<WorkItem>>,
}

impl Store {
    /// Takes a group of commands in as [`Store::admit`] does, and back again: no table is another one afterwards, and no
    /// event is published.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rehearse(&self, group: &[Incoming], rng: &mut impl Rng) -> Result<Rehearsal, StoreError> {
        let mut clashes = Clashes::default();
        loop {
            match self.rehearse_once(group, rng).await {
                Err(error) if clashes.allow_another_try(&error) => {}
                result => return result,
            }
        }
    }

    async fn rehearse_once(&self, group: &[Incoming], rng: &mut impl Rng) -> Result<Rehearsal, StoreError> {
        let now = self.now().await?;
        // Never committed: dropped, it is rolled back.
        let mut tx = self.begin("rehearse commands").await?;
        let taken = self.take_in(&mut tx, None, group, rng, now).await?;
        let work = work_of(&mut tx, &waiting(&taken.admissions)).await?;
        Ok(Rehearsal { admissions: taken.admissions, drawn: taken.drawn, work })
    }
}

/// The rows that go on to switches, each once.
fn waiting(admissions: &[Admission]) -> Vec<(i64, Vec<SwitchName>)> {
    let rows: HashMap<i64, &Vec<SwitchName>> = admissions
        .iter()
        .filter_map(|admission| match admission {
            Admission::Work { vmac_id, switches } => Some((*vmac_id, switches)),
            _ => None,
        })
        .collect();
    rows.into_iter().map(|(id, switches)| (id, switches.clone())).collect()
}
