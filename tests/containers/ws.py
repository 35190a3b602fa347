"""The clients of the checks in containers. They run in a machine's network, and are told on stdin when to go on.

usage: ws.py hold COUNT | knock | talk        each with --tls where the server speaks TLS

The last line on stdout is JSON: what the clients saw. Before it, "ready" says that they are connected.
"""

import base64
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

ADDRESS = ('127.0.0.1', 8776)
PATIENCE = 30
KNOCKERS = 4


class Gone(Exception):
    """The connection is over."""


class Client:
    """A connection that speaks wschat.v2, without threads."""

    def __init__(self, tls=False, session=None, address=ADDRESS):
        self.socket = socket.create_connection(address, PATIENCE)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.received = b''
        protocols = 'wschat.v2' if session is None else f'wschat.v2, session.{session}'
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            f'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n'
            f'Sec-WebSocket-Protocol: {protocols}\r\n\r\n'.encode()
        )
        while b'\r\n\r\n' not in self.received:
            self.receive()
        head, self.received = self.received.split(b'\r\n\r\n', 1)
        if not head.startswith(b'HTTP/1.1 101 '):
            raise Gone(head.split(b'\r\n')[0].decode())
        self.welcome = self.skip_to('welcome')

    def receive(self):
        some = self.socket.recv(65536)
        if not some:
            raise Gone('end of the connection')
        self.received += some

    def take(self, count):
        while len(self.received) < count:
            self.receive()
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def frame(self):
        """The next message, parsed; answers pings meanwhile."""
        while True:
            first, second = self.take(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack('>H', self.take(2))
            elif length == 127:
                (length,) = struct.unpack('>Q', self.take(8))
            payload = self.take(length)
            if first & 0x0F == 8:
                raise Gone(f'closed: {payload[2:].decode()}')
            if first & 0x0F == 9:
                self.send(payload, 0x8A)
            if first & 0x0F == 1:
                return json.loads(payload)

    def skip_to(self, kind):
        while True:
            frame = self.frame()
            if frame['type'] == kind:
                return frame

    def send(self, payload, first=0x81):
        mask = os.urandom(4)
        size = len(payload)
        head = struct.pack('>BB', first, 0x80 | size) if size < 126 else struct.pack('>BBH', first, 0xFE, size)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(head + mask + masked)

    def ask(self, **request):
        self.send(json.dumps(request).encode())

    def close(self):
        self.send(struct.pack('>H', 1000), 0x88)
        self.socket.close()


def wait_for_a_line():
    sys.stdin.readline()


def hold(count, tls):
    """Clients that sit in a room. When told, one says something; who hears it has lost nothing."""
    clients = [Client(tls) for _ in range(count)]
    for client in clients:
        client.ask(type='enter_room', roomId=1)
        client.skip_to('room')
    print('ready', flush=True)
    wait_for_a_line()
    heard, lost = 0, []
    clients[0].ask(type='text', text='Is everybody here?')
    for client in clients:
        try:
            while client.skip_to('text')['text'] != 'Is everybody here?':
                pass
            heard += 1
        except (Gone, OSError) as error:
            lost.append(str(error))
    return {'heard': heard, 'lost': lost}


def knock(tls):
    """Several connect again and again until told to stop, while another client never reads and never closes."""
    stubborn = Client(tls)
    told = threading.Event()
    connects, reasons = [], []

    def live():
        while not told.is_set():
            try:
                Client(tls).close()
                connects.append(1)
            except (Gone, OSError) as error:
                # A WebSocket that is told at once that the server stops was not refused: it knows to come back.
                if str(error) != 'closed: server stopping':
                    reasons.append(f'{type(error).__name__}: {error}')

    threads = [threading.Thread(target=live) for _ in range(KNOCKERS)]
    for thread in threads:
        thread.start()
    print('ready', flush=True)
    wait_for_a_line()
    told.set()
    for thread in threads:
        thread.join()
    stubborn.socket.close()
    return {'connects': len(connects), 'failed': len(reasons), 'reasons': sorted(set(reasons))}


class Talker:
    """Says numbered texts with references in one room, resumes after every loss, and notes what it sees."""

    def __init__(self, name, room):
        self.name, self.room = name, room
        self.said = 0
        self.seen = {}
        self.wrong = []
        self.client = Client()
        self.secret, self.epoch = self.client.welcome['session'], self.client.welcome['epoch']
        self.enter(None)

    def enter(self, since):
        request = {'type': 'enter_room', 'roomId': self.room}
        if since is not None:
            request['since'] = since
        self.client.ask(**request)
        snapshot = self.client.skip_to('room')
        if since is not None and (snapshot['epoch'] != self.epoch or not snapshot['complete']):
            self.wrong.append(f'{self.name} was told of a loss: {snapshot["epoch"]}, {snapshot["complete"]}')
        for event in snapshot['events']:
            self.see(event)

    def see(self, event):
        """A text that is shown again must be the same, and no number is left out."""
        seq, text = event['seq'], (event['from']['id'], event['text'])
        if self.seen.setdefault(seq, text) != text:
            self.wrong.append(f'{self.name} saw {seq} change from {self.seen[seq]} to {text}')
        if len(self.seen) > 1 and seq - 1 not in self.seen and seq != min(self.seen):
            self.wrong.append(f'{self.name} missed what was before {seq}')

    def resume(self):
        while True:
            try:
                self.client = Client(session=self.secret)
            except (Gone, OSError):
                time.sleep(0.05)
                continue
            if not self.client.welcome['resumed']:
                self.wrong.append(f'{self.name} could not resume')
            self.secret = self.client.welcome['session']
            try:
                since = {'epoch': self.epoch, 'seq': max(self.seen)} if self.seen else None
                return self.enter(since)
            except (Gone, OSError):
                continue

    def say(self):
        """Says one text, until it is certain that it is said."""
        ref = f'{self.name}-{self.said}'
        while True:
            try:
                self.client.ask(type='text', text=ref, ref=ref)
                while True:
                    frame = self.client.frame()
                    if frame['type'] == 'text':
                        self.see(frame)
                        if frame['text'] == ref:
                            break
                    elif frame['type'] == 'error' and frame['code'] == 'rate_limited':
                        time.sleep(frame['retryAfterMs'] / 1000)
                        self.client.ask(type='text', text=ref, ref=ref)
                    elif frame['type'] == 'error' and frame['code'] == 'already_said':
                        break
                    elif frame['type'] == 'error':
                        self.wrong.append(f'{self.name} got {frame}')
                        break
                self.said += 1
                return
            except (Gone, OSError):
                self.resume()


def read_room(room):
    """The whole history of a room, oldest first."""
    client = Client()
    client.ask(type='enter_room', roomId=room)
    snapshot = client.skip_to('room')
    events, before = [], snapshot['seq'] + 1
    while True:
        client.ask(type='history', roomId=room, before=before, limit=100)
        page = client.skip_to('history')
        events = page['events'] + events
        if not page['more']:
            return snapshot['seq'], events
        before = page['events'][0]['seq']


def talk():
    """Talkers in two rooms, whose texts must all be kept, once, as everybody saw them, and nothing else."""
    rooms = (2, 3)
    talkers = [Talker(f'{room}.{number}', room) for room in rooms for number in range(2)]
    told = threading.Event()

    def live(talker):
        while not told.is_set():
            talker.say()
            time.sleep(0.02)

    threads = [threading.Thread(target=live, args=[talker]) for talker in talkers]
    for thread in threads:
        thread.start()
    print('ready', flush=True)
    wait_for_a_line()
    told.set()
    for thread in threads:
        thread.join()
    wrong = [line for talker in talkers for line in talker.wrong]
    for room in rooms:
        here = [talker for talker in talkers if talker.room == room]
        last, events = read_room(room)
        if [event['seq'] for event in events] != list(range(1, last + 1)):
            wrong.append(f'room {room} has gaps')
        expected = sorted(f'{talker.name}-{number}' for talker in here for number in range(talker.said))
        kept = sorted(event['text'] for event in events)
        if kept != expected:
            wrong.append(f'room {room} keeps {len(kept)} texts, {len(expected)} were said')
        truth = {event['seq']: (event['from']['id'], event['text']) for event in events}
        for talker in here:
            wrong += [f'{talker.name} saw {text} as {seq}' for seq, text in talker.seen.items() if truth.get(seq) != text]
    return {'said': sum(talker.said for talker in talkers), 'wrong': wrong[:20]}


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != '--tls']
    tls = '--tls' in sys.argv
    match arguments:
        case ['hold', count]:
            result = hold(int(count), tls)
        case ['knock']:
            result = knock(tls)
        case ['talk']:
            result = talk()
        case _:
            sys.exit(__doc__)
    print(json.dumps(result), flush=True)


if __name__ == '__main__':
    main()
