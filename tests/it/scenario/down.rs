//! A switch that is down: its messages climb the ladder, the others go on, replay brings all back.

use super::world::World;
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_dead_switch_end_as_dead_letters_and_replay_makes_them_active() {
    let mut world = World::real(2, 2).await;
    world.settings = world.settings.clone().set("VMACD_RETRY_ATTEMPTS_MAX", 3);
    let dead = world.switch_of(0);
    let of_dead: Vec<usize> = (0..4).filter(|index| world.switch_of(*index) == dead).collect();
    let switch = world.estate.switch(&dead).expect("a switch");
    switch.stop();
    let _worker = world.serve().await;
    for index in 0..4 {
        for number in 1..=5 {
            world.command("create", index, number, &format!("m-{index}-{number}")).await;
        }
    }
    let expected = of_dead.len() * 5;
    world.until("active", 20 - expected).await;
    let failed = world.until("failed", expected).await;
    assert!(
        failed.iter().all(|row| row["failure_text"].as_str().is_some_and(|text| text.contains(&dead))),
        "{failed:?}"
    );
    let letters = eventually("all are dead-lettered", async || {
        let letters = world.dead_letters().await;
        if letters.len() == expected { Ok(letters) } else { Err(letters.len()) }
    })
    .await;
    assert!(letters.iter().all(|letter| letter["attempts"] == 3 && letter["switch"] == dead.as_str()), "{letters:?}");
    switch.start().await.expect("the switch is back");
    let replayed = world.vmacd(&["dead-letters", "replay", "--all"]).await;
    assert_eq!(replayed["count"], expected);
    world.until("active", 20).await;
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}
