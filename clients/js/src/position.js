// How far each room has been followed, for programs that do not keep the messages.

import { continues, ServerState } from './state.js';

const MAX_POSITIONS = 64;

/** Nobody can tell any more what was said there. */
const isGone = ({ type }) => type === 'gone';

/** How far a room has been followed. */
export class Position {
  /** The history that `seq` counts in; null before the room was entered. */
  epoch = null;
  /** The `seq` of the room's last message, and of the last one that was seen, with its time. */
  endSeq = 0;
  newestSeq = null;
  newestTime = null;
  #from = 1;

  /** Applies a `room` frame. Returns what was missed since, as `[type, detail]`; nothing if this is a beginning. */
  enter(frame) {
    const { room, epoch, seq, events } = frame;
    const isSame = continues(this, frame);
    const happened = this.epoch === null || isSame ? [] : [['lost', { roomId: room.id }]];
    let last = isSame ? this.newestSeq ?? this.endSeq : seq;
    const isWhole = isSame && last === this.endSeq;
    const next = (upTo) => {
      if (upTo > last + 1) happened.push(['gap', { roomId: room.id, after: last, before: upTo }]);
      last = Math.max(last, upTo);
    };
    let from = seq + 1;
    for (let i = events.length - 1; i >= 0 && events[i].seq === from - 1 && !isGone(events[i]); i -= 1) from -= 1;
    if (!isWhole || from > this.endSeq + 1) this.#from = from;
    for (const event of events) {
      if (event.seq <= last) continue;
      next(event.seq);
      happened.push(['said', event]);
    }
    next(seq + 1);
    const newest = events.at(-1);
    if (!isSame || newest) [this.newestSeq, this.newestTime] = [newest?.seq ?? null, newest?.time ?? null];
    Object.assign(this, { epoch, endSeq: seq });
    return happened;
  }

  /** Likewise for an event. */
  add(event) {
    const { roomId, seq, time } = event;
    const { epoch, endSeq: after } = this;
    if (epoch === null || seq <= after) return [];
    Object.assign(this, { endSeq: seq, newestSeq: seq, newestTime: time });
    if (seq === after + 1) return [['said', event]];
    this.#from = seq;
    return [['gap', { roomId, after, before: seq }], ['said', event]];
  }

  addPage(events) {
    if (events.at(-1)?.seq === this.#from - 1 && !events.some(isGone)) this.#from = events[0].seq;
  }

  /** The `seq` from which everything up to the end was seen; the end + 1 if the last message was not. */
  completeFrom() {
    return this.#from;
  }
}

export class FollowingState extends ServerState {
  /** By room id. */
  #positions = new Map();

  position(id) {
    return this.#positions.get(id) ?? null;
  }

  entered(frame) {
    const { id } = frame.room;
    const position = this.position(id) ?? new Position();
    this.#positions.delete(id); // the most recent comes last
    this.#positions.set(id, position);
    if (this.#positions.size > MAX_POSITIONS) this.#positions.delete(this.#positions.keys().next().value);
    return position.enter(frame);
  }

  said(event) {
    return this.isFollowing(event.roomId) ? this.position(event.roomId).add(event) : [];
  }

  paged(roomId, { events }) {
    this.position(roomId)?.addPage(events);
  }
}
