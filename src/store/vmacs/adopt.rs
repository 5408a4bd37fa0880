//! Adopting what is on the switches: rows for bindings that vmacd did not make.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::adopt::{Adoptable, FoundPort};
use crate::domain::{BindingState, SwitchBinding};
use crate::store::admit::LOCK_INTENTS;
use crate::store::commands::outcome::Outcome;
use crate::store::database::engine::args;
use crate::store::database::error::StoreError;
use crate::store::database::tx::Tx;
use crate::store::events::body::{EventOf, EventRow, event_row};
use crate::store::events::unpublished::write_events;
use crate::store::parts::Vmacs;
use crate::store::vmacs::Vmac;

/// Rows written in one transaction.
const BATCH: usize = 1_000;
/// Who asked for an adopted row, and the key of its intent.
const ADOPT: &str = "adopt";

// What clashes with a unique index is left out: the caller sees that its row is missing.
const INSERT: &str = "INSERT INTO virtual_macs (server_id, ip_address, mac_address, vlan_name, status, desired,
        switch_bindings, requested_by, created_at, updated_at, activated_at)
    SELECT CAST(e.value->>'server_id' AS BIGINT), e.value->>'ip', e.value->>'mac', e.value->>'vlan', 'active', 'bound',
        e.value->'bindings', $3, $2, $2, $2
    FROM {rows} WHERE NOT EXISTS (SELECT 1 FROM servers WHERE pxe_mac = e.value->>'mac' OR primary_ip = e.value->>'ip')
        AND NOT EXISTS (SELECT 1 FROM taken_macs t WHERE t.mac_address = e.value->>'mac' AND t.kind <> 'elsewhere'
            AND NOT (t.kind = 'reserved' AND t.server_id = CAST(e.value->>'server_id' AS BIGINT)
                AND t.ip_address = e.value->>'ip'))
    ON CONFLICT DO NOTHING RETURNING *";

/// What was reserved for the place, or known to be used by something that vmacd did not see, is the row's now.
const TAKE_OFF: &str = "DELETE FROM taken_macs WHERE mac_address {in}SELECT e.value->>'mac' FROM {rows}{/in}";

// The adoption is the newest intent, unless one was issued since: a command that was issued before it comes too late.
const INTENTS: &str = "UPDATE intents SET issued_at_ms = $2, issued_rank = 0, arrival = last_arrival + 1,
        last_issued_at_ms = CASE WHEN last_issued_at_ms > $2 THEN last_issued_at_ms ELSE $2 END,
        last_issued_rank = CASE WHEN last_issued_at_ms >= $2 THEN last_issued_rank ELSE 0 END,
        last_arrival = last_arrival + 1, action = 'create', message_key = $3, wants = 'bound'
    FROM {rows} WHERE intents.server_id = CAST(e.value->>'server_id' AS BIGINT)
        AND intents.ip_address = e.value->>'ip' AND intents.issued_at_ms < $2
        AND intents.server_id {in}SELECT CAST(e.value->>'server_id' AS BIGINT) FROM {rows}{/in}";

impl Vmacs<'_> {
    /// Makes rows of bindings that are there: `active`, each port `bound` as it was found, each with its event. What took an
    /// address or a MAC meanwhile keeps it. Returns the rows made; the others of `found` have none.
    ///
    /// # Errors
    /// When the database fails; rows of earlier batches stay then, and adopting again goes on behind them.
    pub async fn adopt(self, found: &[Adoptable]) -> Result<Vec<Vmac>, StoreError> {
        self.adopt_as_of(found, None).await
    }

    /// The same for bindings that were there at an earlier time: what was issued since then is newer than the adoption.
    ///
    /// # Errors
    /// As [`Self::adopt`].
    pub async fn adopt_as_of(self, found: &[Adoptable], since: Option<DateTime<Utc>>) -> Result<Vec<Vmac>, StoreError> {
        let mut made = Vec::new();
        for batch in found.chunks(BATCH) {
            // Asked for each time: a clock that is carried on may be ahead, and a revoke issued right after would come too late.
            let now = self.store.engine.ask_for_the_time().await?;
            let mut tx = self.store.begin("adopt bindings").await?;
            made.extend(adopt_batch(&mut tx, batch, now, since.unwrap_or(now)).await?);
            tx.commit("adopt bindings").await?;
        }
        Ok(made)
    }
}

async fn adopt_batch(
    tx: &mut Tx,
    batch: &[Adoptable],
    now: DateTime<Utc>,
    since: DateTime<Utc>,
) -> Result<Vec<Vmac>, StoreError> {
    let places = batch.iter().map(|found| json!({"server_id": found.server_id, "ip": found.ip_address})).collect();
    // Before rows, as an admission does.
    tx.batch("lock intents", LOCK_INTENTS, places, Vec::new()).await?;
    let rows = batch.iter().map(|found| row_of(found, now)).collect();
    let rows = tx.batch("adopt bindings", INSERT, rows, args![now, ADOPT]).await?;
    let made = rows.iter().map(Vmac::from_row).collect::<Result<Vec<_>, _>>()?;
    let places = made.iter().map(|vmac| json!({"server_id": vmac.server_id, "ip": vmac.ip_address})).collect();
    let macs = made.iter().map(|vmac| json!({"mac": vmac.mac_address})).collect();
    tx.batch("remove adopted MACs from the lists", TAKE_OFF, macs, Vec::new()).await?;
    tx.batch("write intents", INTENTS, places, args![since.timestamp_millis(), ADOPT]).await?;
    write_events(tx, made.iter().map(|vmac| event(vmac, now)).collect(), now).await?;
    Ok(made)
}

fn row_of(found: &Adoptable, now: DateTime<Utc>) -> Value {
    let bindings: Vec<SwitchBinding> = found.ports.iter().map(|port| binding(found, port, now)).collect();
    json!({
        "server_id": found.server_id,
        "ip": found.ip_address,
        "mac": found.mac_address,
        "vlan": found.vlan_name,
        "bindings": bindings,
    })
}

fn binding(found: &Adoptable, port: &FoundPort, now: DateTime<Utc>) -> SwitchBinding {
    SwitchBinding {
        switch: port.switch.clone(),
        server_id: Some(found.server_id),
        leaving: false,
        interface: port.interface.clone(),
        vlan: found.vlan_name.clone(),
        mac: found.mac_address,
        state: BindingState::Bound,
        previous_mac: None,
        backup_id: None,
        push_id: None,
        error: None,
        evidence: Vec::new(),
        in_force: None,
        at: now,
    }
}

fn event(vmac: &Vmac, now: DateTime<Utc>) -> EventRow<'_> {
    let event = EventOf {
        outcome: Outcome::Active,
        server_id: Some(vmac.server_id),
        ip: Some(vmac.ip_address),
        vmac: Some(vmac),
        reason: None,
        superseded_by: None,
        answers: None,
        dead_letter_id: None,
    };
    event_row(event, now)
}
