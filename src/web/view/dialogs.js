// The dialogs: the user's name, the settings, and the keyboard shortcuts.

import { visible } from '../text/names.js';
import { button, byId, element, setAttribute, setText } from './dom.js';
import { commandSign } from './keys.js';
import { t } from './words.js';

const THEME = 'theme';

/** Asks for a name: on the first visit, and to change it. */
export class NameDialog {
  #chat;
  #dialog = byId('name-dialog');
  #isFirst = false;

  /** `closedFirst()` is called after the dialog of the first visit, where there is no earlier focus to return to. */
  constructor(chat, { closedFirst }) {
    this.#chat = chat;
    this.#dialog.addEventListener('close', () => this.#isFirst && closedFirst());
    byId('name-skip').addEventListener('click', () => this.#skip());
    this.#dialog.addEventListener('cancel', () => this.#isFirst && chat.rename(''));
    this.#dialog.querySelector('form').addEventListener('submit', (event) => {
      if (!this.#save()) event.preventDefault();
    });
    byId('name').addEventListener('input', () => this.#judge());
  }

  open({ isFirst = false } = {}) {
    this.#isFirst = isFirst;
    setText(byId('name-heading'), t(isFirst ? 'name_welcome' : 'name_change'));
    setText(byId('name-skip'), t(isFirst ? 'name_skip' : 'cancel'));
    setText(byId('name-save'), t(isFirst ? 'name_enter' : 'name_save'));
    byId('name').value = isFirst ? '' : (this.#chat.state.me?.name ?? '');
    byId('name').placeholder = visible(this.#chat.state.me?.name ?? '');
    this.#complain('');
    this.#dialog.showModal();
    byId('name').select();
  }

  #skip() {
    if (this.#isFirst) this.#chat.rename('');
    this.#dialog.close();
  }

  #save() {
    const name = byId('name').value.trim();
    if (this.#judge() > 0) return false;
    if (name === '') {
      this.#complain(t('name_empty'));
      return false;
    }
    this.#chat.rename(name);
    return true;
  }

  #judge() {
    const over = [...byId('name').value.trim()].length - this.#chat.state.limits.maxNameChars;
    this.#complain(over > 0 ? t('name_long', { count: over }) : '');
    return over;
  }

  #complain(words) {
    setText(byId('name-problem'), words);
    setAttribute(byId('name'), 'aria-invalid', words === '' ? null : 'true');
  }
}

/** Appearance and notifications. */
export class SettingsDialog {
  #dialog = byId('settings');
  #storage;
  #notifier;
  #shortcuts;

  constructor(storage, notifier, shortcuts) {
    this.#storage = storage;
    this.#notifier = notifier;
    this.#shortcuts = shortcuts;
  }

  open() {
    this.#fill();
    this.#dialog.showModal();
  }

  #fill() {
    const heading = element('h2', '', t('settings'));
    heading.id = 'settings-heading';
    this.#dialog.replaceChildren(
      heading,
      this.#appearance(),
      ...this.#notifications(),
      element('div', 'buttons', button('', t('shortcuts'), () => {
        this.#dialog.close();
        this.#shortcuts.open();
      }), button('main', t('close'), () => this.#dialog.close())),
    );
  }

  #appearance() {
    const chosen = this.#storage.get(THEME) ?? 'system';
    const choices = ['system', 'light', 'dark'].map((theme) => {
      const radio = element('input');
      radio.type = 'radio';
      radio.name = 'theme';
      radio.checked = theme === chosen;
      radio.addEventListener('change', () => this.#setTheme(theme));
      return element('label', 'choice', radio, t(`appearance_${theme}`));
    });
    const group = element('div', '', element('h3', '', t('appearance')), ...choices);
    group.setAttribute('role', 'radiogroup');
    group.setAttribute('aria-label', t('appearance'));
    return group;
  }

  #setTheme(theme) {
    if (theme === 'system') {
      this.#storage.remove(THEME);
      delete document.documentElement.dataset.theme;
    } else {
      this.#storage.set(THEME, theme);
      document.documentElement.dataset.theme = theme;
    }
  }

  #notifications() {
    const { status } = this.#notifier;
    const said = { none: 'notifications_none', blocked: 'notifications_blocked' }[status] ?? 'notifications_about';
    const parts = [element('h3', '', t('notifications')), element('p', '', t(said))];
    if (status === 'on' || status === 'off') {
      const words = t(status === 'on' ? 'notifications_turn_off' : 'notifications_turn_on');
      const toggle = button('', words, async () => {
        await this.#notifier.turn(status === 'off');
        this.#fill();
        byId('notifications-toggle')?.focus();
      });
      toggle.id = 'notifications-toggle';
      parts.push(element('div', 'choice', toggle));
    }
    return parts;
  }
}

/** Keyboard shortcuts and formatting. */
export class ShortcutsDialog {
  #dialog = byId('shortcuts');

  open() {
    if (this.#dialog.childElementCount === 0) this.#fill();
    this.#dialog.showModal();
  }

  #fill() {
    const heading = element('h2', '', t('shortcuts'));
    heading.id = 'shortcuts-heading';
    // Otherwise the focus goes to the only button, which is at the end, and a small screen scrolls there.
    heading.tabIndex = -1;
    heading.autofocus = true;
    const ctrl = commandSign() ?? t('key_ctrl');
    const [enter, shift, alt, tab, escape, end] = ['enter', 'shift', 'alt', 'tab', 'escape', 'end'].map((key) => t(`key_${key}`));
    const keys = [
      ['shortcut_help', ['?']],
      ['shortcut_send', [enter]],
      ['shortcut_send_always', [ctrl, enter]],
      ['shortcut_line', [shift, enter]],
      ['shortcut_recall', ['↑']],
      ['shortcut_complete', [tab]],
      ['shortcut_rooms', [alt, '↑ ↓']],
      ['switcher', [t('key_ctrl'), 'K']],
      ['shortcut_gifs', [alt, 'G']],
      ['shortcut_log', [alt, 'M']],
      ['shortcut_move', ['↑ ↓']],
      ['shortcut_newest', [end]],
      ['shortcut_copy', ['C']],
      ['shortcut_escape', [escape]],
    ].map(([what, pressed]) => [pressed.map((key) => element('kbd', '', key)), t(what)]);
    const marks = [
      ['**…**', element('strong', '', t('format_bold')), [ctrl, 'B']],
      ['*…*', element('em', '', t('format_italic')), [ctrl, 'I']],
      ['~~…~~', element('s', '', t('format_strike')), [ctrl, shift, 'X']],
      ['||…||', element('span', 'spoiler', t('format_spoiler'))],
      ['`…`', element('code', '', t('format_code')), [ctrl, 'E']],
      ['```', t('format_block')],
      ['>', t('format_quote')],
      ['- 1.', t('format_list')],
      ['[…](https://…)', t('format_link')],
    ].map(([mark, what, pressed = []]) => (
      [[element('kbd', '', mark)], what, ...pressed.map((key) => element('kbd', '', key))]));
    this.#dialog.replaceChildren(
      heading,
      list(keys),
      element('h3', '', t('formatting')),
      list(marks),
      element('div', 'buttons', button('main', t('close'), () => this.#dialog.close())),
    );
  }
}

/** A list of terms and definitions. */
function list(pairs) {
  const made = element('dl');
  const spaced = (parts) => parts.flatMap((part, index) => (index === 0 ? [part] : [' ', part]));
  for (const [terms, ...meaning] of pairs) {
    made.append(element('dt', '', ...spaced(terms)), element('dd', '', ...spaced(meaning)));
  }
  return made;
}
