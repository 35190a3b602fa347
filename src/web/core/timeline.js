// One room's lines, the oldest first. What is said there is numbered without a hole, so that a hole in the
// timeline is something missing, and is shown as a gap.

import { Presence } from './presence.js';

/** Older messages are dropped, so that a page left open for weeks stays as quick as a new one. */
export const MAX_MESSAGES = 20_000;
/** Dropped at once, so that it need not be done for each message. */
const DROPPED = 200;

export class Timeline {
  /**
   * Views read them only. An entry that changes is replaced by another of the same key:
   *
   *     { key, kind: 'text', seq, time, from: { id, name }, own, text, mentionsMe, ref? (of one's own) }
   *     { key, kind: 'gif', seq, time, from, own, gifId, ref? }
   *     { key, kind: 'presence', time, entered, left, passed: [name], renamed: [{ from, to }], more: { … counts } }
   *     { key, kind: 'gap', after, before, status: 'open' | 'loading' | 'gone' }
   *     { key, kind: 'lost' }
   */
  entries = [];
  /** Counts up with each change. */
  revision = 0;
  /** In which the numbers count; null before the room was entered. */
  epoch = null;
  /** The `seq` up to which the room has got, as far as is known; 0 if nothing was said. */
  endSeq = 0;
  oldestSeq = null;
  newestSeq = null;

  #describe;
  #nextKey = 1;
  #messages = 0;
  /** What the server has said of it: null is unknown. */
  #more = null;
  #presence = null;
  #presenceKey = null;

  /** `describe(event)` gives what an entry has beside the event: `{ own, mentionsMe }`. */
  constructor(describe) {
    this.#describe = describe;
  }

  /** Whether there may be older messages than those here. */
  get hasOlder() {
    if (this.endSeq === 0 || this.oldestSeq === 1) return false;
    return this.#more ?? true;
  }

  /** Then a page of older ones would be dropped at once. */
  get isFull() {
    return this.#messages > MAX_MESSAGES - DROPPED / 2;
  }

  /** What the server shows of the room as one enters: gives the messages that are new here. */
  enter({ epoch, seq, events }) {
    // With the same epoch and fewer messages the server has lost the last ones, and uses their numbers again.
    if (this.epoch !== null && (this.epoch !== epoch || seq < this.endSeq)) this.#forget();
    this.epoch = epoch;
    this.endSeq = seq;
    const added = this.add(events);
    this.#mendGaps(this.entries);
    return added;
  }

  /** Takes events in, wherever they belong. What is here already is ignored. Gives the new entries. */
  add(events) {
    const added = [];
    const make = (event) => {
      const entry = this.#entry(event);
      added.push(entry);
      return entry;
    };
    if (events.length === 0) return added;
    this.endSeq = Math.max(this.endSeq, events.at(-1).seq);
    if (events.length === 1 && (this.newestSeq === null || events[0].seq > this.newestSeq)) {
      const before = this.newestSeq;
      this.entries.push(make(events[0]));
      this.#counted(added);
      if (before !== null && events[0].seq !== before + 1) this.#mendGaps(this.entries);
    } else {
      const merged = this.#merge(events, make);
      this.#counted(added);
      this.#mendGaps(merged);
    }
    this.#drop();
    return added;
  }

  /** A page of history that ends before `before`; `more` says whether older ones are kept. */
  addPage(events, more, before) {
    const isOldest = this.oldestSeq === null || before <= this.oldestSeq;
    const added = this.add(events);
    if (isOldest || events[0]?.seq <= this.oldestSeq) this.#more = more;
    this.#changed();
    return added;
  }

  /** Whether something is missing between the first and the end. */
  get hasHole() {
    return this.oldestSeq !== null && this.endSeq - this.oldestSeq + 1 > this.#messages;
  }

  has(seq) {
    return this.entries.some((entry) => entry.seq === seq);
  }

  gap(key) {
    return this.entries.find((entry) => entry.key === key && entry.kind === 'gap') ?? null;
  }

  setGap(key, status) {
    const index = this.entries.findIndex((entry) => entry.key === key);
    if (index < 0 || this.entries[index].status === status) return;
    this.entries[index] = { ...this.entries[index], status };
    this.#changed();
  }

  /** All gaps that are `from` are `to`: what was asked for does not come, or nothing is kept. */
  setGaps(from, to) {
    const gaps = this.entries.filter(({ kind, status }) => kind === 'gap' && status === from);
    for (const { key } of gaps) this.setGap(key, to);
  }

  /** From which `seq` on everything is here, up to the end; the end + 1 if the last is missing. */
  wholeFrom() {
    let from = this.endSeq + 1;
    for (let i = this.entries.length - 1; i >= 0; i -= 1) {
      const { seq } = this.entries[i];
      if (seq === undefined) continue;
      if (seq !== from - 1) break;
      from = seq;
    }
    return from;
  }

  /** How many messages of others there are after `seq`. */
  othersAfter(seq) {
    let count = 0;
    for (let i = this.entries.length - 1; i >= 0; i -= 1) {
      const entry = this.entries[i];
      if (entry.seq <= seq) break;
      if (entry.seq !== undefined && !entry.own) count += 1;
    }
    return count;
  }

  // ---- who comes and goes

  entered(user, time) {
    this.#presenceChanged(time, (presence) => presence.entered(user));
  }

  left(user, time) {
    this.#presenceChanged(time, (presence) => presence.left(user));
  }

  renamed(id, from, to, time) {
    this.#presenceChanged(time, (presence) => presence.renamed(id, from, to));
  }

  #presenceChanged(time, change) {
    const last = this.entries.at(-1);
    const isOpen = this.#presence !== null && last?.key === this.#presenceKey;
    if (isOpen) {
      this.entries.pop();
    } else {
      this.#presence = new Presence();
      this.#presenceKey = this.#newKey();
    }
    change(this.#presence);
    const summary = this.#presence.summary();
    if (summary === null) this.#presence = null;
    else this.entries.push({ key: this.#presenceKey, kind: 'presence', time, ...summary });
    this.#changed();
  }

  // ---- putting it together

  #entry(event) {
    const { type: kind, seq, time, from, text, gifId, ref } = event;
    const { own, mentionsMe } = this.#describe(event);
    const said = kind === 'text' ? { text, mentionsMe } : { gifId };
    return { key: this.#newKey(), kind, seq, time, from, own, ...(own && ref && { ref }), ...said };
  }

  #newKey() {
    const key = this.#nextKey;
    this.#nextKey += 1;
    return key;
  }

  /** What is here and what comes in one order. Lines between messages stay behind the message before them. */
  #merge(events, make) {
    const coming = [...events].sort((a, b) => a.seq - b.seq);
    const merged = [];
    let next = 0;
    let last = 0;
    const take = (until) => {
      for (; next < coming.length && coming[next].seq < until; next += 1) {
        if (coming[next].seq > last) merged.push(make(coming[next]));
        last = coming[next].seq;
      }
      while (coming[next]?.seq === until) next += 1;
    };
    for (const entry of this.entries) {
      if (entry.seq !== undefined) {
        take(entry.seq);
        last = entry.seq;
      }
      merged.push(entry);
    }
    take(Infinity);
    return merged;
  }

  #counted(added) {
    this.#messages += added.length;
    for (const { seq } of added) {
      if (this.oldestSeq === null || seq < this.oldestSeq) this.oldestSeq = seq;
      if (this.newestSeq === null || seq > this.newestSeq) this.newestSeq = seq;
    }
    this.#changed();
  }

  /** Puts a gap wherever numbers do not follow, at the end too, and takes those away that are filled. */
  #mendGaps(entries) {
    const mended = [];
    let before = null;
    let gap = null;
    const close = (next) => {
      const isHole = before !== null && next > before + 1;
      const at = gap === null ? -1 : mended.lastIndexOf(gap);
      if (gap !== null && !isHole) {
        mended.splice(at, 1);
      } else if (isHole && gap === null) {
        mended.push({ key: this.#newKey(), kind: 'gap', after: before, before: next, status: 'open' });
      } else if (isHole && (gap.after !== before || gap.before !== next)) {
        mended[at] = { ...gap, after: before, before: next };
      }
      gap = null;
    };
    for (const entry of entries) {
      if (entry.kind === 'gap') {
        if (gap !== null) continue;
        gap = entry;
      } else if (entry.seq !== undefined) {
        close(entry.seq);
        before = entry.seq;
      }
      mended.push(entry);
    }
    close(this.endSeq + 1);
    this.entries = mended;
    this.#changed();
  }

  #drop() {
    if (this.#messages <= MAX_MESSAGES) return;
    let dropped = 0;
    let end = 0;
    // Whatever stands before the first that stays goes along.
    for (let left = this.#messages - MAX_MESSAGES + DROPPED; ; end += 1) {
      if (this.entries[end].seq === undefined) continue;
      if (left === 0) break;
      left -= 1;
      dropped += 1;
    }
    this.entries.splice(0, end);
    this.#messages -= dropped;
    this.oldestSeq = this.entries[0].seq;
    this.#more = true;
    this.#changed();
  }

  /** What was here is not kept there. */
  #forget() {
    this.entries = this.#messages > 0 ? [{ key: this.#newKey(), kind: 'lost' }] : [];
    this.#messages = 0;
    this.oldestSeq = null;
    this.newestSeq = null;
    this.#more = null;
    this.#presence = null;
    this.#changed();
  }

  #changed() {
    this.revision += 1;
  }
}
