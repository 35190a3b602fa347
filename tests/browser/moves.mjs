// What a visitor does on the page, move by move, in any language and by any means (see hands.mjs). This is the one place
// that knows which controls a move takes; the stories only know the moves.

import english from '../../src/web/texts/en.js';
import { Texts } from '../../src/web/texts/texts.js';

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
    return [['complementary', this.t('members')]];
  }

  room(title) {
    return [...this.rooms, ['link', beginning(title)]];
  }

  title(title) {
    return [['heading', title]];
  }

  // ---- moves

  /** Answers the question of the first visit. */
  async nameOneself(name) {
    await this.hand.write([['textbox', this.t('name')]], name);
    await this.hand.press(this.button('name_enter'));
    await this.hand.gone(this.dialog('name_welcome'));
  }

  async stayNameless() {
    await this.hand.press(this.button('name_skip'));
    await this.hand.gone(this.dialog('name_welcome'));
  }

  async enter(title) {
    await this.toRooms();
    await this.hand.press(this.room(title));
    await this.isIn(title);
  }

  async isIn(title) {
    await this.hand.sees(this.title(title));
    await this.hand.sees(this.box);
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

  async openGifs() {
    await this.hand.press(this.button('gifs'));
  }

  /** Sends the GIF with this English description. */
  async gif(alt) {
    await this.openGifs();
    await this.hand.press(this.button(`gif: ${alt}`));
    await this.hand.sees([...this.log, ['img', this.t(`gif: ${alt}`)]]);
  }

  /** Sends an emoji by its English name, which is completed. */
  async emoji(name, glyph) {
    await this.hand.write(this.box, `:${name.slice(0, 3)}`);
    await this.hand.press([['option', new RegExp(glyph)]]);
    await this.hand.press(this.button('send'));
    await this.hand.reads(this.log, glyph);
  }

  async create(title) {
    await this.toRooms();
    await this.hand.write([['textbox', this.t('room_new')]], title);
    await this.hand.press(this.button('room_create'));
    await this.isIn(title);
  }

  /** Copies the link of the room that is open. Returns it. */
  async invite() {
    const { page } = this.hand;
    if (!await this.hand.has(this.button('copy_room_link'))) return page.url();
    await this.hand.press(this.button('copy_room_link'));
    await page.locator('#toast').getByText(this.t('link_copied')).waitFor();
    return page.evaluate(() => navigator.clipboard.readText());
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

  async mute() {
    await this.hand.press(this.button('mute'));
  }

  async leave() {
    await this.hand.press(this.button('leave'));
    await this.hand.gone(this.box);
  }

  async openSettings() {
    if (!await this.hand.has(this.button('settings'))) await this.toRooms();
    await this.hand.press(this.button('settings'));
    await this.hand.sees(this.dialog('settings'));
  }

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
