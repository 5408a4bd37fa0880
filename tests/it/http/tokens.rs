//! Guessing the token, or a hook's secret.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{metrics, sample};
use crate::hooks::{deliver, event, send, serve as serve_with_hook};
use crate::scenario::world::World;
use crate::support::eventually;
use crate::support::http::{Ask, ask, get};
use crate::support::vmacd::Serve;

const TOKEN: &str = "t0ken-of-the-api-which-is-long";
/// Fewer than have to wait longest: those are answered when that time is over.
const GUESSERS: usize = 9;
const TOLD: &str = "wrong tokens or signatures were sent";

/// Guesses without a pause from many connections until dropped, and counts what was answered.
struct Guessing {
    _guessers: JoinSet<()>,
    answered: Arc<AtomicU64>,
    began: Instant,
}

impl Guessing {
    fn start<F: Future<Output = u16> + Send + 'static>(guess: impl Fn(u64) -> F + Clone + Send + 'static) -> Self {
        let (answered, mut guessers) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
        for number in 0..GUESSERS as u64 {
            let (guess, answered) = (guess.clone(), answered.clone());
            guessers.spawn(async move {
                for round in 0.. {
                    assert_eq!(guess(number + round * 1_000).await, 401);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { _guessers: guessers, answered, began: Instant::now() }
    }

    /// Waits for so many answers, and holds that there were no more than ten at once and one a second after that.
    async fn until(&self, count: u64) {
        eventually("guesses are answered", async || self.answered.load(Ordering::Relaxed) >= count).await;
        let (answered, took_s) = (self.answered.load(Ordering::Relaxed), self.began.elapsed().as_secs());
        assert!(answered <= 10 + took_s + 1, "{answered} guesses were answered in {took_s} s");
    }
}

async fn told_once(serve: &Serve, door: &str) {
    let lines: Vec<_> = serve.log().lines().filter(|line| line.contains(TOLD)).map(str::to_owned).collect();
    let places_told = lines.iter().filter(|line| line.contains(door) && line.contains("127.0.0.1")).count();
    assert!((1..=3).contains(&places_told), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_are_slowed_counted_and_told_and_the_right_one_never_waits() {
    let mut world = World::embedded(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_API_TOKEN", TOKEN);
    let serve = world.serve().await;
    let url = format!("{}/api/v1/vmacs", serve.http_url());
    let guessing = Guessing::start(move |number| {
        let url = url.clone();
        async move { get(&url, Some(&format!("guess-{number}"))).await.status }
    });
    for count in [10, 12, 14] {
        guessing.until(count).await;
        let began = Instant::now();
        let text = metrics(&serve, Some(TOKEN)).await;
        assert!(began.elapsed() < Duration::from_secs(2), "the right token took {:?}", began.elapsed());
        let counted = sample(&text, "vmacd_credentials_refused_total{door=\"api\"}");
        assert!(counted >= count as f64, "{counted}");
    }
    told_once(&serve, "api").await;
    eventually("what came meanwhile is told with its number", async || {
        let log = serve.log();
        let counts = log.lines().filter(|line| line.contains(TOLD)).filter_map(|line| line.split_once(" count="));
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        counts.filter_map(|(_, rest)| digits(rest).parse::<u64>().ok()).any(|count| count > 1)
    })
    .await;
    assert!(!serve.log().contains("guess-") && !serve.log().contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_shown_in_place_of_the_token_counts_at_each_door() {
    let mut world = World::embedded(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_API_TOKEN", TOKEN);
    let serve = world.serve().await;
    let basic = vec![("authorization", "Basic YWRtaW46YWRtaW4=".to_owned())];
    let asking = Ask { headers: basic, ..Ask::default() };
    assert_eq!(ask(&format!("{}/api/v1/vmacs", serve.http_url()), asking).await.status, 401);
    assert_eq!(get(&format!("{}/metrics", serve.http_url()), Some("wrong")).await.status, 401);
    let form = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    let entered = Ask { method: "POST", headers: form, body: Some("token=wrong".to_owned()) };
    assert_eq!(ask(&format!("{}/login", serve.http_url()), entered).await.status, 401);
    // Nothing shown is nothing guessed, and a token in a URL is none.
    assert_eq!(
        get(&format!("{}/api/v1/vmacs?token={TOKEN}&access_token={TOKEN}", serve.http_url()), None).await.status,
        401
    );
    let text = metrics(&serve, Some(TOKEN)).await;
    assert_eq!(sample(&text, "vmacd_credentials_refused_total{door=\"api\"}"), 2.0);
    assert_eq!(sample(&text, "vmacd_credentials_refused_total{door=\"page\"}"), 1.0);
    assert_eq!(sample(&text, "vmacd_credentials_refused_total{door=\"hook\"}"), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_signatures_are_slowed_counted_and_told_and_a_right_one_never_waits() {
    let world = World::embedded(1, 1).await;
    let serve = Arc::new(serve_with_hook(&world).await);
    let body = event(&world, "evt-1", "address.added", 1).to_string();
    let asking = serve.clone();
    let guessing = Guessing::start(move |number| {
        let (serve, body) = (asking.clone(), body.clone());
        async move { send(&serve, "billing", &body, Some(format!("{number:064x}"))).await.status }
    });
    guessing.until(12).await;
    let began = Instant::now();
    assert_eq!(deliver(&serve, &event(&world, "evt-2", "address.added", 1)).await.status, 202);
    assert!(began.elapsed() < Duration::from_secs(2), "the right signature took {:?}", began.elapsed());
    world.until("active", 1).await;
    let counted = sample(&metrics(&serve, None).await, "vmacd_credentials_refused_total{door=\"hook\"}");
    assert!(counted >= 12.0, "{counted}");
    told_once(&serve, "billing").await;
}

#[tokio::test]
async fn a_short_token_is_warned_of_at_start() {
    let mut world = World::embedded(1, 1).await;
    world.settings = world.settings.clone().set("VMACD_API_TOKEN", "hunter2");
    let mut serve = world.serve().await;
    serve.wait_for_line("api.token is shorter than 16 characters").await;
    assert!(!serve.log().contains("hunter2"));
}
