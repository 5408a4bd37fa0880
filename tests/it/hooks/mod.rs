//! Hooks: another system's signed event becomes a command, and nothing else does.

mod accepted;
mod documented;
mod refused;
mod senders;

use serde_json::{Value, json};

use crate::scenario::world::World;
use crate::support::http::{Answer, Ask, ask};
use crate::support::vmacd::{Serve, Settings};
use crate::support::{run_dir, unique};

const SECRET: &str = "s3cret-of-billing";

/// A hook whose events have their own shape.
const HOOK: &str = r#"
    [hooks.billing]
    secret = "s3cret-of-billing"
    action = "/event"
    create = ["address.added"]
    revoke = ["address.removed"]
    [hooks.billing.fields]
    server_id = "/service/server_id"
    ip_address = "/address/ip"
    message_id = "/id"
    issued_at = "/created_at"
    reference = "/order"
"#;

/// These settings, with a file that holds this text.
fn with_file(settings: &Settings, text: &str) -> Settings {
    let file = run_dir().join(unique("hooks")).with_extension("toml");
    std::fs::write(&file, text).expect("a file of settings");
    settings.clone().set("VMACD_CONFIG", file.display())
}

/// A worker that has the hook.
pub(crate) async fn serve(world: &World) -> Serve {
    Serve::start(&with_file(&world.settings, HOOK)).await
}

/// An event of the other system about an address of server number 0.
pub(crate) fn event(world: &World, id: &str, what: &str, number: u32) -> Value {
    json!({
        "id": id, "event": what, "order": 7781, "service": {"server_id": world.server(0).to_string()},
        "address": {"ip": world.address(0, number)},
    })
}

/// HMAC-SHA256 in hexadecimal digits, as OpenSSL makes it: not by the code under test.
fn sign(secret: &str, body: &str) -> String {
    sign_with("-sha256", &format!("key:{secret}"), body)
}

/// The same with another hash, and a key that is written as OpenSSL's `-macopt` has it.
fn sign_with(hash: &str, key: &str, body: &str) -> String {
    let file = run_dir().join(unique("body"));
    std::fs::write(&file, body).expect("a file");
    let made = std::process::Command::new("openssl")
        .args(["dgst", hash, "-r", "-mac", "HMAC", "-macopt", key])
        .arg(&file)
        .output();
    let made = String::from_utf8(made.expect("OpenSSL runs").stdout).expect("text");
    made.split_whitespace().next().expect("a digest").to_owned()
}

/// Sends a body to a hook, with this signature where one is given.
pub(crate) async fn send(serve: &Serve, hook: &str, body: &str, signature: Option<String>) -> Answer {
    let headers = signature.into_iter().map(|signature| ("x-signature-256", signature)).collect();
    post(serve, hook, headers, body).await
}

/// The same with headers of the test's own.
async fn post(serve: &Serve, hook: &str, headers: Vec<(&'static str, String)>, body: &str) -> Answer {
    let asking = Ask { method: "POST", headers, body: Some(body.to_owned()) };
    ask(&format!("{}/hooks/{hook}", serve.http_url()), asking).await
}

/// Sends an event, rightly signed.
pub(crate) async fn deliver(serve: &Serve, event: &Value) -> Answer {
    let body = event.to_string();
    let signature = format!("sha256={}", sign(SECRET, &body));
    send(serve, "billing", &body, Some(signature)).await
}
