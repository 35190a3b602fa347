// One room's entries, oldest first. Messages are numbered without gaps by the server, so a missing number means a
// missing message, and is shown as a gap.

import { continues } from '../../../clients/js/src/state.js';
import { Presence } from './presence.js';

/** Older messages are dropped, so that a page left open for weeks stays fast. */
export const MAX_MESSAGES = 20_000;
/** Dropped in batches, not for every message. */
const DROPPED = 200;

export class Timeline {
  /**
   * Read-only for the views. A changed entry is replaced by a new object with the same key:
   *
   *    { key, kind: 'text', seq, time, from: { id, name }, own, text, mentionsMe, ref? (of our own) }
   *    { key, kind: 'gif', seq, time, from, own, gifId, ref? }
   *    { key, kind: 'presence', time, entered, left, passed: [name], renamed: [{ from, to }], more: { … counts } }
   *    { key, kind: 'announcement', time, text }
   *    { key, kind: 'other', seq, time, own } (erased, or of a type that this page does not know: it is not shown)
   *    { key, kind: 'gap', after, before, status: 'open' | 'loading' | 'gone' }
   *    { key, kind: 'lost' }
   */
  entries = [];
  /** Incremented by every change. */
  revision = 0;
  /** The history that `seq` counts in; null before the room was entered. */
  epoch = null;
  /** The room's last known `seq`; 0 if nothing was said. */
  endSeq = 0;
  oldestSeq = null;
  newestSeq = null;
  newestTime = null;

  #describe;
  #nextKey = 1;
  #messages = 0;
  /** Whether the server has older messages; null if unknown. */
  #more = null;
  #presence = null;
  #presenceKey = null;

  /** `describe(event)` returns the client-side part of an entry: `{ own, mentionsMe }`. */
  constructor(describe) {
    this.#describe = describe;
  }

  /** Whether the server may have older messages. */
  get hasOlder() {
    if (this.endSeq === 0 || this.oldestSeq === 1) return false;
    return this.#more ?? true;
  }

  /** Whether a page of older messages would be dropped at once. */
  get isFull() {
    return this.#messages > MAX_MESSAGES - DROPPED / 2;
  }

  /** Applies the snapshot that the server sends on entering. Returns the new entries. */
  enter(frame) {
    const { epoch, seq, events } = frame;
    if (this.epoch !== null && !continues(this, frame)) this.#forget();
    this.epoch = epoch;
    this.endSeq = seq;
    const added = this.add(events);
    this.#updateGaps(this.entries);
    return added;
  }

  /** Inserts events where they belong and ignores known ones. Returns the new entries. */
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
      this.#count(added);
      if (before !== null && events[0].seq !== before + 1) this.#updateGaps(this.entries);
    } else {
      const merged = this.#merge(events, make);
      this.#count(added);
      this.#updateGaps(merged);
    }
    this.#drop();
    return added;
  }

  /**
   * Adds a page of history. `more` says whether the server has messages older than these; if there are none, older than
   * `before`, which is undefined where the page was not asked for by its end.
   */
  addPage(events, more, before) {
    const isOldest = events.length === 0 && (this.oldestSeq === null || before === this.oldestSeq);
    const added = this.add(events);
    if (isOldest || events[0]?.seq <= this.oldestSeq) this.#more = more;
    this.#changed();
    return added;
  }

  /** Whether a message is missing between the first one here and the end. */
  get hasMissing() {
    return this.oldestSeq !== null && this.endSeq - this.oldestSeq + 1 > this.#messages;
  }

  /** Whether the server may have this message, and it is not here. */
  isMissing(seq) {
    if (this.oldestSeq === null || seq > this.endSeq) return false;
    if (seq < this.oldestSeq) return this.hasOlder;
    return this.entries.some(({ kind, after, before, status }) => (
      kind === 'gap' && after < seq && seq < before && status !== 'gone'));
  }

  has(seq) {
    return this.entries.some((entry) => entry.seq === seq && entry.kind !== 'other');
  }

  /** The operator has told everyone something. */
  announced(text, time) {
    this.entries.push({ key: this.#newKey(), kind: 'announcement', time, text });
    this.#changed();
  }

  /** The operator has erased messages: up to `upTo` those of a user, those before a time, or all. */
  erase({ upTo, userId, before }) {
    const isErased = ({ seq, time, from }) => seq <= upTo
      && (userId === undefined || from?.id === userId) && (before === undefined || time < before);
    this.entries = this.entries.map((entry) => {
      const { key, seq, time } = entry;
      return isErased(entry) ? { key, kind: 'other', seq, time, own: true } : entry;
    });
    this.#changed();
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

  /** Changes the status of all gaps from `from` to `to`. */
  setGaps(from, to) {
    const gaps = this.entries.filter(({ kind, status }) => kind === 'gap' && status === from);
    for (const { key } of gaps) this.setGap(key, to);
  }

  /**
   * The `seq` from which everything up to the end is here; the end + 1 if the last message is missing. Nobody can tell
   * any more what an erased message was.
   */
  completeFrom() {
    let from = this.endSeq + 1;
    for (let i = this.entries.length - 1; i >= 0; i -= 1) {
      const { seq, kind } = this.entries[i];
      if (seq === undefined) continue;
      if (seq !== from - 1 || kind === 'other') break;
      from = seq;
    }
    return from;
  }

  /** How many messages after `seq` are from others, as far as is known: those that are not here count too. */
  othersAfter(seq) {
    let count = 0;
    for (let i = this.entries.length - 1; i >= 0; i -= 1) {
      const { kind, own, seq: at, after, before, status } = this.entries[i];
      if (at <= seq) return count;
      if (at !== undefined && !own) count += 1;
      if (kind === 'gap' && status !== 'gone') count += Math.max(0, before - 1 - Math.max(after, seq));
    }
    return count + (this.hasOlder && this.oldestSeq !== null ? Math.max(0, this.oldestSeq - 1 - seq) : 0);
  }

  /** How many messages after `seq` mention the user. */
  mentionsAfter(seq) {
    let count = 0;
    for (let i = this.entries.length - 1; i >= 0; i -= 1) {
      if (this.entries[i].seq <= seq) break;
      if (this.entries[i].mentionsMe) count += 1;
    }
    return count;
  }

  // ---- presence

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

  // ---- merging

  #entry(event) {
    const { type, seq, time, from, text, gifId, ref } = event;
    const { own, mentionsMe } = this.#describe(event);
    // What cannot be shown need not be read either.
    const kind = type === 'text' || type === 'gif' ? type : 'other';
    const said = { text: { text, mentionsMe }, gif: { gifId }, other: {} }[kind];
    return { key: this.#newKey(), kind, seq, time, from, own: own || kind === 'other', ...(own && ref && { ref }), ...said };
  }

  #newKey() {
    const key = this.#nextKey;
    this.#nextKey += 1;
    return key;
  }

  /**
   * Merges new events into the entries, in order. Entries that are not messages stay behind the message before them.
   */
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

  #count(added) {
    this.#messages += added.length;
    for (const { seq, time } of added) {
      if (this.oldestSeq === null || seq < this.oldestSeq) this.oldestSeq = seq;
      if (this.newestSeq === null || seq > this.newestSeq) Object.assign(this, { newestSeq: seq, newestTime: time });
    }
    this.#changed();
  }

  /** Inserts a gap wherever numbers are missing, at the end too, and removes gaps that are filled. */
  #updateGaps(entries) {
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
    // Entries before the first message that stays are dropped too.
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

  /** Forgets everything: the server no longer has these messages. */
  #forget() {
    this.entries = this.#messages > 0 ? [{ key: this.#newKey(), kind: 'lost' }] : [];
    this.#messages = 0;
    this.oldestSeq = null;
    this.newestSeq = null;
    this.newestTime = null;
    this.#more = null;
    this.#presence = null;
    this.#changed();
  }

  #changed() {
    this.revision += 1;
  }
}
