// The list of members: oneself first, then by name, with a search for large rooms, and a menu for each.

import { visible } from '../text/names.js';
import { avatar } from './avatar.js';
import { copyText } from './copy.js';
import { byId, element, reconcile, setText } from './dom.js';
import { openMenu } from './menus.js';
import { NameOrder } from './order.js';
import { toast } from './toast.js';
import { locale, t } from './words.js';
import { twinMark, twinsOf } from './twins.js';

/** The list shows at most this many: a room may have thousands. */
const SHOWN = 200;
/** Up to this many members need no search. */
const FEW = 12;

export class MembersView {
  #chat;
  #does;
  #order = new NameOrder(locale());
  #shown = null;

  /** `does.mention(name)` inserts the name into the message box, `does.rename()` asks for the user's own. */
  constructor(chat, does) {
    this.#chat = chat;
    this.#does = does;
    byId('member-search').addEventListener('input', () => this.#drawList());
    byId('member-list').addEventListener('click', ({ target }) => {
      const item = target.closest('li');
      const id = Number(item?.dataset.id);
      if (this.#chat.state.people.has(id)) this.#openCard(item.firstElementChild, id);
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
    const wanted = fold(byId('member-search').value.trim());
    const chosen = [];
    const add = ({ id, name }) => {
      if (wanted !== '' && !fold(name).includes(wanted)) return;
      const mark = twinMark(twins, { id, name }, { isOwn: id === me?.id, isHere: true });
      chosen.push({ id, name, isAway: away.has(id), mark });
    };
    const list = this.#order.update(people);
    if (people.has(me?.id)) add({ id: me.id, name: people.get(me.id) });
    for (const one of list) {
      if (chosen.length === SHOWN) break;
      if (one.id !== me?.id) add(one);
    }
    return chosen;
  }

  #drawList(chosen = this.#chosen()) {
    const { peopleCount, me } = this.#chat.state;
    byId('members-heading').replaceChildren(t('members'), ' ', element('span', 'number', String(peopleCount)));
    reconcile(byId('member-list'), chosen, ({ id, name }) => {
      const button = element('button', 'plain', avatar(id, name), element('span', 'name', element('bdi'), element('span', 'mark')));
      button.type = 'button';
      button.setAttribute('aria-haspopup', 'menu');
      button.setAttribute('aria-expanded', 'false');
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
      button.title = shown;
    });
    const isSearching = byId('member-search').value.trim() !== '';
    const more = isSearching ? 0 : peopleCount - chosen.length;
    byId('members-more').hidden = more <= 0 && chosen.length > 0;
    setText(byId('members-more'), more > 0 ? t('members_more', { count: more }) : t('members_none'));
  }

  /** Who this is, and what can be done. What somebody with rights may do to them belongs here too. */
  #openCard(button, id) {
    const { people, away, me } = this.#chat.state;
    const name = people.get(id);
    const state = id === me?.id ? t('you') : away.has(id) ? t('member_away') : '';
    const words = element('span', '', element('bdi', '', visible(name)));
    if (state !== '') words.append(element('span', 'state', state));
    const head = element('div', 'who-is', avatar(id, name), words);
    head.setAttribute('role', 'presentation');
    const own = [{ label: t('name_change'), iconName: 'pencil', act: () => this.#does.rename() }];
    const others = [
      { label: t('mention_them'), iconName: 'at', act: () => this.#does.mention(name) },
      { label: t('copy_name'), iconName: 'copy', act: () => this.#copy(name) },
    ];
    openMenu(button, visible(name), id === me?.id ? own : others, head);
  }

  async #copy(name) {
    toast(t(await copyText(name) ? 'name_copied' : 'name_not_copied'));
  }
}

/** Finds "Zoë" by "zoe" as well. */
const fold = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
