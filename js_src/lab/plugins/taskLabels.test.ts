import { expect, test } from 'vitest';
import { english } from '../../testing/english';
import { aSession, aTask } from '../../testing/samples';
import { model, notebooks, server, start } from '../../testing/sidebarHarness';
import { labelsOf } from './taskLabels';

test('no two tasks are called alike', async () => {
  server.sessions = ['k1', 'k2', 'kernel-3a', 'kernel-4b'].map((id) => aSession(id));
  notebooks.known.set('k1', { name: 'Untitled.ipynb', path: 'a/Untitled.ipynb' });
  notebooks.known.set('k2', { name: 'Untitled.ipynb', path: 'b/Untitled.ipynb' });
  notebooks.known.set('kernel-3a', { name: 'c.ipynb', path: 'c.ipynb' });
  notebooks.known.set('kernel-4b', { name: 'c.ipynb', path: 'c.ipynb' });
  await start();
  const tasks = [null, 'k1', 'k2', 'kernel-3a', 'kernel-4b'].map((kernel_id) =>
    aTask('tick', { kernel_id }),
  );
  expect(labelsOf(tasks, model, english)).toEqual([
    'tick',
    'tick (a/Untitled.ipynb)',
    'tick (b/Untitled.ipynb)',
    'tick (c.ipynb) (kernel-3)',
    'tick (c.ipynb) (kernel-4)',
  ]);
});
