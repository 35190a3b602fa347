// The message box: drafts, limits, recall of earlier messages, and who is typing.

import { visible } from '../text/names.js';
import { RETURNS } from './refusals.js';
import { t } from './words.js';
import { Completing } from './completing.js';
import { byId, isComposing, setAttribute, setText } from './dom.js';
import { refuseFiles } from './files.js';
import { insertText } from './insert.js';
import { entersSend, isCommand, onEntering } from './keys.js';

/** The characters left are counted down from here. */
const NEAR_LIMIT = 200;
/** How many of the user's own messages can be recalled. */
const MAX_RECALLED = 50;
/** More people than this are shown as a number. */
const NAMES_TYPING = 3;
/** The marks that the shortcuts put around the selection, by key; with Shift, where it has `⇧`. */
const MARKS = { b: '**', i: '*', e: '`', '⇧x': '~~' };
/** A count that changes with every letter is announced in steps of this size. */
const ANNOUNCE_STEP = 50;

export class ComposerView {
  #chat;
  #box = byId('text');
  #completion;
  #shownRoom = null;
  /** The user's last messages, oldest first, and how far back the user has gone; 0 is not at all. */
  #history = [];
  #back = 0;
  #tick;
  #announcer;
  #announcedPace = '';

  /** `recent` are the user's emoji. */
  constructor(chat, announcer, recent) {
    this.#chat = chat;
    this.#announcer = announcer;
    this.#completion = new Completing(this.#box, chat, recent);
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#box.addEventListener('keydown', (event) => this.#key(event));
    this.#box.addEventListener('input', () => this.#changed());
    refuseFiles(this.#box);
    const nameEnter = () => this.#box.setAttribute('enterkeyhint', entersSend() ? 'send' : 'enter');
    onEntering(nameEnter);
    nameEnter();
  }

  /** Inserts `@name` at the caret. */
  mention(name) {
    const box = this.#box;
    const before = box.value.slice(0, box.selectionStart);
    const space = before === '' || /\s$/.test(before) ? '' : ' ';
    insertText(box, `${space}@${name} `);
  }

  /** Inserts an emoji at the caret. On a touch screen the keyboard stays closed. */
  insert(text) {
    if (matchMedia('(pointer: coarse)').matches && document.activeElement !== this.#box) {
      this.#box.setRangeText(text, this.#box.selectionStart, this.#box.selectionEnd, 'end');
      this.#changed();
    } else {
      insertText(this.#box, text);
    }
  }

  focus() {
    this.#box.focus();
  }

  draw() {
    const { room } = this.#chat.state;
    if (room?.id !== this.#shownRoom) {
      this.#shownRoom = room?.id;
      this.#completion.close();
      this.#back = 0;
      this.#box.value = this.#chat.draft();
    }
    this.#drawTyping();
    this.#drawPace();
  }

  #submit() {
    const text = this.#box.value;
    if (text.trim() === '' || this.#excess() > 0 || !this.#chat.say(text)) return this.#box.focus();
    if (this.#history.at(-1) !== text) this.#history.push(text);
    if (this.#history.length > MAX_RECALLED) this.#history.shift();
    this.#write('');
    this.#back = 0;
    this.#box.focus();
  }

  #key(event) {
    if (isComposing(event)) return;
    if (isCommand(event)) return this.#command(event);
    if (this.#completion.key(event)) return;
    const isPlain = !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey;
    if (!isPlain) return;
    if (event.key === 'Enter') {
      if (!entersSend()) return;
      event.preventDefault();
      this.#submit();
    } else if (event.key === 'ArrowUp' && this.#box.selectionEnd === 0 && this.#recall(1)) {
      event.preventDefault();
    } else if (event.key === 'ArrowDown' && this.#back > 0 && this.#box.selectionStart === this.#box.value.length) {
      this.#recall(-1);
      event.preventDefault();
    }
  }

  /** Ctrl+Enter sends on every device, and letters format. */
  #command(event) {
    const mark = MARKS[`${event.shiftKey ? '⇧' : ''}${event.key.toLowerCase()}`];
    if (event.key === 'Enter') this.#submit();
    else if (mark) this.#format(mark);
    else return;
    event.preventDefault();
  }

  /** Loaded when it is wanted, which most people never do. */
  async #format(mark) {
    const { formatted } = await import('../text/format.js').catch(() => ({}));
    if (!formatted) return; // offline, and never loaded
    const { value, selectionStart, selectionEnd } = this.#box;
    const { start, end, insert, select } = formatted(value, selectionStart, selectionEnd, mark);
    insertText(this.#box, insert, start, end);
    this.#box.setSelectionRange(...select);
  }

  /** Goes to an earlier or a later message. Starts only from an empty box, so that no draft is lost. */
  #recall(by) {
    if (this.#back === 0 && this.#box.value !== '') return false;
    const back = this.#back + by;
    if (back > this.#history.length) return false;
    this.#back = back;
    this.#write(back === 0 ? '' : this.#history.at(-back));
    // The caret goes to the start, so that the same key goes on; Arrow Down at the end goes forward again.
    if (by > 0) this.#box.setSelectionRange(0, 0);
    return true;
  }

  #write(text) {
    this.#box.value = text;
    this.#chat.setDraft(text);
    this.#completion.close();
    this.#drawPace();
  }

  #changed() {
    const text = this.#box.value;
    this.#back = 0;
    this.#chat.setDraft(text);
    if (text.trim() !== '') this.#chat.typing();
    this.#completion.update();
    this.#drawPace();
  }

  /** By how many characters the text is too long, counted as the server counts. */
  #excess() {
    const { length } = this.#box.value;
    const { maxTextChars } = this.#chat.state.limits;
    // A text never has more characters than UTF-16 units, so short ones need no counting.
    return length <= maxTextChars - NEAR_LIMIT ? -NEAR_LIMIT : [...this.#box.value].length - maxTextChars;
  }

  #drawTyping() {
    const names = [...this.#chat.state.typing.values()];
    if (names.length > NAMES_TYPING) {
      setText(byId('typing'), t('typing_many', { count: names.length }));
    } else if (names.length === 0) {
      setText(byId('typing'), '');
    } else {
      setText(byId('typing'), t('typing', { names: names.map(isolated), count: names.length }));
    }
  }

  /** Says why messages are not being sent, or how many characters are left. */
  #drawPace() {
    const { pausedUntil, pauseReason, phase, pending } = this.#chat.state;
    const over = this.#excess();
    clearTimeout(this.#tick);
    let words = '';
    let kind = '';
    if (over > 0) {
      words = t('too_long', { count: over });
      kind = `over ${Math.floor(over / ANNOUNCE_STEP)}`;
    } else if (pausedUntil !== null && pausedUntil > performance.now()) {
      const count = Math.ceil((pausedUntil - performance.now()) / 1_000);
      words = t(pauseReason === 'not_saved' ? 'paused_save' : 'paused_rate', { count });
      kind = pauseReason;
      this.#tick = setTimeout(() => this.#drawPace(), 250);
    } else if (phase !== 'online') {
      const count = pending.filter(({ status }) => status !== 'failed').length;
      // Where only the user can connect again, nothing goes out by itself.
      const [key, action] = phase in RETURNS ? ['held', t(RETURNS[phase])] : ['offline'];
      if (count > 0) words = t(`waiting_${key}`, { count, action });
      else if (this.#box.value !== '') words = t(`write_${key}`, { action });
    } else if (over > -NEAR_LIMIT) {
      words = t('characters_left', { count: -over });
      kind = `left ${Math.ceil(-over / ANNOUNCE_STEP)}`;
    }
    if (kind === '') kind = words;
    if (kind !== this.#announcedPace && words !== '') this.#announcer.say(words);
    this.#announcedPace = kind;
    setText(byId('pace'), words);
    byId('pace').classList.toggle('too-long', over > 0);
    setAttribute(this.#box, 'aria-invalid', over > 0 ? 'true' : null);
    this.#drawSend(over);
  }

  /** Not `disabled`: the button keeps the focus, and says why nothing is sent. */
  #drawSend(over) {
    const reason = over > 0 ? t('too_long', { count: over }) : this.#box.value.trim() === '' ? t('send_empty') : null;
    setAttribute(byId('send'), 'aria-disabled', reason === null ? null : 'true');
    setAttribute(byId('send'), 'title', reason ?? t('send'));
  }
}

/** Isolates a name, so that its direction does not affect the text around it (Unicode isolates). */
const isolated = (name) => `\u2068${visible(name)}\u2069`;
