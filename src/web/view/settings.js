// The settings: appearance, language, notifications and sound. Loaded when they are wanted.

import { chooseAppearance, chosenAppearance } from './appearance.js';
import { button, byId, element, setAttribute, setText } from './dom.js';
import { showSheet, top } from './sheet.js';
import { t } from './words.js';

/** The languages of the page, each in its own words. */
const LANGUAGES = { en: 'English', de: 'Deutsch', es: 'Español', fr: 'Français' };
/** Where the chosen language is kept; theme.js reads it too. */
const LANGUAGE = 'language';
/** A phone has no keys for shortcuts. */
const hasKeys = matchMedia('(hover: hover) and (pointer: fine)');

/** `does.shortcuts()` shows the shortcuts, `does.reload()` loads the page anew and comes back here. */
export function openSettings({ storage, notifier, does }) {
  const dialog = byId('settings');
  const shortcuts = button('', t('shortcuts'), () => {
    dialog.close();
    does.shortcuts();
  });
  dialog.replaceChildren(
    top(dialog, t('settings')),
    appearance(storage),
    language(storage, does.reload),
    element('h3', '', t('notifications')),
    ...notifications(notifier),
    ...(notifier.sound ? [sound(notifier.sound)] : []),
    ...(hasKeys.matches ? [element('div', 'buttons', shortcuts)] : []),
  );
  showSheet(dialog);
}

function appearance(storage) {
  const chosen = chosenAppearance(storage);
  const choices = ['system', 'light', 'dark'].map((one) => {
    const radio = element('input');
    Object.assign(radio, { type: 'radio', name: 'appearance', checked: one === chosen });
    radio.addEventListener('change', () => chooseAppearance(storage, one));
    return element('label', '', radio, t(`appearance_${one}`));
  });
  const group = element('div', 'choices', ...choices);
  group.setAttribute('role', 'radiogroup');
  group.setAttribute('aria-label', t('appearance'));
  return element('div', '', element('h3', '', t('appearance')), group);
}

function language(storage, reload) {
  const list = element('select');
  list.id = 'language';
  const add = (value, words) => {
    const option = element('option', '', words);
    Object.assign(option, { value, lang: value, selected: value === (storage.get(LANGUAGE) ?? '') });
    list.append(option);
  };
  add('', t('language_browser'));
  for (const [code, words] of Object.entries(LANGUAGES)) add(code, words);
  list.addEventListener('change', () => {
    if (list.value === '') storage.remove(LANGUAGE);
    else storage.set(LANGUAGE, list.value);
    reload();
  });
  const label = element('label', '', t('language'));
  label.htmlFor = list.id;
  return element('div', '', element('h3', '', label), list);
}

function notifications(notifier) {
  const { status } = notifier;
  const said = { none: 'notifications_none', blocked: 'notifications_blocked' };
  const about = element('p', '', t(said[status] ?? 'notifications_about'));
  const row = toggle('notifications', t('notifications_mentions'), about, {
    isOn: () => notifier.status === 'on',
    // The browser may ask, and the user say no.
    async turn(isOn) {
      await notifier.turn(isOn);
      setText(about, t(said[notifier.status] ?? 'notifications_about'));
    },
  });
  row.querySelector('.switch').disabled = status in said;
  return [row];
}

const sound = (own) => toggle('sound', t('sound'), element('p', '', t('sound_about')), {
  isOn: () => own.isOn,
  turn: (isOn) => own.turn(isOn),
});

/** A row with a switch. `isOn()` is asked again after `turn(isOn)`. */
function toggle(name, words, about, { isOn, turn }) {
  const label = element('label', '', words);
  label.htmlFor = `${name}-switch`;
  const made = button('switch', '', async () => {
    await turn(made.getAttribute('aria-checked') !== 'true');
    setAttribute(made, 'aria-checked', String(isOn()));
  });
  made.id = label.htmlFor;
  about.id = `${name}-about`;
  made.setAttribute('role', 'switch');
  made.setAttribute('aria-checked', String(isOn()));
  made.setAttribute('aria-describedby', about.id);
  return element('div', 'setting', element('div', '', label, about), made);
}
