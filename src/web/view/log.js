// The log: draws a range of the timeline, keeps the reading position, and loads older messages while the user scrolls.

import { Names } from '../text/mention.js';
import { Cursor } from './cursor.js';
import { clockTime, dayOf } from './dates.js';
import { element, icon } from './dom.js';
import { announcementRow, dayRow, dividerRow, gapRow, headRow, lostRow, presenceRow } from './line.js';
import { messageRow } from './message.js';
import { onStillness } from './picture.js';
import { ScrollAnchor } from './anchor.js';
import { newerThan, rowsOf } from './rows.js';
import { RenderedRange } from './range.js';
import { t } from './words.js';

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

export class LogView {
  #chat;
  #log;
  #list;
  #toLatest;
  #cursor;
  #anchor;
  #range = new RenderedRange();
  /** The rows on the page, by key: `{node, entry, source, looks}`. */
  #rows = new Map();
  #timeline = null;
  #drawn = null;
  #gifs = null;
  /** Whom a message may mention. Built when a message needs it, once per drawing. */
  #names = null;
  #pendingKeys = new Set();
  /** Whether to scroll along with new messages. */
  #isFollowing = true;
  #isWatching = null;
  #top = 0;
  #stillTimer;
  #growing = null;
  /** The newest message that has been on the screen. */
  #seenSeq = 0;
  #lastLoad = { seq: null, at: 0 };
  #latestWords = '';

  /** `copyLink({room, seq})` copies a message's link. */
  constructor({ chat, log, list, toLatest, copyLink }) {
    this.#chat = chat;
    this.#log = log;
    this.#list = list;
    this.#toLatest = toLatest;
    this.#anchor = new ScrollAnchor(log, list);
    this.#cursor = new Cursor({
      log,
      list,
      copyLink: (seq) => copyLink({ room: chat.state.room.id, seq }),
      toNewest: () => this.#follow(),
    });
    // The room that a bubble keeps free for its time, which may have AM or PM.
    log.style.setProperty('--time-width', `${clockTime(0).length * 0.48 + 0.5}rem`);
    log.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    list.addEventListener('click', ({ target }) => this.#act(target.closest('[data-act]')));
    toLatest.addEventListener('click', () => this.#goToLatest());
    document.addEventListener('visibilitychange', () => this.#reportView());
    onStillness(() => this.#redrawGifs());
    const sizes = new ResizeObserver(() => this.#resized());
    sizes.observe(log);
    sizes.observe(list);
  }

  draw() {
    const { room, timeline, gifs } = this.#chat.state;
    if (!room || !timeline) return this.#reportView();
    if (timeline !== this.#timeline) this.#changeTimeline(timeline);
    if (gifs !== this.#gifs) this.#forgetGifs();
    const looks = this.#looks();
    if (looks !== this.#drawn) {
      this.#drawn = looks;
      if (this.#hasSent()) this.#isFollowing = true;
      // Before drawing, so that rows dropped at the top are made up for by rows added there.
      if (!this.#isFollowing) this.#moveRange();
      this.#render();
    }
    this.#showTarget();
    this.#extend({ isScrolling: false });
    this.#reportView();
  }

  /** A key for everything that decides what is drawn, except the range. */
  #looks() {
    const { timeline, pending, divider, loadingOlder } = this.#chat.state;
    const said = pending.map(({ key, status, problem, reason }) => [key, status, problem, reason]);
    return JSON.stringify([timeline.revision, timeline.hasOlder, loadingOlder, divider, dayOf(Date.now()), said]);
  }

  #changeTimeline(timeline) {
    this.#timeline = timeline;
    this.#range = new RenderedRange();
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#drawn = null;
    this.#isFollowing = true;
    this.#isWatching = null;
    this.#seenSeq = timeline.newestSeq ?? 0;
    this.#lastLoad = { seq: null, at: 0 };
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
    const rows = rowsOf({ entries, start, end, pending, firstNew, head: this.#head(), now: Date.now() });
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
        if (drawn.node === next) next = next.nextElementSibling;
        else this.#list.insertBefore(drawn.node, next);
        continue;
      }
      const node = this.#create(row);
      node.dataset.key = row.key;
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
    const { gifs, people, me } = this.#chat.state;
    switch (row.kind) {
      case 'head': return headRow(row.looks);
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
    for (const drawn of this.#rows.values()) if (drawn.entry?.kind === 'gif') drawn.looks = null;
    this.#drawn = null;
  }

  #redrawGifs() {
    this.#forgetGifs();
    this.draw();
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
    const isAsked = timeline.oldestSeq === this.#lastLoad.seq;
    if (isAsked && !(isScrolling && performance.now() - this.#lastLoad.at > ASK_AGAIN_MS)) return;
    if (this.#chat.loadOlder()) this.#lastLoad = { seq: timeline.oldestSeq, at: performance.now() };
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
      node.scrollIntoView({ block: 'center' });
      this.#saveScroll();
      if (!document.querySelector('dialog[open]')) node.focus({ preventScroll: true });
      node.classList.add('target');
      setTimeout(() => node.classList.remove('target'), FLASH_MS);
    }
    this.#chat.targetShown();
  }

  #follow() {
    this.#isFollowing = true;
    if (this.#timeline) this.#render();
    this.#reportView();
  }

  #goToLatest() {
    const hadFocus = document.activeElement === this.#toLatest;
    this.#follow();
    // The button disappears, and the focus with it. On a touch screen, focusing the message box would open the
    // keyboard.
    if (!hadFocus) return;
    const next = matchMedia('(hover: hover)').matches ? document.getElementById('text') : this.#log;
    next?.focus({ preventScroll: true });
  }

  #act(button) {
    if (!button) return;
    const { entry } = this.#rows.get(button.closest('li').dataset.key);
    const { act } = button.dataset;
    if (act === 'retry') this.#chat.retry(entry.ref);
    else if (act === 'discard') this.#chat.discard(entry.ref);
    else if (entry.status === 'open') this.#chat.loadGap(entry);
  }

  // ---- what the user sees

  /** Tells the chat whether the newest message is visible, and shows the button if not. */
  #reportView() {
    const { room, timeline } = this.#chat.state;
    const isShown = Boolean(room) && this.#log.clientHeight > 0;
    const isNearEnd = isShown && this.#isNearEnd();
    if (isNearEnd) this.#seenSeq = timeline.newestSeq ?? 0;
    this.#toLatest.hidden = !isShown || isNearEnd || !this.#updateLatestButton();
    const isWatching = isNearEnd && document.visibilityState === 'visible';
    if (isWatching === this.#isWatching) return;
    this.#isWatching = isWatching;
    this.#chat.setWatching(isWatching);
  }

  /** Labels the button. Returns whether it is needed: there are new messages, or the end is far away. */
  #updateLatestButton() {
    const { count } = newerThan(this.#chat.state.timeline.entries, this.#seenSeq);
    const words = count > 0 ? t('to_latest_new', { count }) : t('to_latest');
    if (words !== this.#latestWords) {
      this.#latestWords = words;
      this.#toLatest.replaceChildren(icon('down'), element('span', '', words));
      this.#toLatest.classList.toggle('has-new', count > 0);
    }
    return count > 0 || !this.#range.isAtEnd || this.#toEnd() > this.#log.clientHeight / 2;
  }
}
