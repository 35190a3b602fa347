// The message box: drafts, limits, recall of earlier messages, and who is typing.

import { visible } from '../text/names.js';
import { RETURNS } from './refusals.js';
import { t } from './words.js';
import { CompletionView } from './completion.js';
import { byId, isComposing, setAttribute, setText } from './dom.js';

/** The characters left are counted down from here. */
const NEAR_LIMIT = 200;
/** How many of the user's own messages can be recalled. */
const MAX_RECALLED = 50;
/** More people than this are shown as a number. */
const NAMES_TYPING = 3;
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

  constructor(chat, announcer) {
    this.#chat = chat;
    this.#announcer = announcer;
    this.#completion = new CompletionView(this.#box, chat);
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#box.addEventListener('keydown', (event) => this.#key(event));
    this.#box.addEventListener('input', () => this.#changed());
  }

  /** Inserts `@name` at the caret. */
  mention(name) {
    const box = this.#box;
    const before = box.value.slice(0, box.selectionStart);
    const space = before === '' || /\s$/.test(before) ? '' : ' ';
    box.setRangeText(`${space}@${name} `, box.selectionStart, box.selectionEnd, 'end');
    box.focus();
    this.#changed();
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
    if (isComposing(event) || this.#completion.key(event)) return;
    const isPlain = !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey;
    if (!isPlain) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      this.#submit();
    } else if (event.key === 'ArrowUp' && this.#box.selectionEnd === 0 && this.#recall(1)) {
      event.preventDefault();
    } else if (event.key === 'ArrowDown' && this.#back > 0 && this.#box.selectionStart === this.#box.value.length) {
      this.#recall(-1);
      event.preventDefault();
    }
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
    byId('send').disabled = over > 0;
  }
}

/** Isolates a name, so that its direction does not affect the text around it (Unicode isolates). */
const isolated = (name) => `\u2068${visible(name)}\u2069`;
