// The log: draws a range of the timeline, begins at the first unread message, keeps the reading position, and loads what
// is missing while the user scrolls.

import { Names } from '../text/mention.js';
import { mayNameEmoji, onEmoji } from '../text/named.js';
import { Cursor } from './cursor.js';
import { dayOf, refreshDates } from './dates.js';
import { unfold } from './fold.js';
import { announcementRow, dayRow, dividerRow, gapRow, headRow, lostRow, presenceRow, redrawTimes } from './line.js';
import { LatestButton } from './latest.js';
import { messageRow } from './message.js';
import { onStillness } from './picture.js';
import { ScrollAnchor } from './anchor.js';
import { newerThan, rowsOf } from './rows.js';
import { twinMark, twinsOf } from './twins.js';
import { RenderedRange } from './range.js';
import { isAttended, newestSeen } from './sight.js';

/** This close to the end counts as following the conversation. */
const NEAR_END_PIXELS = 40;
/** When the edge of the range is closer than this share of the screen, the range moves. */
const NEAR_EDGE = 0.75;
/** The height of the lowest possible row. A range of four screens leaves enough above and below. */
const LOWEST_ROW_PIXELS = 24;
const SCREENS = 4;
const FEWEST_ROWS = 150;
/** After this long without a scroll event the user has stopped scrolling. */
const STILL_MS = 200;
/** A failed load is not repeated more often than this. */
const ASK_AGAIN_MS = 3_000;
const FLASH_MS = 2_000;
/** The first unread message comes to this share of the screen, below a little of what was read before. */
const LANDING = 0.12;

export class LogView {
  #chat;
  #log;
  #list;
  #latest;
  #cursor;
  #anchor;
  #range = new RenderedRange();
  /** The rows on the page, by key: `{node, entry, source, looks}`. */
  #rows = new Map();
  #timeline = null;
  #drawn = null;
  #gifs = null;
  /** The zone and the language of the times on the page. */
  #place = null;
  /** Whom a message may mention. Built when a message needs it, once per drawing. */
  #names = null;
  #pendingKeys = new Set();
  /** Whether to scroll along with new messages. */
  #isFollowing = true;
  /** Nobody has been looking since the last drawing. */
  #isAway = false;
  #top = 0;
  #stillTimer;
  #growing = null;
  /** What was loaded last, and when. */
  #lastLoad = { what: null, at: 0 };

  /** `copyLink({room, seq})` copies a message's link. */
  constructor({ chat, log, list, toLatest, copyLink }) {
    this.#chat = chat;
    this.#log = log;
    this.#list = list;
    this.#latest = new LatestButton(toLatest, () => this.#goToLatest());
    this.#anchor = new ScrollAnchor(log, list);
    this.#cursor = new Cursor({
      log,
      list,
      copyLink: (seq) => copyLink({ room: chat.state.room.id, seq }),
      toNewest: () => this.#follow(),
    });
    log.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    list.addEventListener('click', ({ target }) => this.#act(target.closest('[data-act]')));
    list.addEventListener('fold', () => this.#stay());
    document.addEventListener('visibilitychange', () => this.#attend());
    addEventListener('focus', () => this.#attend());
    addEventListener('blur', () => this.#attend());
    onStillness(() => this.#redrawGifs());
    onEmoji(() => {
      this.#forget(({ kind, text }) => kind === 'text' && mayNameEmoji(text));
      this.draw();
    });
    const sizes = new ResizeObserver(() => this.#resized());
    sizes.observe(log);
    sizes.observe(list);
  }

  draw() {
    const { room, timeline, gifs } = this.#chat.state;
    if (!room || !timeline) return this.#reportView();
    if (timeline !== this.#timeline) this.#changeTimeline(timeline);
    if (gifs !== this.#gifs) this.#forgetGifs();
    const place = refreshDates();
    if (place !== this.#place) redrawTimes(this.#list);
    this.#place = place;
    if (this.#isSeeking()) return this.#reportView();
    const looks = this.#looks();
    if (looks !== this.#drawn) {
      this.#drawn = looks;
      if (this.#hasSent()) this.#isFollowing = true;
      // Before drawing, so that rows dropped at the top are made up for by rows added there.
      if (!this.#isFollowing) this.#moveRange();
      this.#render();
    }
    this.#showTarget();
    this.#land();
    this.#extend({ isScrolling: false });
    this.#reportView();
  }

  /** A key for everything that decides what is drawn, except the range. */
  #looks() {
    const { timeline, pending, divider, loadingOlder } = this.#chat.state;
    const said = pending.map(({ key, status, problem, reason }) => [key, status, problem, reason]);
    return JSON.stringify([timeline.revision, timeline.hasOlder, loadingOlder, divider, dayOf(Date.now()), this.#place, said]);
  }

  #changeTimeline(timeline) {
    this.#timeline = timeline;
    this.#range = new RenderedRange();
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#drawn = null;
    this.#isFollowing = true;
    this.#lastLoad = { what: null, at: 0 };
    this.#pendingKeys = new Set(this.#chat.state.pending.map(({ key }) => key));
  }

  /** Whether the user has just sent a message, and so wants to see it. */
  #hasSent() {
    const keys = new Set(this.#chat.state.pending.map(({ key }) => key));
    const hasNew = [...keys].some((key) => !this.#pendingKeys.has(key));
    this.#pendingKeys = keys;
    return hasNew;
  }

  // ---- rows

  #render() {
    const { timeline: { entries }, pending, divider } = this.#chat.state;
    this.#range.update(entries);
    this.#range.max = Math.max(FEWEST_ROWS, Math.ceil((SCREENS * this.#log.clientHeight) / LOWEST_ROW_PIXELS));
    if (this.#isFollowing && !this.#range.isAtEnd) this.#range.jump(entries, entries.length - 1);
    this.#range.cut(entries, this.#anchorIndex(entries));
    const { start, end } = this.#range;
    const firstNew = divider === null ? -1 : newerThan(entries, divider).first;
    const twins = twinsOf(this.#chat.state);
    const { people } = this.#chat.state;
    const markOf = ({ from, own }) => twinMark(twins, from, { isOwn: own, isHere: people.has(from.id) });
    const rows = rowsOf({ entries, start, end, pending, firstNew, head: this.#head(), now: Date.now(), markOf });
    const keys = new Set(rows.map(({ key }) => key));
    if (!this.#isFollowing) {
      // A redrawn row may change its height, so the position is taken from a row that stays as it is.
      const staying = new Set(rows.filter((row) => this.#isDrawn(row)).map(({ key }) => key));
      this.#anchor.hold((node) => staying.has(node.dataset.key));
    }
    this.#names = null;
    this.#reconcile(rows, keys);
    this.#restoreScroll();
    if (this.#range.isShort) this.#growSoon();
  }

  /** Grows the range frame by frame: all at once would block the page. */
  #growSoon() {
    this.#growing ??= requestAnimationFrame(() => {
      this.#growing = null;
      const { timeline } = this.#chat.state;
      if (timeline !== this.#timeline) return;
      this.#range.update(timeline.entries);
      if (this.#range.isShort) this.#range.grow(timeline.entries);
      this.#render();
    });
  }

  /** The index of the entry to keep when the range is cut. */
  #anchorIndex(entries) {
    const key = this.#anchor.row?.dataset.key;
    const index = this.#isFollowing ? -1 : entries.findIndex((entry) => String(entry.key) === key);
    return index < 0 ? entries.length - 1 : index;
  }

  #head() {
    const { timeline, loadingOlder, version } = this.#chat.state;
    if (loadingOlder) return 'loading';
    // The base protocol has no history, and nothing is known before we are in the room.
    if (timeline.hasOlder !== false || version === 'base' || timeline.epoch === null) return null;
    return timeline.entries.some(({ seq }) => seq !== undefined) ? 'begin' : 'empty';
  }

  /** Makes the list show these rows. Unchanged rows are not touched. */
  #reconcile(rows, keys) {
    const focused = this.#list.contains(document.activeElement) ? document.activeElement : null;
    for (const [key, { node }] of this.#rows) {
      if (keys.has(key)) continue;
      if (focused && node.contains(focused)) this.#log.focus({ preventScroll: true });
      node.remove();
      this.#rows.delete(key);
    }
    let next = this.#list.firstElementChild;
    for (const row of rows) {
      const drawn = this.#rows.get(row.key);
      if (this.#isDrawn(row)) {
        drawn.node.classList.toggle('ends', row.isLast);
        if (drawn.node === next) next = next.nextElementSibling;
        else this.#list.insertBefore(drawn.node, next);
        continue;
      }
      const node = this.#create(row);
      node.dataset.key = row.key;
      node.classList.toggle('ends', row.isLast);
      this.#rows.set(row.key, { ...row, node });
      this.#list.insertBefore(node, next);
      if (!drawn) continue;
      if (drawn.node === next) next = next.nextElementSibling;
      if (focused && drawn.node.contains(focused)) this.#passFocus(focused, drawn.node, node);
      drawn.node.remove();
    }
  }

  #isDrawn({ key, source, looks }) {
    const drawn = this.#rows.get(key);
    return drawn !== undefined && drawn.source === source && drawn.looks === looks;
  }

  /** Moves the focus to the redrawn row, or to the log, so that it is never lost. */
  #passFocus(focused, before, now) {
    const part = focused === before ? now : now.querySelector('[data-act]') ?? now;
    (part.hasAttribute('tabindex') || part !== now ? part : this.#log).focus({ preventScroll: true });
  }

  #create(row) {
    const { gifs, people, me, room } = this.#chat.state;
    switch (row.kind) {
      case 'head': return headRow(row.looks, room?.title ?? '');
      case 'day': return dayRow(row.time, Date.now());
      case 'divider': return dividerRow();
      case 'gap': return gapRow(row.entry);
      case 'lost': return lostRow();
      case 'presence': return presenceRow(row.entry);
      case 'announcement': return announcementRow(row.entry);
      default: return messageRow(row, {
        gifs,
        names: () => (this.#names ??= new Names(people.values())),
        me: me?.name,
      });
    }
  }

  #forgetGifs() {
    this.#gifs = this.#chat.state.gifs;
    this.#forget(({ kind }) => kind === 'gif');
  }

  #redrawGifs() {
    this.#forgetGifs();
    this.draw();
  }

  /** The next drawing makes the rows of these entries anew. */
  #forget(isMeant) {
    for (const drawn of this.#rows.values()) if (drawn.entry && isMeant(drawn.entry)) drawn.looks = null;
    this.#drawn = null;
  }

  // ---- scroll position

  /** Restores the reading position, or scrolls to the end. */
  #restoreScroll() {
    if (this.#log.clientHeight === 0) return; // Not visible now; see #resized.
    if (this.#isFollowing) this.#log.scrollTop = this.#log.scrollHeight;
    else this.#anchor.restore();
    this.#saveScroll();
  }

  #saveScroll() {
    this.#top = this.#log.scrollTop;
    this.#anchor.note();
  }

  /** The size of the window, the keyboard, an image or another pane has changed. */
  #resized() {
    this.#restoreScroll();
    this.#land();
    this.#reportView();
  }

  #scrolled() {
    if (this.#log.clientHeight === 0 || this.#anchor.isResized) return;
    // Scrolling up stops following, even while the end is near.
    if (this.#toEnd() < 2) this.#isFollowing = this.#range.isAtEnd;
    else if (this.#log.scrollTop < this.#top) this.#isFollowing = false;
    clearTimeout(this.#stillTimer);
    this.#stillTimer = setTimeout(() => {
      // While sizes change, the scroll position is not where the user has stopped.
      if (!this.#anchor.isResized) this.#isFollowing = this.#isNearEnd();
    }, STILL_MS);
    this.#saveScroll();
    this.#extend({ isScrolling: true });
    this.#reportView();
  }

  #toEnd() {
    return this.#log.scrollHeight - this.#log.clientHeight - this.#log.scrollTop;
  }

  #isNearEnd() {
    return this.#range.isAtEnd && this.#toEnd() < NEAR_END_PIXELS;
  }

  /** Moves the range before its edge becomes visible, and loads older messages at the start. */
  #extend({ isScrolling }) {
    const { timeline } = this.#chat.state;
    if (this.#log.clientHeight === 0 || timeline !== this.#timeline) return;
    if (this.#moveRange()) this.#render();
    if (this.#log.scrollTop < this.#edge && this.#range.isAtStart) this.#loadOlder(isScrolling);
    this.#fillGap(isScrolling);
  }

  get #edge() {
    return this.#log.clientHeight * NEAR_EDGE;
  }

  #moveRange() {
    const { entries } = this.#timeline;
    // The entries have shifted since the last drawing.
    this.#range.update(entries);
    if (this.#log.scrollTop < this.#edge && !this.#range.isAtStart) this.#range.up(entries);
    else if (this.#toEnd() < this.#edge && !this.#range.isAtEnd) this.#range.down(entries);
    else return false;
    return true;
  }

  #loadOlder(isScrolling) {
    const { timeline, loadingOlder } = this.#chat.state;
    if (timeline.hasOlder === false || loadingOlder) return;
    this.#loadOnce(`before ${timeline.oldestSeq}`, isScrolling, () => this.#chat.loadOlder());
  }

  /** Loads a gap before it can be seen, from the side that the user comes from. */
  #fillGap(isScrolling) {
    if (!this.#chat.state.inRoom) return;
    const { top, bottom } = this.#log.getBoundingClientRect();
    for (const { node, kind, entry } of this.#rows.values()) {
      if (kind !== 'gap' || entry.status !== 'open') continue;
      const box = node.getBoundingClientRect();
      if (box.bottom < top - this.#edge || box.top > bottom + this.#edge) continue;
      return this.#loadOnce(`gap ${entry.after} ${entry.before}`, isScrolling, () => {
        this.#loadGap(entry, node);
        return true;
      });
    }
  }

  /** In the upper half of the screen what is below the gap stays in place, in the lower half what is above it. */
  #loadGap(entry, node) {
    const { top, bottom } = this.#log.getBoundingClientRect();
    this.#chat.loadGap(entry, { isFromStart: node.getBoundingClientRect().top > (top + bottom) / 2 });
  }

  /** What could not be loaded is asked for again when the user scrolls. */
  #loadOnce(what, isScrolling, load) {
    const now = performance.now();
    if (what === this.#lastLoad.what && !(isScrolling && now - this.#lastLoad.at > ASK_AGAIN_MS)) return;
    if (load()) this.#lastLoad = { what, at: now };
  }

  // ---- navigation

  #showTarget() {
    const { target, timeline } = this.#chat.state;
    if (!target || this.#log.clientHeight === 0) return;
    const index = timeline.entries.findIndex(({ seq }) => seq === target.seq);
    if (index >= 0) {
      this.#isFollowing = false;
      if (index < this.#range.start || index >= this.#range.end) this.#range.jump(timeline.entries, index);
      this.#render();
      const { node } = this.#rows.get(String(timeline.entries[index].key));
      unfold(node);
      node.scrollIntoView({ block: node.offsetHeight > this.#log.clientHeight ? 'start' : 'center' });
      this.#saveScroll();
      if (!document.querySelector('dialog[open]')) node.focus({ preventScroll: true });
      node.classList.add('target');
      setTimeout(() => node.classList.remove('target'), FLASH_MS);
    }
    this.#chat.targetShown();
  }

  /** A message that is unfolded keeps its beginning where it is, also at the end of the log. */
  #stay() {
    this.#isFollowing = false;
    this.#saveScroll();
    requestAnimationFrame(() => { this.#isFollowing = this.#isNearEnd(); });
  }

  /** While the first unread message is being loaded, what is at the end would only be in the way. */
  #isSeeking() {
    if (this.#chat.state.seeking === null) return false;
    if (this.#rows.size === 0) this.#reconcile([{ key: 'head', kind: 'head', looks: 'loading' }], new Set(['head']));
    return true;
  }

  /**
   * Goes to the first unread message, when a room is entered or nobody has been looking; not if the user reads
   * elsewhere. If all that is unread fits on the screen, that is the end.
   */
  #land() {
    const { divider, landing, seeking, timeline } = this.#chat.state;
    if (this.#log.clientHeight === 0 || timeline !== this.#timeline || seeking !== null) return;
    if (!landing && !this.#isAway) return;
    this.#chat.landed();
    const { entries } = timeline;
    const first = divider === null ? -1 : newerThan(entries, divider).first;
    if (!this.#isFollowing || first < 0) return;
    const { start, end } = this.#range;
    const screen = Math.ceil(this.#log.clientHeight / LOWEST_ROW_PIXELS);
    this.#isFollowing = false;
    if (first < start || Math.min(first + screen, entries.length) > end) {
      this.#range.around(entries, first, 2 * screen);
      this.#render();
    }
    const { node } = this.#rows.get('divider');
    const { top, height } = this.#log.getBoundingClientRect();
    this.#log.scrollTop += node.getBoundingClientRect().top - top - height * LANDING;
    this.#isFollowing = this.#isNearEnd();
    if (this.#isFollowing) this.#restoreScroll();
    else this.#saveScroll();
  }

  #follow() {
    this.#chat.landed();
    this.#isFollowing = true;
    if (this.#timeline) this.#render();
    this.#reportView();
  }

  #goToLatest() {
    const hadFocus = this.#latest.hasFocus;
    this.#follow();
    // The button disappears, and the focus with it. On a touch screen, focusing the message box would open the
    // keyboard.
    if (!hadFocus) return;
    const next = matchMedia('(hover: hover)').matches ? document.getElementById('text') : this.#log;
    next?.focus({ preventScroll: true });
  }

  #act(button) {
    if (!button) return;
    const { entry, node } = this.#rows.get(button.closest('li').dataset.key);
    const { act } = button.dataset;
    if (act === 'retry') this.#chat.retry(entry.ref);
    else if (act === 'discard') this.#chat.discard(entry.ref);
    else if (entry.status === 'open') this.#loadGap(entry, node);
  }

  // ---- what the user sees

  /** The user has come to the page, or has gone elsewhere. */
  #attend() {
    if (isAttended()) this.draw();
    else this.#reportView();
  }

  /** Tells the chat what the user has seen, and shows the button while the end is out of sight. */
  #reportView() {
    const { room, timeline, landing, seeking, isWatching } = this.#chat.state;
    const isShown = Boolean(room) && this.#log.clientHeight > 0;
    const isNearEnd = isShown && this.#isNearEnd();
    this.#latest.draw({ isNeeded: isShown && !isNearEnd, unread: room ? this.#chat.state.unread(room.id) : 0 });
    this.#isAway = !isShown || !isAttended();
    const canSee = !this.#isAway && !landing && seeking === null && timeline === this.#timeline;
    if (canSee && !isNearEnd) {
      const seq = newestSeen(this.#log, this.#list);
      if (seq !== null) this.#chat.see(seq);
    }
    if ((canSee && isNearEnd) !== isWatching) this.#chat.setWatching(canSee && isNearEnd);
  }
}
