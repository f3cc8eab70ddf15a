"""A participant on LiveKit's Python SDK: publishes a moving picture and a tone, and counts what it
receives. Prints one JSON object when `--seconds` are over."""

import argparse
import asyncio
import json
import math
import struct

from livekit import rtc

WIDTH, HEIGHT, FRAMES_PER_S = 640, 360, 15
SAMPLES_PER_S, SAMPLES_PER_FRAME = 48_000, 480


def picture(index: int) -> bytes:
    """RGBA: a grey that moves, so that every frame differs."""
    row = bytes((x + 4 * index) & 0xFF for x in range(WIDTH) for _ in range(4))
    return row * HEIGHT


def tone(index: int) -> bytes:
    """10 ms of 440 Hz."""
    first = index * SAMPLES_PER_FRAME
    return b"".join(
        struct.pack("<h", int(8_000 * math.sin(2 * math.pi * 440 * (first + n) / SAMPLES_PER_S)))
        for n in range(SAMPLES_PER_FRAME)
    )


async def publish_video(source: rtc.VideoSource) -> None:
    pictures = [picture(index) for index in range(16)]
    index = 0
    while True:
        data = pictures[index % len(pictures)]
        source.capture_frame(rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.RGBA, data))
        index += 1
        await asyncio.sleep(1 / FRAMES_PER_S)


async def publish_audio(source: rtc.AudioSource) -> None:
    frames = [tone(index) for index in range(100)]
    index = 0
    while True:
        frame = rtc.AudioFrame(frames[index % len(frames)], SAMPLES_PER_S, 1, SAMPLES_PER_FRAME)
        await source.capture_frame(frame)
        index += 1


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--dual", action="store_true", help="LiveKit's older two connections")
    arguments = parser.parse_args()

    room = rtc.Room()
    seen = {"video_frames": 0, "audio_frames": 0, "loud_frames": 0, "data": [], "reconnects": 0}
    tasks = []

    async def count_video(track: rtc.Track) -> None:
        async for _ in rtc.VideoStream(track):
            seen["video_frames"] += 1

    async def count_audio(track: rtc.Track) -> None:
        async for event in rtc.AudioStream(track):
            seen["audio_frames"] += 1
            if max(abs(sample) for sample in event.frame.data) > 100:
                seen["loud_frames"] += 1

    @room.on("track_subscribed")
    def on_track(track, _publication, _participant):
        count = count_video if track.kind == rtc.TrackKind.KIND_VIDEO else count_audio
        tasks.append(asyncio.create_task(count(track)))

    @room.on("data_received")
    def on_data(packet):
        seen["data"].append(packet.data.decode())

    @room.on("reconnecting")
    def on_reconnecting():
        seen["reconnects"] += 1

    options = rtc.RoomOptions(auto_subscribe=True, single_peer_connection=not arguments.dual)
    await room.connect(arguments.url, arguments.token, options)
    video = rtc.VideoSource(WIDTH, HEIGHT)
    audio = rtc.AudioSource(SAMPLES_PER_S, 1)
    camera = rtc.LocalVideoTrack.create_video_track("camera", video)
    microphone = rtc.LocalAudioTrack.create_audio_track("microphone", audio)
    camera_options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA)
    microphone_options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    tasks.append(asyncio.create_task(publish_video(video)))
    tasks.append(asyncio.create_task(publish_audio(audio)))
    await room.local_participant.publish_track(camera, camera_options)
    await room.local_participant.publish_track(microphone, microphone_options)
    await room.local_participant.publish_data("hello from python", reliable=True)
    await asyncio.sleep(arguments.seconds)
    for task in tasks:
        task.cancel()
    await room.disconnect()
    print(json.dumps(seen))


asyncio.run(main())
