#!/usr/bin/env python3
"""disk-usage, an example add-on: how full file systems are, and a measurement of a folder that is started from its page.

Reads VIGIL_SERVER_URL, VIGIL_ADDON_ID and VIGIL_ADDON_TOKEN. Needs the package `websockets` (Debian: python3-websockets).
"""
import asyncio
import contextlib
import itertools
import json
import os
import pathlib
import random
import shutil
import sys

import websockets

MANIFEST = json.loads((pathlib.Path(__file__).parent / "manifest.json").read_text())
BEAT = 30  # seconds; the server counts one heartbeat a minute as alive
LOOK = 60  # seconds between two looks at the file systems
# The name of this parameter changed with version 14 of the package.
HEADERS = "additional_headers" if int(websockets.__version__.split(".")[0]) >= 14 else "extra_headers"


def frame(kind, payload=None):
    return json.dumps({"type": kind, "payload": payload})


def log(message, level="info"):
    return frame("log", {"level": level, "message": message, "source": "disk-usage"})


def mounts():
    rows = {}
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        device, place = line.split(" ")[:2]
        if place == "/" or device.startswith("/dev/"):
            with contextlib.suppress(OSError, ZeroDivisionError):
                usage = shutil.disk_usage(place)
                percent = round(100 * usage.used / usage.total, 1)
                rows[place] = {"id": place, "total": usage.total, "used": usage.used, "percent": percent}
    return frame("attributes", {"component_id": "mounts", "rows": list(rows.values())})


async def measure(socket, job, folder, limit):
    await socket.send(frame("notification", {"event_type": "job_started", "severity": "info", "message": f"Measuring {folder}"}))
    places = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    files = size = 0
    for files, place in enumerate(itertools.islice(places, limit), 1):
        with contextlib.suppress(OSError):
            size += os.lstat(place).st_size
        await asyncio.sleep(0)  # heartbeats go on meanwhile
        if files % 500 == 0:
            told = {"job_id": job, "phase": "reading", "percent": min(99, 100 * files / limit), "message": f"{files} files, {size} bytes"}
            await socket.send(frame("progress", told))
    message = f"{folder}: {files} files, {size} bytes" + (" and more" if files == limit else "")
    await socket.send(log(message))
    await socket.send(frame("progress", {"job_id": job, "phase": "done", "percent": 100, "message": message}))
    await socket.send(frame("notification", {"event_type": "job_complete", "severity": "info", "message": message, "metadata": {"files": str(files)}}))


async def answer(socket, call):
    """Does what a person asked on the page; the result goes back to that page."""
    data = call.get("data") or {}
    result = {"request_id": call["request_id"]}
    try:
        limit = int(data.get("limit") or 10000)
        if call["action"] != "measure":
            raise ValueError(f"there is no action {call['action']!r} here")
        if not os.path.isdir(data.get("folder", "")):
            raise ValueError(f"folder: {data.get('folder')!r} is no folder of this computer")
    except ValueError as error:
        await socket.send(frame("result", {**result, "error": str(error)}))
        return None
    await socket.send(frame("result", {**result, "data": {"message": "It began"}}))
    return asyncio.create_task(measure(socket, f"measure-{call['request_id']}", data["folder"], limit))


async def every(seconds, make, socket):
    while True:
        await socket.send(make())
        await asyncio.sleep(seconds)


async def serve(socket):
    await socket.send(frame("manifest", MANIFEST))
    await socket.send(log("here"))
    tasks = [asyncio.create_task(every(BEAT, lambda: frame("heartbeat"), socket)), asyncio.create_task(every(LOOK, mounts, socket))]
    try:
        async for message in socket:
            received = json.loads(message)
            if received.get("type") == "command":
                tasks.append(await answer(socket, received["payload"]))
    finally:
        for task in filter(None, tasks):
            task.cancel()


async def main():
    try:
        url, addon, token = (os.environ[f"VIGIL_{name}"] for name in ("SERVER_URL", "ADDON_ID", "ADDON_TOKEN"))
    except KeyError as missing:
        sys.exit(f"disk-usage: {missing.args[0]} is not set; Add-ons → Add an add-on tells it")
    address = f"{url.rstrip('/').replace('http', 'ws', 1)}/api/addons/ws?addon_id={addon}"
    wait = 1
    while True:
        try:
            async with websockets.connect(address, max_size=2**19, **{HEADERS: {"Authorization": f"Bearer {token}"}}) as socket:
                print(f"disk-usage: connected to {url}", file=sys.stderr)
                wait = 1
                await serve(socket)
        except (OSError, websockets.WebSocketException) as error:
            print(f"disk-usage: {error}", file=sys.stderr)
        await asyncio.sleep(wait * random.uniform(0.5, 1))
        wait = min(60, wait * 2)


if __name__ == "__main__":
    asyncio.run(main())
