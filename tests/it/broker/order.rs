//! Commands come in order, to one consumer at a time.

use std::time::Duration;

use super::bench::{Bench, bodies, commands_of, is_silent, take};

on_both_brokers! {
    messages_come_in_the_order_they_were_published,
    what_is_not_acknowledged_comes_again_in_order_when_its_session_ends,
    acknowledging_a_batch_settles_all_of_it_and_nothing_else,
    a_second_consumer_receives_nothing_while_the_first_holds_a_batch,
}

async fn messages_come_in_the_order_they_were_published(bench: &Bench) {
    let sent: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    for some in sent.chunks(3) {
        bench.publish(&some.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let (mut consumer, mut received) = (bench.commands().await, Vec::new());
    while received.len() < sent.len() {
        let batch = consumer.next_batch(7, Duration::from_millis(1)).await.expect("a batch");
        assert!((1..=7).contains(&batch.deliveries.len()));
        received.extend(bodies(&batch));
        bench.broker.ack(batch.receipt).await.expect("acknowledged");
    }
    assert_eq!(received, sent);
    assert!(is_silent(&mut consumer).await);
}

async fn what_is_not_acknowledged_comes_again_in_order_when_its_session_ends(bench: &Bench) {
    bench.publish(&["a", "b", "c", "d", "e"]).await;
    let mut first = bench.commands().await;
    assert_eq!(bodies(&take(&mut first, 4).await), ["a", "b", "c", "d"]);
    bench.publish(&["f"]).await;
    first.stop().await;
    let mut second = commands_of(&bench.another().await).await;
    assert_eq!(bench.receive(&mut second, 6).await, ["a", "b", "c", "d", "e", "f"]);
    assert!(is_silent(&mut second).await);
}

async fn acknowledging_a_batch_settles_all_of_it_and_nothing_else(bench: &Bench) {
    bench.publish(&["a", "b", "c", "d", "e", "f"]).await;
    let mut first = bench.commands().await;
    let batch = take(&mut first, 3).await;
    bench.broker.ack(batch.receipt).await.expect("acknowledged");
    let held = take(&mut first, 2).await;
    assert_eq!(bodies(&held), ["d", "e"]);
    first.stop().await;
    let mut second = bench.commands().await;
    assert_eq!(bench.receive(&mut second, 3).await, ["d", "e", "f"]);
    assert!(is_silent(&mut second).await);
}

async fn a_second_consumer_receives_nothing_while_the_first_holds_a_batch(bench: &Bench) {
    bench.publish(&["a", "b", "c", "d"]).await;
    let other = bench.another().await;
    let mut first = bench.commands().await;
    let held = take(&mut first, 2).await;
    let mut second = commands_of(&other).await;
    assert!(is_silent(&mut second).await, "both receive at the same time");
    bench.broker.ack(held.receipt).await.expect("acknowledged");
    first.stop().await;
    assert_eq!(bench.receive(&mut second, 2).await, ["c", "d"]);
}
