// The list of members, with a search for large rooms.

import { visible } from '../text/names.js';
import { t } from './words.js';
import { byId, element, reconcile, setText } from './dom.js';
import { avatar } from './avatar.js';
import { twinMark, twinsOf } from './twins.js';

/** The list shows at most this many: a room may have thousands. */
const SHOWN = 200;
/** Up to this many members need no search. */
const FEW = 12;

export class MembersView {
  #chat;
  #shown = null;

  /** `mention(name)` inserts the name into the message box. */
  constructor(chat, mention) {
    this.#chat = chat;
    byId('member-search').addEventListener('input', () => this.#drawList());
    byId('member-list').addEventListener('click', (event) => {
      const id = Number(event.target.closest('li')?.dataset.id);
      const name = this.#chat.state.people.get(id);
      if (name !== undefined) mention(name);
    });
  }

  draw() {
    const { room, people, peopleCount, me } = this.#chat.state;
    byId('members').hidden = !room;
    if (!room) return;
    const search = byId('member-search');
    search.hidden = people.size <= FEW;
    if (search.hidden) search.value = '';
    // With thousands of members joining and leaving, the list is compared before anything is redrawn.
    const shown = this.#chosen();
    const key = JSON.stringify([me?.id, peopleCount, shown]);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#drawList(shown);
  }

  #chosen() {
    const { people, away, me } = this.#chat.state;
    const twins = twinsOf(this.#chat.state);
    const wanted = byId('member-search').value.trim().toLowerCase();
    const chosen = [];
    for (const [id, name] of people) {
      if (wanted !== '' && !name.toLowerCase().includes(wanted)) continue;
      chosen.push({ id, name, isAway: away.has(id), mark: twinMark(twins, { id, name }, { isOwn: id === me?.id, isHere: true }) });
      if (chosen.length === SHOWN) break;
    }
    return chosen;
  }

  #drawList(chosen = this.#chosen()) {
    const { peopleCount, me } = this.#chat.state;
    reconcile(byId('member-list'), chosen, ({ id, name }) => {
      const button = element('button', 'plain', avatar(id, name), element('span', 'name', element('bdi'), element('span', 'mark')));
      button.type = 'button';
      return element('li', '', button);
    }, (item, { id, name, isAway, mark }) => {
      const button = item.firstElementChild;
      const shown = visible(name);
      // After a server restart the same id may be somebody else's.
      const note = id === me?.id ? ` (${t('you')})` : isAway ? ` (${t('member_away')})` : '';
      setText(button.querySelector('.mark'), mark + note);
      item.classList.toggle('away', isAway);
      if (item.dataset.name === shown) return;
      item.dataset.name = shown;
      setText(button.querySelector('bdi'), shown);
      button.querySelector('.avatar').replaceWith(avatar(id, name));
      button.title = t('mention', { name: shown });
    });
    const isSearching = byId('member-search').value.trim() !== '';
    const more = isSearching ? 0 : peopleCount - chosen.length;
    byId('members-more').hidden = more <= 0 && chosen.length > 0;
    setText(byId('members-more'), more > 0 ? t('members_more', { count: more }) : t('members_none'));
  }
}
