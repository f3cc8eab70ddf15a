use super::*;
use crate::testing::{Scratch, scratch};

async fn store() -> (Scratch, Store) {
    let scratch = scratch();
    let store = Store::open(scratch.path()).await.expect("opens");
    (scratch, store)
}

fn link(expires_s: i64) -> Link {
    Link {
        room: "r".to_owned(),
        role: "patient".to_owned(),
        identity: "p_1".to_owned(),
        display_name: None,
        room_label: None,
        expires_s,
    }
}

#[tokio::test]
async fn a_link_is_used_once_and_its_session_comes_back() {
    let (_scratch, store) = store().await;
    let (token, session) = ([1; 32], [2; 32]);
    let good = link(now_s() + 60);
    store.create_link(&token, &good).await.expect("kept");
    let open = LinkState::Open(good);
    for _ in 0..2 {
        let looked = store.look_up_link(&token).await.expect("looks");
        assert_eq!(looked, open, "looking does not use it");
    }
    assert_eq!(store.use_link(&token, &session).await.expect("used"), open);
    assert_eq!(
        store.look_up_link(&token).await.expect("looks"),
        LinkState::Used
    );
    let again = store.use_link(&token, &[3; 32]).await.expect("answered");
    assert_eq!(again, LinkState::Used);
    assert_eq!(store.link_of_session(&session).await.expect("looks"), open);
    let stranger = store.link_of_session(&[3; 32]).await.expect("looks");
    assert_eq!(stranger, LinkState::Unknown);
}

#[tokio::test]
async fn of_many_at_once_one_wins() {
    let (_scratch, store) = store().await;
    let token = [1; 32];
    store
        .create_link(&token, &link(now_s() + 60))
        .await
        .expect("kept");
    let tries: Vec<_> = (0..20_u8)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.use_link(&token, &[n; 32]).await.expect("answered") })
        })
        .collect();
    let mut won = 0;
    for one in tries {
        match one.await.expect("ran") {
            LinkState::Open(_) => won += 1,
            other => assert_eq!(other, LinkState::Used),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn an_expired_link_opens_nothing_and_is_forgotten_later() {
    let (_scratch, store) = store().await;
    store
        .create_link(&[1; 32], &link(now_s()))
        .await
        .expect("kept");
    let old = link(now_s() - KEPT_AFTER_EXPIRY_S - 5);
    store.create_link(&[2; 32], &old).await.expect("kept");
    let expired = store.use_link(&[1; 32], &[9; 32]).await.expect("answered");
    assert_eq!(expired, LinkState::Expired);
    store
        .create_link(&[3; 32], &link(now_s() + 60))
        .await
        .expect("kept");
    let forgotten = store.look_up_link(&[2; 32]).await.expect("answered");
    assert_eq!(forgotten, LinkState::Unknown);
    let kept = store.look_up_link(&[1; 32]).await.expect("answered");
    assert_eq!(kept, LinkState::Expired);
}
