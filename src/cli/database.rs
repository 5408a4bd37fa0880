//! `vmacd backup`: a copy of the whole database.

use std::path::Path;

use crate::cli::app_env::AppEnv;
use crate::cli::args::BackupArgs;
use crate::cli::fault::Fault;
use crate::cli::ui::output::Output;
use crate::config::ServiceUrl;
use crate::store::StoreError;

/// Of the embedded queue there is no archive.
const ALL_THERE_IS: &str = "\nThe queue is embedded in this database, and there is no archive of commands: what is ordered from now on is in no \
     other place. Keep copies on another disk";

pub async fn run(env: AppEnv, output: Output, args: BackupArgs) -> Result<(), Fault> {
    let url = &env.settings.database.url;
    if url.reveal().starts_with("postgres") {
        return Err(Fault::from(StoreError::NotSqlite).with_hint(pg_dump(url, &args.file)));
    }
    let copied = env.database().await?.copy_to(&args.file, args.overwrite).await;
    let copy = copied.map_err(|error| advised(error, args.overwrite))?;
    output.item(&copy, || {
        let (file, bytes, tables) = (copy.file.display(), copy.bytes, copy.tables);
        let is_all = if env.settings.amqp.url.is_empty() { ALL_THERE_IS } else { "" };
        format!("{file}: {bytes} bytes, tables of version {tables}, integrity checked{is_all}")
    })
}

fn advised(error: StoreError, overwrite: bool) -> Fault {
    let is_there =
        matches!(&error, StoreError::CopyFile { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists);
    let fault = Fault::from(error);
    if is_there && !overwrite {
        fault.with_hint("choose another name, or replace that file with --overwrite")
    } else {
        fault
    }
}

/// The command that does it for Postgres. The password is none of its words: everybody on the machine could read it.
fn pg_dump(url: &ServiceUrl, file: &Path) -> String {
    let url = url.to_string().replacen(":***@", "@", 1);
    let (url, file) = (quoted(&url), quoted(&file.to_string_lossy()));
    format!(
        "back up Postgres with its own tool; it takes the password from PGPASSWORD or ~/.pgpass: \
         (umask 077; pg_dump --format=custom --file={file} {url})"
    )
}

/// One word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_for_postgres_has_no_password_and_survives_the_shell() {
        let url = ServiceUrl::new("postgres://vmacd:hunter2@db:5432/wsh_infra?password=hunter2");
        insta::assert_snapshot!(pg_dump(&url, Path::new("it's.dump")), @r"back up Postgres with its own tool; it takes the password from PGPASSWORD or ~/.pgpass: (umask 077; pg_dump --format=custom --file='it'\''s.dump' 'postgres://vmacd@db:5432/wsh_infra')");
    }
}
