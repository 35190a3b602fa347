// What a visitor does on the page, move by move, in any language and by any means (see hands.mjs). This is the one place
// that knows which controls a move takes; the stories only know the moves.

import assert from 'node:assert/strict';
import english from '../../src/web/texts/en.js';
import { Texts } from '../../src/web/texts/texts.js';
import { until } from './hands.mjs';

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The texts of the page in one language. */
export class Words {
  locale;
  #texts;

  static async load(locale) {
    const words = new Words();
    words.locale = locale;
    words.#texts = { ...english, ...(await import(`../../src/web/texts/${locale.slice(0, 2)}.js`)).default };
    words.t = new Texts(words.#texts, locale).t;
    return words;
  }

  /** A pattern for the text with anything in its holes, in any plural form. */
  pattern(key, vars = {}) {
    const text = this.#texts[key];
    const forms = typeof text === 'string' ? [text] : Object.values(text);
    const filled = forms.map((form) => form.split(/\{(\w+)\}/)
      .map((piece, i) => (i % 2 === 0 || vars[piece] !== undefined ? escaped(String(i % 2 ? vars[piece] : piece)) : '.+'))
      .join(''));
    return new RegExp(`^\\s*(?:${filled.join('|')})\\s*$`);
  }
}

/** The name of what begins with this: a room's link goes on with its counts. */
const beginning = (title) => new RegExp(`^${escaped(title)}(?!\\w)`);

export class Visitor {
  hand;
  t;
  words;

  constructor(hand, words) {
    this.hand = hand;
    this.words = words;
    this.t = words.t;
  }

  // ---- where things are

  button(key, vars) {
    return [['button', vars || this.t(key).includes('{') ? this.words.pattern(key, vars) : this.t(key)]];
  }

  dialog(key) {
    return [['dialog', this.t(key)]];
  }

  get rooms() {
    return [['navigation', this.t('rooms')]];
  }

  get log() {
    return [['log', this.t('messages')]];
  }

  get box() {
    return [['textbox', this.t('message')]];
  }

  get members() {
    return [['complementary', beginning(this.t('members'))]];
  }

  /** Asks for the name, with a link to a room. */
  get nameBox() {
    return [['dialog', this.words.pattern('invited')], ['textbox', this.t('name')]];
  }

  /** Asks for the name, without a link. */
  get welcomeBox() {
    return [['textbox', this.t('name_ask')]];
  }

  get mentionPill() {
    return this.words.pattern('room_mentions', { count: 1 });
  }

  room(title) {
    return [...this.rooms, ['link', beginning(title)]];
  }

  title(title) {
    return [['heading', title]];
  }

  // ---- moves

  /** Answers the question of the first visit: in the welcome, or after a link in the dialog of the invitation. */
  async nameOneself(name) {
    const box = await until('the question for the name', async () => {
      for (const path of [this.nameBox, this.welcomeBox]) if (await this.hand.has(path)) return path;
      return undefined;
    });
    await this.hand.write(box, name);
    await this.hand.press([...box.slice(0, -1), ...this.button('name_enter')]);
    await this.hand.gone(box);
  }

  async enter(title) {
    await this.toRooms();
    await this.hand.press(this.room(title));
    await this.isIn(title);
  }

  async isIn(title) {
    await this.hand.sees(this.title(title));
    await this.hand.sees(this.box);
    await this.hand.page.waitForSelector('#room:not(.away)');
  }

  /** On a phone the list of rooms is another pane. */
  async toRooms() {
    if (await this.hand.has(this.button('to_rooms'))) await this.hand.press(this.button('to_rooms'));
    await this.hand.sees(this.rooms);
  }

  async say(text) {
    await this.hand.write(this.box, text);
    await this.hand.press(this.button('send'));
    await this.hand.reads(this.log, text);
  }

  /** Writes to somebody, whose name is completed from its first two letters. */
  async mention(name, text) {
    await this.hand.write(this.box, `@${name.slice(0, 2)}`);
    await this.hand.press([['option', new RegExp(escaped(name))]]);
    await this.hand.add(text);
    await this.hand.press(this.button('send'));
    await this.hand.reads(this.log, text);
  }

  /** Opens the picker at this tab: `emoji` or `gifs`. */
  async openPicker(tab) {
    await this.hand.press(this.button('picker'));
    await this.hand.press([['tab', this.t(tab)]]);
  }

  /** Sends the GIF with this English description. */
  async gif(alt) {
    await this.openPicker('gifs');
    await this.hand.press(this.button(`gif: ${alt}`));
    await this.hand.sees([...this.log, ['img', this.t(`gif: ${alt}`)]]);
  }

  /** Finds an emoji in the picker by a word of the language, and sends it. */
  async pick(word, name, glyph) {
    await this.openPicker('emoji');
    await this.hand.write([['searchbox', this.t('emoji_find')]], word);
    await this.hand.press([['group', this.t('emoji_found')], ['button', name]]);
    // By keyboard one is chosen; with a pointer it may be several.
    const tab = [['tab', this.t('emoji')]];
    if (await this.hand.has(tab)) await this.hand.press(this.button('picker'));
    await this.hand.gone(tab);
    await this.hand.press(this.button('send'));
    await this.hand.reads(this.log, glyph);
  }

  /** Sends an emoji by its English name, which is completed. */
  async emoji(name, glyph) {
    await this.hand.write(this.box, `:${name.slice(0, 3)}`);
    const option = [['option', new RegExp(glyph)]];
    await this.hand.press(option);
    // The list may just have been drawn anew, with the words of the language.
    while (await this.hand.has(option)) await this.hand.press(option);
    await this.hand.press(this.button('send'));
    await this.hand.reads(this.log, glyph);
  }

  async create(title) {
    await this.toRooms();
    await this.hand.write([['textbox', this.t('room_new')]], title);
    await this.hand.press(this.button('room_create'));
    await this.isIn(title);
  }

  async openInvitation() {
    await this.hand.press(this.button('share'));
    await this.hand.sees(this.invitation);
    await this.hand.sees([...this.invitation, ['img', this.t('invite_code')]]);
  }

  get invitation() {
    return [['dialog', this.words.pattern('invite_to')]];
  }

  /** Opens the invitation to the room that is open, unless it is, and copies the link. Returns it. */
  async invite() {
    const { page } = this.hand;
    if (!await this.hand.has(this.invitation)) await this.openInvitation();
    await this.hand.press([...this.invitation, ...this.button('copy_link')]);
    await this.hand.sees([...this.invitation, ...this.button('link_copied')]);
    const link = await this.hand.value([...this.invitation, ['textbox', this.t('invite_link')]]);
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
    await this.hand.press([...this.invitation, ...this.button('close')]);
    await this.hand.gone(this.invitation);
    return link;
  }

  async openMembers() {
    if (!await this.hand.has(this.members)) await this.hand.press(this.button('member_count', {}));
    await this.hand.sees(this.members);
  }

  /** Where the members hide the messages, goes back to these. */
  async closeMembers() {
    if (await this.hand.has(this.button('to_talk'))) await this.hand.press(this.button('to_talk'));
    await this.hand.sees(this.box);
  }

  /** Chooses from the menu of the room. */
  async choose(key) {
    await this.hand.press(this.button('room_more'));
    await this.hand.press([['menuitem', this.t(key)]]);
    await this.hand.gone([['menu', this.t('room_more')]]);
  }

  mute() {
    return this.choose('mute');
  }

  async leave() {
    await this.choose('leave');
    await this.hand.gone(this.box);
  }

  async openSettings() {
    if (!await this.hand.has(this.button('settings'))) await this.toRooms();
    await this.hand.press(this.button('settings'));
    await this.hand.sees(this.dialog('settings'));
  }

  /** Chooses the language of the page, in its own words, which loads the page anew. */
  async speak(language, locale) {
    await this.openSettings();
    await this.hand.choose([...this.dialog('settings'), ['combobox', this.t('language')]], language);
    this.words = await Words.load(locale);
    this.t = this.words.t;
    await this.hand.sees(this.dialog('settings'));
    await this.closeDialog('settings');
  }

  /** Where there are keys. */
  async openShortcuts() {
    await this.openSettings();
    await this.hand.press(this.button('shortcuts'));
    await this.hand.sees(this.dialog('shortcuts'));
  }

  async closeDialog(key) {
    await this.hand.press([...this.dialog(key), ...this.button('close')]);
    await this.hand.gone(this.dialog(key));
  }
}
