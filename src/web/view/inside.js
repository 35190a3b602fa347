// What is shown inside of a room: its messages, its members, the message box. Whoever looks around needs none of it, so
// it is loaded with the first room.

import { ComposerView } from './composer.js';
import { byId } from './dom.js';
import { EmptyView } from './empty.js';
import { LogView } from './log.js';
import { MembersView } from './members.js';
import { PickerPanel } from './picking.js';
import { RecentEmoji } from './recent.js';

export class Inside {
  composer;
  picker;
  #views;

  /**
   * `does.copyLink(link)` copies the link to a message, `does.rename()` asks for the user's name, `does.share()` opens
   * the invitation, and `does.show(pane)` shows a pane.
   */
  constructor({ chat, announcer, storage, does }) {
    const recent = new RecentEmoji(storage);
    this.composer = new ComposerView(chat, announcer, recent);
    this.picker = new PickerPanel({ chat, recent, insert: (text) => this.composer.insert(text) });
    const members = new MembersView(chat, {
      rename: does.rename,
      mention: (name) => {
        does.show('room');
        this.composer.mention(name);
      },
    });
    const log = new LogView({
      chat, log: byId('log'), list: byId('entries'), toLatest: byId('to-latest'), copyLink: does.copyLink,
    });
    this.#views = [members, this.composer, log, new EmptyView(chat, does.share)];
    byId('composer').inert = false;
  }

  draw() {
    for (const view of this.#views) view.draw();
  }
}
