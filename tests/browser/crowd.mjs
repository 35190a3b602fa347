// Fills a room with people and messages, using simple clients.

import WebSocket from 'ws';

/** How long to wait for anything. */
const TIMEOUT_MS = 30_000;
/** How many requests of one client are in flight at once. */
const AT_ONCE = 100;

function inTime(what, begin) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`there was not ${what}`)), TIMEOUT_MS);
    const done = (end) => (value) => {
      clearTimeout(timer);
      end(value);
    };
    begin(done(resolve), done(reject));
  });
}

/** A client that sends requests and waits for their answers. */
export class Guest {
  #answers = new Map();
  #listeners = new Set();
  #asked = 0;

  constructor(url) {
    this.socket = new WebSocket(url, ['wschat.v2']);
    this.socket.on('message', (data) => {
      const frame = JSON.parse(data);
      if (frame.type === 'welcome') this.id = frame.user.id;
      for (const listener of this.#listeners) listener(frame);
      if (frame.from !== undefined && frame.from.id !== this.id) return;
      const answer = this.#answers.get(frame.ref ?? frame.type);
      this.#answers.delete(frame.ref ?? frame.type);
      if (frame.type === 'error') answer?.reject(new Error(frame.message));
      else answer?.resolve(frame);
    });
  }

  static async connect(url, name) {
    const guest = new Guest(url);
    await guest.#answer('welcome');
    if (name !== undefined) {
      guest.#send({ type: 'change_name', name });
      await guest.#answer('change_name');
    }
    return guest;
  }

  ask(request) {
    this.#asked += 1;
    const ref = String(this.#asked);
    this.#send({ ...request, ref });
    return this.#answer(ref);
  }

  enter(roomId) {
    return this.ask({ type: 'enter_room', roomId });
  }

  say(text) {
    return this.ask({ type: 'text', text });
  }

  /** What has been said in a room, at most the last 100. */
  async texts(roomId) {
    const { events } = await this.ask({ type: 'history', roomId, limit: 100 });
    return events.map(({ text, gifId }) => text ?? gifId);
  }

  /** Resolves with the next frame for which `isIt(frame)` is true. */
  heard(isIt) {
    return inTime('what was waited for', (resolve) => {
      const listener = (frame) => {
        if (!isIt(frame)) return;
        this.#listeners.delete(listener);
        resolve(frame);
      };
      this.#listeners.add(listener);
    });
  }

  #send(request) {
    this.socket.send(JSON.stringify(request));
  }

  #answer(key) {
    return inTime(`an answer to ${key}`, (resolve, reject) => this.#answers.set(key, { resolve, reject }));
  }
}

/** Adds silent members. Their connections are cut at once, which the others do not notice for a while. */
export async function bringMembers(server, roomId, count) {
  const bring = async (number) => {
    const guest = await Guest.connect(server.socketUrl, `Guest ${number}`);
    await guest.enter(roomId);
    guest.socket.terminate();
  };
  for (let first = 1; first <= count; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - first + 1) }, (_, index) => first + index);
    await Promise.all(numbers.map(bring));
  }
}

/** A few people who talk in turn. Returns `{ say(text), leave() }`. */
export async function bringSpeakers(server, roomId, names) {
  const guests = await Promise.all(names.map((name) => Guest.connect(server.socketUrl, name)));
  await Promise.all(guests.map((guest) => guest.enter(roomId)));
  let turn = 0;
  return {
    say(text) {
      turn += 1;
      return guests[Math.floor(turn / 3) % guests.length].say(text);
    },
    leave: () => guests.forEach(({ socket }) => socket.terminate()),
  };
}

/** Says `textOf(1)` to `textOf(count)`. */
export async function fill(server, roomId, count, textOf) {
  const speakers = await bringSpeakers(server, roomId, ['Ada', 'Ben', 'Cleo', 'Dora']);
  for (let first = 1; first <= count; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - first + 1) }, (_, index) => first + index);
    await Promise.all(numbers.map((number) => speakers.say(textOf(number))));
  }
  speakers.leave();
}

/** Says `textOf(1)` … at a steady pace, without waiting for answers. */
export async function talk(server, roomId, { perSecond, count, textOf }) {
  const speakers = await bringSpeakers(server, roomId, Array.from({ length: 10 }, (_, index) => `Speaker ${index + 1}`));
  const began = Date.now();
  const said = [];
  while (said.length < count) {
    const due = Math.min(count, Math.floor(((Date.now() - began) / 1_000) * perSecond) + 1);
    while (said.length < due) said.push(speakers.say(textOf(said.length + 1)));
    await new Promise((resolve) => { setTimeout(resolve, 1_000 / perSecond); });
  }
  await Promise.all(said);
  speakers.leave();
}
