// Passes on what comes from the other end some time later: node delay.mjs PORT TO-PORT MILLISECONDS.
// What waits here is lost when this process is killed, as what is on its way is when a machine dies.

import { createServer, connect } from 'node:net';

const [port, to, delay] = process.argv.slice(2).map(Number);

createServer((near) => {
  const far = connect(to, '127.0.0.1');
  near.pipe(far);
  far.on('data', (bytes) => setTimeout(() => near.write(bytes), delay));
  for (const [one, other] of [[near, far], [far, near]]) {
    one.on('error', () => {});
    one.on('close', () => other.destroy());
  }
}).listen(port, '127.0.0.1');
