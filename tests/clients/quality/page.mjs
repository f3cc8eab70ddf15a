// What runs inside Chromium. Each function is handed over as text, so none uses anything outside
// itself but what `install` and the ones before have left in the page.

/**
 * Before any script of the page: candidates that the server announces become those of a relay.
 * `ports` has, for each leg, the relay's port for each of the server's; everything else is left out,
 * so that nothing goes around the relay. `globalThis.leg` says whose connections are made next.
 */
export function install(ports, leg) {
  globalThis.leg = leg;
  /** The candidate (RFC 8839) at the relay, or `null`. */
  const relayed = (candidate, of) => {
    const words = candidate.split(' ');
    const port = of[words[5]];
    if (words[2]?.toLowerCase() !== 'udp' || words[4] !== '127.0.0.1' || port === undefined) return null;
    words[5] = String(port);
    return words.join(' ');
  };
  const Native = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Native {
    #ports = ports[globalThis.leg];

    setRemoteDescription(description) {
      const lines = description.sdp.split('\r\n').map((line) =>
        line.startsWith('a=candidate:') ? relayed(line, this.#ports) : line,
      );
      const sdp = lines.filter((line) => line !== null).join('\r\n');
      return super.setRemoteDescription({ type: description.type, sdp });
    }

    async addIceCandidate(candidate) {
      if (!candidate?.candidate) return super.addIceCandidate(candidate);
      const text = relayed(candidate.candidate, this.#ports);
      if (text === null) return undefined;
      const { sdpMid, sdpMLineIndex, usernameFragment } = candidate;
      return super.addIceCandidate({ candidate: text, sdpMid, sdpMLineIndex, usernameFragment });
    }
  };
}

/** Opens microphone and camera, and hears bursts on a track by the samples of one AudioContext. */
export async function listen(tones) {
  const media = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    video: { width: 1280, height: 720, frameRate: 30 },
  });
  const context = new AudioContext({ sampleRate: 48_000 });
  await context.resume();
  const processor = `
    const THRESHOLD = 0.06, REFRACTORY = 5_760, WINDOW = 1_920;
    const tones = ${JSON.stringify(tones)};
    // Goertzel, 1958: the power of one frequency.
    const power = (samples, tone) => {
      const c = 2 * Math.cos((2 * Math.PI * tone) / sampleRate);
      let [one, two] = [0, 0];
      for (const sample of samples) [one, two] = [sample + c * one - two, one];
      return one * one + two * two - c * one * two;
    };
    registerProcessor('bursts', class extends AudioWorkletProcessor {
      #onset = -REFRACTORY;
      #samples = null;
      process([[samples]]) {
        for (let i = 0; samples && i < samples.length; i += 1) {
          if (this.#samples) this.#samples.push(samples[i]);
          else if (Math.abs(samples[i]) > THRESHOLD && currentFrame + i - this.#onset > REFRACTORY) {
            this.#onset = currentFrame + i;
            this.#samples = [samples[i]];
          }
          if (this.#samples?.length === WINDOW) {
            const powers = tones.map((tone) => power(this.#samples, tone));
            const tone = powers.indexOf(Math.max(...powers));
            this.port.postMessage({ at: this.#onset / sampleRate, tone });
            this.#samples = null;
          }
        }
        return true;
      }
    });`;
  await context.audioWorklet.addModule(
    URL.createObjectURL(new Blob([processor], { type: 'text/javascript' })),
  );
  const bursts = (track) => {
    const heard = [];
    const node = new AudioWorkletNode(context, 'bursts');
    node.port.onmessage = ({ data }) => heard.push(data);
    context.createMediaStreamSource(new MediaStream([track])).connect(node);
    // A node that leads nowhere is not run.
    node.connect(new GainNode(context, { gain: 0 })).connect(context.destination);
    return heard;
  };
  const sent = bursts(media.getAudioTracks()[0]);
  /** Hears a remote track, which WebAudio gets only while an element plays it. */
  const hear = (track) => {
    const element = new Audio();
    element.srcObject = new MediaStream([track]);
    element.muted = true;
    document.body.append(element);
    void element.play();
    globalThis.measured.heard = bursts(track);
  };
  /** Shows a remote picture, and notes when each frame was composed and how high it is. */
  const show = (element) => {
    element.style = 'position: fixed; inset: 0; width: 1280px; height: 720px';
    document.body.append(element);
    const note = (_, { presentationTime, height }) => {
      globalThis.measured.frames.push([presentationTime / 1_000, height]);
      element.requestVideoFrameCallback(note);
    };
    element.requestVideoFrameCallback(note);
  };
  globalThis.measured = {
    media, context, sent, heard: [], frames: [], samples: [], events: [], hear, show,
  };
}

/** Chromium to itself, without a server or a relay. */
export async function pair() {
  const { media, hear, show } = globalThis.measured;
  const [one, other] = [new RTCPeerConnection(), new RTCPeerConnection()];
  /** The description with every candidate in it. */
  const described = async (connection) => {
    await connection.setLocalDescription();
    while (connection.iceGatheringState !== 'complete') {
      await new Promise((resolve) => connection.addEventListener('icegatheringstatechange', resolve, { once: true }));
    }
    return connection.localDescription;
  };
  other.ontrack = ({ track }) => {
    if (track.kind === 'audio') return hear(track);
    const element = document.createElement('video');
    element.srcObject = new MediaStream([track]);
    element.muted = true;
    show(element);
    return element.play();
  };
  for (const track of media.getTracks()) one.addTrack(track, media);
  await other.setRemoteDescription(await described(one));
  await one.setRemoteDescription(await described(other));
  globalThis.measured.connections = { sender: () => [one], receiver: () => [other] };
}

/** Two people in this page, each over a leg of their own, with the consult page's options. */
export async function call(url, tokens) {
  const { Room, RoomEvent, LocalAudioTrack, LocalVideoTrack, Track } = globalThis.LivekitClient;
  const { media, hear, show, events } = globalThis.measured;
  const rooms = {};
  for (const name of ['sender', 'receiver']) {
    const room = new Room({
      adaptiveStream: true,
      dynacast: true,
      publishDefaults: { simulcast: true, dtx: true, stopMicTrackOnMute: false },
    });
    rooms[name] = room;
    for (const event of [
      RoomEvent.SignalReconnecting, RoomEvent.Reconnecting, RoomEvent.Reconnected,
      RoomEvent.Disconnected, RoomEvent.TrackStreamStateChanged,
    ]) {
      room.on(event, (_, state) => {
        globalThis.leg = name;
        const text = typeof state === 'string' ? `${event} ${state}` : event;
        events.push([performance.now() / 1_000, `${name}: ${text}`]);
      });
    }
  }
  rooms.receiver.on(RoomEvent.TrackSubscribed, (track) => {
    if (track.kind === Track.Kind.Audio) hear(track.mediaStreamTrack);
    else show(track.attach());
  });
  for (const name of ['receiver', 'sender']) {
    globalThis.leg = name;
    await rooms[name].connect(url, tokens[name]);
  }
  const publish = (track, source) => rooms.sender.localParticipant.publishTrack(track, { source });
  const [audio, video] = [media.getAudioTracks()[0], media.getVideoTracks()[0]];
  await Promise.all([
    publish(new LocalAudioTrack(audio, undefined, true), Track.Source.Microphone),
    publish(new LocalVideoTrack(video, undefined, true), Track.Source.Camera),
  ]);
  const connections = (name) => () => {
    const manager = rooms[name].engine.pcManager;
    return [manager?.publisher, manager?.subscriber].filter(Boolean);
  };
  globalThis.measured.connections = { sender: connections('sender'), receiver: connections('receiver') };
}

/** Samples statistics from now on. */
export function sample(interval_ms) {
  const keys = {
    'inbound-rtp': [
      'packetsReceived', 'packetsLost', 'bytesReceived', 'concealedSamples', 'silentConcealedSamples',
      'totalSamplesReceived', 'jitterBufferDelay', 'jitterBufferEmittedCount', 'framesDecoded',
      'framesReceived', 'frameHeight', 'freezeCount', 'totalFreezesDuration', 'nackCount', 'pliCount',
      'retransmittedPacketsReceived',
    ],
    'outbound-rtp': [
      'rid', 'active', 'bytesSent', 'packetsSent', 'retransmittedPacketsSent', 'targetBitrate',
      'frameHeight', 'framesPerSecond', 'qualityLimitationReason', 'nackCount',
    ],
    'candidate-pair': ['availableOutgoingBitrate', 'currentRoundTripTime', 'bytesSent', 'bytesReceived'],
  };
  const project = (entry) =>
    Object.fromEntries(keys[entry.type].filter((key) => entry[key] !== undefined).map((key) => [key, entry[key]]));
  const entries = async (connections) => {
    const reports = await Promise.all(connections.map((connection) => connection.getStats()));
    return reports.flatMap((report) => [...report.values()]);
  };
  const take = async () => {
    const { connections, samples } = globalThis.measured;
    const [sender, receiver] = await Promise.all([entries(connections.sender()), entries(connections.receiver())]);
    const inbound = (kind) => {
      const found = receiver.find((e) => e.type === 'inbound-rtp' && e.kind === kind && e.packetsReceived > 0);
      return found ? project(found) : null;
    };
    // Of several transports, the one that carries media.
    const selected = (all) => {
      const pairs = all.filter((e) => e.type === 'candidate-pair' && e.nominated);
      const busiest = pairs.sort((a, b) => b.bytesSent + b.bytesReceived - a.bytesSent - a.bytesReceived)[0];
      const remote = all.find((e) => e.id === busiest?.remoteCandidateId);
      return busiest ? { ...project(busiest), remote_port: remote?.port } : null;
    };
    const outbound = (kind) => sender.filter((e) => e.type === 'outbound-rtp' && e.kind === kind).map(project);
    samples.push({
      at: performance.now() / 1_000,
      audio: inbound('audio'),
      video: inbound('video'),
      sent_audio: outbound('audio'),
      sent_video: outbound('video'),
      legs: { sender: selected(sender), receiver: selected(receiver) },
    });
  };
  void take();
  setInterval(() => void take(), interval_ms);
}

/** Where the clocks of page and samples are now, and what they say to each other. */
export function clocks() {
  const { context } = globalThis.measured;
  return { page: performance.now() / 1_000, audio: context.currentTime, origin_unix_ms: performance.timeOrigin };
}

/** Everything that was recorded so far. */
export function recorded() {
  const { sent, heard, frames, samples, events } = globalThis.measured;
  return { sent, heard, frames, samples, events };
}
