// What people see of the operator: announcements, erased messages, and being put out.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './browser.mjs';

const visit = stage();
const GOVERNED = { governed: true };
const TWO = [{ name: 'Anna' }, { name: 'Ben' }];

test('an announcement is shown in a room and outside, and stays in the log', () => visit(TWO, async (anna, ben, { server }) => {
  await anna.enter('Room 1');
  const text = 'The server restarts at noon.\nSave your tea!';
  assert.deepEqual(await server.command('POST', '/v1/announce', { text }), { told: 2 });
  for (const { page } of [anna, ben]) {
    const notice = page.getByRole('alert').filter({ hasText: 'Announcement: The server restarts at noon.' });
    await notice.waitFor();
    await notice.getByRole('button', { name: 'Dismiss' }).click();
    await notice.waitFor({ state: 'hidden' });
  }
  await anna.line('Announcement: The server restarts at noon.').waitFor();
  await anna.say('Thanks');
  await anna.line('Save your tea!').waitFor();
}, GOVERNED));

test('erased messages disappear, and do not come back', () => visit(TWO, async (anna, ben, { server }) => {
  for (const tab of [anna, ben]) await tab.enter('Room 1');
  await anna.say('stays');
  await ben.say('goes at once');
  await ben.say('goes, too');
  await anna.sent('goes, too').waitFor();
  await anna.text.fill('a draft');
  const { clients } = await server.command('GET', '/v1/clients');
  const { id } = clients.find(({ name }) => name === 'Ben');
  assert.deepEqual(await server.command('POST', '/v1/erase', { user: id }), { erased: 2 });
  for (const tab of [anna, ben]) {
    await tab.sent('goes, too').waitFor({ state: 'detached' });
    assert.equal(await tab.sent('goes at once').count(), 0);
    await tab.sent('stays').waitFor();
  }
  assert.equal(await anna.text.inputValue(), 'a draft');
  await ben.say('after that');
  await anna.sent('after that').waitFor();
  await anna.page.reload();
  await anna.sent('after that').waitFor();
  assert.equal(await anna.sent('goes, too').count(), 0);
  assert.equal(await anna.page.getByText('Some messages are missing').count(), 0, 'there is no gap');
}, GOVERNED));

test('whoever is kicked is told, and can join again as somebody else', () => visit(TWO, async (anna, ben, { server }) => {
  for (const tab of [anna, ben]) await tab.enter('Room 1');
  await anna.member('Ben').waitFor();
  const { clients } = await server.command('GET', '/v1/clients');
  const { id } = clients.find(({ name }) => name === 'Ben');
  assert.deepEqual(await server.command('POST', '/v1/kick', { user: id }), { kicked: [id] });
  await ben.page.getByRole('status').filter({ hasText: 'You’ve been removed from this chat.' }).waitFor();
  await anna.member('Ben').waitFor({ state: 'detached' });
  // Coming back to the page is no reason to connect again.
  await ben.page.evaluate(() => dispatchEvent(new Event('online')));
  await anna.say('He is gone.');
  assert.equal((await server.command('GET', '/v1/clients')).clients.length, 1);
  await ben.page.getByRole('button', { name: 'Join again' }).click();
  await anna.member('Ben').waitFor();
  await ben.sent('He is gone.').waitFor();
  const now = (await server.command('GET', '/v1/clients')).clients.find(({ name }) => name === 'Ben');
  assert.notEqual(now.id, id);
}, GOVERNED));
