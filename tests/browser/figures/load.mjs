// What the first visit loads: bytes over the wire for each encoding, and requests.

import http from 'node:http';
import { Tab } from '../browser.mjs';
import { Server } from '../server.mjs';

const ENCODINGS = { identity: 'not compressed', gzip: 'gzip', br: 'brotli' };

/** The length of the body, and how the server has encoded it. */
const get = (url, encoding) => new Promise((resolve, reject) => {
  http.get(url, { headers: { 'accept-encoding': encoding } }, (response) => {
    let bytes = 0;
    response.on('data', (part) => { bytes += part.length; });
    response.on('end', () => resolve({ bytes, encoding: response.headers['content-encoding'] ?? 'identity' }));
  }).on('error', reject);
});

/** What the page loads until its rooms are listed: the addresses. */
async function loaded(browser, server, locale) {
  const urls = new Set();
  const watch = (page) => page.on('request', (request) => urls.add(request.url()));
  const tab = await Tab.open(browser, server.url, { locale, isGreeted: false, before: watch });
  await tab.page.locator('#rooms a').first().waitFor({ state: 'attached' });
  await tab.close();
  return [...urls];
}

export async function load(browser) {
  const rows = [];
  const server = await Server.start();
  for (const locale of ['en-GB', 'de-DE']) {
    const urls = await loaded(browser, server, locale);
    for (const [encoding, name] of Object.entries(ENCODINGS)) {
      const answers = await Promise.all(urls.map((url) => get(url, encoding)));
      const isServed = encoding === 'identity' || answers.some((answer) => answer.encoding === encoding);
      const bytes = answers.reduce((sum, answer) => sum + answer.bytes, 0);
      rows.push([`first load, ${locale}`, name, isServed ? `${(bytes / 1_024).toFixed(1)} KiB` : 'not served']);
    }
    rows.push([`first load, ${locale}`, 'requests', String(urls.length)]);
  }
  await server.stop();
  return rows;
}
