//! The Unix socket, and what a restart finds.

use super::client::Ended;
use super::{Bench, within};
use bedside_protocol::{Command, Event, Generation, Refusal};
use livekit_protocol::signal_response::Message as Response;
use std::time::Duration;

#[tokio::test]
async fn the_hello_carries_the_whole_configuration() {
    let mut bench = Bench::new().await;
    bench.dataplane.hang_up();
    let hello = bench.dataplane.accept().await;
    assert_eq!(hello.generation, Generation(1));
    assert_eq!(
        hello.config,
        super::config(bench.scratch.path()).dataplane()
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_join_becomes_commands_and_a_reconnect_repeats_them() {
    let mut bench = Bench::new().await;
    let (mut signal, room) = bench.join().await;

    bench.dataplane.hang_up();
    bench.until_healthy("503").await;
    assert_eq!(bench.client().get("/rtc/validate").await.status, "401");
    bench.dataplane.accept().await;
    assert_eq!(bench.dataplane.room().await, room);
    bench
        .dataplane
        .command(|frame| (frame.room == room && frame.command == Command::Reconcile).then_some(()))
        .await;
    bench.until_healthy("200").await;
    // The client noticed nothing.
    let ping = livekit_protocol::Ping::default();
    signal
        .send(livekit_protocol::signal_request::Message::PingReq(ping))
        .await;
    signal
        .until(|message| matches!(message, Response::PongResp(_)).then_some(()))
        .await;
    bench.stop().await;
}

#[tokio::test]
async fn events_reach_the_rooms() {
    let mut bench = Bench::new().await;
    let (_signal, room) = bench.join().await;
    let refused = Event::Refused {
        command: "ensure_room".to_owned(),
        reason: "no such worker".to_owned(),
    };
    bench.dataplane.event(room, refused).await;
    let counted = async {
        loop {
            let status = bench.running.rooms.call(|rooms, _| rooms.status());
            if status.await.expect("running").commands_refused == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(counted, "the refusal is counted").await;
    bench.stop().await;
}

#[tokio::test]
async fn a_refusal_is_reported_and_tried_again() {
    let mut bench = Bench::new().await;
    bench.dataplane.hang_up();
    bench
        .dataplane
        .refuse(Refusal::Superseded { newest: 99 })
        .await;
    bench.until_healthy("503").await;
    bench.dataplane.accept().await;
    bench.until_healthy("200").await;
    bench.stop().await;
}

#[tokio::test]
async fn garbage_from_the_socket_starts_the_connection_anew() {
    let mut bench = Bench::new().await;
    for garbage in [&b"\xff\xff\xff\xff"[..], b"\0\0\0\x02{]", b"\0\0\0\x02[]"] {
        bench.dataplane.say_bytes(garbage).await;
        bench.dataplane.accept().await;
        bench.until_healthy("200").await;
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_restart_takes_the_rooms_over_and_clients_resume() {
    let mut bench = Bench::new().await;
    let token = bench.token("p");
    let client = bench.client();
    let mut signal = client.signal("/rtc", &token).await.expect("let in");
    let Response::Join(join) = signal.next().await else {
        panic!("the first message must be join");
    };
    let sid = join.participant.expect("present").sid;
    let room_sid = join.room.expect("present").sid;
    let room = bench.dataplane.room().await;

    let scratch = bench.stop().await;
    assert_eq!(
        signal.end().await,
        Ended::Dropped,
        "so that clients resume at once"
    );

    let mut bench = Bench::on(scratch).await;
    assert_eq!(bench.running.generation, Generation(2));
    assert_eq!(bench.dataplane.room().await, room);
    let client = bench.client();
    let path = format!("/rtc?reconnect=1&sid={sid}");
    let mut signal = client.signal(&path, &token).await.expect("let in");
    assert!(matches!(signal.next().await, Response::Reconnect(_)));
    let update = signal.until(|message| match message {
        Response::RoomUpdate(update) => update.room,
        _ => None,
    });
    assert_eq!(update.await.sid, room_sid);
    bench.stop().await;
}

#[tokio::test]
async fn what_was_stored_survives_a_crash() {
    let mut bench = Bench::new().await;
    let token = bench.token("p");
    let client = bench.client();
    let mut signal = client.signal("/rtc", &token).await.expect("let in");
    let Response::Join(join) = signal.next().await else {
        panic!("the first message must be join");
    };
    let sid = join.participant.expect("present").sid;
    let room = bench.dataplane.room().await;
    bench.until_stored(1).await;
    // Nothing is flushed or closed.
    let Bench {
        running, scratch, ..
    } = bench;
    drop(running);

    let mut bench = Bench::on(scratch).await;
    assert_eq!(bench.dataplane.room().await, room);
    let client = bench.client();
    let path = format!("/rtc?reconnect=1&sid={sid}");
    let mut signal = client.signal(&path, &token).await.expect("let in");
    assert!(matches!(signal.next().await, Response::Reconnect(_)));
    bench.stop().await;
}

#[tokio::test]
async fn a_room_that_is_over_leaves_nothing_on_disk() {
    let bench = Bench::new().await;
    let client = bench.client();
    let mut signal = client
        .signal("/rtc", &bench.token("p"))
        .await
        .expect("let in");
    assert!(matches!(signal.next().await, Response::Join(_)));
    bench.until_stored(1).await;
    let request = livekit_protocol::DeleteRoomRequest {
        room: "r".to_owned(),
    };
    let deleted = bench
        .running
        .rooms
        .call(move |rooms, now| rooms.delete_room(now, &request).map(drop));
    deleted.await.expect("running").expect("the room is there");
    bench.until_stored(0).await;
    bench.stop().await;
}
