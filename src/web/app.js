// Starts the page: creates the chat and its views, and wires them to the browser's events.

import { Chat } from './core/chat.js';
import { formatLink, parseLink } from './core/link.js';
import { browserStorage } from './core/storage.js';
import { isMentioned } from './text/mention.js';
import { Announcer } from './view/announce.js';
import { BannerView } from './view/banner.js';
import { ComposerView } from './view/composer.js';
import { copyText } from './view/copy.js';
import { NameDialog, SettingsDialog, ShortcutsDialog } from './view/dialogs.js';
import { byId } from './view/dom.js';
import { GifsView } from './view/gifs.js';
import { LogView } from './view/log.js';
import { MembersView } from './view/members.js';
import { Notifier } from './view/notify.js';
import { RoomsView } from './view/rooms.js';
import { listenToKeys } from './view/shortcuts.js';
import { TalkView } from './view/talk.js';
import { toast } from './view/toast.js';
import { translate } from './view/translate.js';
import { loadWords, t } from './view/words.js';

/** Relative to the page's own address, so that it works below a path of a reverse proxy. */
function socketUrl() {
  const url = new URL('./', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url;
}

const loadGifs = async () => (await fetch('gifs.json')).json();

/** The full address of a room or a message. */
async function copyLink(link) {
  const url = new URL(formatLink(link), location.href);
  toast(t(await copyText(url.href) ? 'link_copied' : 'link_not_copied'));
}

await loadWords();
translate(document);

const storage = browserStorage();
const chat = new Chat({ url: socketUrl(), storage, isMentioned, loadGifs });
const announcer = new Announcer(chat);
const composer = new ComposerView(chat, announcer);
const gifs = new GifsView(chat);
const talk = new TalkView(chat, copyLink);
const rooms = new RoomsView(chat, { room: () => talk.show('room'), name: () => names.open() });
const names = new NameDialog(chat, { closedFirst: () => talk.focus() });
const notifier = new Notifier(chat, storage.local);
const shortcuts = new ShortcutsDialog();
const settings = new SettingsDialog(storage.local, notifier, shortcuts);
const log = new LogView({ chat, log: byId('log'), list: byId('entries'), toLatest: byId('to-latest'), copyLink });
const members = new MembersView(chat, (name) => {
  talk.show('room');
  composer.mention(name);
});
const banner = new BannerView(chat, { refocus: () => talk.focus() });
const views = [banner, talk, rooms, members, composer, log, notifier, announcer];

/** A hidden page gets no animation frames, but its title and icon are visible. */
const HIDDEN_MS = 250;

let isScheduled = false;
let hiddenTimer;

/** Schedules a redraw for the next animation frame, so that many changes cost one redraw. */
function schedule() {
  if (document.hidden) {
    hiddenTimer ??= setTimeout(() => {
      hiddenTimer = undefined;
      notifier.draw();
    }, HIDDEN_MS);
  }
  if (isScheduled) return;
  isScheduled = true;
  requestAnimationFrame(() => {
    isScheduled = false;
    for (const view of views) view.draw();
    followAddress();
  });
}

let shownRoom;

/** The address names the room, so that a reload, a bookmark or a friend finds it. */
function followAddress() {
  const { room } = chat.state;
  if (room?.id === shownRoom) return;
  shownRoom = room?.id;
  gifs.close();
  if (!room) history.replaceState(null, '', location.pathname + location.search);
  else if (parseLink(location.hash)?.room !== room.id) {
    history.pushState(null, '', formatLink({ room: room.id ?? room.title }));
  }
}

function followLink() {
  const link = parseLink(location.hash);
  if (link) chat.open(link);
}

chat.subscribe(schedule);
chat.onMessage((entry) => {
  const gif = chat.state.gifs.find(({ id }) => id === entry.gifId);
  const told = { ...entry, alt: gif ? t(`gif: ${gif.alt}`) : t('gif_unknown', { id: entry.gifId }) };
  announcer.message(told);
  notifier.message(told);
});
addEventListener('hashchange', () => {
  followLink();
  // On a phone, Back leads from the first room to the list of rooms, and Forward into the current room.
  if (!parseLink(location.hash)) talk.show('rooms');
  else if (chat.state.room) talk.show('room');
});
addEventListener('online', () => chat.wake());
addEventListener('focus', () => chat.wake());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') chat.wake();
  schedule();
});
byId('settings-open').addEventListener('click', () => settings.open());
listenToKeys({ composer, gifs, rooms, shortcuts, talk });

followLink();
chat.start();
schedule();
delete document.documentElement.dataset.wait;
if (!chat.state.hasName) names.open({ isFirst: true });
