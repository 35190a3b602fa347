"""Loses a connection and resumes its session, with Python's `websockets`: resume.py ws://127.0.0.1:8776/

Prints every frame of that client, and "resumed" if everything was right.
"""

import asyncio
import json
import sys

import websockets

TIMEOUT_SECONDS = 10


class Client:
    def __init__(self, socket, shows):
        self.socket = socket
        self.shows = shows

    @classmethod
    async def connect(cls, url, session=None, shows=False):
        protocols = ["wschat.v2"] + ([f"session.{session}"] if session else [])
        socket = await websockets.connect(url, subprotocols=protocols)
        assert socket.subprotocol == "wschat.v2", socket.subprotocol
        client = cls(socket, shows)
        client.welcome = await client.next("welcome")
        return client

    async def send(self, **request):
        text = json.dumps(request)
        if self.shows:
            print("C:", text)
        await self.socket.send(text)

    async def next(self, kind):
        text = await asyncio.wait_for(self.socket.recv(), TIMEOUT_SECONDS)
        if self.shows:
            print("S:", text)
        frame = json.loads(text)
        assert frame["type"] == kind, f"expected {kind}, got {text}"
        return frame


async def main(url):
    ada = await Client.connect(url, shows=True)
    ben = await Client.connect(url)
    assert ada.welcome["resumed"] is False
    await ada.send(type="enter_room", roomId=1)
    room = await ada.next("room")
    await ben.send(type="enter_room", roomId=1)
    await ben.next("room")
    await ada.next("enter_room")
    await ada.send(type="text", text="first", ref="a1")
    first = await ada.next("text")
    assert first == await ben.next("text")

    ada.socket.transport.abort()
    await ben.send(type="text", text="missed")
    missed = await ben.next("text")

    again = await Client.connect(url, ada.welcome["session"], shows=True)
    assert again.welcome["resumed"] is True
    assert again.welcome["user"] == ada.welcome["user"]
    assert again.welcome["roomId"] == 1
    since = {"epoch": room["epoch"], "seq": first["seq"]}
    await again.send(type="enter_room", roomId=1, since=since)
    back = await again.next("room")
    assert back["complete"] is True
    assert back["events"] == [missed]
    await again.send(type="text", text="first", ref="a1")
    assert await again.next("text") == first
    await again.send(type="text", text="second", ref="a2")
    second = await again.next("text")
    # Nobody came or left, and nothing was said twice.
    assert await ben.next("text") == second

    third = await Client.connect(url, ada.welcome["session"], shows=True)
    assert third.welcome["resumed"] is True
    try:
        await asyncio.wait_for(again.socket.recv(), TIMEOUT_SECONDS)
        raise AssertionError("the old connection lives on")
    except websockets.ConnectionClosed as closed:
        assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "replaced"), closed
    await third.socket.close()
    await ben.socket.close()
    print("resumed")


asyncio.run(main(sys.argv[1]))
