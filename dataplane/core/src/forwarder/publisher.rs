//! A published track and its layers.

use super::Handle;
use super::key_frame_requests::KeyFrameRequests;
use super::layer_filter::spatial_layer;
use super::layer_rates::{LayerRate, LayerRates};
use super::layer_selection::ActiveLayers;
use super::nack::NackGenerator;
use super::packet_cache::PacketCache;
use super::peer::Peer;
use super::receive::count;
use super::receive_statistics::ReceiveStatistics;
use super::relay::{Destination, Origin};
use super::room::Room;
use super::sender_report::SenderClock;
use super::speakers::LevelMeter;
use super::subscriber::Subscription;
use super::timers::Armed;
use crate::limits::{LAYER_SILENCE, LAYER_SILENCE_FRAMES, TRACK_SILENCE};
use crate::rtp::{DescriptorReader, FrameLayers, PictureId, Timestamp};
use bedside_protocol::{self as protocol, Encoding, Generation, Layer, LayerActivity, MediaKind};
use std::time::{Duration, Instant};

pub(super) struct Track {
    pub(super) wanted: protocol::Track,
    pub(super) generation: Generation,
    pub(super) room: Handle<Room>,
    pub(super) source: Source,
    /// Other workers that it is relayed to.
    pub(super) destinations: Vec<Destination>,
    /// By [`Layer::index`].
    // In boxes, since most tracks have one of the three.
    pub(super) layers: [Option<Box<PublishedLayer>>; Layer::ALL.len()],
    pub(super) subscriptions: Vec<Handle<Subscription>>,
    pub(super) meter: LevelMeter,
    pub(super) rates: LayerRates,
    pub(super) armed: Armed,
    /// Since the last statistics.
    pub(super) key_frame_requests: u64,
    pub(super) nacked: u64,
    /// Positions of this batch's arrivals, in order.
    pub(super) batch: Vec<usize>,
}

/// Where a track's packets come from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// A peer of this worker.
    Peer(Handle<Peer>),
    /// A peer of another worker, which relays them.
    Worker(Origin),
}

impl Source {
    /// Whether both name the same publisher or origin.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Peer(one), Self::Peer(other)) => one == other,
            (Self::Worker(one), Self::Worker(other)) => one.worker == other.worker,
            _ => false,
        }
    }
}

/// A packet that arrived in this batch, was the first of its number and lies in the cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) layer: Layer,
    pub(super) sequence: u64,
    pub(super) timestamp: Timestamp,
    /// A decoder can start with it.
    pub(super) starts: bool,
    /// It carries nothing for a decoder: padding, or a payload type that is not forwarded.
    pub(super) empty: bool,
    pub(super) picture_id: Option<PictureId>,
    pub(super) tl0_picture_index: Option<u8>,
    /// Of its dependency descriptor.
    pub(super) frame_number: Option<u16>,
    /// Where its stream tells layers apart.
    pub(super) frame: Option<FrameLayers>,
    /// Subscribers count pictures without those that are left out. Others name their references by
    /// their distance, which stays.
    pub(super) renumbered: bool,
}

impl Track {
    pub(super) fn new(
        wanted: protocol::Track,
        generation: Generation,
        room: Handle<Room>,
        source: Source,
    ) -> Self {
        Self {
            wanted,
            generation,
            room,
            source,
            destinations: Vec::new(),
            layers: [const { None }; Layer::ALL.len()],
            subscriptions: Vec::new(),
            meter: LevelMeter::default(),
            rates: LayerRates::default(),
            armed: Armed::default(),
            key_frame_requests: 0,
            nacked: 0,
            batch: Vec::new(),
        }
    }

    /// Its publisher, if that is a peer of this worker.
    pub(super) fn publisher(&self) -> Option<Handle<Peer>> {
        match self.source {
            Source::Peer(peer) => Some(peer),
            Source::Worker(_) => None,
        }
    }

    /// Where it is relayed from, if its publisher is a peer of another worker.
    pub(super) fn origin(&self) -> Option<Origin> {
        match self.source {
            Source::Peer(_) => None,
            Source::Worker(origin) => Some(origin),
        }
    }

    pub(super) fn kind(&self) -> MediaKind {
        self.wanted.codec.kind()
    }

    /// Counts media of a stream for what its layer costs.
    pub(super) fn count_rate(
        &mut self,
        now: Instant,
        stream: Layer,
        frame: Option<FrameLayers>,
        timestamp: Timestamp,
        payload_bytes: usize,
    ) {
        let spatial = frame.as_ref().filter(|_| self.is_scalable());
        let layer = spatial.map_or(stream, spatial_layer);
        let temporal = frame.map_or(0, |frame| frame.temporal);
        let bytes = count(payload_bytes);
        self.rates.received(now, layer, temporal, timestamp, bytes);
    }

    /// What a layer costs; of one stream a subscriber needs the layers below too.
    pub(super) fn rate_of(&self, layer: Layer) -> Option<LayerRate> {
        let mut rate = *self.rates.of(layer)?;
        if self.is_scalable() {
            let below = Layer::ALL.into_iter().filter(|below| *below < layer);
            for below in below.filter_map(|below| self.rates.of(below)) {
                for (sum, bps) in rate.bps.iter_mut().zip(below.bps) {
                    *sum += bps;
                }
            }
        }
        Some(rate)
    }

    /// Whether its one stream has several spatial layers.
    pub(super) fn is_scalable(&self) -> bool {
        self.layers
            .iter()
            .flatten()
            .any(|layer| layer.within_stream)
    }

    /// The layer whose stream carries `layer`.
    pub(super) fn stream_of(&self, layer: Layer) -> Layer {
        match &self.wanted.encodings[..] {
            [only] => only.layer,
            _ => layer,
        }
    }

    /// The stream that carries `layer`.
    pub(super) fn stream_mut(&mut self, layer: Layer) -> Option<&mut PublishedLayer> {
        self.layer_mut(self.stream_of(layer))
    }

    /// The track's one stream has spatial layers up to `highest`.
    pub(super) fn add_spatial_layers(&mut self, highest: Layer) {
        if self.wanted.encodings.len() != 1 {
            return;
        }
        for layer in Layer::ALL.into_iter().filter(|layer| *layer <= highest) {
            self.layers[layer.index()]
                .get_or_insert_with(|| Box::new(PublishedLayer::within_stream(layer)));
        }
    }

    pub(super) fn layer(&self, layer: Layer) -> Option<&PublishedLayer> {
        self.layers[layer.index()].as_deref()
    }

    pub(super) fn layer_mut(&mut self, layer: Layer) -> Option<&mut PublishedLayer> {
        self.layers[layer.index()].as_deref_mut()
    }

    pub(super) fn active(&self) -> ActiveLayers {
        let mut active = ActiveLayers::default();
        for layer in self.layers.iter().flatten() {
            active.set(layer.encoding.layer, layer.activity.active);
        }
        active
    }

    /// For [`protocol::Event::TrackLayers`]. Of one stream a subscriber needs the layers below too.
    pub(super) fn activity(&self) -> Vec<LayerActivity> {
        let mut below_bps = 0;
        let scalable = self.is_scalable();
        self.layers
            .iter()
            .flatten()
            .filter(|layer| layer.activity.active)
            .map(|layer| {
                let bitrate_bps = layer.bitrate_bps + below_bps;
                below_bps = if scalable { bitrate_bps } else { 0 };
                LayerActivity {
                    layer: layer.encoding.layer,
                    bitrate_bps,
                }
            })
            .collect()
    }

    pub(super) fn clocks(&self) -> [Option<SenderClock>; Layer::ALL.len()] {
        Layer::ALL.map(|layer| self.layer(layer).and_then(|layer| layer.clock))
    }

    /// Media of `layer` arrived. Whether the set of active layers changed: this one began, or
    /// another one has missed too much.
    pub(super) fn heard(&mut self, now: Instant, layer: Layer, timestamp: Timestamp) -> bool {
        let Some(heard) = self.layer_mut(layer) else {
            return false;
        };
        let new_frame = heard.activity.heard(now, timestamp);
        let mut changed = !heard.activity.active;
        heard.activity.active = true;
        if new_frame {
            for other in self.layers.iter_mut().flatten() {
                if other.encoding.layer != layer && other.activity.missed_frame(now, layer) {
                    other.stop();
                    changed = true;
                }
            }
        }
        changed
    }

    /// The origin of a relayed track receives these layers; a packet of `layer` came, if one did.
    /// Whether the set changed.
    pub(super) fn follow(
        &mut self,
        now: Instant,
        layer: Option<Layer>,
        active: ActiveLayers,
    ) -> bool {
        let highest = Layer::ALL.into_iter().rev().find(|it| active.contains(*it));
        self.add_spatial_layers(highest.unwrap_or_default());
        let mut changed = false;
        for state in self.layers.iter_mut().flatten() {
            let is_active = active.contains(state.encoding.layer);
            if state.activity.active != is_active {
                changed = true;
                state.stop();
                state.activity.active = is_active;
                state.activity.heard_at = Some(now);
            } else if layer == Some(state.encoding.layer) {
                state.activity.heard_at = Some(now);
            }
        }
        changed
    }

    /// Whether the track has just been found to have fallen silent.
    pub(super) fn fell_silent(&mut self, now: Instant) -> bool {
        if self.wanted.muted {
            return false;
        }
        let silent = self.silent_at().is_some_and(|at| at <= now);
        if silent {
            for layer in self.layers.iter_mut().flatten() {
                layer.stop();
            }
        }
        silent
    }

    /// When it has to be looked at next.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let silence = self.silent_at().filter(|_| !self.wanted.muted);
        self.layers
            .iter()
            .flatten()
            .flat_map(|layer| [layer.nack.next(), layer.key_frames.next(now)])
            .chain([silence])
            .flatten()
            .min()
    }

    fn silent_at(&self) -> Option<Instant> {
        self.layers
            .iter()
            .flatten()
            .filter(|layer| layer.activity.active)
            .filter_map(|layer| layer.activity.heard_at)
            .max()
            .map(|heard| heard + TRACK_SILENCE)
    }
}

pub(super) struct PublishedLayer {
    pub(super) encoding: Encoding,
    /// It is a spatial layer of the track's one stream, and has none of its own.
    pub(super) within_stream: bool,
    /// Announced or learnt.
    pub(super) ssrc: Option<u32>,
    pub(super) rtx_ssrc: Option<u32>,
    /// Added to the SRTP index of a packet: each SSRC that the layer is bound to has a numbering
    /// of its own, so that nothing of an earlier one is taken for it.
    pub(super) epoch: u64,
    pub(super) receive: ReceiveStatistics,
    pub(super) nack: NackGenerator,
    pub(super) cache: PacketCache,
    pub(super) key_frames: KeyFrameRequests,
    pub(super) clock: Option<SenderClock>,
    pub(super) descriptors: DescriptorReader,
    pub(super) activity: Activity,
    /// H.264: parameter sets have been seen in the stream, so that a picture is no start without.
    pub(super) parameters_in_band: bool,
    /// Over the last statistics interval.
    pub(super) bitrate_bps: u64,
    /// Since the last statistics.
    pub(super) received_bytes: u64,
}

impl PublishedLayer {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            within_stream: false,
            ssrc: encoding.ssrc,
            rtx_ssrc: encoding.rtx_ssrc,
            epoch: 0,
            receive: ReceiveStatistics::default(),
            nack: NackGenerator::default(),
            cache: PacketCache::default(),
            key_frames: KeyFrameRequests::default(),
            clock: None,
            descriptors: DescriptorReader::default(),
            activity: Activity::default(),
            parameters_in_band: false,
            bitrate_bps: 0,
            received_bytes: 0,
        }
    }

    fn within_stream(layer: Layer) -> Self {
        let encoding = Encoding {
            layer,
            rid: None,
            ssrc: None,
            rtx_ssrc: None,
        };
        Self {
            within_stream: true,
            ..Self::new(encoding)
        }
    }

    /// Binds it to another SSRC: everything that was known of the last one's numbering is void.
    /// `false` if that has happened too often for numbers to stay apart.
    pub(super) fn rebind(&mut self, ssrc: u32) -> bool {
        let Some(epoch) = self.epoch.checked_add(EPOCH) else {
            return false;
        };
        self.epoch = epoch;
        self.ssrc = Some(ssrc);
        self.receive = ReceiveStatistics::default();
        self.nack = NackGenerator::default();
        self.cache = PacketCache::default();
        self.clock = None;
        self.descriptors = DescriptorReader::default();
        self.activity.frame = None;
        true
    }

    /// It is not being received any more.
    pub(super) fn stop(&mut self) {
        self.activity.active = false;
        self.nack.give_up();
        self.key_frames.settle();
    }
}

/// Whether a layer is being received.
#[derive(Default)]
pub(super) struct Activity {
    pub(super) active: bool,
    pub(super) heard_at: Option<Instant>,
    /// When the newest frame began, its timestamp, and the usual time between two.
    frame: Option<(Instant, Timestamp)>,
    frame_interval: Duration,
    /// Frames of each other layer since anything of this one arrived.
    missed: [u8; Layer::ALL.len()],
}

impl Activity {
    /// Whether the packet begins a frame.
    fn heard(&mut self, now: Instant, timestamp: Timestamp) -> bool {
        self.heard_at = Some(now);
        self.missed = [0; Layer::ALL.len()];
        match self.frame {
            Some((_, newest)) if timestamp.ahead_of(newest) <= 0 => return false,
            Some((began, _)) => {
                let interval = now.saturating_duration_since(began);
                self.frame_interval = (self.frame_interval * 7 + interval) / 8;
            }
            None => {}
        }
        self.frame = Some((now, timestamp));
        true
    }

    /// A frame of another layer began; whether this one is to be taken for stopped.
    fn missed_frame(&mut self, now: Instant, of: Layer) -> bool {
        let missed = &mut self.missed[of.index()];
        *missed = missed.saturating_add(1);
        let tolerance = (self.frame_interval * 3).clamp(LAYER_SILENCE, TRACK_SILENCE);
        self.active
            && *missed >= LAYER_SILENCE_FRAMES
            && self
                .heard_at
                .is_some_and(|heard| now.saturating_duration_since(heard) >= tolerance)
    }
}

/// Above any SRTP index, so that sums stay apart.
const EPOCH: u64 = bedside_srtp::limits::RTP_INDEX_END;
