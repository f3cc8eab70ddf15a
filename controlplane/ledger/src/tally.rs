//! How many events of each kind were taken since the start, for metrics.

use bedside_audit::{Action, Outcome};
use std::sync::atomic::{AtomicU64, Ordering};

/// One count for each action and outcome.
#[derive(Debug)]
pub(crate) struct Tally(Vec<AtomicU64>);

impl Default for Tally {
    fn default() -> Self {
        let cells = Action::ALL.len() * OUTCOMES.len();
        Self((0..cells).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Tally {
    pub(crate) fn count(&self, action: Action, outcome: Outcome) {
        let cell = cells().position(|cell| cell == (action, outcome));
        if let Some(count) = cell.and_then(|cell| self.0.get(cell)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> impl Iterator<Item = (Action, Outcome, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        cells()
            .zip(counts)
            .map(|((action, outcome), count)| (action, outcome, count))
    }
}

fn cells() -> impl Iterator<Item = (Action, Outcome)> {
    Action::ALL
        .iter()
        .flat_map(|&action| OUTCOMES.map(|outcome| (action, outcome)))
}

const OUTCOMES: [Outcome; 3] = [Outcome::Success, Outcome::Denied, Outcome::Failed];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_count() {
        let tally = Tally::default();
        tally.count(Action::Join, Outcome::Denied);
        tally.count(Action::Evidence, Outcome::Failed);
        tally.count(Action::Evidence, Outcome::Failed);
        let counted: Vec<_> = tally.counts().filter(|(.., count)| *count > 0).collect();
        assert_eq!(
            counted,
            [
                (Action::Join, Outcome::Denied, 1),
                (Action::Evidence, Outcome::Failed, 2)
            ]
        );
    }
}
