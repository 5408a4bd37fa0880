//! `vmacd backups restore`: a switch's whole configuration back to what a backup holds.

use serde_json::{Value, json};

use crate::cli::access::change_log::note;
use crate::cli::app_env::AppEnv;
use crate::cli::args::RestoreArgs;
use crate::cli::fault::Fault;
use crate::cli::fault::did_you_mean;
use crate::cli::terminal::streams::say;
use crate::cli::ui::confirm;
use crate::cli::ui::diff::write_diff;
use crate::cli::ui::output::Output;
use crate::cli::ui::progress::Progress;
use crate::cli::ui::style::{Cell, Page, Tone};
use crate::domain::redacted_difference;
use crate::store::{Backup, Store};
use crate::switch::{RestoreEnd, RestoreTarget};
use crate::worker::{Disagreement, RestorePreview, Restorer};

/// Shows what would change, as the switch computes it, asks, and restores.
pub async fn run(env: AppEnv, output: Output, args: RestoreArgs) -> Result<(), Fault> {
    if !args.yes && !args.dry_run && !confirm::can_ask() {
        let fault = Fault::input("this needs a confirmation and there is no terminal to ask on; nothing was changed");
        return Err(fault.with_hint("--yes restores without asking, --dry-run shows what would change"));
    }
    let store = env.store().await?;
    let (backup, wanted) = wanted(&store, &args).await?;
    let restorer = Restorer::open(store.clone(), env.settings.clone(), &args.switch).await?;
    let mut restorer = restorer.despite_freeze(args.despite_freeze);
    let done = restore(output, &store, &args, (&backup, &wanted), &mut restorer).await;
    restorer.close().await;
    done
}

async fn wanted(store: &Store, args: &RestoreArgs) -> Result<(Backup, RestoreTarget), Fault> {
    let known = did_you_mean::known_switch(store, &args.switch).await?;
    if let Some(freeze) = known.freeze.filter(|_| !args.dry_run && !args.despite_freeze) {
        return Err(freeze.failure(&args.switch).into());
    }
    let (backup, text) = store.backups().get(args.id).await?;
    if backup.switch != args.switch {
        let text = format!("backup {} belongs to {}, not to {}", args.id, backup.switch, args.switch);
        return Err(Fault::input(text).with_hint(format!("`vmacd backups list {}` lists its backups", args.switch)));
    }
    let wanted = RestoreTarget { backup_id: backup.id, text };
    Ok((backup, wanted))
}

async fn restore(
    output: Output,
    store: &Store,
    args: &RestoreArgs,
    (backup, wanted): (&Backup, &RestoreTarget),
    restorer: &mut Restorer,
) -> Result<(), Fault> {
    let comparing = Progress::spinner(output, format!("comparing on {}", backup.switch));
    let preview = restorer.preview(wanted, args.timeout).await?;
    comparing.done();
    let report = RestoreReport::new(backup, wanted, &preview);
    if preview.difference.text.trim().is_empty() {
        return report.print(
            output,
            "unchanged",
            &json!({}),
            "the switch already has this configuration; nothing to do",
        );
    }
    if args.dry_run {
        return report.print(output, "would_change", &json!({}), "nothing was changed");
    }
    if !args.yes {
        report.show_before_asking(output)?;
        if !confirm::yes_or_no(format!("Load backup {} on {} and commit it?", backup.id, backup.switch)).await? {
            return Err(Fault::input("not confirmed; nothing was changed"));
        }
    }
    note(store, "restore", &backup.switch, json!({"backup": backup.id, "despite_freeze": args.despite_freeze})).await?;
    let restoring = Progress::spinner(output, format!("committing on {}", backup.switch));
    let end = restorer.restore(wanted, &preview, args.timeout).await?;
    restoring.done();
    match end {
        RestoreEnd::Restored { push_id, backup_id } => {
            let data = json!({"push_id": push_id, "backup_before": backup_id});
            let result = format!("restored by push {push_id}; the configuration before it is backup {backup_id}");
            report.print(output, "restored", &data, &result)
        }
        RestoreEnd::Changed => {
            let text = format!("{} was changed by somebody else in the meantime; nothing was restored", backup.switch);
            Err(Fault::service(anyhow::Error::msg(text))
                .with_hint("run the command again to see what it would change now"))
        }
    }
}

/// What a restore would change, with secrets hidden.
struct RestoreReport<'a> {
    backup: &'a Backup,
    diff: String,
    disagreeing: &'a [Disagreement],
}

impl<'a> RestoreReport<'a> {
    fn new(backup: &'a Backup, wanted: &RestoreTarget, preview: &'a RestorePreview) -> Self {
        let difference = &preview.difference;
        let diff = redacted_difference(&difference.text, &[&difference.before, &wanted.text]);
        Self { backup, diff, disagreeing: &preview.disagreeing }
    }

    fn show_before_asking(&self, output: Output) -> Result<(), Fault> {
        let mut page = Page::new(output.style);
        self.write(&mut page);
        // Data goes to stdout when it is done; the question needs it now.
        say(&page.finish());
        Ok(())
    }

    fn print(&self, output: Output, outcome: &str, more: &Value, result: &str) -> Result<(), Fault> {
        let rows: Vec<Value> = self.disagreeing.iter().map(row).collect();
        let mut data = json!({"switch": self.backup.switch, "backup": self.backup.id, "outcome": outcome,
            "diff": self.diff, "rows_to_push": rows});
        if let (Some(data), Some(more)) = (data.as_object_mut(), more.as_object()) {
            data.extend(more.clone());
        }
        let document = output.page(&data, |page| {
            if outcome != "restored" {
                self.write(page);
            }
            page.put(format!("{}: backup {}: {result}", self.backup.switch, self.backup.id)).end();
        })?;
        output.print(&document)
    }

    fn write(&self, page: &mut Page) {
        write_diff(page, &self.diff);
        for row in self.disagreeing {
            page.put(Cell::new(Tone::Waiting, "then ")).put(describe(row)).end();
        }
    }
}

fn row(row: &Disagreement) -> Value {
    let wish = &row.wish;
    json!({"vmac_id": wish.vmac_id, "ip_address": wish.ip, "mac_address": wish.mac, "desired": wish.desired,
        "failure": row.failure.as_ref().map(|failure| &failure.text)})
}

fn describe(row: &Disagreement) -> String {
    let wish = &row.wish;
    match &row.failure {
        Some(failure) => format!("{} cannot be pushed: {}", wish.ip, failure.text),
        None if row.is_missing() => {
            format!("a worker will bind {} to {} again: row {} requires it", wish.ip, wish.mac, wish.vmac_id)
        }
        None => format!("a worker will remove {} from {} again: row {} was revoked", wish.ip, wish.mac, wish.vmac_id),
    }
}
