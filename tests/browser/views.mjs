// Every view and state of the page: what it takes to get there, by mouse. The accessibility tests, the tests of zoom and
// touch, and the screenshots go through this table, so a new view needs one row here.

import { AWAY, Tab } from './browser.mjs';
import { Mouse } from './hands.mjs';
import { Visitor, Words } from './moves.mjs';
import { Proxy } from './proxy.mjs';
import { Server } from './server.mjs';
import { PATIENT, Talker } from './talker.mjs';

const ROOMS = ['Lobby', 'Lake weekend', 'Kitchen', 'Book club', 'Release 2.0', 'Loud music', 'Quiet corner', 'Workshop'];
const roomId = (title) => ROOMS.indexOf(title) + 1;

/** What is said in a room of people who plan a weekend. A number is a GIF. */
const PLAN = [
  ['Tariq', 'The cabin is ours! From Friday, **four o’clock**.'],
  ['Ada', 'I have taught the sauna some manners:\n```\n$ curl -d heat=80 http://sauna.local\nReady in 40 minutes. Bring a towel.\n```'],
  ['Yuki', 'You gave a sauna an *API*? See https://example.org/sauna'],
  ['Léa', '@Mira can you bring the big pot? I’ll make the dumplings'],
  ['Yuki', '> Train at 9:12\nI take the next one. Somebody has to fetch the cake!'],
  ['Léa', 15],
  ['Ada', ':tada:'],
];

const CODE = Array.from({ length: 24 }, (_, i) => (
  `  if (index === ${i} && isLongEnoughForAnyWindow(index)) return translate(\`line ${i} of twenty-four lines\`, { index, count: 24 });`
));
const MARKUP = [
  ['Ada', 'What we need:\n- a pot\n- [the recipe](https://example.org/dumplings)\n- ~~a towel~~ two towels\n1. first this\n2. then that'],
  ['Ada', `This is all of it:\n\`\`\`\n${CODE.join('\n')}\n\`\`\``],
];
const LONG = [
  ['Tariq', 'And then he told the whole story of the lake, from the beginning. '.repeat(59).trim()],
  ['Yuki', `One word: ${'unbroken'.repeat(40)}`],
];

const MANY = Array.from({ length: 500 }, (_, i) => `Room ${i + 1}`);

/** A server that has been in use: rooms, people in them, and what they have said. */
export class World {
  server;
  people = new Map();

  static async start(settings = { rooms: ROOMS }) {
    const world = new World();
    const limits = { ...PATIENT.limits, maxRooms: 600, resumeGraceSeconds: 1 };
    world.server = await Server.start({ ...settings, limits });
    return world;
  }

  /** The rooms in which people plan a weekend. */
  static async ofFriends() {
    const world = await World.start();
    for (const name of ['Tariq', 'Ada', 'Yuki', 'Léa']) await world.comes(name, 'Lake weekend');
    for (const name of ['Noor', 'Ivo']) await world.comes(name, 'Book club');
    // Two people of one name, who are not the same.
    await world.comes('Tariq', 'Loud music', 'another Tariq');
    await world.comes('Kim', 'Loud music');
    for (const [name, what] of PLAN) await world.says(name, what);
    await world.says('Kim', 'It is Kim here');
    await world.says('another Tariq', 'It is Tariq here');
    const releases = Array.from({ length: 140 }, (_, i) => ['Ada', `Step ${i + 1} of the release`]);
    for (const [room, texts] of [['Release 2.0', releases], ['Kitchen', MARKUP], ['Workshop', LONG], ['Lake weekend', []]]) {
      for (const name of ['Ada', 'Tariq', 'Yuki']) await world.people.get(name).go(roomId(room));
      for (const [name, what] of texts) await world.says(name, what);
    }
    return world;
  }

  static ofManyRooms() {
    return World.start({ rooms: MANY });
  }

  async comes(name, room, as = name) {
    this.people.set(as, await Talker.enter(this.server, { name, roomId: roomId(room) }));
  }

  async says(name, what) {
    const person = this.people.get(name);
    await (typeof what === 'number' ? person.gif(what) : person.say(what));
  }

  async stop() {
    for (const person of this.people.values()) person.close();
    await this.server.stop();
  }
}

/** The worlds that the views need, each started once, unless a view wants its own. */
export class Worlds {
  #started = new Map();

  get(kind = 'ofFriends', isAlone = false) {
    if (isAlone) return World[kind]();
    if (!this.#started.has(kind)) this.#started.set(kind, World[kind]());
    return this.#started.get(kind);
  }

  async stop() {
    for (const world of this.#started.values()) await (await world).stop();
  }
}

const TALK = 'Lake weekend';

/** Waits until the images in sight have loaded. */
const isDrawn = (page) => page.waitForFunction(() => [...document.images].every((image) => (
  image.complete || !image.checkVisibility()
)));

/** Waits until the cards of the welcome say what was last said. */
const hasCards = (tab) => tab.page.locator('#cards .said-last').first().waitFor();

/** Breaks the connection, and waits until the page has noticed. */
async function goOffline({ tab, proxy }) {
  proxy.breakOff();
  await tab.banner.getByRole('button', { name: 'Try now' }).waitFor();
}

/** Makes the server refuse the next text, although the page thinks that it fits. */
function spoil({ proxy }) {
  proxy.gate = (frame, isUp) => {
    if (isUp && frame.type === 'text') frame.text = frame.text.padEnd(5_000, '.');
    return 'pass';
  };
}

/**
 * The rows. `show({ tab, does, world, proxy })` gets a visitor from the open page to the view. `visitor`: options of
 * `Tab.open` besides those of the device. `world`: a method of `World`; with `isAlone` the view gets one of its
 * own, which it may change. `isLike`: the view that is laid out as this one, which stands for it where each view takes
 * seconds. `isOwnOnPhone`: a phone lays it out anew, or has something new to hit.
 */
export const VIEWS = [
  {
    name: 'first-visit',
    isOwnOnPhone: true,
    visitor: { isGreeted: false },
    async show({ tab, does }) {
      await does.hand.write(does.welcomeBox, 'x'.repeat(40));
      await tab.page.locator('#hello').getByText('8 characters too long').waitFor();
      await hasCards(tab);
    },
  },
  {
    name: 'invited',
    isLike: 'name-dialog',
    visitor: { isGreeted: false, hash: `#room=${roomId(TALK)}` },
    show: ({ does }) => does.hand.sees(does.nameBox),
  },
  {
    name: 'welcome',
    isLike: 'first-visit',
    show: ({ tab }) => hasCards(tab),
  },
  {
    name: 'name-dialog',
    async show({ tab, does }) {
      await tab.me.click();
      await does.hand.sees(does.dialog('name_change'));
    },
  },
  { name: 'room-empty', isOwnOnPhone: true, show: ({ does }) => does.enter('Quiet corner') },
  {
    name: 'room-talk',
    isOwnOnPhone: true,
    isAlone: true,
    async show({ tab, does, world }) {
      await does.enter(TALK);
      await does.say('It is packed. Train at 9:12, platform 4');
      world.people.get('Tariq').send('{"type":"typing"}');
      await does.hand.sees([...does.log, ['img', 'A birthday cake with candles']]);
      await isDrawn(tab.page);
    },
  },
  {
    name: 'same-names',
    isLike: 'room-talk',
    async show({ does, world }) {
      await does.enter('Loud music');
      await does.hand.reads(does.log, 'It is Tariq here');
      await world.comes('Tariq', 'Loud music', 'third Tariq');
      await world.says('third Tariq', 'No, I am Tariq');
      await does.hand.reads(does.log, 'No, I am Tariq');
    },
  },
  { name: 'code', show: ({ does }) => does.enter('Kitchen') },
  { name: 'long-texts', isLike: 'code', show: ({ does }) => does.enter('Workshop') },
  {
    name: 'linked-message',
    visitor: { hash: `#room=${roomId('Release 2.0')}&seq=3` },
    show: ({ does }) => does.hand.reads(does.log, 'Step 3 of the release'),
  },
  {
    name: 'unread-in-list',
    isLike: 'mentioned-elsewhere',
    show: leaveUnread,
  },
  {
    name: 'unread-130',
    async show(scene) {
      await leaveUnread(scene);
      await scene.does.enter('Book club');
      await scene.tab.line('New messages').waitFor({ state: 'attached' });
    },
  },
  {
    name: 'mentioned-elsewhere',
    isOwnOnPhone: true,
    async show({ does, world }) {
      await does.enter('Loud music');
      await does.enter('Quiet corner');
      await world.says('Kim', '@Mira where are you?');
      await does.toRooms();
      await does.hand.reads(does.room('Loud music'), does.mentionPill);
    },
  },
  {
    name: 'far-up',
    isOwnOnPhone: true,
    async show({ tab, does, world }) {
      const before = Array.from({ length: 60 }, (_, i) => `Page ${i + 1}`);
      await world.people.get('Ivo').say(...before);
      await does.enter('Book club');
      await does.hand.reads(does.log, before.at(-1));
      await tab.page.locator('#log').evaluate((log) => { log.scrollTop -= 1.5 * log.clientHeight; });
      await tab.page.getByRole('button', { name: 'Jump to latest' }).waitFor();
      await world.says('Ivo', 'News for @Mira');
      await tab.page.getByRole('button', { name: '1 new message' }).waitFor();
    },
  },
  {
    name: 'members',
    isOwnOnPhone: true,
    async show({ does }) {
      await does.enter(TALK);
      await does.openMembers();
      await does.hand.reads(does.members, 'Yuki');
    },
  },
  {
    name: 'member-menu',
    isOwnOnPhone: true,
    async show({ tab, does }) {
      await does.enter(TALK);
      await does.openMembers();
      await tab.member('Yuki').getByRole('button').click();
      await does.hand.sees([['menu', 'Yuki']]);
    },
  },
  {
    name: 'room-menu',
    isLike: 'member-menu',
    async show({ does }) {
      await does.enter(TALK);
      await does.hand.press(does.button('room_more'));
      await does.hand.sees([['menu', 'More']]);
    },
  },
  {
    name: 'invitation',
    isOwnOnPhone: true,
    async show({ does }) {
      await does.enter(TALK);
      await does.openInvitation();
    },
  },
  {
    name: 'switcher',
    isOwnOnPhone: true,
    async show({ does }) {
      await does.hand.press(does.button('switcher'));
      await does.hand.sees([['option', /Book club/]]);
    },
  },
  { name: 'settings', isOwnOnPhone: true, show: ({ does }) => does.openSettings() },
  {
    name: 'shortcuts',
    isLike: 'settings',
    async show({ tab, does }) {
      await does.enter('Quiet corner');
      await tab.page.keyboard.press('Escape');
      await tab.page.locator('#room-title').focus();
      await tab.page.keyboard.press('?');
      await does.hand.sees(does.dialog('shortcuts'));
    },
  },
  {
    name: 'emoji',
    isOwnOnPhone: true,
    async show({ does }) {
      await does.enter(TALK);
      await does.openPicker('emoji');
      await does.hand.sees([['group', does.t('emoji_faces')]]);
    },
  },
  {
    name: 'gifs',
    isLike: 'emoji',
    async show({ tab, does }) {
      await does.enter(TALK);
      await does.openPicker('gifs');
      await does.hand.sees(does.button('gif: A waving hand'));
      await isDrawn(tab.page);
    },
  },
  {
    name: 'suggestions',
    isOwnOnPhone: true,
    async show({ does }) {
      await does.enter(TALK);
      await does.hand.write(does.box, 'Look :sm');
      await does.hand.sees([['listbox', 'Suggestions'], ['option']]);
    },
  },
  {
    name: 'too-long',
    isLike: 'refused',
    async show({ tab, does }) {
      await does.enter('Quiet corner');
      await tab.text.fill('x'.repeat(4_100));
      await tab.pace.getByText('100 characters too long').waitFor();
    },
  },
  {
    name: 'refused',
    isOwnOnPhone: true,
    async show(scene) {
      await scene.does.enter('Quiet corner');
      spoil(scene);
      await scene.does.say('This one is too much');
      await scene.does.hand.sees(scene.does.button('retry'));
    },
  },
  {
    name: 'offline',
    isOwnOnPhone: true,
    visitor: { allowed: AWAY },
    async show(scene) {
      await scene.does.enter(TALK);
      await goOffline(scene);
      await scene.does.say('Written in a tunnel');
      await scene.does.hand.reads(scene.does.log, 'Waiting to send');
    },
  },
  {
    name: 'lost',
    isLike: 'unread-130',
    isAlone: true,
    visitor: { allowed: AWAY },
    async show({ tab, does, world }) {
      await does.enter(TALK);
      await does.say('Said');
      await world.server.kill();
      await tab.banner.getByRole('button', { name: 'Try now' }).waitFor();
      await world.server.restart();
      await tab.impatient();
      await tab.line('The server has lost earlier messages.').waitFor();
    },
  },
  {
    name: 'replaced',
    async show({ tab, does, proxy }) {
      await does.enter(TALK);
      const other = await tab.page.context().newPage();
      await other.goto(proxy.url);
      await tab.banner.getByRole('button', { name: 'Use here' }).waitFor();
      await tab.page.bringToFront();
    },
  },
  {
    name: 'muted',
    isLike: 'room-talk',
    async show({ does, tab }) {
      await does.enter(TALK);
      await does.mute();
      await tab.showed('toast', /Room muted/);
    },
  },
  {
    name: 'no-such-room',
    async show({ tab }) {
      await tab.page.evaluate(() => { location.hash = '#room=Nowhere'; });
      await tab.notice.getByText('There’s no room called “Nowhere”.').waitFor();
    },
  },
  {
    name: 'rooms-500',
    isLike: 'mentioned-elsewhere',
    world: 'ofManyRooms',
    async show({ tab, does }) {
      await does.hand.press(does.room('Room 450'));
      await does.isIn('Room 450');
      await does.toRooms();
      await tab.page.getByRole('searchbox', { name: 'Filter rooms' }).fill('45');
      await tab.room('Room 1').waitFor({ state: 'hidden' });
    },
  },
];

/** 130 messages in a room where the visitor has been, and is no more. */
async function leaveUnread({ tab, does, world }) {
  await does.enter('Book club');
  await does.enter('Quiet corner');
  const chapters = Array.from({ length: 130 }, (_, i) => `Chapter ${i + 1}${i % 7 === 3 ? ', which I did not expect to end like this, did you?' : ''}`);
  await world.people.get('Noor').say(...chapters);
  await does.toRooms();
  await tab.room('Book club').getByText('more than 99 new messages').waitFor();
}

/**
 * Opens the page and gets to the view. Returns `{ tab, close }`; `close` asserts that the page behaved. `device`:
 * options of the browser context.
 */
export async function openView(browser, worlds, view, device) {
  const world = await worlds.get(view.world, view.isAlone);
  const proxy = await Proxy.start(world.server);
  const tab = await Tab.open(browser, proxy.url, { name: 'Mira', ...device, ...view.visitor });
  const does = new Visitor(new Mouse(tab.page), await Words.load('en-GB'));
  const close = async () => {
    try {
      await tab.close();
    } finally {
      proxy.stop();
      if (view.isAlone) await world.stop();
    }
  };
  try {
    await view.show({ tab, does, world, proxy });
  } catch (error) {
    error.message = `${view.name}: ${error.message}`;
    await close().catch(() => {});
    throw error;
  }
  return { tab, close };
}
