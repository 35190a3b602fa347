// The invitation: the link, the code that a camera reads off the screen, and the device's own way of sharing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import jsQR from 'jsqr';
import { PHONE, stage } from './browser.mjs';

const visit = stage();

/** Reads the code off the screen, as a camera would: from a picture of it. */
async function scan(page) {
  const picture = await page.locator('.qr').screenshot();
  const { data, width, height } = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    pen.drawImage(bitmap, 0, 0);
    const image = pen.getImageData(0, 0, bitmap.width, bitmap.height);
    return { data: [...image.data], width: image.width, height: image.height };
  }, picture.toString('base64'));
  return jsQR(new Uint8ClampedArray(data), width, height, { inversionAttempts: 'dontInvert' })?.data;
}

for (const [device, options] of [['desktop', {}], ['phone', PHONE]]) {
  for (const colorScheme of ['light', 'dark']) {
    test(`${device}, ${colorScheme}: the code leads a friend to the room`, () => (
      visit([{ name: 'Anna', ...options, colorScheme }], async (anna, { open, server }) => {
        await anna.enter('Room 2');
        await anna.page.getByRole('button', { name: 'Share', exact: true }).click();
        const dialog = anna.page.getByRole('dialog', { name: 'Invite people to “Room 2”' });
        await dialog.getByRole('img', { name: 'The link as a QR code' }).waitFor();
        const link = await scan(anna.page);
        assert.equal(link, new URL('#room=2', server.url).href);
        assert.equal(await dialog.getByRole('textbox', { name: 'Link to the room' }).inputValue(), link);
        const ben = await open({ name: 'Ben', hash: link.slice(server.url.length) });
        await ben.isIn('Room 2');
      })));
  }
}

test('a phone shares by its own sheet', () => visit([{
  name: 'Anna', ...PHONE,
  before: (page) => page.addInitScript(() => {
    navigator.share = async (what) => { globalThis.sharedBy = what; };
  }),
}], async (anna, { server }) => {
  await anna.enter('Room 2');
  await anna.page.getByRole('button', { name: 'Share', exact: true }).tap();
  await anna.page.getByRole('dialog').getByRole('button', { name: 'Share…' }).tap();
  await anna.page.waitForFunction(() => globalThis.sharedBy);
  const { title, url } = await anna.page.evaluate(() => globalThis.sharedBy);
  assert.deepEqual({ title, url }, { title: 'wschat', url: new URL('#room=2', server.url).href });
}));

test('a click beside the dialog closes it, and one in it does not', () => visit([{ name: 'Anna' }], async (anna) => {
  await anna.enter('Room 2');
  const share = anna.page.getByRole('button', { name: 'Share', exact: true });
  await share.click();
  const dialog = anna.page.getByRole('dialog');
  await dialog.getByRole('img').click();
  assert.equal(await dialog.isVisible(), true);
  await anna.page.mouse.click(5, 5);
  await dialog.waitFor({ state: 'hidden' });
}));
