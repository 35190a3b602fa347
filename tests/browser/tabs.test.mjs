// One person is one user, in however many tabs; and who closes the last one leaves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './browser.mjs';

const visit = stage();

const TWO = [{ name: 'Anna' }, { name: 'Ben' }];
const ELSEWHERE = 'This chat is open in another tab.';

/** Another tab of the same browser. */
async function another(tab, url) {
  const page = await tab.page.context().newPage();
  await page.goto(url);
  return tab.beside(page);
}

test('who closes the tab has left soon, although the session could wait for long', () => visit(TWO, async (anna, ben) => {
  for (const tab of [anna, ben]) await tab.enter('Room 1');
  await ben.member('Anna').waitFor();
  await anna.page.close({ runBeforeUnload: true });
  await ben.line('Anna left').waitFor();
}, { settings: { limits: { resumeGraceSeconds: 600, reloadGraceSeconds: 1 } } }));

test('a reload is told to nobody', () => visit(TWO, async (anna, ben) => {
  for (const tab of [anna, ben]) await tab.enter('Room 1');
  await anna.page.reload();
  await anna.isIn('Room 1');
  await anna.say('here again');
  await ben.message('here again').waitFor();
  assert.equal(await ben.line('Anna left').count(), 0);
  assert.equal(await ben.line('Anna joined').count(), 0);
}, { settings: { limits: { resumeGraceSeconds: 600, reloadGraceSeconds: 600 } } }));

test('a second tab takes over, and the first offers to take back', () => visit(TWO, async (anna, ben, { server }) => {
  for (const tab of [anna, ben]) await tab.enter('Room 1');
  const second = await another(anna, server.url);
  await second.isIn('Room 1');
  await anna.showed('banner', new RegExp(ELSEWHERE));
  await second.say('from the second tab');
  await ben.message('from the second tab').waitFor();
  await anna.page.bringToFront();
  await anna.text.fill('from the first');
  await anna.pace.getByText('Messages you write here will wait until you choose “Use here”.').waitFor();
  await anna.page.getByRole('button', { name: 'Send', exact: true }).click();
  await anna.message('from the first').getByText('Waiting to send').waitFor();
  await anna.pace.getByText('1 message is waiting until you choose “Use here”.').waitFor();
  await anna.page.getByRole('button', { name: 'Use here' }).click();
  await second.banner.getByText(ELSEWHERE).waitFor();
  await ben.message('from the first').waitFor();
  await anna.sent('from the first').waitFor();
  assert.deepEqual(await anna.texts(), ['from the second tab', 'from the first']);
  assert.equal(await anna.page.locator('.said.own').count(), 2);
  assert.equal(await ben.member('Anna').count(), 1);
  await second.page.close();
}));

test('two tabs that are loaded at once: one is used, and the other says so', () => visit([{ name: 'Anna' }], async (anna, { server }) => {
  await anna.enter('Room 1');
  const second = await another(anna, server.url);
  await second.isIn('Room 1');
  await Promise.all([anna, second].map(({ page }) => page.reload()));
  const kinds = async () => Promise.all([anna, second].map(({ page }) => page.locator('#banner').getAttribute('data-kind')));
  const isSettled = ([one, two]) => (one === 'replaced') !== (two === 'replaced');
  while (!isSettled(await kinds())) await second.page.bringToFront().then(() => anna.page.bringToFront());
  await second.page.close();
}));
