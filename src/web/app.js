// Starts the page: creates the chat and its views, and wires them to the browser's events.

import { Chat } from './core/chat.js';
import { formatLink } from './core/link.js';
import { owner, subscribe } from './core/owner.js';
import { browserStorage } from './core/storage.js';
import { isMentioned } from './text/mention.js';
import { visible } from './text/names.js';
import { Announcer } from './view/announce.js';
import { BannerView } from './view/banner.js';
import { BrandView } from './view/brand.js';
import { copyText } from './view/copy.js';
import { onCalendarChange } from './view/dates.js';
import { byId } from './view/dom.js';
import { LateView } from './view/late.js';
import { NameAsker } from './view/naming.js';
import { Notifier } from './view/notify.js';
import { RoomsView } from './view/rooms.js';
import { Route } from './view/route.js';
import { listenToKeys } from './view/shortcuts.js';
import { addStyles } from './view/styles.js';
import { TalkView } from './view/talk.js';
import { toast } from './view/toast.js';
import { translate } from './view/translate.js';
import { followKeyboard } from './view/viewport.js';
import { WelcomeView } from './view/welcome.js';
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

/** Loads what is rarely wanted, with its style sheets, and uses it. */
async function onDemand(styles, load, use) {
  try {
    const [module] = await Promise.all([load(), addStyles('style/dialog.css', ...styles)]);
    use(module);
  } catch {
    toast(t('not_loaded'));
  }
}

let switcher;

const openSwitcher = () => onDemand(['style/switcher.css'], () => import('./view/switcher.js'), ({ Switcher }) => {
  switcher ??= new Switcher(chat, (id) => rooms.choose(id));
  switcher.toggle();
});

const share = () => onDemand(['style/invite.css'], () => import('./view/invite.js'), ({ openInvitation }) => {
  openInvitation(chat.state.room);
});

const openSettings = () => onDemand(['style/settings.css'], () => import('./view/settings.js'), (settings) => settings.openSettings({
  storage: storage.local,
  notifier,
  does: {
    shortcuts: openShortcuts,
    reload() {
      storage.session.set(REOPEN, true);
      location.reload();
    },
  },
}));

const openShortcuts = () => onDemand([], () => import('./view/dialogs.js'), (dialogs) => dialogs.openShortcuts());

/** After a change of the language the page is loaded anew, and the settings are open again. */
const REOPEN = 'settings';

const storage = browserStorage();
await loadWords(storage.local.get('language'), owner().language);
translate(document);

const chat = new Chat({ url: socketUrl(), storage, isMentioned, loadGifs, asksName: true });
const announcer = new Announcer(chat);
const talk = new TalkView(chat, storage.local, share);
const rooms = new RoomsView(chat, storage.local, { room: () => talk.show('room'), name: () => names.open() });
const welcome = new WelcomeView(chat, { enter: (id) => rooms.choose(id), isKept: storage.local.isKept });
const names = new NameAsker(chat, { typed: welcome.field, answered: () => talk.focus() });
const notifier = new Notifier(chat, storage.local, (id) => rooms.choose(id));
const inside = new LateView({
  isWanted: () => chat.state.room !== null,
  async load() {
    const { Inside } = await import('./view/inside.js');
    const does = { copyLink, rename: () => names.open(), share, show: (pane) => talk.show(pane) };
    return new Inside({ chat, announcer, storage: storage.local, does });
  },
  loaded() {
    if (inside.view) talk.begin();
    schedule();
  },
});
const banner = new BannerView(chat, { refocus: () => talk.focus() });
const brand = new BrandView(chat);
const route = new Route(chat, {
  show: (pane) => talk.show(pane),
  leave: () => talk.leave(),
  roomChanged: () => inside.view?.picker.close(),
});
const views = [banner, brand, talk, welcome, names, rooms, inside, notifier, announcer, route];

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
  });
}

chat.subscribe(schedule);
subscribe(schedule);
chat.onMessage((entry) => {
  const gif = chat.state.gifs.find(({ id }) => id === entry.gifId);
  const told = { ...entry, alt: gif ? t(`gif: ${gif.alt}`) : t('gif_unknown', { id: entry.gifId }) };
  announcer.message(told);
  notifier.message(told);
});
chat.onMention((room) => {
  if (notifier.mention(room)) announcer.say(t('mentioned_in', { room: visible(room.title) }));
});
onCalendarChange(schedule);
addEventListener('online', () => chat.wake());
addEventListener('focus', () => chat.wake());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') chat.wake();
  schedule();
});
byId('settings-open').addEventListener('click', openSettings);
byId('switcher-open').addEventListener('click', openSwitcher);
followKeyboard();
// Without swipes the browser's own way back is still there, so a failure is not told.
addEventListener('touchstart', () => {
  import('./view/swipe.js').then(({ listenToSwipes }) => listenToSwipes(document, () => route.back()), () => {});
}, { once: true, passive: true });
listenToKeys({ inside, openShortcuts, openSwitcher, rooms, talk });

/** Until now theme.js has had the word. If a part of the page is missing, it keeps it. */
function begin() {
  if (document.documentElement.dataset.broken !== undefined) return;
  byId('starting').remove();
  byId('lobby').hidden = false;
  document.querySelector('main').hidden = false;
}

route.begin();
chat.start();
begin();
schedule();
if (storage.session.get(REOPEN)) {
  storage.session.remove(REOPEN);
  openSettings();
}
