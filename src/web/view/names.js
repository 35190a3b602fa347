// The dialog for the user's name: it asks before a room is entered, and changes the name later. Loaded when it is wanted.

import { visible } from '../text/names.js';
import { byId, setText } from './dom.js';
import { NameField } from './naming.js';
import { refused } from './refusals.js';
import { t } from './words.js';

export class NameDialog {
  #chat;
  #dialog = byId('name-dialog');
  #field;
  #typed;
  /** What `state.asking` was when the dialog was opened for it; null while it changes the name. */
  #asking;
  #answered;

  /**
   * `typed` is the field of the welcome: what is written there is the answer. `answered()` is called after a room has been
   * asked for, where there is no earlier focus to return to. `asked` is what was answered without the dialog, or null.
   */
  constructor(chat, { typed, answered, asked }) {
    this.#chat = chat;
    this.#asking = asked;
    this.#typed = typed;
    this.#answered = answered;
    this.#field = new NameField(chat, byId('name'), byId('name-problem'));
    byId('name-skip').addEventListener('click', () => this.#skip());
    this.#dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      this.#skip();
    });
    this.#dialog.querySelector('form').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#field.use()) this.#close();
    });
  }

  /** Asks as soon as a room is to be entered without a name. */
  draw() {
    const { asking } = this.#chat.state;
    if (asking === null || asking.isAnswered) return;
    if (this.#dialog.open) {
      if (this.#asking !== null) this.#write();
      return;
    }
    const isRefused = this.#asking !== null && this.#asking !== asking;
    this.#asking = asking;
    if (!isRefused && this.#typed.name !== '' && this.#typed.use()) return;
    this.#write();
    this.#show(isRefused ? byId('name').value || this.#typed.name : '');
    if (isRefused) this.#sayRefusal();
  }

  /** Changes the name. */
  open() {
    this.#asking = null;
    this.#write();
    this.#show(this.#chat.state.me?.name ?? '');
  }

  /** The title of the room may be known only later. */
  #write() {
    const { rooms } = this.#chat.state;
    const { link, isInvited } = this.#asking ?? {};
    const title = rooms.get(link?.room)?.title ?? (typeof link?.room === 'string' ? link.room : null);
    const vars = { room: visible(title ?? '') };
    const heading = !this.#asking ? t('name_change')
      : !isInvited ? t('name_ask')
        : title === null ? t('name_welcome') : t('invited', vars);
    setText(byId('name-heading'), heading);
    setText(byId('name-hint'), t('name_seen'));
    setText(byId('name-skip'), t(this.#asking ? 'name_skip' : 'cancel'));
    setText(byId('name-save'), t(this.#asking ? 'name_enter' : 'name_save'));
  }

  #show(name) {
    byId('name').value = name;
    byId('name').placeholder = visible(this.#chat.state.me?.name ?? '');
    this.#field.complain('');
    this.#dialog.showModal();
    byId('name').select();
  }

  /** The server's reason stands at the box, not behind the dialog. */
  #sayRefusal() {
    const { notice } = this.#chat.state;
    if (!notice?.code) return;
    this.#field.complain(refused(notice));
    this.#chat.dismiss();
  }

  #skip() {
    const isAsked = this.#asking !== null;
    this.#close();
    if (isAsked) this.#chat.rename('');
  }

  #close() {
    this.#dialog.close();
    if (this.#asking) this.#answered();
  }
}
