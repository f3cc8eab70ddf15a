use super::*;
use crate::testing::scratch;
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test]
async fn each_start_has_a_greater_generation_and_the_same_name() {
    let scratch = scratch();
    let mut last = None;
    for expected in 1..=3 {
        let store = Store::open(scratch.path()).await.expect("opens");
        let incarnation = store.incarnation().await.expect("counts");
        assert_eq!(incarnation.generation, Generation(expected));
        assert!(incarnation.node.starts_with("ND_"), "{}", incarnation.node);
        let name = last.get_or_insert_with(|| incarnation.node.clone());
        assert_eq!(*name, incarnation.node);
        store.close().await;
    }
}

#[tokio::test]
async fn what_is_committed_is_durable() {
    let scratch = scratch();
    let store = Store::open(scratch.path()).await.expect("opens");
    let pragma = async |name: &str| {
        let row = sqlx::query(&format!("PRAGMA {name}"))
            .fetch_one(&store.pool)
            .await
            .expect("answers");
        row.try_get::<String, _>(0)
            .or_else(|_| row.try_get::<i64, _>(0).map(|number| number.to_string()))
            .expect("text or number")
    };
    assert_eq!(pragma("journal_mode").await, "wal");
    assert_eq!(pragma("synchronous").await, "2", "FULL");
    assert_eq!(pragma("secure_delete").await, "1");
}

#[tokio::test]
async fn the_use_of_api_keys_is_noted() {
    let scratch = scratch();
    let store = Store::open(scratch.path()).await.expect("opens");
    store
        .note_api_keys(["k1", "k2"].into_iter())
        .await
        .expect("noted");
    store
        .note_api_keys(["k1"].into_iter())
        .await
        .expect("noted again");
    store
        .note_api_key_use(BTreeMap::from([
            ("k2".to_owned(), 77),
            ("gone".to_owned(), 1),
        ]))
        .await
        .expect("noted");
    let rows: Vec<(String, Option<i64>)> =
        sqlx::query_as("SELECT name, last_used_s FROM api_key ORDER BY name")
            .fetch_all(&store.pool)
            .await
            .expect("reads");
    assert_eq!(rows, [("k1".to_owned(), None), ("k2".to_owned(), Some(77))]);
}

#[tokio::test]
async fn an_unreadable_snapshot_is_let_go() {
    let scratch = scratch();
    let store = Store::open(scratch.path()).await.expect("opens");
    sqlx::query("INSERT INTO room_snapshot VALUES ('RM_x', '[\"of another release\"]')")
        .execute(&store.pool)
        .await
        .expect("ours");
    assert!(store.snapshots().await.expect("reads").is_empty());
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM room_snapshot")
        .fetch_one(&store.pool)
        .await
        .expect("reads");
    assert_eq!(count, 0);
}

#[tokio::test]
async fn the_database_is_behind_a_private_directory() {
    let scratch = scratch();
    let directory = scratch.path().join("data");
    crate::files::data_directory(&directory).expect("made");
    Store::open(&directory).await.expect("opens");
    let mode = std::fs::metadata(&directory)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}
