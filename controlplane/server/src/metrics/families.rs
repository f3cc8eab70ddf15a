//! Families of numbers, whose labels can only be [`Label`]s.

use super::labels::Label;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use std::fmt::{self, Debug, Write as _};
use std::hash::Hash;
use std::sync::atomic::AtomicU64;

/// Up to three labels.
pub(crate) trait Labels: Copy + Eq + Hash + Debug + Send + Sync + 'static {
    /// Every combination.
    fn all() -> Vec<Self>;
    /// Names and texts.
    fn texts(self) -> Vec<(&'static str, &'static str)>;
}

impl Labels for () {
    fn all() -> Vec<Self> {
        vec![()]
    }
    fn texts(self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
}

impl<A: Label> Labels for (A,) {
    fn all() -> Vec<Self> {
        A::ALL.iter().map(|&a| (a,)).collect()
    }
    fn texts(self) -> Vec<(&'static str, &'static str)> {
        vec![(A::NAME, self.0.text())]
    }
}

impl<A: Label, B: Label> Labels for (A, B) {
    fn all() -> Vec<Self> {
        let row = |&a| B::ALL.iter().map(move |&b| (a, b));
        A::ALL.iter().flat_map(row).collect()
    }
    fn texts(self) -> Vec<(&'static str, &'static str)> {
        vec![(A::NAME, self.0.text()), (B::NAME, self.1.text())]
    }
}

impl<A: Label, B: Label, C: Label> Labels for (A, B, C) {
    fn all() -> Vec<Self> {
        let row = |(a, b)| C::ALL.iter().map(move |&c| (a, b, c));
        <(A, B)>::all().into_iter().flat_map(row).collect()
    }
    fn texts(self) -> Vec<(&'static str, &'static str)> {
        let (a, b, c) = self;
        vec![
            (A::NAME, a.text()),
            (B::NAME, b.text()),
            (C::NAME, c.text()),
        ]
    }
}

/// The only label set that is ever encoded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Set<L>(L);

impl<L: Labels> EncodeLabelSet for Set<L> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, text) in self.0.texts() {
            let mut label = encoder.encode_label();
            let mut key = label.encode_label_key()?;
            key.write_str(name)?;
            let mut value = key.encode_label_value()?;
            value.write_str(text)?;
            value.finish()?;
        }
        Ok(())
    }
}

/// Numbers that only grow.
#[derive(Clone)]
pub(crate) struct Counters<L: Labels>(Family<Set<L>, Counter>);

impl<L: Labels> Counters<L> {
    /// One more.
    pub(crate) fn count(&self, labels: L) {
        self.add(labels, 1);
    }

    pub(crate) fn add(&self, labels: L, more: u64) {
        self.0.get_or_create(&Set(labels)).inc_by(more);
    }

    /// For what is counted elsewhere: grows to `total`.
    pub(crate) fn reach(&self, labels: L, total: u64) {
        let counter = self.0.get_or_create(&Set(labels));
        counter.inc_by(total.saturating_sub(counter.get()));
    }
}

/// Numbers of the moment.
#[derive(Clone)]
pub(crate) struct Gauges<L: Labels>(Family<Set<L>, Gauge<u64, AtomicU64>>);

impl<L: Labels> Gauges<L> {
    pub(crate) fn set(&self, labels: L, value: u64) {
        self.0.get_or_create(&Set(labels)).set(value);
    }
}

/// Distributions.
#[derive(Clone)]
pub(crate) struct Histograms<L: Labels>(Family<Set<L>, Histogram, Buckets>);

impl<L: Labels> Histograms<L> {
    pub(crate) fn observe(&self, labels: L, value: f64) {
        self.0.get_or_create(&Set(labels)).observe(value);
    }
}

#[derive(Clone)]
struct Buckets(Vec<f64>);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Registers families, with all of their series.
pub(super) struct Families<'a>(&'a mut Registry);

impl<'a> Families<'a> {
    pub(super) fn new(registry: &'a mut Registry) -> Self {
        Self(registry)
    }

    pub(super) fn counters<L: Labels>(&mut self, name: &str, help: &str) -> Counters<L> {
        let family = Family::default();
        self.register(name, help, &family);
        Counters(family)
    }

    pub(super) fn gauges<L: Labels>(&mut self, name: &str, help: &str) -> Gauges<L> {
        let family = Family::default();
        self.register(name, help, &family);
        Gauges(family)
    }

    pub(super) fn histograms<L: Labels>(
        &mut self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Histograms<L> {
        let family = Family::new_with_constructor(Buckets(buckets.to_vec()));
        self.register(name, help, &family);
        Histograms(family)
    }

    fn register<L, M, C>(&mut self, name: &str, help: &str, family: &Family<Set<L>, M, C>)
    where
        L: Labels,
        M: Clone,
        C: MetricConstructor<M>,
        Family<Set<L>, M, C>: Metric + Clone,
    {
        for labels in L::all() {
            drop(family.get_or_create(&Set(labels)));
        }
        self.0
            .register(format!("bedside_{name}"), help, family.clone());
    }
}
