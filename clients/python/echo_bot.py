"""Repeats each text that begins with "echo ", exactly once: echo_bot.py ws://127.0.0.1:8776/ ROOM
Needs Python 3.9 and websockets 10 or later. It resumes its session, takes what it has missed, and sends an answer again,
with the same ref, until its own event with that ref comes back."""
import asyncio, json, random, sys, websockets

class Bot:
    def __init__(self, url, room):
        self.url, self.room, self.session, self.since = url, room, None, None
        self.ids, self.pending = set(), {}  # Its ids, also former ones; answers without acknowledgement, by ref.

    async def run(self):
        wait = 0.5
        while True:
            offer, code = ["wschat.v2"] + ([f"session.{self.session}"] if self.session else []), None
            try:
                async with websockets.connect(self.url, subprotocols=offer, max_size=1 << 20) as socket:
                    async for text in socket:
                        for request in await self.take(json.loads(text)):
                            await socket.send(json.dumps(request))
                        wait = 0.5
                code = socket.close_code
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
                code = getattr(getattr(error, "rcvd", None), "code", None)
            if code in (1002, 1003, 1007) or 4000 <= (code or 0) < 4500:
                sys.exit(f"closed with {code}")
            await asyncio.sleep(random.uniform(wait / 2, wait := min(wait * 2, 30)))

    async def take(self, frame):  # Returns the requests that follow from a frame; ignores what it does not know.
        if frame["type"] == "welcome":
            self.session, self.resumed = frame["session"], frame["resumed"]
            self.ids.add(frame["user"]["id"])
            enter = {"type": "enter_room", "roomId": self.room, **({"since": self.since} if self.since else {})}
            return [{"type": "hello", "maxFrameBytes": 1 << 20}, enter]
        if frame["type"] == "room":
            if not frame["complete"] and not self.resumed:
                self.pending.clear()  # Nobody knows whether they were said: better not at all than twice.
            seen, self.since = self.since, {"epoch": frame["epoch"], "seq": frame["seq"]}
            for event in frame["events"]:
                self.hear(event, seen and seen["epoch"] == frame["epoch"] and seen["seq"] < event["seq"])
            return list(self.pending.values())
        if frame["type"] == "error" and frame.get("ref") in self.pending:
            if "retryAfterMs" in frame or frame["code"] in ("not_saved", "not_readable"):
                await asyncio.sleep(frame.get("retryAfterMs", 1000) / 1000)
                return [self.pending[frame["ref"]]]
            del self.pending[frame["ref"]]
        elif "seq" in frame and self.since and frame.get("roomId") == self.room:
            self.since["seq"] += (is_new := frame["seq"] == self.since["seq"] + 1)
            return self.hear(frame, is_new)
        return []

    def hear(self, event, is_new):
        if event.get("from", {}).get("id") in self.ids:
            self.pending.pop(event.get("ref"), None)
        elif is_new and event["type"] == "text" and event["text"].startswith("echo "):
            ref = f"{self.since['epoch']}-{event['seq']}"
            answer = {"type": "text", "text": event["text"][5:], "roomId": self.room, "ref": ref}
            return [self.pending.setdefault(ref, answer)]
        return []

asyncio.run(Bot(sys.argv[1], int(sys.argv[2])).run())
