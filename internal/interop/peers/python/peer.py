"""A peer for the tests: Python's websockets. Lines of JSON on stdin tell it what
to do, lines of JSON on stdout say what happened. It echoes every message, and
has one connection at a time. When stdin ends, it ends."""

import asyncio
import json
import os
import sys

import websockets
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Close

# No limits, no pings of its own, and only the compression that was ordered.
PLAIN = dict(max_size=None, ping_interval=None, compression=None)

current = None
running = set()  # asyncio itself keeps only weak references


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def start(coroutine):
    task = asyncio.get_running_loop().create_task(coroutine)
    running.add(task)
    task.add_done_callback(running.discard)


def deflate(factory, params):
    return None if params is None else [factory(**params)]


async def attend(ws):
    global current
    current = ws
    say("open", extensions=ws.response_headers.get("Sec-WebSocket-Extensions", ""))
    error = ""
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.ConnectionClosed as closed:
        error = str(closed)
    await ws.wait_closed()
    say("closed", code=ws.close_code, reason=ws.close_reason, error=error)


async def listen(order):
    extensions = deflate(ServerPerMessageDeflateFactory, order["deflate"])
    server = await websockets.serve(attend, "127.0.0.1", 0, extensions=extensions, **PLAIN)
    say("listening", port=server.sockets[0].getsockname()[1])


async def dial(order):
    extensions = deflate(ClientPerMessageDeflateFactory, order["deflate"])
    try:
        ws = await websockets.connect(order["url"], extensions=extensions, **PLAIN)
    except Exception as error:  # whatever it is, the test is to hear of it
        say("refused", error=repr(error))
        return
    await attend(ws)


async def fragments(order):
    await current.send(order["pieces"])


async def ping(order):
    await (await current.ping(order["payload"]))
    say("pong", payload=order["payload"])


async def close(order):
    if order["code"]:
        await current.close(order["code"], order["reason"])
    else:
        # close() always sends a code; an empty Close frame is one floor below.
        await current.write_close_frame(Close(1005, ""), b"")


DEEDS = {deed.__name__: deed for deed in (listen, dial, fragments, ping, close)}


async def main():
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        start(DEEDS[order["do"]](order))
    os._exit(0)  # with connections open, too


asyncio.run(main())
