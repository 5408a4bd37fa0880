//! Postgres that ends every connection and takes none: waited for, told, and no message pays for it.

use crate::scenario::world::World;
use crate::support::{eventually, unique};

/// What Postgres says (SQLSTATE 53300).
const REFUSED: &str = "too many connections for role";
const SERVERS: usize = 4;

/// Makes the worker log in as a role that may be shut out; the test itself is a superuser, who may not.
async fn as_role(world: &mut World) -> String {
    let (role, database) = (unique("role"), world.database());
    let name = database.name();
    let statements = format!(
        "CREATE ROLE {role} LOGIN PASSWORD '{role}'; GRANT ALL ON DATABASE {name} TO {role};
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; GRANT ALL ON SCHEMA public TO {role}"
    );
    database.execute(statements).await;
    let url = format!("postgres://{role}:{role}@{}/{name}", database.authority());
    world.settings = world.settings.clone().set("VMACD_DATABASE_URL", url);
    role
}

async fn shut_out(world: &World, role: &str) {
    let limit = format!("ALTER ROLE {role} CONNECTION LIMIT 0");
    let end = format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{role}'");
    // The limit must be in force before the first connection is ended.
    world.database().execute(limit).await;
    world.database().execute(end).await;
}

async fn command_everybody(world: &World, number: u32) {
    for index in 0..SERVERS {
        world.command("create", index, number, &format!("m-{index}-{number}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_connections_is_told_and_waited_for_and_no_message_pays() {
    let mut world = World::real(2, 2).await;
    let role = as_role(&mut world).await;
    let mut serve = world.serve().await;
    command_everybody(&world, 1).await;
    world.until("active", SERVERS).await;
    assert_eq!(serve.get("/readyz").await.0, 200);
    shut_out(&world, &role).await;
    command_everybody(&world, 2).await;
    serve.wait_for_line(REFUSED).await;
    // The connection is tried for longer than an answer takes: what came of it is told from then on.
    eventually("it is not ready, and says why", async || {
        let (status, body) = serve.get("/readyz").await;
        if status == 503 && body.contains(REFUSED) { Ok(()) } else { Err(body) }
    })
    .await;
    command_everybody(&world, 3).await;
    assert_eq!(world.database().count("SELECT count(*) FROM virtual_macs").await, 4, "rows without a connection");
    world.database().execute(format!("ALTER ROLE {role} CONNECTION LIMIT -1")).await;
    let rows = world.until("active", 3 * SERVERS).await;
    assert!(rows.iter().all(|row| row["attempts"] == 0), "{rows:?}");
    eventually("it is ready again", async || serve.get("/readyz").await.0 == 200).await;
    assert_eq!(world.database().count("SELECT count(*) FROM dead_letters").await, 0);
    assert!(serve.is_running());
    world.assert_consistent().await;
}
