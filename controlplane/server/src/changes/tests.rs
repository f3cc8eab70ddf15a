use super::*;
use crate::evidence;
use crate::testing::{Scratch, scratch};
use std::net::SocketAddr;

/// A store and a ledger of their own.
struct Bench {
    scratch: Scratch,
    store: Store,
    ledger: Ledger,
    config: Config,
}

const NOW: Time = Time(7);

impl Bench {
    async fn new() -> Self {
        let scratch = scratch();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config::development(scratch.path(), address);
        let store = Store::open(scratch.path()).await.expect("opens");
        let ledger = evidence::open(&config).await.expect("opens");
        Self {
            scratch,
            store,
            ledger,
            config,
        }
    }

    fn size(&self) -> u64 {
        self.ledger.health().borrow().size
    }

    async fn record_configuration(&self) {
        let recorded = record_configuration(&self.ledger, &self.store, &self.config, NOW).await;
        recorded.expect("reads");
    }

    async fn record_agreements(&self) -> Result<(), Error> {
        record_agreements(&self.ledger, &self.store, &self.config, NOW).await
    }

    async fn close(self) -> Scratch {
        self.ledger.close().await;
        self.store.close().await;
        self.scratch
    }
}

fn text(event: &Event, name: &str) -> String {
    match event.facts.get(name) {
        Some(Fact::Text(text)) => text.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn a_changed_configuration_is_recorded_once() {
    let mut bench = Bench::new().await;
    let begun = bench.size();
    bench.record_configuration().await;
    assert_eq!(bench.size(), begun + 1);
    bench.record_configuration().await;
    assert_eq!(bench.size(), begun + 1);
    let hash = bench.config.hash();
    bench.config.webhooks.urls = vec!["https://ehr.example/canary".to_owned()];
    assert_ne!(bench.config.hash(), hash);
    bench.record_configuration().await;
    assert_eq!(bench.size(), begun + 2);
    let scratch = bench.close().await;
    for database in ["bedside.sqlite", "audit.sqlite"] {
        let bytes = std::fs::read(scratch.path().join(database)).expect("ours");
        assert!(
            !bytes.windows(6).any(|part| part == b"canary"),
            "{database}"
        );
    }
}

#[tokio::test]
async fn changed_settings_are_named_and_never_shown() {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config::development(std::path::Path::new("/d"), address);
    let digests = |pairs: &[(&str, u8)]| -> Settings {
        pairs
            .iter()
            .map(|(name, digest)| ((*name).to_owned(), vec![*digest]))
            .collect()
    };
    let before = digests(&[("listen", 1), ("old", 2), ("rooms.auto_create", 3)]);
    let after = digests(&[("listen", 1), ("new", 2), ("rooms.auto_create", 4)]);
    assert!(of_configuration(&before, &before, &config, NOW).is_none());
    let first = of_configuration(&Settings::new(), &before, &config, NOW).expect("all new");
    assert_eq!(
        (first.action, first.reason),
        (Action::ConfigChange, Some("first_start"))
    );
    assert_eq!(
        first.object.as_ref().map(|object| object.id.clone()),
        Some(config.hash())
    );
    let changed = of_configuration(&before, &after, &config, NOW).expect("three");
    assert_eq!(text(&changed, "settings"), "new old rooms.auto_create");
    assert_eq!(text(&changed, "profile"), "trial");
}

#[tokio::test]
async fn every_change_of_an_agreement_is_an_event() {
    let bench = Bench::new().await;
    let path = bench.config.baa_file();
    let table = |id: &str, expires: &str| {
        format!(
            "[[baa]]\nentity = 'E'\nagreement = '{id}'\nexpires = {expires}\nhosts = ['a.example']\n"
        )
    };
    let check = async |register: &str, expected: &[(&str, &str)]| {
        std::fs::write(&path, register).expect("ours");
        let last = bench.store.agreements().await.expect("reads");
        let now: Vec<_> = Register::read(&path)
            .expect("good")
            .iter()
            .cloned()
            .collect();
        let mut found: Vec<_> = of_agreements(&last, &now, NOW)
            .iter()
            .map(|event| {
                assert_eq!(event.action, Action::BaaChange);
                let id = event.object.as_ref().map(|object| object.id.clone());
                (id.unwrap_or_default(), text(event, "step"))
            })
            .collect();
        found.sort();
        let found: Vec<_> = found
            .iter()
            .map(|(id, step)| (id.as_str(), step.as_str()))
            .collect();
        assert_eq!(found, expected);
        let before = bench.size();
        bench.record_agreements().await.expect("reads");
        let recorded = u64::try_from(expected.len()).expect("few");
        assert_eq!(bench.size(), before + recorded);
        bench.record_agreements().await.expect("reads");
        assert_eq!(bench.size(), before + recorded, "once");
    };
    check("", &[]).await;
    let two = table("A", "2027-01-01") + &table("B", "2027-01-01");
    check(&two, &[("A", "added"), ("B", "added")]).await;
    let others = table("B", "2028-01-01") + &table("C", "2027-01-01");
    check(
        &others,
        &[("A", "removed"), ("B", "changed"), ("C", "added")],
    )
    .await;
    std::fs::write(&path, "[[baa]]\nentity = 'E'").expect("ours");
    assert!(bench.record_agreements().await.is_err());
    bench.close().await;
}
