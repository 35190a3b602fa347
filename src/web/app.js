// Puts the page together: the connection's frames go to the chat, the user's wishes to the connection.

import { Chat } from './chat.js';
import { Connection } from './connection.js';
import { State } from './state.js';
import { View } from './view.js';

/** The chosen name outlives the page where the browser lets it. */
const memory = {
  load() {
    try {
      return localStorage.getItem('wschat.name');
    } catch {
      return null;
    }
  },
  save(name) {
    try {
      if (name === null) localStorage.removeItem('wschat.name');
      else localStorage.setItem('wschat.name', name);
    } catch {
      // Then it lives as long as the page.
    }
  },
};

/** The page's own address, so that it also works below a path of a reverse proxy. */
function socketUrl() {
  const url = new URL('./', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url;
}

const state = new State();
const view = new View(state);
const chat = new Chat({ state, memory, view, send: (request) => connection.send(request) });
const connection = new Connection(socketUrl(), {
  connecting: () => chat.connecting(),
  frame: (frame) => chat.receive(frame),
  lost: (reason) => chat.lost(reason),
});

/** After sleep or another network there is no point in waiting, and much may have changed. */
function wake() {
  connection.retry();
  chat.refresh();
}

view.listen(chat, () => connection.retry());
addEventListener('online', wake);
addEventListener('focus', wake);
connection.open();
