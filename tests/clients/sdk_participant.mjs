// A participant on LiveKit's Node SDK: publishes a moving picture and a tone, and counts what it
// receives. Prints one JSON object after `seconds`.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  AudioFrame, AudioSource, AudioStream, LocalAudioTrack, LocalVideoTrack, Room, RoomEvent,
  TrackKind, TrackPublishOptions, TrackSource, VideoBufferType, VideoFrame, VideoSource,
  VideoStream, dispose,
} from '@livekit/rtc-node';

const [url, token, seconds] = process.argv.slice(2);
const [width, height, framesPerSecond, samplesPerSecond] = [640, 360, 15, 48_000];
const seen = { video_frames: 0, audio_frames: 0, data: [], reconnects: 0 };
const room = new Room();

room.on(RoomEvent.TrackSubscribed, async (track) => {
  const video = track.kind === TrackKind.KIND_VIDEO;
  const stream = video ? new VideoStream(track) : new AudioStream(track);
  for await (const _ of stream) seen[video ? 'video_frames' : 'audio_frames'] += 1;
});
room.on(RoomEvent.DataReceived, (payload) => seen.data.push(new TextDecoder().decode(payload)));
room.on(RoomEvent.Reconnecting, () => { seen.reconnects += 1; });

await room.connect(url, token, { autoSubscribe: true, dynacast: false });
const video = new VideoSource(width, height);
const audio = new AudioSource(samplesPerSecond, 1);
const publishing = (source) => new TrackPublishOptions({ source });
await room.localParticipant.publishTrack(
  LocalVideoTrack.createVideoTrack('camera', video), publishing(TrackSource.SOURCE_CAMERA),
);
await room.localParticipant.publishTrack(
  LocalAudioTrack.createAudioTrack('microphone', audio), publishing(TrackSource.SOURCE_MICROPHONE),
);
await room.localParticipant.publishData(new TextEncoder().encode('hello from node'), { reliable: true });

const deadline = Date.now() + Number(seconds) * 1_000;
const pictures = (async () => {
  for (let index = 0; Date.now() < deadline; index += 1) {
    const picture = new Uint8Array(width * height * 4).fill((index * 8) % 256);
    video.captureFrame(new VideoFrame(picture, width, height, VideoBufferType.RGBA));
    await sleep(1_000 / framesPerSecond);
  }
})();
const sound = (async () => {
  const samples = Int16Array.from({ length: 480 }, (_, n) => 8_000 * Math.sin((2 * Math.PI * 4 * n) / 480));
  while (Date.now() < deadline) await audio.captureFrame(new AudioFrame(samples, samplesPerSecond, 1, 480));
})();
await Promise.all([pictures, sound]);
await room.disconnect();
console.log(JSON.stringify(seen));
await dispose();
process.exit(0);
