// Asking for the user's name: the field of the welcome, and the dialog, which is loaded when it is wanted.

import { setAttribute, setText } from './dom.js';
import { addStyles } from './styles.js';
import { toast } from './toast.js';
import { t } from './words.js';

/** A box for a name, with the line below it that says what is wrong with it. */
export class NameField {
  #chat;
  #box;
  #problem;

  constructor(chat, box, problem) {
    this.#chat = chat;
    this.#box = box;
    this.#problem = problem;
    box.addEventListener('input', () => this.#judge());
  }

  get name() {
    return this.#box.value.trim();
  }

  /** Uses the name, if it can be one; otherwise says what is wrong. Returns whether it was used. */
  use() {
    if (this.#judge() > 0) return false;
    if (this.name === '') {
      this.complain(t('name_empty'));
      this.#box.focus();
      return false;
    }
    this.#chat.rename(this.name);
    return true;
  }

  complain(words) {
    setText(this.#problem, words);
    setAttribute(this.#box, 'aria-invalid', words === '' ? null : 'true');
  }

  #judge() {
    const over = [...this.name].length - this.#chat.state.limits.maxNameChars;
    this.complain(over > 0 ? t('name_long', { count: over }) : '');
    return over;
  }
}

/** Asks before a room is entered without a name, and for another name later. */
export class NameAsker {
  #chat;
  #options;
  #dialog = null;
  #loading = null;
  /** What was answered with the name in the welcome, for which no dialog was needed. */
  #answered = null;

  /** `options` are those of `NameDialog`. */
  constructor(chat, options) {
    this.#chat = chat;
    this.#options = options;
  }

  draw() {
    const { asking } = this.#chat.state;
    if (this.#dialog) return this.#dialog.draw();
    if (asking === null || asking.isAnswered || this.#loading) return;
    const { typed } = this.#options;
    const isFirst = this.#answered === null;
    this.#answered ??= asking;
    if (isFirst && typed.name !== '' && typed.use()) return;
    // Without the dialog nobody can answer: the room is entered without a name, as after "Skip".
    this.#use((dialog) => dialog.draw(), () => this.#chat.rename(''));
  }

  /** Changes the name. */
  open() {
    this.#use((dialog) => dialog.open(), () => {});
  }

  async #use(act, otherwise) {
    try {
      this.#loading ??= this.#load();
      await this.#loading;
    } catch {
      this.#loading = null;
      toast(t('not_loaded'));
      otherwise();
      return;
    }
    act(this.#dialog);
  }

  async #load() {
    const [{ NameDialog }] = await Promise.all([import('./names.js'), addStyles('style/dialog.css')]);
    this.#dialog = new NameDialog(this.#chat, { ...this.#options, asked: this.#answered });
  }
}
