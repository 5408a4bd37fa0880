//! Taking commands in and taking it back: what they would come to, by the very same decision.

use std::collections::{BTreeMap, HashMap};

use rand::Rng;

use super::incoming::{Admission, Incoming};
use crate::domain::SwitchName;
use crate::store::database::clash::again_on_clash;
use crate::store::database::error::StoreError;
use crate::store::parts::Intake;
use crate::store::work::item::WorkItem;
use crate::store::work::work_of;

/// What commands would come to, as far as the database knows.
#[derive(Debug, Default)]
pub struct Rehearsal {
    /// What each would get, in their order. The numbers of new rows are nobody's.
    pub admissions: Vec<Admission>,
    /// The new rows whose MAC was drawn: another one is drawn when it is done.
    pub drawn: Vec<i64>,
    /// What would wait for each switch because of them.
    pub work: BTreeMap<SwitchName, Vec<WorkItem>>,
}

impl Intake<'_> {
    /// Admits a group of commands as [`Intake::admit`] does and rolls it back: no table is changed and no event is published.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rehearse(self, group: &[Incoming], rng: &mut impl Rng) -> Result<Rehearsal, StoreError> {
        again_on_clash!(self.rehearse_once(group, rng))
    }

    async fn rehearse_once(self, group: &[Incoming], rng: &mut impl Rng) -> Result<Rehearsal, StoreError> {
        let now = self.store.now().await?;
        // Never committed: dropped, it is rolled back.
        let mut tx = self.store.begin("rehearse commands").await?;
        let admitted = self.admit_within(&mut tx, None, group, rng, now).await?;
        let work = work_of(&mut tx, &waiting(&admitted.admissions)).await?;
        Ok(Rehearsal { admissions: admitted.admissions, drawn: admitted.drawn, work })
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
